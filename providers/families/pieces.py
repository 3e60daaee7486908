"""Pieces that several families share: how an answer ends, halves of characters, reasoning tags, defused templates.

`one_answer` is the outer layer of every decoder. The families' own generators may therefore be naive: they yield what
they find, in wire order, and let a surprising shape fail with `KeyError` or `TypeError`.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from providers.errors import DecodeError, ProviderError
from providers.types import (
    Message,
    MessageStop,
    ReasoningDelta,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

# --- how an answer ends -----------------------------------------------------------------------------------------------

_REASONS: Mapping[str, StopReason] = {
    **{reason.value: reason for reason in StopReason},
    # Anthropic messages and text completions
    "pause_turn": StopReason.OTHER,
    "refusal": StopReason.CONTENT_FILTERED,
    # Titan Text: the service sends FINISH, its documentation says FINISHED
    "finish": StopReason.END_TURN,
    "finished": StopReason.END_TURN,
    "stop_criteria_met": StopReason.STOP_SEQUENCE,
    "rag_query_when_rag_disabled": StopReason.OTHER,
    # Cohere, AI21 Jurassic-2
    "complete": StopReason.END_TURN,
    "endoftext": StopReason.END_TURN,
    # Llama, Mistral, chat completions
    "stop": StopReason.END_TURN,
    "eos": StopReason.END_TURN,
    "length": StopReason.MAX_TOKENS,
    "model_length": StopReason.CONTEXT_WINDOW_EXCEEDED,
    "tool_calls": StopReason.TOOL_USE,
    "function_call": StopReason.TOOL_USE,
    "content_filter": StopReason.CONTENT_FILTERED,
}


def stopped(word: str, reason: StopReason | None = None) -> MessageStop:
    """The end of an answer for the service's own `word`, whatever its case; `reason` where the word misleads."""
    return MessageStop(reason=reason or _REASONS.get(word.lower(), StopReason.OTHER), raw_reason=word)


def one_answer(family: str, events: Iterator[StreamEvent]) -> Iterator[StreamEvent]:
    """`events` of one answer, made regular.

    Empty text is dropped and halves of a character that two chunks share are joined. There is one `MessageStop`; after
    it only usage and timing pass, since some families send them behind their terminal marker.
    Raises `DecodeError` for a shape that the family's generator could not read. Errors of the chunks' source pass
    through: an error after the `MessageStop` does not undo the answer, and the caller has seen which came first.
    """
    stopped_already = False
    text, reasoning = _WholeCharacters(), _WholeCharacters()
    try:
        for event in events:
            if isinstance(event, TextDelta):
                if not stopped_already and (whole := text.take(event.text)):
                    yield event if whole is event.text else TextDelta(whole)
            elif isinstance(event, ReasoningDelta):
                if not stopped_already and ((whole := reasoning.take(event.text)) or not event.text):
                    yield event if whole is event.text else ReasoningDelta(whole)
            elif not isinstance(event, MessageStop):
                yield event
            elif not stopped_already:
                stopped_already = True
                if rest := reasoning.rest():
                    yield ReasoningDelta(rest)
                if rest := text.rest():
                    yield TextDelta(rest)
                yield event
    except ProviderError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise DecodeError(f"The answer is not in the documented format of {family}.", code="bad_shape") from error


class _WholeCharacters:
    """Joins UTF-16 halves: JSON may cut an astral character into two escapes that stand in two chunks."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = ""

    def take(self, text: str) -> str:
        """What can be shown of `text` by now, without lone halves."""
        if text.isascii() and not self._half:
            return text
        text = self._half + text
        self._half = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._half, text = text[-1], text[:-1]
        return without_halves(text)

    def rest(self) -> str:
        """A replacement character where half a character was left over."""
        return "\ufffd" if self._half else ""


def without_halves(text: str) -> str:
    """`text` with split characters joined and lone halves replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


# --- unknown shapes ---------------------------------------------------------------------------------------------------

_TEXT_KEYS = frozenset({"text", "content", "completion", "generation", "outputText"})


def skip_unknown(family: str, what: object, value: Any) -> None:
    """Passes over a chunk or block of a kind that is not documented; logged once a kind.

    Raises `DecodeError` where `value` holds text that would be lost.
    """
    kind = str(what)[:80]
    if _holds_text(value):
        raise DecodeError(f"The answer holds text in a part that is not documented for {family}: {kind!r}.")
    _log_unknown(family, kind)


