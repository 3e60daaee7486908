"""A session against an earlier one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from metrics.record import RunRecord
from metrics.sessions import against
from tests.metrics.experiments import experiment, pair_of


def session(factor: float = 1.0, *, day: str = "2026-11-12", pairs: int = 20, **given: Any) -> list[RunRecord]:
    """First text after 0.8 to 1.2 s times the factor, the same spread in every session."""
    rows = [
        row
        for number in range(pairs)
        for row in pair_of(number, 4.0, factor * (0.8 + 0.4 * number / (pairs - 1)), 4.0 * factor, **given)
    ]
    return [replace(row, started_at=row.started_at.replace("2026-11-12", day)) for row in rows]


@pytest.mark.parametrize(
    ("factor", "day", "said"),
    [
        (1.4, "2026-11-20", r"First text 40 % slower than on 12 Nov \(95 % interval 29 to 52 %\), n = 20 against 20\."),
        (0.5, "2026-11-20", r"First text 50 % faster than on 12 Nov \(95 % interval 46 to 54 %\)"),
        (1.0, "2026-11-20", r"First text: no practical difference from 12 Nov \(95 % interval −8 to 9 %\)"),
        (1.05, "2026-11-20", r"First text: no clear difference from 12 Nov \(95 % interval −4 to 14 %\)"),
        (1.4, "2027-01-02", r"slower than on 12 Nov 2026 \("),
        (1.4, "2026-11-12", r"slower than on 12 Nov at 07:00 UTC \("),
    ],
)
def test_the_sentence_says_how_much_slower_and_since_when(factor: float, day: str, said: str) -> None:
    shift = against(session(), session(factor, day=day))
    assert pytest.approx(factor) == shift.ratio
    assert re.search(said, shift.sentence), shift.sentence


def test_a_trifle_is_told_as_one_however_sure_it_is() -> None:
    said = against(session(), session(1.005), metric="duration").sentence
    assert said.startswith("Total time 0.5 % slower than on 12 Nov at 07:00 UTC, no practical difference (95 %")


def test_what_differs_besides_the_time_is_named() -> None:
    assert against(session(), session()).caveats == ()
    shift = against(session(), session(prompt="Another.", max_tokens=9, region="eu-west-1"))
    assert shift.caveats == ("the prompts differ", "the token limits differ", "the regions differ")
    assert shift.sentence.endswith("(the prompts differ, the token limits differ, the regions differ).")


def test_one_model_and_one_metric_at_a_time() -> None:
    mixed = [*session(), *experiment([0.5] * 20, request_model="b")]
    shift = against(mixed, session(1.5), model_id="us.amazon.nova-lite-v1:0", metric="duration")
    assert shift.caveats == ()
    assert shift.ratio == pytest.approx(1.5)
    assert shift.sentence.startswith("Total time 50 % slower than")


def test_few_runs_give_no_claim() -> None:
    shift = against(session(), session(1.5, pairs=7))
    assert (shift.low, shift.high, shift.n_baseline, shift.n) == (None, None, 20, 7)
    assert "First text: not enough runs to tell (50 % slower than" in shift.sentence
    assert shift.sentence.endswith("an interval needs 8 on either side).")


def test_without_runs_there_is_nothing_to_compare() -> None:
    shift = against(session(), session(status="failed"))
    assert shift.sentence == "First text: nothing to compare, 20 runs against 0."
    assert shift.ratio is None
    assert json.loads(json.dumps(shift.to_json()))["ratio"] is None


def test_simulated_runs_are_held_against_simulated_ones_only() -> None:
    shift = against(session(), session(simulated=True))
    assert (shift.sentence, shift.ratio) == ("Simulated runs and real ones are not compared.", None)
    assert against(session(simulated=True), session(simulated=True)).sentence.startswith("Simulated: first text")
