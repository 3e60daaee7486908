"""Which pairs count, and the words for why one does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from metrics.pairs import asked, counted_runs, left_out, pairs_of
from metrics.record import RunRecord
from tests.metrics.experiments import experiment, pair_of, run
from tests.metrics.records import record


def with_streamed(**given: Any) -> list[RunRecord]:
    """Two pairs, the streamed run of the second changed."""
    rows = experiment([3.0, 3.0])
    return [*rows[:3], replace(rows[3], **given)]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"status": "failed"}, "failed"),
        ({"status": "interrupted"}, "interrupted"),
        ({"status": "cancelled"}, "stopped"),
        ({"resends": 1}, "tried again"),
        ({"flags": ("retried",)}, "tried again"),
        ({"flags": ("buffered_stream",)}, "not really streamed"),
        ({"flags": ("cache_hit",)}, "prompt cache read"),
        ({"flags": ("cold",)}, "first call to the model"),
        ({"flags": ("no_visible",)}, "no visible text"),
        ({"time_to_visible_s": None}, "no visible text"),
        ({"flags": ("truncated",)}, "cut by the token limit on one side only"),
        ({"simulated": True}, "simulated among real runs"),
        ({"mode": "sync"}, "more than one run of a kind"),
        ({"pair_id": "another"}, "partner missing"),
        ({"phase": "warmup"}, "partner missing"),
    ],
)
def test_a_pair_is_left_out_for_what_happened_to_it(given: dict[str, Any], reason: str) -> None:
    pairs = pairs_of(with_streamed(**given))
    assert [pair.pair_id for pair in pairs.counted] == ["pair-0"]
    assert set(pairs.reasons) == {reason}
    assert pairs.voided[0].complete is not None


@pytest.mark.parametrize("flags", [("reasoning",), ()])
def test_reasoning_is_no_fault(flags: tuple[str, ...]) -> None:
    assert not pairs_of(with_streamed(flags=flags)).voided


def test_two_answers_at_the_limit_have_the_same_length_and_count() -> None:
    assert len(pairs_of(experiment([3.0] * 2, flags=("truncated",))).counted) == 2


def test_a_slow_pair_is_not_left_out() -> None:
    assert len(pairs_of([*experiment([3.0]), *pair_of(9, 4.0, 1.0, 400.0)]).counted) == 2


def test_each_pair_has_one_reason_and_what_happened_comes_before_what_is_missing() -> None:
    rows = [run(0, "stream", None, None, status="failed", flags=("cold",)), run(1, "sync", 4.0, 4.0)]
    pairs = pairs_of(rows)
    assert pairs.reasons == {"failed": 1, "partner missing": 1}
    assert left_out(pairs.reasons) == "2 pairs left out: 1 failed, 1 partner missing"
    assert left_out({"failed": 1}) == "1 pair left out: 1 failed"
    assert left_out({}) == ""


def test_warm_up_never_counts_and_is_not_left_out_either() -> None:
    assert not pairs_of(experiment([3.0], phase="warmup")).voided
    assert not pairs_of([record("alone")]).voided


def test_simulated_runs_count_among_themselves() -> None:
    simulated = experiment([3.0] * 2, simulated=True)
    assert pairs_of(simulated).simulated
    real = [replace(row, pair_id=f"{row.pair_id}-real") for row in experiment([3.0], request_model="real")]
    both = pairs_of([*simulated, *real])
    assert (len(both.counted), both.reasons, both.simulated) == (1, {"simulated among real runs": 2}, False)
    assert len(pairs_of([*simulated, *real], simulated[0].request_model).counted) == 2


def test_pairs_stand_in_the_order_in_which_they_began() -> None:
    assert [pair.pair_id for pair in pairs_of(experiment([1.0] * 3)[::-1]).counted] == ["pair-0", "pair-1", "pair-2"]


def test_figures_are_made_of_counted_pairs_and_of_single_runs_without_fault() -> None:
    rows = [
        *with_streamed(status="failed"),
        run(2, "stream", 1.0, 4.0, pair_id=None),
        run(3, "stream", 1.0, 4.0, pair_id=None, flags=("cold",)),
    ]
    assert [row.run_id for row in counted_runs(rows, "stream")] == ["0-stream", "2-stream"]


def test_what_was_asked_is_told_without_the_characters_against_caches() -> None:
    plain = record(prompt="Tell me.")
    assert asked(record(prompt="[0123456789ab]\nTell me.")) == asked(plain)
    assert asked(record(prompt="[note]\nTell me.")) != asked(plain)
    assert asked(record(prompt="Tell me.", system_prompt="Be brief.")) != asked(plain)
