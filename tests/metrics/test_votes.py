"""What votes on comparisons say about speed."""

from __future__ import annotations

from typing import Any

from metrics.experiment_log import Vote
from metrics.record import RunRecord
from metrics.votes import Preference, preference
from tests.metrics.records import record


def run(run_id: str, visible_s: float | None, **values: Any) -> RunRecord:
    return record(**({"run_id": run_id, "time_to_visible_s": visible_s} | values))


def vote(comparison_id: str, run_id: str | None) -> Vote:
    return Vote(comparison_id=comparison_id, run_id=run_id, voted_at="2026-11-22T10:00:00.000000Z")


def test_the_faster_answer_is_counted_where_it_was_preferred() -> None:
    runs = {name: [run(f"{name}-quick", 0.2), run(f"{name}-slow", 1.5)] for name in "abc"}
    votes = [vote("a", "a-quick"), vote("b", "b-slow"), vote("c", "c-quick")]
    assert preference(votes, runs) == Preference(faster=2, votes=3, ties=0)


def test_ties_stand_apart() -> None:
    runs = {"a": [run("1", 0.2), run("2", 1.5)]}
    assert preference([vote("a", None)], runs) == Preference(faster=0, votes=0, ties=1)


def test_what_decides_nothing_is_left_out() -> None:
    runs = {
        "alone": [run("1", 0.2)],
        "failed": [run("2", 0.2), run("3", None, status="failed")],
        "mixed": [run("4", 0.2, simulated=True), run("5", 1.5)],
        "gone": [run("6", 0.2), run("7", 1.5)],
        "equal": [run("10", 0.2), run("11", 0.2), run("12", 1.5)],
    }
    votes = [vote("alone", "1"), vote("failed", "2"), vote("mixed", "4"), vote("gone", "8"), vote("unknown", "9")]
    votes += [vote("equal", run_id) for run_id in ("10", "11", "12", None)]
    assert preference(votes, runs) == Preference(faster=0, votes=0, ties=0)


def test_equal_times_behind_the_first_do_not_matter() -> None:
    runs = {"a": [run("1", 1.5), run("2", 1.5), run("3", 0.2)]}
    assert preference([vote("a", "3")], runs) == Preference(faster=1, votes=1, ties=0)
