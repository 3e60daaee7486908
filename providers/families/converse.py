"""Converse and ConverseStream: one body for every model, and the only one for models without a native text shape.

Here `encode` gives keyword arguments of boto3's `converse` instead of JSON, and chunks are boto3's event dicts.
Shapes, limits and stop reasons: botocore 1.44.5 service model, bedrock-runtime 2023-09-30.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

from providers.base import Json
from providers.families import fields, pieces
from providers.types import (
    Capabilities,
    Completion,
    GenerationRequest,
    InferenceConfig,
    Message,
    MessageStop,
    Range,
    ReasoningDelta,
    ServerTiming,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
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
    "local.": replace(GENERIC, source="this project's own endpoint"),
    "simulated.": replace(GENERIC, source="this project's own endpoint"),
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
        max_stop_sequences=MAX_STOP_SEQUENCES if own.max_stop_sequences is None else own.max_stop_sequences,
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
        return pieces.one_answer(self.name, read_events(self.name, chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from the answer of `converse`."""
        return pieces.one_answer(self.name, read_answer(self.name, body))

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
            "stopReason": _word(completion.stop_reason, completion.raw_stop_reason),
            "usage": write_usage(completion.usage, total=True),
            "metrics": {"latencyMs": _latency_ms(completion.server_timing)},
        }

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """Event dicts in the service's order: `messageStop`, then `metadata` with the usage."""
        yield {"messageStart": {"role": "assistant"}}
        yield from write_events(events, metrics=True, total=True)


# --- reading, shared with Nova, whose chunks look alike ---------------------------------------------------------------

_QUIET_EVENTS = frozenset({"messageStart", "contentBlockStart", "contentBlockStop", "p"})
_QUIET_DELTAS = frozenset({"toolUse", "toolResult", "citation", "image"})


