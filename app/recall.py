"""A conversation as the run log has it, for a page that outlived the process that knew it.

A row says what its model was told before it: the turns that stood then. So the newest row tells which earlier rows
still stand, and an answer that was asked for anew, or a question that was edited away, is not among them. What no model
was told cannot be known to stand: turns that failed without a word are left out. Pure; the log is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.conversations import MAX_TURNS, Turn, TurnMode
from app.live import STATES, RunFailure, RunUpdate
from app.records import stop_reason_of
from metrics.record import RunRecord
from metrics.texts import texts_of
from providers.validation import clean_text

Told = Sequence[Mapping[str, str]]
"""Turns as a row has them: `role` and `text`, question and answer by turns, oldest first."""

MAX_ROWS = 2 * MAX_TURNS
READ_BACK = "Read back from the run log. Turns without an answer are not shown."
BEFORE_IT = "What was said before this is not shown; the tab Runs has what is kept of it."


def recalled(rows: Sequence[RunRecord]) -> tuple[Turn, ...]:
    """The turns that stand, oldest first, from the rows of one conversation, newest first. The first turn says where
    they come from, and whether there were others before it: an answer to a changed question, one that did not fit into
    the context of the last, one that is gone. Rows whose texts were not kept tell nothing."""
    everything, rows = rows, [row for row in rows if texts_of(row) == "full"]
    said = {row.run_id: (_bare(row.prompt), _bare(row.response)) for row in rows}
    asked, told = [*rows[:1]], list(rows[0].conversation) if rows else []
    while told:
        earlier = _before(asked[-1], told, rows, said)
        if earlier is None:
            break
        asked.append(earlier)
        told = max(told[:-2], list(earlier.conversation), key=len)
    turns: list[Turn] = []
    for row in reversed(asked):
        notices = () if turns else (READ_BACK, BEFORE_IT) if told or _any_before(row, everything) else (READ_BACK,)
        turns.append(_turn(row, rows, notices))
    return tuple(turns)


def _any_before(first: RunRecord, rows: Sequence[RunRecord]) -> bool:
    """Whether there are answers older than the first one that is shown."""
    earlier = (row for row in rows if row.started_at < first.started_at and not _same_turn(row, first))
    return any(row.response.strip() or texts_of(row) != "full" for row in earlier)


def _before(
    row: RunRecord, told: Told, rows: Sequence[RunRecord], said: Mapping[str, tuple[str, str]]
) -> RunRecord | None:
    """The row of the last turn of what was `told` when `row` was asked: of those with its words the one that was told
    the same before. Where the beginning did not fit into the context of one of them there is only the rest to go by."""
    *before, question, answer = told
    words = _bare(question["text"]), _bare(answer["text"])
    alike = [other for other in rows if other.started_at < row.started_at and said[other.run_id] == words]
    fitting = [other for other in alike if _end_alike(other.conversation, before)]
    exact = (other for other in fitting if len(other.conversation) == len(before))
    return next(exact, None) or max(fitting, key=lambda other: len(other.conversation), default=None)


def _end_alike(one: Told, other: Told) -> bool:
    """Whether the last turns are the same, as far back as the shorter one goes."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return all(a == b or (a["role"], _bare(a["text"])) == (b["role"], _bare(b["text"])) for a, b in pairs)


def _bare(text: str) -> str:
    """The words alone: what a model is told was made fit to be sent, and what a row holds to be kept."""
    return clean_text(text).replace("\ufffd", "")


def _same_turn(one: RunRecord, other: RunRecord) -> bool:
    return one.pair_id is not None and one.pair_id == other.pair_id


def _turn(row: RunRecord, rows: Sequence[RunRecord], notices: tuple[str, ...]) -> Turn:
    """Its id is its time in microseconds: a page that still shows the numbers of a process that ended names none of
    these by mistake."""
    id_ = round(datetime.fromisoformat(row.started_at).timestamp() * 1e6)
    pair = [other for other in reversed(rows) if _same_turn(other, row)] or [row]
    mode: TurnMode = row.mode if row.pair_id is None else "both"
    return Turn(id=id_, question=row.prompt, mode=mode, answers=tuple(map(_update, pair)), notices=notices)


def _update(row: RunRecord) -> RunUpdate:
    """The last update of the run, as far as its row tells."""
    failed = row.status in ("failed", "interrupted")
    sentence = row.error_message or "The answer broke off."
    failure = RunFailure(sentence=sentence, type=row.error_type or "Error", request_id=row.request_id)
    return RunUpdate(
        run_id=row.run_id,
        model_id=row.request_model,
        mode=row.mode,
        simulated=row.simulated,
        state=STATES[row.status],
        elapsed_s=(row.duration_s or 0.0) + (row.queued_s or 0.0),
        text=row.response,
        reasoning=row.reasoning,
        queued_s=row.queued_s,
        first_text_s=row.time_to_first_visible_s if row.mode == "stream" else None,
        tokens=row.tokens_estimated if row.output_tokens is None else row.output_tokens,
        tokens_reported=row.tokens_source == "usage",
        resends=row.resends,
        stop_reason=stop_reason_of(row),
        failure=failure if failed else None,
        record=row,
    )
