"""From runs to a verdict: which pairs count, what is claimed, in which words."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from metrics.comparison import verdict_of
from metrics.record import RunRecord
from tests.metrics.records import record


def run(pair: int, mode: str, visible_s: float | None, duration_s: float, **given: object) -> RunRecord:
    second = f"{pair // 60:02}:{pair % 60:02}"
    return record(
        f"{pair}-{mode}",
        **{
            "mode": mode,
            "pair_id": f"pair-{pair}",
            "started_at": f"2026-11-12T07:{second}.000000Z",
            "phase": "measure",
            "duration_s": duration_s,
            "time_to_visible_s": visible_s,
            "time_to_first_chunk_s": visible_s if mode == "stream" else None,
            "output_tokens": 100,
            "cost_usd": 0.002,
            **given,
        },
    )


def pair_of(number: int, complete_s: float, first_s: float, total_s: float, **streamed: object) -> list[RunRecord]:
    return [run(number, "sync", complete_s, complete_s), run(number, "stream", first_s, total_s, **streamed)]


def experiment(differences_s: Sequence[float], *, base_s: float = 4.0, total_change_s: float = 0.0) -> list[RunRecord]:
    """A pair for each difference; the totals differ by turns, around `total_change_s`."""
    return [
        row
        for number, difference in enumerate(differences_s)
        for row in pair_of(
            number, base_s, base_s - difference, base_s - total_change_s + (0.1 if number % 2 else -0.1) * base_s
        )
    ]


def test_the_sentence_says_what_streaming_changes_and_how_sure_that_is() -> None:
    verdict = verdict_of(experiment([2.7, 2.8, 2.9, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6] * 2))
    assert verdict.sentence == (
        "First text 3.1 s sooner with streaming, 95 % interval 3.0 to 3.3 s, n = 20; "
        "total time: no practical difference (-0.4 to 0.4 s)."
    )
    assert verdict.estimate == pytest.approx(3.15)
    assert verdict.model_id == "us.amazon.nova-lite-v1:0"


def test_json_is_that_of_the_contract() -> None:
    verdict = verdict_of(experiment([3.0] * 8)).to_json()
    assert {"sentence", "estimate", "low", "high", "level", "n"} <= verdict.keys()
    assert (verdict["estimate"], verdict["low"], verdict["high"]) == (3.0, 3.0, 3.0)
    assert (verdict["level"], verdict["n"]) == (0.95, 8)
    assert json.loads(json.dumps(verdict)) == verdict