def read_events(family: str, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
    """Events from the chunks of ConverseStream, or of Nova's invoke stream.

    Block indexes are not looked at: Nova counts them up with every delta (recorded stream in
    opentelemetry-python-contrib). What belongs to one answer arrives in order.
    """
    tags = pieces.ReasoningTags()
    for chunk in chunks:
        if (block := chunk.get("contentBlockDelta")) is not None:
            delta = block["delta"]
            if (text := delta.get("text")) is not None:
                if tags.answering:
                    yield TextDelta(text)
                else:
                    yield from tags.feed(text)
            else:
                yield from _read_other_delta(family, delta)
        elif (stop := chunk.get("messageStop")) is not None:
            yield from tags.rest()
            yield pieces.stopped(stop["stopReason"])
        elif (metadata := chunk.get("metadata")) is not None:
            yield from _read_metadata(metadata)
        else:
            _look_at_rest(family, chunk)


def _read_other_delta(family: str, delta: Json) -> Iterator[StreamEvent]:
    if (reasoning := delta.get("reasoningContent")) is not None:
        text = reasoning.get("text")
        # An empty text says nothing; a signature or a redacted piece says that there was reasoning.
        if text or text is None:
            yield ReasoningDelta(text or "")
    elif not delta.keys() & _QUIET_DELTAS:
        if not delta:
            raise KeyError("delta")
        pieces.skip_unknown(family, next(iter(delta)), delta)


def _look_at_rest(family: str, chunk: Json) -> None:
    for kind, value in chunk.items():
        if kind not in _QUIET_EVENTS and not kind.startswith("amazon-bedrock-"):
            pieces.skip_unknown(family, kind, value)


def _read_metadata(metadata: Json) -> Iterator[StreamEvent]:
    if reported := metadata.get("usage"):
        yield read_usage(reported)
    latency_ms = (metadata.get("metrics") or {}).get("latencyMs")
    if latency_ms is not None:
        yield ServerTiming(latency_s=latency_ms / 1000)


def read_usage(reported: Json) -> Usage:
    """Converse's usage. `inputTokens` leaves the cache out: totalTokens is the sum of all four (recorded answers in
    dd-trace-py). Nova's own answers spell the cache's fields with `Count`."""
    return pieces.usage(
        reported,
        input_tokens="inputTokens",
        output_tokens="outputTokens",
        cache_read=("cacheReadInputTokens", "cacheReadInputTokenCount"),
        cache_write=("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
    )


def read_answer(family: str, body: Json) -> Iterator[StreamEvent]:
    """Events from the answer of Converse, or of Nova's InvokeModel."""
    texts: list[str] = []
    for block in body["output"]["message"].get("content") or ():
        if (text := block.get("text")) is not None:
            texts.append(text)
        elif (reasoning := block.get("reasoningContent")) is not None:
            yield ReasoningDelta((reasoning.get("reasoningText") or {}).get("text") or "")
        elif (cited := block.get("citationsContent")) is not None:
            texts.extend(part["text"] for part in cited.get("content") or () if "text" in part)
        elif not block.keys() & {"toolUse", "image"}:
            pieces.skip_unknown(family, next(iter(block), "empty block"), block)
    yield from pieces.whole_text("".join(texts))
    yield from _read_metadata(body)
    if reason := body.get("stopReason"):
        yield pieces.stopped(reason)


# --- writing, shared with Nova ----------------------------------------------------------------------------------------


def write_events(events: Iterable[StreamEvent], *, metrics: bool, total: bool) -> Iterator[dict[str, Any]]:
    """Deltas as they come, then what closes the answer, once its end is known."""
    index, kind = -1, None
    used: Usage | None = None
    timing: ServerTiming | None = None
    stop: MessageStop | None = None
    for event in events:
        match event:
            case TextDelta(text) | ReasoningDelta(text):
                if kind is not type(event):
                    if kind is not None:
                        yield {"contentBlockStop": {"contentBlockIndex": index}}
                    index, kind = index + 1, type(event)
                delta = {"text": text} if isinstance(event, TextDelta) else {"reasoningContent": {"text": text}}
                yield {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}}
            case Usage():
                used = event
            case ServerTiming():
                timing = event
            case MessageStop():
                stop = event
    if stop is None:
        return
    if kind is not None:
        yield {"contentBlockStop": {"contentBlockIndex": index}}
    yield {"messageStop": {"stopReason": _word(stop.reason, stop.raw_reason)}}
    measured = {"latencyMs": _latency_ms(timing)} if metrics else {}
    yield {"metadata": {"usage": write_usage(used, total=total), "metrics": measured}}


def write_usage(used: Usage | None, *, total: bool) -> dict[str, int]:
    """Converse's usage object; fields that are not known are left out."""
    if used is None:
        return {}
    cached = (used.cache_read_tokens or 0) + (used.cache_write_tokens or 0)
    counts = {
        "inputTokens": None if used.input_tokens is None else used.input_tokens - cached,
        "outputTokens": used.output_tokens,
        "cacheReadInputTokens": used.cache_read_tokens,
        "cacheWriteInputTokens": used.cache_write_tokens,
    }
    written = {name: count for name, count in counts.items() if count is not None}
    if total:
        written["totalTokens"] = sum(written.values())
    return written


def _word(reason: StopReason | None, raw: str | None) -> str:
    if reason is None:
        return StopReason.END_TURN.value
    return reason.value if reason is not StopReason.OTHER or not raw else raw


def _latency_ms(timing: ServerTiming | None) -> int:
    return round((timing.latency_s or 0.0) * 1000) if timing else 0


def _inference_config(settings: InferenceConfig) -> dict[str, Any]:
    config: dict[str, Any] = {
        "maxTokens": settings.max_tokens,
        "temperature": settings.temperature,
        "topP": settings.top_p,
        "stopSequences": list(settings.stop_sequences) or None,
    }
    return {name: value for name, value in config.items() if value is not None}


def _without_cache_points(body: Json) -> list[Message]:
    turns = []
    for turn in fields.list_field(body, "messages"):
        content = turn.get("content") if isinstance(turn, dict) else None
        if isinstance(content, list):
            turn = {**turn, "content": [block for block in content if "cachePoint" not in block]}
        turns.append(turn)
    return fields.messages_field({"messages": turns}, roles=())
