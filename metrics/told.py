"""What rows hold of earlier turns of their conversation, and how a deleted turn is cut out of it.

A row says what its model was told before it, so that a question and its answer stand in every later row of their
conversation, too. Where that question's row is deleted, both are taken out of the rows that stay. They are found by
their words: the way to a model makes line ends line feeds and drops control characters, and rows of an earlier version
have the system prompt in front of the first question where a model took none. A part of a question or an answer is not
recognized.

Rows of no conversation, which are those of the terminal and of programs that send the earlier turns themselves, are not
looked at: nothing says to which rows their turns belong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from metrics.run_table import runs
from metrics.texts import reduced_text

Said = tuple[str, str]
"""A question and its answer."""

_NEVER_SENT = re.compile("[\x00-\x08\x0b-\x1f\ufffd]")
_LINE_END = re.compile(r"\r\n?")


def forget_told(
    connection: sa.Connection, deleted: Iterable[Mapping[str, Any]], staying: sa.ColumnElement[bool]
) -> None:
    """Cuts runs, given by attributes, out of what the rows that are `staying` were told, in the transaction that
    deleted them. What a row that stays asked and answered itself in the same words is left to the others."""
    by_conversation: dict[str, set[Said]] = {}
    for run in deleted:
        if run["conversation_id"] and run["response"]:
            by_conversation.setdefault(run["conversation_id"], set()).add(_said(run["prompt"], run["response"]))
    c = runs.c
    for conversation_id, turns in by_conversation.items():
        here = sa.and_(c.conversation_id == conversation_id, staying)
        rows = connection.execute(sa.select(c.id, c.prompt, c.response).where(here)).all()
        if gone := turns - {_said(row.prompt, row.response) for row in rows}:
            for row in rows:  # one at a time: each may hold the whole conversation
                _cut(connection, row.id, gone)


def without(told: Sequence[Mapping[str, str]], gone: Iterable[Said]) -> list[Mapping[str, str]]:
    """What a model was told, without these questions and answers. Both may be texts or fingerprints."""
    questions: dict[str, list[str]] = {}
    for question, answer in gone:
        questions.setdefault(_mark(answer), []).append(question)
    left: list[Mapping[str, str]] = []
    for turn in told:
        if turn["role"] == "assistant" and left and left[-1]["role"] == "user":
            question = _bare(left[-1]["text"])
            if any(_same(question, other) for other in questions.get(_mark(_bare(turn["text"])), ())):
                left.pop()
                continue
        left.append(turn)
    return left


def _cut(connection: sa.Connection, row_id: int, gone: Iterable[Said]) -> None:
    told = connection.execute(sa.select(runs.c.conversation).where(runs.c.id == row_id)).scalar() or []
    left = without(told, gone)
    if len(left) < len(told):
        connection.execute(sa.update(runs).where(runs.c.id == row_id).values(conversation=left))


def _said(question: str, answer: str) -> Said:
    return _bare(question), _bare(answer)


def _bare(text: str) -> str:
    """A text without what is lost, or replaced, on its way to a model."""
    return _NEVER_SENT.sub("", _LINE_END.sub("\n", text))


def _mark(text: str) -> str:
    return reduced_text(text, "hash")


def _same(one: str, other: str) -> bool:
    """Whether these are one question; before either there may be a system prompt."""
    return _mark(one) == _mark(other) or one.endswith(f"\n\n{other}") or other.endswith(f"\n\n{one}")
