"""What was said on the page, kept in this process so that a reloaded page shows it. A browser holds only the key.

Shared by threads. Conversations that nobody uses are dropped after a while, and there is room for so many; the run log
is what lasts, and one that is not known here any more can be read back from it. Rows carry a digest of the key: whoever
reads the log cannot open the conversation.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from app.forgetting import is_gone
from app.keyed import KEEP_S, MAX_KEPT, Keyed
from app.live import RunUpdate
from metrics.record import Mode
from providers.types import Message

TurnMode = Literal["stream", "sync", "both"]

MAX_TURNS = 200

Find = Callable[[str], "tuple[Turn, ...]"]
"""The turns that are kept elsewhere of the conversation with this id, oldest first, all of them closed."""


class LiveRun(Protocol):
    """The part of `app.run.Run` that a conversation needs."""

    def snapshot(self) -> RunUpdate: ...

    def cancel(self) -> None: ...


class ConversationBusy(RuntimeError):
    """An answer is still being written in this conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A question and what was answered: one answer, or a complete and a streamed one.

    `notices` are sentences about the request. `open`: more answers may come.
    """

    id: int
    question: str
    mode: TurnMode
    answers: tuple[RunUpdate, ...] = ()
    notices: tuple[str, ...] = ()
    open: bool = False

    def answer(self, mode: Mode) -> RunUpdate | None:
        """The answer that came in this way, if there is one."""
        return next((answer for answer in self.answers if answer.mode == mode), None)

    @property
    def text(self) -> str:
        """What the model is told that it said: the streamed answer where there are two. Partial text counts."""
        texts = [update.text for update in (self.answer("stream"), self.answer("sync")) if update and update.text]
        return texts[0] if texts else ""


@dataclass(slots=True, kw_only=True)
class _Entry:
    """A turn whose answers may still be on their way."""

    turn: Turn
    answers: list[RunUpdate | LiveRun]
    open: bool = True

    def picture(self) -> Turn:
        """The turn as it is now. An answer that ended is kept without its run."""
        seen = []
        for at, answer in enumerate(self.answers):
            update = answer if isinstance(answer, RunUpdate) else answer.snapshot()
            if update.ended:
                self.answers[at] = update
            seen.append(update)
        t = self.turn
        return Turn(id=t.id, question=t.question, mode=t.mode, notices=t.notices, answers=tuple(seen), open=self.open)

    def forget(self, run_ids: Collection[str] | None) -> bool:
        """Drops the answers of deleted runs that have ended. Whether there is nothing left of it then."""
        seen = [(answer, answer if isinstance(answer, RunUpdate) else answer.snapshot()) for answer in self.answers]
        self.answers = [answer for answer, now in seen if not (now.ended and is_gone(now.run_id, run_ids))]
        return not self.open and not self.answers

    def cancel(self) -> None:
        for answer in self.answers:
            if not isinstance(answer, RunUpdate):
                answer.cancel()


class Conversation:
    """The turns of one conversation, at most one of them open."""

    def __init__(self, key: str, find: Find = lambda _: ()) -> None:
        self.key = key
        self.id = hashlib.sha256(b"conversation " + key.encode()).hexdigest()[:32]
        self._find = find
        self._finding = threading.Lock()
        self._found = False
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []
        self._before: list[_Entry] = []
        self._next_id = 1
        self._stopping = False

    @property
    def busy(self) -> bool:
        """Whether an answer is being written."""
        with self._lock:
            return self._open() is not None

    @property
    def stopping(self) -> bool:
        """Whether Stop was pressed on the open turn."""
        with self._lock:
            return self._stopping

    def recall(self) -> None:
        """Brings back what was said before this process knew the conversation, once. It may take as long as a question
        to the run log, and raises what that raises; then it is tried again the next time, as long as nothing was said
        meanwhile."""
        with self._finding:
            if self._found or self._entries:
                return
            turns = self._find(self.id)
            with self._lock:
                if not self._entries and not self._found:  # it may have been cleared while the log was asked
                    self._entries = [_Entry(turn=turn, answers=list(turn.answers), open=False) for turn in turns]
                    self._next_id = turns[-1].id + 1 if turns else 1
                self._found = True

    def is_new(self) -> None:
        """Its key was made just now: nothing can be kept of it elsewhere."""
        self._found = True

    def turns(self) -> tuple[Turn, ...]:
        """Everything that was said, oldest first, the open turn included."""
        with self._lock:
            return tuple(entry.picture() for entry in self._entries)

    def turn(self, turn_id: int) -> Turn | None:
        """One turn as it is now; `None` where it was removed."""
        with self._lock:
            entry = self._entry(turn_id)
            return entry.picture() if entry else None

    def messages_before(self, turn_id: int | None = None) -> list[tuple[Message, Message]]:
        """Earlier turns as a model is told them, oldest first; up to `turn_id` where it is given. Turns without an
        answer are left out, so that roles alternate."""
        turns = [turn for turn in self.turns() if turn_id is None or turn.id < turn_id]
        return [
            (Message(role="user", text=turn.question), Message(role="assistant", text=turn.text))
            for turn in turns
            if turn.text.strip()
        ]

    def begin(
        self, question: str, mode: TurnMode, *, replacing: int | None = None, notices: tuple[str, ...] = ()
    ) -> Turn:
        """Opens a turn. With `replacing` that turn and everything after it makes room for it.

        Raises `ConversationBusy` while another one is open. `finish` closes it, `abandon` takes it back.
        """
        with self._lock:
            if self._open() is not None:
                raise ConversationBusy("An answer is still being written here. Stop it first, or wait for its end.")
            self._before = list(self._entries)
            kept = [entry for entry in self._entries if replacing is None or entry.turn.id < replacing]
            turn = Turn(id=self._next_id, question=question, mode=mode, notices=notices, open=True)
            self._next_id += 1
            self._stopping = False
            self._entries = [*kept, _Entry(turn=turn, answers=[])][-MAX_TURNS:]
            return turn

    def attach(self, turn_id: int, run: LiveRun) -> None:
        """Adds a run to the open turn. If Stop was pressed, or the turn closed or removed, it is stopped at once."""
        with self._lock:
            entry = self._entry(turn_id)
            if entry is not None:
                entry.answers.append(run)
            stop = self._stopping or entry is None or not entry.open
        if stop:
            run.cancel()

    def abandon(self, turn_id: int) -> None:
        """Takes an open turn back, as if nothing had been asked. One that was answered in part stays."""
        with self._lock:
            entry = self._entry(turn_id)
            if entry is not None and not entry.answers:
                self._entries = self._before

    def finish(self, turn_id: int) -> None:
        """Closes a turn; what is still under way is stopped. Safe to repeat."""
        with self._lock:
            entry = self._entry(turn_id)
            if entry is not None:
                entry.open = False
        if entry is not None:
            entry.cancel()

    def stop(self) -> None:
        """Stops the open turn: the run that is under way, and no other one begins."""
        with self._lock:
            entry = self._open()
            self._stopping = entry is not None
        if entry is not None:
            entry.cancel()

    def clear(self) -> None:
        """Forgets everything; what is under way is stopped. It is not brought back, either."""
        self.stop()
        with self._lock:
            self._entries = []
            self._found = True

    def forget(self, run_ids: Collection[str] | None) -> None:
        """Drops the answers of runs that were deleted from the log, `None` for all that have ended, and the questions
        that have no answer left."""
        with self._lock:
            self._entries = [entry for entry in self._entries if not entry.forget(run_ids)]
            self._before = [entry for entry in self._before if not entry.forget(run_ids)]

    def _open(self) -> _Entry | None:
        return next((entry for entry in self._entries if entry.open), None)

    def _entry(self, turn_id: int) -> _Entry | None:
        return next((entry for entry in self._entries if entry.turn.id == turn_id), None)


class Conversations(Keyed[Conversation]):
    """All conversations of this process, by key. `clock` is monotonic, in seconds; `find` is asked for the turns of a
    conversation that is not known here."""

    def __init__(
        self,
        *,
        keep_s: float = KEEP_S,
        max_conversations: int = MAX_KEPT,
        find: Find = lambda _: (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(lambda key: Conversation(key, find), keep_s=keep_s, most=max_conversations, clock=clock)

    def open(self, key: str | None) -> Conversation:
        """As every kept thing; one that gets a fresh key is not looked for elsewhere."""
        conversation = super().open(key)
        if conversation.key != key:
            conversation.is_new()
        return conversation

    def forget(self, run_ids: Collection[str] | None) -> None:
        """What was deleted from the log is neither shown nor told to a model any more; `None`: all that has ended."""
        for conversation in self.everything():
            conversation.forget(run_ids)
