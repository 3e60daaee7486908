"""Checks a request against what its model takes, once, before any call. Pure.

A value that is wrong is refused with a sentence that names model, field and range. A parameter that a model does not
take at all is left out, and the caller is told. What passes here can be encoded by every family.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import Any

from providers.errors import InvalidValueError
from providers.families.pieces import without_halves
from providers.types import Capabilities, GenerationRequest, InferenceConfig, Range

MAX_STOP_SEQUENCES = 2500
"""The limit of Converse (botocore 1.44.5 service model), used where a model's own is not known."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")
_LINE_END = re.compile(r"\r\n?")


def check(
    request: GenerationRequest, capabilities: Capabilities, *, stream: bool
) -> tuple[GenerationRequest, tuple[str, ...]]:
    """`request` as it can be sent, and sentences about what was changed or should be known.

    A system prompt that the model takes in front of the first user turn only stays one here; it is joined to that turn
    when the call is written.
    Raises `InvalidValueError`.
    """
    notices: list[str] = []
    model = request.model_id.strip()
    request = _cleaned(request, notices)
    _check_turns(request, capabilities, model)
    if request.system is not None and not capabilities.system_prompt:
        notices.append(f"{model} takes no system prompt; it stands in front of the first message instead.")
    request = replace(request, inference=_checked_inference(request.inference, capabilities, model, notices))
    if stream and not capabilities.streaming:
        notices.append(f"{model} cannot stream; its answer comes as one piece.")
    if capabilities.end_of_life:
        notices.append(
            f"The end of life of {model} on Bedrock is {capabilities.end_of_life}; after it most calls fail. "
            "Choose a newer model for lasting work."
        )
    return request, tuple(notices)


# --- text -------------------------------------------------------------------------------------------------------------


def clean_text(text: str) -> str:
    """`text` as JSON, a database and a model can hold it.

    Lone surrogates become U+FFFD, control characters other than line feed and tab are removed, line ends are line
    feeds.
    """
    return _CONTROL.sub("", _LINE_END.sub("\n", without_halves(text)))


def is_blank(text: str) -> bool:
    """Whether nothing of `text` can be seen: only white space and invisible format characters."""
    return all(char.isspace() or unicodedata.category(char) in ("Cf", "Cc") for char in text)


def _cleaned(request: GenerationRequest, notices: list[str]) -> GenerationRequest:
    dirty = False

    def clean(text: Any, field: str) -> str:
        nonlocal dirty
        if not isinstance(text, str):
            raise InvalidValueError(f"{field} must be text; you gave {_shown(text)}.", field=field)
        cleaned = clean_text(text)
        dirty = dirty or cleaned != _LINE_END.sub("\n", text)
        return cleaned

    messages = tuple(replace(turn, text=clean(turn.text, "messages")) for turn in request.messages)
    system = None if request.system is None else clean(request.system, "system")
    if system is not None and is_blank(system):
        system = None
    if dirty:
        notices.append("Characters that cannot be sent were removed, or replaced by \ufffd.")
    return replace(request, messages=messages, system=system)


# --- turns ------------------------------------------------------------------------------------------------------------


def _check_turns(request: GenerationRequest, capabilities: Capabilities, model: str) -> None:
    turns = request.messages
    if not turns or (len(turns) == 1 and is_blank(turns[0].text)):
        raise InvalidValueError("Prompt is required: write what the model should answer.", field="prompt")
    for number, turn in enumerate(turns, start=1):
        expected = "user" if number % 2 else "assistant"
        if turn.role not in ("user", "assistant"):
            raise InvalidValueError(
                f"The role of message {number} must be user or assistant; you gave {_shown(turn.role)}.",
                field="messages",
            )
        if turn.role != expected:
            rule = "The first message must be the user's" if number == 1 else "Roles must alternate"
            raise InvalidValueError(
                f"{rule}: message {number} is the {turn.role}'s where the {expected}'s belongs.", field="messages"
            )
        if is_blank(turn.text):
            raise InvalidValueError(
                f"Message {number} ({turn.role}) is empty; write something, or leave the message out.",
                field="messages",
            )
    if turns[-1].role == "assistant" and not capabilities.prefill:
        raise InvalidValueError(
            f"{model} does not continue an open assistant turn; the last message must be the user's.",
            field="messages",
        )
    if len(turns) > 1 and not capabilities.multi_turn:
        raise InvalidValueError(
            f'{model} takes a single question over this API; send one user message, or use api="invoke".',
            field="messages",
        )


# --- numbers ----------------------------------------------------------------------------------------------------------


def _checked_inference(
    settings: InferenceConfig, capabilities: Capabilities, model: str, notices: list[str]
) -> InferenceConfig:
    temperature = _within(settings.temperature, capabilities.temperature, "temperature", model, notices)
    top_p = _within(settings.top_p, capabilities.top_p, "top_p", model, notices)
    if temperature is not None and top_p is not None and not capabilities.temperature_with_top_p:
        notices.append(f"{model} takes temperature or top_p, not both; top_p was left out.")
        top_p = None
    return InferenceConfig(
        max_tokens=_checked_max_tokens(settings.max_tokens, capabilities, model),
        temperature=temperature,
        top_p=top_p,
        stop_sequences=_checked_stops(settings.stop_sequences, capabilities, model, notices),
    )


def _within(value: float | None, allowed: Range | None, field: str, model: str, notices: list[str]) -> float | None:
    if value is None:
        return None
    if allowed is None:
        notices.append(f"{model} does not take {field}; it was left out.")
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not allowed.low <= value <= allowed.high:  # NaN lies in no range
        kind = "" if number else "a number "
        raise InvalidValueError(
            f"{field} must be {kind}between {allowed.low:g} and {allowed.high:g} for {model}; "
            f"you gave {_shown(value)}.",
            field=field,
        )
    return value


def _checked_max_tokens(value: Any, capabilities: Capabilities, model: str) -> int | None:
    if value is None:
        return None
    high = capabilities.max_output_tokens
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < 1 or (high is not None and value > high):
        bounds = "at least 1" if high is None else f"between 1 and {high}"
        raise InvalidValueError(
            f"max_tokens must be a whole number, {bounds}, for {model}; you gave {_shown(value)}.", field="max_tokens"
        )
    return int(value)


def _checked_stops(value: Any, capabilities: Capabilities, model: str, notices: list[str]) -> tuple[str, ...]:
    field = "stop_sequences"
    if not value and not isinstance(value, str):
        return ()
    if capabilities.max_stop_sequences == 0:
        notices.append(f"{model} does not take {field}; they were left out.")
        return ()
    if isinstance(value, str) or not all(isinstance(stop, str) for stop in value):
        raise InvalidValueError(f"{field} must be a list of texts; you gave {_shown(value)}.", field=field)
    if not all(value):
        raise InvalidValueError(f"{field} must not hold an empty text; remove it.", field=field)
    stops = tuple(dict.fromkeys(without_halves(stop) for stop in value))
    most = MAX_STOP_SEQUENCES if capabilities.max_stop_sequences is None else capabilities.max_stop_sequences
    if len(stops) > most:
        raise InvalidValueError(f"{field} must be at most {most} for {model}; you gave {len(stops)}.", field=field)
    return stops


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**18:
        return "a huge number"
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
