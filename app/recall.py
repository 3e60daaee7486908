"""A conversation as the run log has it, for a page that outlived the process that knew it.

A row says what its model was told before it: the turns that stood then. So the newest row tells which earlier rows
still stand, and an answer that was asked for anew, or a question that was edited away, is not among them. What no model
was told cannot be known to stand: turns that failed without a word are left out. Pure; the log is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.conversations import MAX_TURNS, Turn, TurnMode
from app.live import STATES, RunFailure, RunUpdate
from metrics.record import RunRecord
from metrics.texts import texts_of
from providers.types import StopReason

MAX_ROWS = 2 * MAX_TURNS
READ_BACK = "Read back from the run log. Turns without an answer are not shown."
BEFORE_IT = "What was said before this is not shown; the tab Runs has what is kept of it."


def recalled(rows: Sequence[RunRecord]) -> tuple[Turn, ...]:
    """The turns that stand, oldest first, from the rows of one conversation, newest first. The first turn says where
    they come from, and whether there were others before it. Rows whose texts were not kept tell nothing."""
    rows = [row for row in rows if texts_of(row) == "full"]
    asked = [rows[0]] if rows else []
    while asked and asked[-1].conversation:
        earlier = _before(asked[-1], rows)
        if earlier is None:
            break
        asked.append(earlier)
    turns: list[Turn] = []
    for row in reversed(asked):
        notices = () if turns else (READ_BACK, BEFORE_IT) if row.conversation else (READ_BACK,)
        turns.append(_turn(row, rows, notices))
    return tuple(turns)


def _before(row: RunRecord, rows: Sequence[RunRecord]) -> RunRecord | None:
    """The row of the turn that `row`'s model was told last: of those with its words the one that was told the same
    before. Where the beginning no longer fitted into the later one's context there is only the rest to go by."""
    *told, question, answer = row.conversation
    words = (question["text"], answer["text"])
    alike = [other for other in rows if other.started_at < row.started_at and (other.prompt, other.response) == words]
    exact = (other for other in alike if list(other.conversation) == told)
    longer = (other for other in alike if told == list(other.conversation)[len(other.conversation) - len(told) :])
    return next(exact, None) or next(longer, None)


def _turn(row: RunRecord, rows: Sequence[RunRecord], notices: tuple[str, ...]) -> Turn:
    """Its id is its time in microseconds: a page that still shows the numbers of a process that ended names none of
    these by mistake."""
    id_ = round(datetime.fromisoformat(row.started_at).timestamp() * 1e6)
    pair = [other for other in reversed(rows) if row.pair_id is not None and other.pair_id == row.pair_id] or [row]
    mode: TurnMode = row.mode if row.pair_id is None else "both"
    return Turn(id=id_, question=row.prompt, mode=mode, answers=tuple(map(_update, pair)), notices=notices)


def _update(row: RunRecord) -> RunUpdate:
    """The last update of the run, as far as its row tells."""
    failed = row.status in ("failed", "interrupted")
    reason = row.finish_reasons[0] if row.finish_reasons else None
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
        stop_reason=next((known for known in StopReason if known.value == reason), None),
        failure=failure if failed else None,
        record=row,
    )
