"""What the widgets above the table say, as a question to the log. Values come from a browser and may be anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, cast, get_args

from metrics.record import Mode, RunStatus
from metrics.run_log import Order, RunFilter
from metrics.run_query import Answerer
from metrics.tables import PAIR_SORTS, RUN_SORTS
from metrics.texts import HASHED, NOT_KEPT
from metrics.timing import Flag

View = Literal["Runs", "Pairs"]
Chosen = TypeVar("Chosen")

ANY = "Any"
PAGE_ROWS = 100
DOWN, UP = " ↓", " ↑"
NEWEST = f"Started (UTC){DOWN}"
EVERYTHING = RunFilter()
MODES: Mapping[str, Mode] = {"Stream": "stream", "Complete": "sync"}
STATUSES: tuple[RunStatus, ...] = ("completed", "cancelled", "interrupted", "failed")
BACKENDS: Mapping[str, Answerer] = {"AWS": "aws", "Local": "local", "Simulated": "simulated"}
NOTES: Mapping[str, str] = {flag.replace("_", " "): flag for flag in (*get_args(Flag), NOT_KEPT, HASHED)}
_WORDS = ("Model", "Mode", "Status")
"""Columns that a first click sorts from A to Z; the others begin with the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be shown: runs or pairs, which, in which order, and which page of them, from 1."""

    view: View = "Runs"
    wanted: RunFilter = EVERYTHING
    sort: str = NEWEST
    page: int = 1

    @property
    def order(self) -> Order:
        """The order in the log's words."""
        return Order(by=sorts(self.view)[self.sort[: -len(DOWN)]], descending=self.sort.endswith(DOWN))

    @property
    def filtered(self) -> bool:
        """Whether something may be left out."""
        return self.wanted != EVERYTHING

    def only(self, chosen: str) -> RunFilter:
        """The filter for one chosen row: the id of a run, or of a pair."""
        if self.view == "Pairs":
            return replace(self.wanted, pair_id=chosen)
        return replace(self.wanted, run_id=chosen)

    def sorted_by(self, title: str) -> Asked:
        """The same by another column, or by the same one the other way round, from its first page."""
        if title not in sorts(self.view):
            return self
        first, other = (UP, DOWN) if title in _WORDS else (DOWN, UP)
        return replace(self, sort=title + (other if self.sort == title + first else first), page=1)


def read_form(
    view: Any = None,
    text: Any = None,
    model: Any = None,
    mode: Any = None,
    status: Any = None,
    backend: Any = None,
    note: Any = None,
    experiment: Any = None,
    sort: Any = None,
    page: Any = None,
) -> Asked:
    """The question that the widgets put. What is none of their choices is taken as not chosen."""
    shown: View = "Pairs" if view == "Pairs" else "Runs"
    pairs = shown == "Pairs"
    wanted = RunFilter(
        model_id=_id(model),
        mode=None if pairs else _choice(MODES, mode),
        status=None if pairs or status not in STATUSES else cast(RunStatus, status),
        backend=_choice(BACKENDS, backend),
        flag=None if pairs else _choice(NOTES, note),
        experiment_id=_id(experiment),
        text=text.strip() or None if isinstance(text, str) else None,
    )
    number = int(page) if isinstance(page, int | float) and 1 <= page < 2**31 else 1
    return Asked(view=shown, wanted=wanted, sort=sort if sort in sort_choices(shown) else NEWEST, page=number)


def sorts(view: View) -> Mapping[str, str]:
    """Title of a column -> what the log sorts by."""
    return PAIR_SORTS if view == "Pairs" else RUN_SORTS


def sort_choices(view: View) -> list[str]:
    """Every column in both directions."""
    return [title + way for title in sorts(view) for way in (DOWN, UP)]


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) and value and value != ANY else None


def _choice(choices: Mapping[str, Chosen], value: Any) -> Chosen | None:
    return choices.get(value) if isinstance(value, str) else None
