"""What the panes ask, from values that a browser sent."""

from __future__ import annotations

from typing import Any

import pytest

from app.comparisons import PaneSettings
from app.ui.compare_form import FIELDS, differences, entry, read_count, read_panes
from metrics.tokens import TokenEstimator
from providers.connect import Backends
from providers.errors import ProviderError
from tests.wire import wire_server

NOVA = "us.amazon.nova-lite-v1:0"


def pane(**values: Any) -> PaneSettings:
    usual = {"model": "simulated.swift", "temperature": 0.7, "max_tokens": 512, "system": "", "region": ""}
    return PaneSettings(**(usual | values))


def test_the_values_are_read_pane_by_pane() -> None:
    values = [f"{field} {number}" for number in range(6) for field in FIELDS]
    panes = read_panes(2, values)
    assert len(panes) == 2
    assert panes[1].model == "model 1"
    assert panes[1].profile == "profile 1"


INFINITE = float("inf")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [(3, 3), (0, 1), (99, 6), (10**400, 6), (INFINITE, 6), (-INFINITE, 1), (float("nan"), 2), ("x", 2), (None, 2)],
)
def test_there_are_one_to_six_panes_whatever_is_sent(sent: Any, shown: int) -> None:
    assert read_count(sent) == shown


def test_a_pane_becomes_a_request() -> None:
    made = entry(pane(system="Be brief."), "Why?", Backends("local"), TokenEstimator())
    assert made.refusal is None
    assert made.request is not None
    assert made.request.system == "Be brief."
    assert made.request.messages[-1].text == "Why?"
    assert made.request.inference.max_tokens == 512
    assert made.providers is None


def test_an_unknown_vendor_is_asked_over_converse_and_said_so() -> None:
    made = entry(pane(model="newcomer.model-1"), "Why?", Backends("local"), TokenEstimator())
    assert made.notices == ("newcomer.model-1 is not known here; it is asked over Converse.",)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"model": ""}, "Choose a model"),
        ({"model": 7}, "Choose a model"),
        ({"model": "nothing"}, "no model that is known"),
        ({"mode": "Both"}, "Stream or Complete"),
        ({"mode": "x"}, "mode must be one of"),
        ({"system": 3}, "system must be text"),
        ({"region": 3}, "region must be text"),
        ({"region": "bad region"}, "Check the region"),
        ({"profile": "no-such-profile"}, "no-such-profile"),
    ],
)
def test_what_cannot_be_asked_says_why(values: dict[str, Any], sentence: str) -> None:
    with wire_server() as wire:
        made = entry(pane(**values), "Why?", Backends("auto", endpoint_url=wire.url), TokenEstimator())
    assert made.request is None
    assert sentence in str(made.refusal)


def test_another_region_is_where_the_pane_goes() -> None:
    with wire_server() as wire:
        backends = Backends("auto", region="us-west-2", endpoint_url=wire.url)
        made = entry(pane(model=NOVA, region=" eu-west-1 "), "Why?", backends, TokenEstimator())
        assert made.providers is not None
        assert made.providers.status_of(NOVA).region == "eu-west-1"


def test_without_aws_a_region_changes_nothing_for_a_model_of_this_machine() -> None:
    made = entry(pane(region="eu-west-1"), "Why?", Backends("local", local_url="http://127.0.0.1:9"), TokenEstimator())
    assert made.refusal is None
    assert made.providers is not None
    assert made.providers.status_of("simulated.swift").backend == "local"


def test_only_what_differs_from_the_first_pane_is_told() -> None:
    first = pane()
    panes = [
        first,
        pane(model="other"),
        pane(temperature=0.2, max_tokens=None),
        pane(mode="Complete", system="Be brief.", region="eu-west-1", profile="dev"),
    ]
    assert differences(panes) == (
        (),
        (),
        ("temperature 0.2", "max default tokens"),
        ("complete", "other system prompt", "region eu-west-1", "profile dev"),
    )
    assert differences([pane(system="Be brief."), first])[1] == ("no system prompt",)


def test_equal_values_in_other_spellings_do_not_differ() -> None:
    assert differences([pane(temperature=1, region=None), pane(temperature=1.0, region="  ")]) == ((), ())


def test_a_refusal_is_an_error_of_ours() -> None:
    made = entry(pane(model="nothing"), "Why?", Backends("local"), TokenEstimator())
    assert isinstance(made.refusal, ProviderError | ValueError)
