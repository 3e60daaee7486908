"""Which runs count: pairs of one complete and one streamed answer, and why a pair is left out. Pure.

A pair is left out for what happened to it, by name, never for being slow: nothing is trimmed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from metrics.record import Mode, RunRecord
from metrics.texts import texts_of, without_nonce

PARTNER_MISSING = "partner missing"
TOO_MANY = "more than one run of a kind"
SIMULATED = "simulated among real runs"
RETRIED = "tried again"
ONE_SIDE_CUT = "cut by the token limit on one side only"
APART = "Simulated runs and real ones are not compared."
_STATUSES = {"failed": "failed", "interrupted": "interrupted", "cancelled": "stopped"}
_FLAGS = {
    "retried": RETRIED,
    "buffered_stream": "not really streamed",
    "cache_hit": "prompt cache read",
    "cold": "first call to the model",
    "no_visible": "no visible text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two runs of one prompt that can be held against each other."""

    pair_id: str
    complete: RunRecord
    streamed: RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidedPair:
    """A pair that does not count, what there is of it, and the first reason that applies, in words."""

    pair_id: str
    reason: str
    complete: RunRecord | None
    streamed: RunRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The pairs of an experiment, in the order in which they began."""

    counted: tuple[Pair, ...]
    voided: tuple[VoidedPair, ...]

    @property
    def reasons(self) -> Mapping[str, int]:
        """How many pairs are left out, by reason, the most frequent first."""
        return dict(Counter(pair.reason for pair in self.voided).most_common())

    @property
    def simulated(self) -> bool:
        """Whether all of it is simulated."""
        counted = [run for pair in self.counted for run in (pair.complete, pair.streamed)]
        runs = counted + [run for pair in self.voided for run in (pair.complete, pair.streamed) if run is not None]
        return bool(runs) and not has_real(runs)


def pairs_of(records: Iterable[RunRecord], model_id: str | None = None) -> Pairs:
    """The pairs of these runs, of one model where it is given. Warm-up runs and runs without a pair are no part of it.

    Simulated pairs are left out where real ones are there, too.
    """
    rows = measured(records, model_id)
    real = has_real(rows)
    grouped: dict[str, list[RunRecord]] = {}
    for row in rows:
        if row.pair_id is not None:
            grouped.setdefault(row.pair_id, []).append(row)
    counted, voided = [], []
    for pair_id, members in grouped.items():
        complete, streamed = _only(members, "sync"), _only(members, "stream")
        reason = _reason(members, real)
        if complete is not None and streamed is not None and reason is None:
            counted.append(Pair(pair_id=pair_id, complete=complete, streamed=streamed))
        else:
            why = reason or PARTNER_MISSING
            voided.append(VoidedPair(pair_id=pair_id, reason=why, complete=complete, streamed=streamed))
    return Pairs(counted=tuple(counted), voided=tuple(voided))


def measured(records: Iterable[RunRecord], model_id: str | None = None) -> list[RunRecord]:
    """The runs that are no warm-up, oldest first; of one model where it is given."""
    rows = [row for row in records if row.phase != "warmup" and model_id in (None, row.request_model)]
    return sorted(rows, key=lambda row: row.started_at)


def counted_runs(records: Iterable[RunRecord], mode: Mode, model_id: str | None = None) -> list[RunRecord]:
    """The runs of one mode that figures are made of: members of counted pairs, and runs without a pair that nothing is
    wrong with. Oldest first."""
    rows = measured(records, model_id)
    real = has_real(rows)
    whole = {pair.pair_id for pair in pairs_of(rows).counted}
    return [
        row
        for row in rows
        if row.mode == mode and (row.pair_id in whole or (row.pair_id is None and reason_of(row, real) is None))
    ]


def reason_of(row: RunRecord, real: bool) -> str | None:
    """Why a run by itself does not count; `None` if it does. `real`: it stands among real runs."""
    if row.status != "completed":
        return _STATUSES[row.status]
    if real and row.simulated:
        return SIMULATED
    if row.resends:
        return RETRIED
    flagged = next((words for flag, words in _FLAGS.items() if flag in row.flags), None)
    return flagged or (_FLAGS["no_visible"] if row.time_to_visible_s is None else None)


def has_real(rows: Iterable[RunRecord]) -> bool:
    """Whether one of them is not simulated."""
    return any(not row.simulated for row in rows)


def mixed(some: Sequence[RunRecord], others: Sequence[RunRecord]) -> bool:
    """Whether one side is simulated and the other is real. Runs that count are of one kind on each side."""
    return bool(some) and bool(others) and some[0].simulated != others[0].simulated


def asked(run: RunRecord) -> Hashable:
    """What the model was asked, without the characters that keep an experiment's calls out of prompt caches. Where it
    was not kept, it is like no other."""
    if texts_of(run) == "off":
        return run.run_id
    system, turns = run.system_prompt or "", tuple((turn["role"], turn["text"]) for turn in run.conversation)
    return (
        without_nonce(system),
        tuple((role, without_nonce(text)) for role, text in turns),
        without_nonce(run.prompt),
    )


def left_out(reasons: Mapping[str, int]) -> str:
    """`2 pairs left out: 1 failed, 1 tried again`; empty where none is."""
    total = sum(reasons.values())
    if not total:
        return ""
    return f"{total} pair{'' if total == 1 else 's'} left out: {listed(reasons)}"


def listed(reasons: Mapping[str, int]) -> str:
    """`1 failed, 1 tried again`."""
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def _only(members: Sequence[RunRecord], mode: Mode) -> RunRecord | None:
    return next((row for row in members if row.mode == mode), None)


def _reason(members: Sequence[RunRecord], real: bool) -> str | None:
    """Why a pair does not count. What happened to a member says more than that its partner is missing."""
    by_itself = next((reason for row in members if (reason := reason_of(row, real))), None)
    if by_itself:
        return by_itself
    if len({row.mode for row in members}) < len(members):
        return TOO_MANY
    if len(members) == 2 and len({"truncated" in row.flags for row in members}) == 2:
        return ONE_SIDE_CUT
    return None
