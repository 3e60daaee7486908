"""Pieces that several families share: how an answer ends, halves of characters, unknown parts, usage.

`one_answer` is the outer layer of every decoder. The families' own generators may therefore be naive: they yield what
they find, in wire order, and let a surprising shape fail with `KeyError` or `TypeError`.
"""

from __future__ import annotations

import functools
import itertools
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from providers.errors import DecodeError, ProviderError
from providers.types import (
    MessageStop,
    ReasoningDelta,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

METRICS_KEY = "amazon-bedrock-invocationMetrics"
"""What rides on the last chunk of every stream of InvokeModel, beside the family's own fields."""

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
    return MessageStop(reason=reason or reason_of(word), raw_reason=word)


def reason_of(word: str) -> StopReason:
    """What a service's `word` means wherever it does not mislead, whatever its case."""
    return _REASONS.get(word.lower(), StopReason.OTHER)


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

RIDERS = frozenset({"amazon-bedrock-invocationMetrics", "amazon-bedrock-guardrailAction", "amazon-bedrock-trace"})
"""Keys that the service may add to any chunk or body; whoever makes the call reads them."""

_TEXT_KEYS = frozenset({"text", "content", "completion", "generation", "outputText"})


def skip_unknown(family: str, what: object, value: Any) -> None:
    """Passes over a chunk or block of a kind that is not documented; logged once a kind.

    Raises `DecodeError` where `value` holds text that would be lost.
    """
    kind = str(what)[:80]
    if _holds_text(value):
        raise DecodeError(f"The answer holds text in a part that is not documented for {family}: {kind!r}.")
    _log_unknown(family, kind)


def skip_rest(family: str, chunk: Mapping[str, Any], known: frozenset[str]) -> None:
    """`skip_unknown` for every key of `chunk` that is neither in `known` nor the service's own."""
    for key in chunk.keys() - known - RIDERS:
        skip_unknown(family, key, {key: chunk[key]})


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
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value)


def write_usage(
    used: Usage | None, *, input_tokens: str, output_tokens: str, cache_read: str, cache_write: str
) -> dict[str, int]:
    """The other direction of `usage`, for families that leave the cache out of their input tokens."""
    if used is None:
        return {}
    cached = (used.cache_read_tokens or 0) + (used.cache_write_tokens or 0)
    counts = {
        input_tokens: None if used.input_tokens is None else used.input_tokens - cached,
        output_tokens: used.output_tokens,
        cache_read: used.cache_read_tokens,
        cache_write: used.cache_write_tokens,
    }
    return {name: count for name, count in counts.items() if count is not None}


def write_chunks(
    events: Iterable[StreamEvent], chunk: Callable[[str, StopReason | None], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """One `chunk(text, None)` a piece, and `chunk("", reason)` last: for shapes without a place for reasoning, and
    whose usage travels outside the body. The last one waits for the end, so that metrics can ride on it."""
    stop: MessageStop | None = None
    for event in events:
        match event:
            case TextDelta(text):
                yield chunk(text, None)
            case MessageStop():
                stop = event
    if stop is not None:
        yield chunk("", stop.reason)


def begun(events: Iterable[StreamEvent]) -> tuple[StreamEvent | None, Iterator[StreamEvent]]:
    """The first of `events`, and all of them: a model that fails at once then fails before anything is written."""
    iterator = iter(events)
    first = next(iterator, None)
    return first, iterator if first is None else itertools.chain((first,), iterator)


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` without those that are `None`."""
    return {name: value for name, value in fields.items() if value is not None}


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
