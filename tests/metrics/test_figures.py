"""Figures by name, and how often a promise was kept."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.figures import FIGURES, TooFewRunsError, figure, parse_figure, promise
from metrics.record import RunRecord
from metrics.timing import RunMetrics
from tests.metrics.experiments import experiment, pair_of, run
from tests.metrics.records import record

ROWS = [row for number in range(4) for row in pair_of(number, 4.0, 0.5 + number / 10, 5.0 + number)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_to_visible.stream.p50", 0.65),
        ("time_to_visible.sync.p50", 4.0),
        ("time_to_first_chunk.stream.min", 0.5),
        ("duration.stream.max", 8.0),
        ("duration.stream.mean", 6.5),
        ("duration_per_token.sync.mean", 0.04),
        ("cost.stream.mean", 0.002),
        ("output_tokens.stream.n", 4.0),
        (" duration.stream.n ", 4.0),
    ],
)
def test_a_figure_has_a_name(name: str, value: float) -> None:
    assert figure(ROWS, name) == pytest.approx(value)


def test_what_no_run_has_is_not_defined() -> None:
    assert figure(ROWS, "time_to_first_chunk.sync.p50") is None
    assert figure(ROWS, "tpot.stream.p99") is None
    assert figure([], "duration.stream.p50") is None
    assert figure([], "duration.stream.n") == 0


def test_only_measured_runs_of_counted_pairs_are_in_a_figure() -> None:
    rows = [*ROWS, *pair_of(8, 90.0, 90.0, 90.0, phase="warmup"), *pair_of(9, 90.0, 90.0, 90.0, resends=1)]
    assert figure(rows, "duration.stream.max") == 8.0
    assert figure([*rows, *pair_of(10, 90.0, 90.0, 90.0, request_model="b")], "duration.stream.max", "b") == 90.0


@pytest.mark.parametrize(("statistic", "needed"), [("p90", 50), ("p95", 100), ("p99", 100)])
def test_a_percentile_is_refused_where_there_are_too_few_runs(statistic: str, needed: int) -> None:
    name = f"duration.stream.{statistic}"
    assert parse_figure(name).needs == needed
    with pytest.raises(TooFewRunsError, match=f"{statistic} needs at least {needed} measured runs; '{name}' has 4"):
        figure(ROWS, name)
    assert figure(experiment([3.0] * needed), name) is not None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("speed.stream.p50", "'speed' in 'speed.stream.p50' is no metric. There are: time_to_visible, .*, cost."),
        ("duration.streamed.p50", "is no mode. There are: sync, stream."),
        ("duration.stream.p42", "is no statistic. There are: p50, p90, p95, p99, mean, min, max, n."),
        ("duration", "'duration' is no figure: write metric.mode.statistic"),
    ],
)
def test_an_unknown_name_is_answered_with_what_there_is(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figure(ROWS, name)


@pytest.mark.parametrize("attribute", [name for name in RunMetrics.__slots__ if name.endswith("_s")])
def test_every_time_and_speed_that_is_measured_can_be_named(attribute: str) -> None:
    given: dict[str, Any] = {attribute: 7.0}
    row = record(**given)
    assert 7.0 in [value_of(row) for value_of in FIGURES.values()]


# --- promises ---------------------------------------------------------------------------------------------------------


def streamed(number: int, visible_s: float | None = 0.8, duration_s: float | None = 5.0, **given: Any) -> RunRecord:
    return run(number, "stream", visible_s, duration_s, pair_id=None, **given)


def test_a_promise_is_told_with_its_share_and_interval() -> None:
    runs = [*(streamed(number) for number in range(19)), streamed(19, visible_s=1.2)]
    found = promise(runs, 1.0, 6.0)
    assert found.sentence == "Starts within 1 s, done within 6 s: met in 19 of 20 runs (95 % interval 76 to 99 %)."
    assert (found.met, found.of, found.share) == (19, 20, 0.95)
    assert promise(runs, None, 0.5).sentence == "Done within 0.5 s: met in 0 of 20 runs (95 % interval 0 to 16 %)."
    assert promise(runs[:1], 1.0).sentence.startswith("Starts within 1 s: met in 1 of 1 run (")


def test_an_interval_is_not_rounded_to_all_or_none() -> None:
    runs = [streamed(number) for number in range(1000)]
    assert "met in 1000 of 1000 runs (95 % interval 99.6 to 100.0 %)" in promise(runs, 1.0).sentence
    assert "met in 0 of 1000 runs (95 % interval 0.0 to 0.4 %)" in promise(runs, 0.1).sentence


@pytest.mark.parametrize(
    ("given", "met", "of"),
    [
        ({}, 2, 2),
        ({"status": "failed"}, 1, 2),
        ({"status": "interrupted"}, 1, 2),
        ({"visible_s": None}, 1, 2),
        ({"duration_s": 6.1}, 1, 2),
        ({"visible_s": 1.0, "duration_s": 6.0}, 2, 2),
        ({"resends": 1}, 2, 2),
        ({"status": "cancelled"}, 1, 1),
        ({"flags": ("cold",)}, 1, 1),
        ({"flags": ("cache_hit",)}, 1, 1),
        ({"phase": "warmup"}, 1, 1),
        ({"simulated": True}, 1, 1),
    ],
)
def test_a_failure_is_no_promise_kept(given: dict[str, Any], met: int, of: int) -> None:
    found = promise([streamed(0), streamed(1, **given)], 1.0, 6.0)
    assert (found.met, found.of) == (met, of)


def test_without_runs_there_is_no_share() -> None:
    found = promise([], 1.0)
    assert (found.sentence, found.share, found.low) == ("Starts within 1 s: no run to judge by.", None, None)


def test_simulated_runs_say_so_first() -> None:
    assert promise([streamed(0, simulated=True)], 1.0).sentence.startswith("Simulated: starts within 1 s")


def test_complete_answers_can_be_judged_too() -> None:
    assert promise(ROWS, 1.0, mode="sync").of == 4
    assert promise(ROWS, 1.0, mode="sync").met == 0


@pytest.mark.parametrize("limits", [(None, None), (0, 5), (1, -2)])
def test_a_promise_needs_a_limit(limits: tuple[float | None, float | None]) -> None:
    with pytest.raises(ValueError, match="needs a time above 0"):
        promise([], *limits)
