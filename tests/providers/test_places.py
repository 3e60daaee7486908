"""Places are made once, and what is known of them is told without their secrets."""

from __future__ import annotations

import pytest

from providers.errors import ConfigurationError
from providers.places import AGAIN_AFTER_S, MAX_PLACES, BackendStatus, Place, Places


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("http://user:secret@host:80/path?x=a@b", "http://host:80/path?x=a@b"),
        ("https://secret@[::1]:8443", "https://[::1]:8443"),
        ("http://user:se@cret@host", "http://host"),
        ("user:secret@host", "host"),
        ("http://host/a@b", "http://host/a@b"),
        ("http://[", "http://["),
        (None, None),
    ],
)
def test_a_status_holds_no_login(given: str | None, shown: str | None) -> None:
    assert BackendStatus(backend="aws", reason="a test", endpoint_url=given).endpoint_url == shown


class Making:
    """Counts what is made; fails while it is told to."""

    def __init__(self) -> None:
        self.made: list[tuple[str | None, str | None]] = []
        self.problem = ""
        self.now_s = 100.0

    def __call__(self, region: str | None, profile: str | None) -> Place:
        self.made.append((region, profile))
        if self.problem:
            raise ConfigurationError(self.problem)
        status = BackendStatus(backend="aws", reason="a test", region=region, profile=profile)
        return Place(self, status, None)  # type: ignore[arg-type]  # nobody asks it for a model

    def clock(self) -> float:
        return self.now_s


def test_each_is_made_once_and_not_all_are_kept() -> None:
    make = Making()
    places = Places(make, clock=make.clock)
    assert places.at("r", None) is places.at("r", None)
    assert make.made == [("r", None)]
    for number in range(2 * MAX_PLACES):
        places.at(f"region-{number}", "p")
    assert len(places) == MAX_PLACES


def test_a_failure_is_remembered_for_some_seconds() -> None:
    make = Making()
    places = Places(make, clock=make.clock)
    make.problem = "The program for the keys failed."
    for _ in range(3):
        with pytest.raises(ConfigurationError, match="program for the keys"):
            places.at(None, "broken")
    assert len(make.made) == 1
    make.problem = ""
    make.now_s += AGAIN_AFTER_S
    assert places.at(None, "broken") is places.at(None, "broken")
    assert len(make.made) == 2
