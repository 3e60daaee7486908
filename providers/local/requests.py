"""From a path and a body to the question that a model is asked, and to the family that writes its answer.

Three kinds of ids are served: the models of this machine by their own id; every id of a family that we know, answered
by the small model in that family's shape; and opaque ARNs, whose shape only the body tells.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from providers.base import FamilyServer, Json
from providers.errors import InvalidValueError, UnknownModelError
from providers.local.engine import CONTEXT_TOKENS
from providers.local.validation import refuse_invalid
from providers.model_ids import ParsedModelId, parse_model_id
from providers.registry import CONVERSE, FAMILIES, family_by_prefix, resolve
from providers.types import Capabilities, GenerationRequest, Range, StreamEvent

WireApi = Literal["invoke", "converse"]

OWN_CAPABILITIES = Capabilities(
    prefill=True,
    temperature=Range(low=0.0, high=2.0),
    top_p=Range(low=0.0, high=1.0),
    context_tokens=CONTEXT_TOKENS,
    source="this project",
)
"""What the models of this machine take. An answer may ask for more tokens than the context has; it ends there."""

_INVALID_MODEL = "The provided model identifier is invalid."
_MALFORMED = "Malformed input request, please reformat your input and try again."


class Model(Protocol):
    """Something that answers."""

    def stream(self, request: GenerationRequest, stop: threading.Event) -> Iterator[StreamEvent]:
        """Events, the first `Usage` of which says that the request was accepted; a `ServerTiming` before it tells the
        time in line. They just end once `stop` is set."""

    def ahead(self, stop: threading.Event) -> int | None:
        """How many stand in line before the request of `stop`; `None` where that is not in line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A valid request, who answers it, and who writes the answer down."""

    request: GenerationRequest
    model_id: str
    model: Model
    api: WireApi
    writer: FamilyServer


def read_question(
    models: Mapping[str, Model], default: str, model_id: str, body: bytes, *, api: WireApi, streamed: bool
) -> Question:
    """The question in `body`. `models` are those of this machine, by id; `default` is the one that stands in.

    Raises `UnknownModelError` or `InvalidValueError`, with sentences of the service.
    """
    parsed = _parse_id(model_id)
    if parsed.is_own and parsed.raw not in models:
        raise UnknownModelError(_INVALID_MODEL)
    document = _parse_json(body)
    try:
        writer, capabilities = _family(parsed, document, api)
        request = writer.parse_request(parsed.bare, document)
    except (LookupError, TypeError, AttributeError) as error:
        # The families read what they expect; anything else in its place is the caller's mistake.
        raise InvalidValueError(_MALFORMED, field="body") from error
    if streamed and not capabilities.streaming:
        raise InvalidValueError("The model is unsupported for streaming.", field="model_id")
    refuse_invalid(request, capabilities)
    answering = parsed.raw if parsed.is_own else default
    return Question(request=request, model_id=answering, model=models[answering], api=api, writer=writer)


def _parse_id(model_id: str) -> ParsedModelId:
    try:
        return parse_model_id(model_id)
    except (InvalidValueError, UnknownModelError) as error:
        raise UnknownModelError(_INVALID_MODEL) from error


def _parse_json(body: bytes) -> Json:
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidValueError(_MALFORMED, field="body") from error
    if not isinstance(document, dict):
        raise InvalidValueError(_MALFORMED, field="body")
    return document


def _refuse_constant(word: str) -> Any:
    raise ValueError(word)  # NaN and Infinity are Python's, not JSON's


def _family(parsed: ParsedModelId, document: Json, api: WireApi) -> tuple[FamilyServer, Capabilities]:
    if parsed.is_own:
        return (CONVERSE if api == "converse" else _recognized(document)), OWN_CAPABILITIES
    if not parsed.opaque and family_by_prefix(parsed.bare) is None:
        raise UnknownModelError(_INVALID_MODEL)
    if api == "converse":
        return CONVERSE, resolve(parsed.raw, api="converse").capabilities
    if parsed.opaque:
        return _recognized(document), OWN_CAPABILITIES
    try:
        resolved = resolve(parsed.raw, api="invoke")
    except UnknownModelError as error:
        raise UnknownModelError("This model is not supported by InvokeModel. Use Converse.") from error
    if not isinstance(resolved.family, FamilyServer):
        raise UnknownModelError(_INVALID_MODEL)
    return resolved.family, resolved.capabilities


def _recognized(document: Json) -> FamilyServer:
    """The family in whose shape the body is."""
    for family in FAMILIES:
        if isinstance(family, FamilyServer) and family.recognizes(document):
            return family
    raise InvalidValueError(
        "Malformed input request: the body is in no shape that is known here, please reformat your input and try "
        "again.",
        field="body",
    )
