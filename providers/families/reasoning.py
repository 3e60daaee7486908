"""Reasoning that stands between tags inside of the text: gpt-oss writes `<reasoning>`, Kimi and DeepSeek R1 `<think>`.

Seen in recorded streams of gpt-oss in llama-stack, in fixtures of Kimi in vercel/ai, and in DeepSeek's chat template;
read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterator

from providers.types import ReasoningDelta, StreamEvent, TextDelta


class ReasoningTags:
    """Tells reasoning between tags from the answer after it, over any cut of the text.

    Tags count only before the first visible text, so that an answer may speak about them. White space between the
    closing tag and the answer belongs to neither. With `opened` the prompt already opened the reasoning, and an
    answer may begin without the tag.
    """

    PAIRS = (("<reasoning>", "</reasoning>"), ("<think>", "</think>"))

    __slots__ = ("_close", "_held", "_opened_before", "_reasoned", "answering")

    def __init__(self, *, opened: bool = False) -> None:
        self._held = ""
        self._close: str | None = None
        self._opened_before = opened
        self._reasoned = False
        self.answering = False
        """Whether visible text has begun; from then on text need not go through `feed`."""

    def feed(self, text: str) -> Iterator[StreamEvent]:
        """The events that `text` completes."""
        if self.answering:
            yield TextDelta(text)
            return
        self._held += text
        while self._held:
            if self._close:
                before, found, after = self._held.partition(self._close)
                if not found:
                    before, after = _split_at_partial(self._held, self._close)
                self._held = after
                if before:
                    yield ReasoningDelta(before)
                if not found:
                    return
                self._close, self._reasoned = None, True
            elif not self._open():
                if self._may_open():
                    return
                yield from self.rest()

    def rest(self) -> Iterator[StreamEvent]:
        """What was held back, once it is sure that no tag comes of it."""
        held, self._held = self._held, ""
        if self._close:
            if held:
                yield ReasoningDelta(held)
            return
        self.answering = True
        if self._reasoned:
            held = held.lstrip()
        if held:
            yield TextDelta(held)

    def _open(self) -> bool:
        begin = self._held.lstrip()
        for opening, closing in self.PAIRS:
            if begin.startswith(opening):
                self._held, self._close, self._opened_before = begin[len(opening) :], closing, False
                return True
        if self._opened_before and not self._may_open():
            self._close, self._opened_before = self.PAIRS[-1][1], False
            return True
        return False

    def _may_open(self) -> bool:
        begin = self._held.lstrip()
        return any(opening.startswith(begin) for opening, _ in self.PAIRS)


def _split_at_partial(text: str, tag: str) -> tuple[str, str]:
    """`text` in two, the second part being the longest end that could begin `tag`."""
    for size in range(min(len(text), len(tag) - 1), 0, -1):
        if tag.startswith(text[-size:]):
            return text[:-size], text[-size:]
    return text, ""


def whole_text(text: str) -> Iterator[StreamEvent]:
    """The events of a complete answer's text, told apart from reasoning inside of it: at most one `TextDelta`."""
    tags = ReasoningTags()
    yield from tags.feed(text)
    yield from tags.rest()
