"""Runs of experiments with known times, for tests of what is concluded from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.record import Mode, RunRecord
from tests.metrics.records import record


def run(pair: int, mode: Mode, visible_s: float | None, duration_s: float | None, **given: Any) -> RunRecord:
    """A member of the pair of that number, which also says when it began."""
    return record(
        **{
            "run_id": f"{pair}-{mode}",
            "mode": mode,
            "pair_id": f"pair-{pair}",
            "phase": "measure",
            "started_at": f"2026-11-12T07:{pair // 60:02}:{pair % 60:02}.000000Z",
            "duration_s": duration_s,
            "time_to_visible_s": visible_s,
            "time_to_first_chunk_s": visible_s if mode == "stream" else None,
            "output_tokens": 100,
            "cost_usd": 0.002,
            **given,
        },
    )


def pair_of(number: int, complete_s: float, first_s: float, total_s: float, **given: Any) -> list[RunRecord]:
    """A complete answer after `complete_s`, and a streamed one with text from `first_s` to `total_s`."""
    return [run(number, "sync", complete_s, complete_s, **given), run(number, "stream", first_s, total_s, **given)]


def experiment(differences_s: Sequence[float], *, base_s: float = 4.0, **given: Any) -> list[RunRecord]:
    """A pair for each difference in the time to first text. Total times differ by 10 % now this way, now that."""
    return [
        row
        for number, difference in enumerate(differences_s)
        for row in pair_of(number, base_s, base_s - difference, base_s * (1.1 if number % 2 else 0.9), **given)
    ]
