"""From the runs of an experiment to its verdict."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.comparison import Verdict, verdict_of, verdicts_of
from metrics.record import RunRecord
from tests.metrics.experiments import experiment, pair_of

STEPS = [2.7, 2.8, 2.9, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6]
patient = settings(max_examples=30, deadline=None)
times_s = st.floats(0.05, 100)
three_times = st.tuples(times_s, times_s, times_s)


def numbers(verdict: Verdict) -> tuple[float | None, float | None, float | None]:
    return verdict.estimate, verdict.low, verdict.high


def exchanged(rows: list[RunRecord]) -> list[RunRecord]:
    """The same runs, complete ones as streamed and the other way round."""
    return [replace(row, mode="sync" if row.mode == "stream" else "stream") for row in rows]


# --- the sentence -----------------------------------------------------------------------------------------------------


def test_the_sentence_says_what_streaming_changes_and_how_sure_that_is() -> None:
    verdict = verdict_of(experiment(STEPS * 2))
    assert verdict.sentence == (
        "First text 3.1 s sooner with streaming, 95 % interval 3.0 to 3.3 s, n = 20; "
        "total time: no practical difference (−0.4 to 0.4 s)."
    )
    assert numbers(verdict) == pytest.approx((3.15, 3.0, 3.3))
    assert verdict.model_id == "us.amazon.nova-lite-v1:0"


def test_seven_pairs_have_a_median_and_no_verdict() -> None:
    verdict = verdict_of(experiment(STEPS[:7]))
    assert verdict.estimate == pytest.approx(3.0)
    assert (verdict.low, verdict.high) == (None, None)
    assert verdict.sentence == (
        "First text: not enough runs to tell (median 3.0 s sooner with streaming), n = 7; an interval needs 8 pairs."
    )
    assert verdict_of(experiment(STEPS[:8])).low is not None


def test_nothing_is_claimed_where_the_interval_holds_no_difference() -> None:
    verdict = verdict_of(experiment([-1.5, 2.5] * 10))
    assert verdict.sentence.startswith("First text: no clear difference, 95 % interval −1.5 to 2.5 s, n = 20")
    assert verdict.estimate == pytest.approx(0.5)


def test_streaming_can_be_later() -> None:
    verdict = verdict_of(experiment([-1.0, -0.8, -0.9, -0.9] * 5))
    assert verdict.sentence.startswith("First text 0.90 s later with streaming, 95 % interval 0.85 to 0.95 s, n = 20")


def test_a_trifle_is_told_as_one_however_sure_it_is() -> None:
    verdict = verdict_of(experiment([0.04, 0.02, 0.03, 0.03] * 5))
    assert verdict.sentence.startswith("First text 30 ms sooner with streaming, no practical difference, 95 % interval")


def test_without_a_pair_it_says_why() -> None:
    assert verdict_of([]).sentence == "No pair of runs to compare."
    verdict = verdict_of(experiment([3.0] * 2, status="failed"))
    assert verdict.sentence == "No pair of runs to compare (2 failed)."
    assert numbers(verdict) == (None, None, None)
    assert verdict.n == 0


def test_simulated_says_so_first() -> None:
    assert verdict_of(experiment([3.0] * 8, simulated=True)).sentence.startswith("Simulated: first text 3.0 s sooner")


def test_several_models_are_pooled_and_told_one_by_one() -> None:
    rows = [
        replace(row, request_model=model, pair_id=f"{model}-{row.pair_id}")
        for model, gain in (("b", 3.0), ("a", 1.0))
        for row in experiment([gain] * 8)
    ]
    pooled = verdict_of(rows)
    assert (pooled.n, pooled.model_id) == (16, None)
    assert pooled.sentence.startswith("Over 2 models: first text 2.0 s sooner with streaming")
    assert [(each.model_id, each.n) for each in verdicts_of(rows)] == [("b", 8), ("a", 8)]
    assert verdict_of(rows, "a").estimate == pytest.approx(1.0)
    lump = [replace(row, flags=("buffered_stream",)) if row.request_model == "a" else row for row in rows]
    assert verdict_of(lump).sentence.startswith("Over 1 of 2 models: first text 3.0 s sooner")
    assert verdict_of(lump, "a").sentence == "No pair of runs to compare (8 not really streamed)."


# --- the numbers ------------------------------------------------------------------------------------------------------


def test_json_is_that_of_the_contract() -> None:
    rows = experiment([3.0] * 10)
    verdict = verdict_of([*rows[:18], rows[18], replace(rows[19], status="failed")]).to_json()
    assert {"sentence", "estimate", "low", "high", "level", "n"} <= verdict.keys()
    assert (verdict["estimate"], verdict["low"], verdict["high"]) == (3.0, 3.0, 3.0)
    assert (verdict["level"], verdict["n"], verdict["voided"]) == (0.95, 9, {"failed": 1})
    assert verdict["percentiles"]["time_to_visible.stream"] == {
        "n": 9,
        "p50": 1.0,
        "p90": None,
        "p95": None,
        "p99": None,
    }
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict


def test_warm_up_does_not_move_the_verdict() -> None:
    rows = experiment(STEPS)
    assert verdict_of([*pair_of(99, 90.0, 1.0, 90.0, phase="warmup"), *rows]) == verdict_of(rows)


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = experiment(STEPS)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert verdict_of(shuffled) == verdict_of(rows)


@patient
@given(st.lists(three_times, min_size=8, max_size=25))
def test_exchanging_the_modes_mirrors_every_interval(times: list[tuple[float, float, float]]) -> None:
    rows = [row for number, three in enumerate(times) for row in pair_of(number, *three)]
    here, there = verdict_of(rows), verdict_of(exchanged(rows))
    assert there.low is not None
    assert there.high is not None
    assert there.estimate is not None
    assert numbers(here) == pytest.approx((-there.estimate, -there.high, -there.low), abs=1e-9)
    for effect, mirrored in zip(here.effects, there.effects, strict=True):
        assert (effect.ratio or 0) * (mirrored.ratio or 0) == pytest.approx(1)


@patient
@given(st.lists(three_times, min_size=8, max_size=25), st.floats(0.1, 10))
def test_another_unit_of_time_scales_the_seconds_and_leaves_the_ratio(
    times: list[tuple[float, float, float]], factor: float
) -> None:
    rows = [row for number, three in enumerate(times) for row in pair_of(number, *three)]
    scaled = [
        row for number, three in enumerate(times) for row in pair_of(number, *(factor * value for value in three))
    ]
    here, there = verdict_of(rows).effects[0], verdict_of(scaled).effects[0]
    assert [there.estimate, there.low, there.high] == pytest.approx(
        [factor * (value or 0) for value in (here.estimate, here.low, here.high)], abs=1e-9
    )
    assert (there.ratio, there.ratio_low) == pytest.approx((here.ratio, here.ratio_low))
