"""Converse and ConverseStream: one body for every model, and the only one for models without a native text shape.

Here `encode` gives keyword arguments of boto3's `converse` instead of JSON, and chunks are boto3's event dicts.
Shapes, limits and stop reasons: botocore 1.44.5 service model, bedrock-runtime 2023-09-30.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

from providers.base import Json
from providers.families import converse_events, fields, pieces
from providers.types import (
    Capabilities,
    Completion,
    GenerationRequest,
    InferenceConfig,
    Message,
    Range,
    StreamEvent,
)

_UNIT = Range(low=0.0, high=1.0)
MAX_STOP_SEQUENCES = 2500

GENERIC = Capabilities(
    temperature=_UNIT,
    top_p=_UNIT,
    max_stop_sequences=MAX_STOP_SEQUENCES,
    source="botocore 1.44.5 service model, InferenceConfiguration",
)

_REASONING_ERA = "big-AGI live probes of 2026-08-17 and the Bedrock user guide, models of OpenAI and xAI"
_ROWS = {
    "openai.gpt-5": replace(GENERIC, temperature=None, top_p=None, max_stop_sequences=0, source=_REASONING_ERA),
    "openai.gpt-6": replace(GENERIC, temperature=None, top_p=None, max_stop_sequences=0, source=_REASONING_ERA),
    "local.": replace(GENERIC, prefill=True, context_tokens=4096, source="this project's own endpoint"),
    "simulated.": replace(GENERIC, prefill=True, source="this project's own endpoint"),
}

_PREFILL = ("anthropic.", "amazon.nova")
_SINGLE_QUESTION = ("ai21.j2", "cohere.command-text", "cohere.command-light")

_FIELDS_OF_CONVERSE = frozenset(
    {
        "toolConfig",
        "guardrailConfig",
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "promptVariables",
        "requestMetadata",
        "performanceConfig",
        "serviceTier",
        "outputConfig",
    }
)


def over_converse(own: Capabilities, model_id: str) -> Capabilities:
    """What of a model's `own` capabilities is left over Converse.

    Converse takes temperature and topP from 0 to 1 only (service model). A trailing assistant turn is continued by
    Claude and Nova only, and the oldest models have no chat (Bedrock user guide, supported models of Converse).
    """
    return replace(
        own,
        temperature=_within_unit(own.temperature),
        top_p=_within_unit(own.top_p),
        prefill=own.prefill and model_id.startswith(_PREFILL),
        multi_turn=own.multi_turn and not model_id.startswith(_SINGLE_QUESTION),
        max_stop_sequences=own.max_stop_sequences or MAX_STOP_SEQUENCES,
    )


def _within_unit(allowed: Range | None) -> Range | None:
    return replace(allowed, low=max(allowed.low, 0.0), high=min(allowed.high, 1.0)) if allowed else None


class Converse:
    """The Converse shape, in both directions."""

    name = "converse"
    prefixes: tuple[str, ...] = ("openai.gpt-", "xai.", "local.", "simulated.")
    api: Literal["invoke", "converse"] = "converse"

    def capabilities(self, model_id: str) -> Capabilities:
        """What is known of a model that only Converse serves."""
        return pieces.best_match(model_id, _ROWS, GENERIC)

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """Keyword arguments of `converse` without `modelId`.

        Fields in `extra` that Converse does not have go to the model as `additionalModelRequestFields`.
        """
        parameters: dict[str, Any] = {
            "messages": [{"role": turn.role, "content": [{"text": turn.text}]} for turn in request.messages]
        }
        if request.system:
            parameters["system"] = [{"text": request.system}]
        if settings := _inference_config(request.inference):
            parameters["inferenceConfig"] = settings
        own = {key: value for key, value in request.extra.items() if key in _FIELDS_OF_CONVERSE}
        others = {key: value for key, value in request.extra.items() if key not in _FIELDS_OF_CONVERSE}
        if others:
            own["additionalModelRequestFields"] = pieces.merged(own.get("additionalModelRequestFields", {}), others)
        return pieces.merged(parameters, own)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events from boto3's event dicts. `metadata` comes after `messageStop`, so reading goes on to the end."""
        return pieces.one_answer(self.name, converse_events.read(self.name, chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from the answer of `converse`."""
        return pieces.one_answer(self.name, converse_events.read_body(self.name, body))

    def recognizes(self, body: Json) -> bool:
        """Never: Converse has a route of its own."""
        return False

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request in the JSON body of POST /model/{modelId}/converse[-stream]."""
        system = [
            fields.content_text([block], "system") for block in body.get("system") or () if "cachePoint" not in block
        ]
        settings = fields.object_field(body, "inferenceConfig")
        return GenerationRequest(
            model_id=model_id,
            messages=tuple(_without_cache_points(body)),
            system="\n".join(system) or None,
            inference=fields.inference(
                settings, max_tokens="maxTokens", temperature="temperature", top_p="topP", stop="stopSequences"
            ),
            extra=fields.without(body, ("messages", "system", "inferenceConfig", "modelId")),
            api="converse",
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer."""
        content: list[dict[str, Any]] = []
        if completion.reasoning:
            content.append({"reasoningContent": {"reasoningText": {"text": completion.reasoning}}})
        content.append({"text": completion.text})
        return {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": converse_events.stop_word(completion.stop_reason, completion.raw_stop_reason),
            "usage": converse_events.write_usage(completion.usage, total=True),
            "metrics": {"latencyMs": converse_events.latency_ms(completion.server_timing)},
        }

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """Event dicts in the service's order: `messageStop`, then `metadata` with the usage."""
        return converse_events.write(events, metrics=True, total=True)


def _inference_config(settings: InferenceConfig) -> dict[str, Any]:
    config: dict[str, Any] = {
        "maxTokens": settings.max_tokens,
        "temperature": settings.temperature,
        "topP": settings.top_p,
        "stopSequences": list(settings.stop_sequences) or None,
    }
    return pieces.present(config)


def _without_cache_points(body: Json) -> list[Message]:
    turns = []
    for turn in fields.list_field(body, "messages"):
        content = turn.get("content") if isinstance(turn, dict) else None
        if isinstance(content, list):
            turn = {**turn, "content": [block for block in content if "cachePoint" not in block]}
        turns.append(turn)
    return fields.messages_field({"messages": turns}, roles=())
