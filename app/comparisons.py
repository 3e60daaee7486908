"""What stands beside each other on a page, kept in this process so that a reloaded page finds it again.

The runs themselves are in `app.fan_in`, and their rows in the log. Shared by threads.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from app.fan_in import FanIn
from app.forgetting import is_gone
from app.keyed import Keyed
from app.live import RunUpdate

LETTERS = "ABCDEF"
"""What answers are called while their names are hidden."""
Choice = int | Literal["tie"]
"""A pane, counted from 0, or none before the others."""


class ComparisonBusy(RuntimeError):
    """Answers are still being written in this comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneSettings:
    """What stands in the widgets of a pane, as the browser sent it: trusted in nothing. Empty: the default."""

    model: Any
    mode: Any = "Stream"
    temperature: Any = None
    max_tokens: Any = None
    system: Any = None
    region: Any = None
    profile: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A comparison at one moment. There is an answer a pane, `None` where none was asked or its turn has not come.

    `order` is each answer's place in turn, from 1. `again` holds the panes that were asked again by themselves.
    `blind`: names are hidden until there is a `choice`. `letters` are what the panes of a blind race are called; they
    are kept when the names are told. `skew_s` is known where the answers that stand here were all sent together.
    `open`: more may come.
    """

    id: str | None = None
    prompt: str = ""
    panes: tuple[PaneSettings, ...] = ()
    answers: tuple[RunUpdate | None, ...] = ()
    order: tuple[int | None, ...] = ()
    in_turn: bool = False
    skew_s: float | None = None
    again: frozenset[int] = field(default_factory=frozenset)
    blind: bool = False
    letters: tuple[str, ...] = ()
    choice: Choice | None = None
    open: bool = False

    @property
    def hidden(self) -> bool:
        """Whether the names must not be told yet."""
        return self.blind and self.choice is None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """One lane of runs that were sent together, or of one that was sent alone."""

    runs: FanIn
    lane: int
    again: bool = False


class Board:
    """One person's comparison: `begin` or `begin_again`, then `attach` the runs; `finish` closes it."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._lock = threading.Lock()
        self._standing = Standing()
        self._answers: list[_Answer | None] = []
        self._stopping = False

    @property
    def busy(self) -> bool:
        """Whether answers are being asked for or are still on their way."""
        with self._lock:
            return self._standing.open or not all(answer is None or answer.runs.ended for answer in self._answers)

    def standing(self) -> Standing:
        """How it stands now."""
        with self._lock:
            told = {id(answer.runs): answer.runs.snapshot() for answer in self._answers if answer}
            answers = tuple(told[id(answer.runs)][answer.lane] if answer else None for answer in self._answers)
            again = frozenset(at for at, answer in enumerate(self._answers) if answer and answer.again)
            together = next((answer.runs for answer in self._answers if answer and not answer.again), None)
            whole = together is not None and not again and len(told[id(together)]) == len(self._answers)
            return replace(
                self._standing,
                answers=answers,
                order=tuple(answer.runs.orders[answer.lane] if answer else None for answer in self._answers),
                skew_s=together.skew_s if together is not None and whole else None,
                again=again,
            )

    def begin(
        self,
        prompt: str,
        panes: Sequence[PaneSettings],
        *,
        in_turn: bool = False,
        blind: bool = False,
        rng: random.Random | None = None,
    ) -> Standing:
        """Opens a new comparison; a blind one with its panes shuffled. Raises `ComparisonBusy`."""
        with self._lock:
            self._must_be_idle()
            shown = list(panes)
            if blind:
                (rng or random.Random()).shuffle(shown)
            self._standing = Standing(
                id=uuid.uuid4().hex,
                prompt=prompt,
                panes=tuple(shown),
                in_turn=in_turn,
                blind=blind,
                letters=tuple(LETTERS[: len(shown)]) if blind else (),
                open=True,
            )
            self._answers = [None] * len(shown)
            self._stopping = False
            return self._standing

    def begin_again(self, pane: int, settings: PaneSettings) -> Standing:
        """Opens it once more for one pane, which is asked the same. A choice was between other answers and is dropped;
        the names stay told. Raises `ComparisonBusy`, and `ValueError` where there is no such pane."""
        with self._lock:
            self._must_be_idle()
            if not 0 <= pane < len(self._answers):
                raise ValueError("That pane was not asked anything yet. Run the comparison.")
            panes = list(self._standing.panes)
            if not self._standing.hidden:
                panes[pane] = settings
            self._standing = replace(self._without_choice(), panes=tuple(panes), open=True)
            self._answers[pane] = None
            self._stopping = False
            return self._standing

    def attach(self, runs: FanIn, pane: int | None = None) -> None:
        """The runs that answer: one a pane, or for one `pane` alone. If Stop was pressed they are stopped at once."""
        with self._lock:
            if pane is None:
                self._answers = [_Answer(runs=runs, lane=lane) for lane in range(len(self._answers))]
            else:
                self._answers[pane] = _Answer(runs=runs, lane=0, again=True)
            stop = self._stopping or not self._standing.open
        if stop:
            runs.cancel()

    def stop(self, pane: int | None = None) -> None:
        """Stops one pane, or all; what was said is kept."""
        with self._lock:
            if pane is None:
                self._stopping = self._standing.open
            chosen = self._answers if pane is None else self._answers[max(0, pane) : max(0, pane) + 1]
            answers = [answer for answer in chosen if answer is not None]
        for answer in answers:
            answer.runs.cancel(answer.lane)

    def finish(self) -> None:
        """Closes it; what is still under way is stopped. Safe to repeat."""
        with self._lock:
            self._standing = replace(self._standing, open=False)
        self.stop()

    def remove(self, pane: int) -> None:
        """Takes a pane and its answer out; those behind it move up, and a choice with them. Raises `ComparisonBusy`."""
        with self._lock:
            self._must_be_idle()
            if not 0 <= pane < len(self._answers):
                return
            del self._answers[pane]
            standing, choice = self._standing, self._standing.choice
            if choice == pane:
                standing = self._without_choice()
            elif isinstance(choice, int) and choice > pane:
                standing = replace(standing, choice=choice - 1)
            panes, letters = standing.panes, standing.letters
            self._standing = replace(
                standing,
                panes=(*panes[:pane], *panes[pane + 1 :]),
                letters=(*letters[:pane], *letters[pane + 1 :]),
            )

    def choose(self, choice: Choice) -> bool:
        """Notes which answer somebody liked best, which reveals the names. False if there was a choice before."""
        with self._lock:
            if self._standing.choice is not None or not self._standing.blind or self._standing.open:
                return False
            self._standing = replace(self._standing, choice=choice)
            return True

    def reveal(self) -> None:
        """Tells the names without a choice: from here on it is a comparison like any other."""
        with self._lock:
            self._standing = replace(self._standing, blind=self._standing.choice is not None)

    def forget(self, run_ids: Collection[str] | None) -> None:
        """Drops the answers of runs that were deleted from the log, `None` for all that have ended; and the prompt
        where no answer is left."""
        with self._lock:
            told = {id(answer.runs): answer.runs.snapshot() for answer in self._answers if answer}
            for at, answer in enumerate(self._answers):
                now = told[id(answer.runs)][answer.lane] if answer else None
                if now is not None and now.ended and is_gone(now.run_id, run_ids):
                    self._answers[at] = None
            if not self._standing.open and not any(self._answers) and (told or run_ids is None):
                self._standing, self._answers = Standing(), []

    def _without_choice(self) -> Standing:
        """Names that were told stay told: it is no blind race any more."""
        chosen = self._standing.choice is not None
        return replace(self._standing, choice=None, blind=self._standing.blind and not chosen)

    def _must_be_idle(self) -> None:
        if self._standing.open or not all(answer is None or answer.runs.ended for answer in self._answers):
            raise ComparisonBusy("Answers are still being written here. Stop them first, or wait for their end.")


class Comparisons(Keyed[Board]):
    """All comparisons of this process, by key."""

    def __init__(self) -> None:
        super().__init__(Board)

    def forget(self, run_ids: Collection[str] | None) -> None:
        """What was deleted from the log is not shown any more, either; `None`: all that have ended."""
        for board in self.everything():
            board.forget(run_ids)
