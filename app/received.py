"""What came of an answer so far: its pieces, their stamps, and what was told beside them. No clock and no threads."""

from __future__ import annotations

import dataclasses

from metrics.timing import Kind
from providers.types import (
    Accumulator,
    Completion,
    MessageStart,
    ReasoningDelta,
    Resumed,
    RetryScheduled,
    StreamEvent,
)


class Received:
    """Written by the thread that reads the answer. `chunks` are (nanoseconds, kind, characters).

    `pieces` holds the text as it came, one string a delta; it only grows, except that an answer that is started over
    empties it and raises `resets`. Who looks from another thread keeps `begin_again` out meanwhile.
    """

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.reasoning: list[str] = []
        self.chunks: list[tuple[int, Kind, int]] = []
        self.first_text_ns: int | None = None
        self.start: MessageStart | None = None
        self.retry: RetryScheduled | None = None
        self.resends = 0
        self.resets = 0
        self.resumed = False
        self._rest = Accumulator()

    @property
    def queued_s(self) -> float | None:
        """How long the request stood in the model's line, where that was told."""
        return self.start.queued_s if self.start else None

    def note(self, event: StreamEvent, at_ns: int) -> None:
        """Takes everything but text, which is in the stream's path: that is put into the lists directly. `begin_again`
        is for the caller to call."""
        match event:
            case ReasoningDelta(text):
                self.reasoning.append(text)
                self.chunks.append((at_ns, "reasoning", len(text)))
                self.retry = None
            case RetryScheduled(attempt=attempt):
                self.retry = event
                self.resends = attempt - 1
            case Resumed(attempt=attempt, reset=reset):
                self.retry = None
                self.resends = attempt - 1
                self.resumed = self.resumed or not reset
            case MessageStart():
                self.start = event
                self.retry = None
        self._rest.add(event)

    def begin_again(self) -> None:
        """The answer so far is void, and so are its stamps: what is kept must replay the answer that counts."""
        self.resets += 1
        self.pieces.clear()
        self.reasoning.clear()
        self.chunks.clear()
        self.first_text_ns = None

    def completion(self) -> Completion:
        """What all of it amounts to."""
        told = self._rest.completion()
        return dataclasses.replace(told, text="".join(self.pieces), reasoning="".join(self.reasoning))
