"""Expectations as they are written on the command line."""

from __future__ import annotations

import pytest

from app.expectation import read_expectation
from tests.app.ui.make import a_record

MODEL = "us.amazon.nova-micro-v1:0"
RUNS = [a_record(run_id=str(number), time_to_visible_s=number / 8) for number in range(1, 6)]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("time_to_visible.stream.p50<0.376", True),
        ("time_to_visible.stream.p50 <= 0.375", True),
        ("time_to_visible.stream.p50<0.375", False),
        ("time_to_visible.stream.max>.5", True),
        ("time_to_visible.stream.n>=5", True),
        ("time_to_visible.sync.p50<9", False),  # not known
    ],
)
def test_a_figure_is_held_against_its_bound(text: str, holds: bool) -> None:
    sentence = read_expectation(text, pairs=20).missed(RUNS, MODEL)
    assert (sentence is None) == holds
    assert holds or text.strip() in str(sentence)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "time_to_visible.stream.p50",
        "time_to_visible.stream.p50<fast",
        "time_to_visible.stream.p50==1",
        "time_to_visible.stream.p42<1",
        "loudness.stream.p50<1",
        "time_to_visible.sideways.p50<1",
        "time_to_visible.stream.p95<1",
    ],
)
def test_what_is_no_expectation_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w \w+.*\."):
        read_expectation(text, pairs=20)


def test_a_percentile_that_the_runs_do_not_carry_in_the_end_is_missed() -> None:
    sentence = read_expectation("time_to_visible.stream.p90<9", pairs=50).missed(RUNS, MODEL)
    assert sentence is not None
    assert "needs at least 50" in sentence
