"""Finds stop sequences in text that arrives in pieces, without letting their beginning out."""

from __future__ import annotations

from collections.abc import Iterable


class StopScanner:
    """Holds back the end of the text for as long as a stop sequence may come of it.

    The model's runtime could stop by itself, but its answer does not say whether a stop sequence or the model ended
    it, which the wire format does.
    """

    __slots__ = ("_held", "_sequences", "found")

    def __init__(self, sequences: Iterable[str]) -> None:
        self._sequences = tuple(sequence for sequence in sequences if sequence)
        self._held = ""
        self.found: str | None = None
        """The sequence that ended the text; nothing may be fed after it."""

    def feed(self, piece: str) -> str:
        """The text that is now sure to stand before any stop sequence; may be empty."""
        text = self._held + piece
        ends = [(at, sequence) for sequence in self._sequences if (at := text.find(sequence)) >= 0]
        if ends:
            at, self.found = min(ends, key=lambda end: (end[0], -len(end[1])))
            self._held = ""
            return text[:at]
        sure = len(text) - max((_overlap(text, sequence) for sequence in self._sequences), default=0)
        self._held = text[sure:]
        return text[:sure]

    def rest(self) -> str:
        """What was held back, once the text has ended without a stop sequence."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, sequence: str) -> int:
    """Length of the longest end of `text` that is a beginning of `sequence`, but not all of it."""
    longest = min(len(text), len(sequence) - 1)
    return next((size for size in range(longest, 0, -1) if sequence.startswith(text[-size:])), 0)
