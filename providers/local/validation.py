"""Refuses what the service refuses, in its words, for requests that arrive at the local endpoint.

It knows nothing of `providers/validation.py`, which keeps our own client from sending such requests: the two are held
against each other by every test that goes over the socket. Sentences: Bedrock's ValidationExceptions as they stand in
public issue reports (boto3, langchain-aws, litellm), read 2026-11-22.
"""

from __future__ import annotations

import math
from typing import NoReturn

from providers.errors import InvalidValueError
from providers.types import Capabilities, GenerationRequest, InferenceConfig, Message, Range


def refuse_invalid(request: GenerationRequest, capabilities: Capabilities) -> None:
    """Raises `InvalidValueError` where the service would answer with a ValidationException."""
    _check_turns(request.messages, capabilities)
    settings = request.inference
    _check_number("temperature", settings.temperature, capabilities.temperature)
    _check_number("top_p", settings.top_p, capabilities.top_p)
    if settings.temperature is not None and settings.top_p is not None and not capabilities.temperature_with_top_p:
        _refuse(
            "temperature",
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        )
    _check_length(settings, capabilities)
    _check_stops(settings, capabilities)


def _check_turns(messages: tuple[Message, ...], capabilities: Capabilities) -> None:
    if not messages or messages[0].role != "user":
        _refuse(
            "messages",
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message.",
        )
    for position, message in enumerate(messages):
        if message.role != ("assistant" if position % 2 else "user"):
            _refuse(
                "messages",
                "A conversation must alternate between user and assistant roles. Make sure the conversation "
                "alternates between user and assistant roles and try again.",
            )
        if not message.text.strip():
            _refuse(
                "messages",
                f"The text field in the ContentBlock object at messages.{position}.content.0 is blank. Add text to "
                "the text field, and try again.",
            )
    if messages[-1].role == "assistant" and not capabilities.prefill:
        _refuse(
            "messages",
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        )


def _check_number(field: str, value: float | None, allowed: Range | None) -> None:
    if value is None:
        return
    if allowed is None:
        _refuse(field, f"`{field}` is deprecated for this model.")
    if not math.isfinite(value) or not allowed.low <= value <= allowed.high:
        bound = f"greater or equal to {allowed.low:g}" if value < allowed.low else f"less or equal to {allowed.high:g}"
        _refuse(
            field,
            f"Malformed input request: #/{field}: {value:g} is not {bound}, please reformat your input and try again.",
        )


def _check_length(settings: InferenceConfig, capabilities: Capabilities) -> None:
    asked, limit = settings.max_tokens, capabilities.max_output_tokens
    if asked is None:
        return
    if asked < 1:
        _refuse(
            "max_tokens",
            f"Malformed input request: #/max_tokens: {asked} is not greater or equal to 1, please reformat your input "
            "and try again.",
        )
    if limit is not None and asked > limit:
        _refuse(
            "max_tokens",
            f"The maximum tokens you requested exceeds the model limit of {limit}. Try again with a maximum tokens "
            f"value that is lower than {limit}.",
        )


def _check_stops(settings: InferenceConfig, capabilities: Capabilities) -> None:
    stops, limit = settings.stop_sequences, capabilities.max_stop_sequences
    if not all(stops):
        _refuse("stop_sequences", "The stop sequences you provided hold an empty text. Remove it and try again.")
    if limit is not None and len(stops) > limit:
        _refuse(
            "stop_sequences",
            f"The number of stop sequences you provided ({len(stops)}) exceeds the model limit of {limit}.",
        )


def _refuse(field: str, sentence: str) -> NoReturn:
    raise InvalidValueError(sentence, field=field)