@functools.lru_cache(maxsize=256)
def _log_unknown(family: str, kind: str) -> None:
    logger.warning("%s: skipped an unknown part without text: %r", family, kind)


def _holds_text(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(
            bool(item) if key in _TEXT_KEYS and isinstance(item, str) else _holds_text(item)
            for key, item in value.items()
        )
    return isinstance(value, list) and any(_holds_text(item) for item in value)


# --- reasoning inside the text ----------------------------------------------------------------------------------------


class ReasoningTags:
    """Tells reasoning between tags from the answer after it, over any cut of the text.

    Tags count only before the first visible text, so that an answer may speak about them. Blank lines between the
    closing tag and the answer belong to neither. With `opened` the prompt already opened the reasoning, and an answer
    may begin without the tag.
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
            held = held.lstrip("\r\n")
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


# --- prompts written by hand ------------------------------------------------------------------------------------------


def defused(text: str, control: re.Pattern[str]) -> str:
    """`text` in which the first character of every match of `control` is followed by a blank.

    Text of a person must not open a turn of its own in a prompt template. A blank is enough: the tokenizers take these
    words as control tokens only letter by letter, and it stays visible in the request that is shown.
    """
    return control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


_ROLE_AT_LINE_START = re.compile(r"(?<=\n)(?=(?:User|Bot):)|^(?=(?:User|Bot):)")


def transcript(messages: Sequence[Message]) -> str:
    """A conversation as plain text, with the last turn left open, for models without roles.

    The words are those of the Titan Text page of the Bedrock user guide (read 2026-11-22).
    """
    lines = [
        f"{'User' if message.role == 'user' else 'Bot'}: {_ROLE_AT_LINE_START.sub(' ', message.text)}"
        for message in messages
    ]
    if messages and messages[-1].role == "user":
        lines.append("Bot:")
    return "\n".join(lines)


_TURN = re.compile(r"^(User|Bot):(?: |$)", re.MULTILINE)


def read_transcript(text: str) -> tuple[Message, ...]:
    """The conversation that `transcript` wrote; any other text is one question."""
    if not text.startswith("User: "):
        return (Message(role="user", text=text),)
    parts = _TURN.split(text)[1:]
    messages = [
        Message(role="user" if role == "User" else "assistant", text=said.removesuffix("\n"))
        for role, said in zip(parts[::2], parts[1::2], strict=True)
    ]
    if messages[-1].role == "assistant" and not messages[-1].text:
        messages.pop()
    return tuple(messages)


# --- small change -----------------------------------------------------------------------------------------------------


def usage(
    raw: Mapping[str, Any],
    *,
    input_tokens: str,
    output_tokens: str,
    cache_read: Sequence[str] = (),
    cache_write: Sequence[str] = (),
) -> Usage:
    """Tokens out of the service's own object, by the names of its fields.

    The cache's fields are to be named only where the service leaves them out of its count of input tokens.
    """
    read, written = _first_count(raw, cache_read), _first_count(raw, cache_write)
    read_in = _count(raw.get(input_tokens))
    return Usage(
        input_tokens=None if read_in is None else read_in + (read or 0) + (written or 0),
        output_tokens=_count(raw.get(output_tokens)),
        cache_read_tokens=read,
        cache_write_tokens=written,
        raw=raw,
    )


def _first_count(raw: Mapping[str, Any], names: Iterable[str]) -> int | None:
    return next((found for name in names if (found := _count(raw.get(name))) is not None), None)


def _count(value: Any) -> int | None:
    """A token count; the service sends whole floats where a guardrail took part."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def merged(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """`body` with the fields of `extra`; objects that both hold are merged one level deep."""
    result = dict(body)
    for key, value in extra.items():
        mine = result.get(key)
        result[key] = {**mine, **value} if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return result


def best_match(model_id: str, rows: Mapping[str, T], default: T) -> T:
    """The row whose key is the longest beginning of `model_id`."""
    found = max((key for key in rows if model_id.startswith(key)), key=len, default=None)
    return default if found is None else rows[found]


def whole_text(text: str) -> Iterator[StreamEvent]:
    """The events of a complete answer's text, told apart from reasoning inside of it: at most one `TextDelta`."""
    tags = ReasoningTags()
    yield from tags.feed(text)
    yield from tags.rest()
