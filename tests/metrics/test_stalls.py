"""When a silence is worth a word: from the model's own habits, never later than three seconds."""

from __future__ import annotations

import pytest

from metrics.stalls import StallHistory


def history(*longest_s: float) -> StallHistory:
    known = StallHistory()
    for value in longest_s:
        known.add("one", value)
    return known


@pytest.mark.parametrize(
    ("longest_s", "limit_s"),
    [
        ((), 3.0),
        ((0.05,) * 4, 3.0),
        ((0.05,) * 5, 1.0),
        ((0.5,) * 5, 2.0),
        ((2.0,) * 5, 3.0),
        ((0.05, 0.05, 0.05, 0.05, 30.0), 1.0),
    ],
)
def test_the_limit_follows_the_usual_pause(longest_s: tuple[float, ...], limit_s: float) -> None:
    assert history(*longest_s).limit_s("one") == limit_s


def test_models_have_habits_of_their_own() -> None:
    assert history(*(0.05,) * 9).limit_s("another") == 3.0


def test_old_habits_are_forgotten() -> None:
    assert history(*(2.0,) * 50, *(0.05,) * 50).limit_s("one") == 1.0
