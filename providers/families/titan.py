"""Amazon Titan Text: one text in, one text out. End of life; the format lives on in provisioned throughput.

Shapes: Bedrock user guide, model-parameters-titan-text, and recorded bodies in opentelemetry-python-contrib and
dd-trace-py, read 2026-11-22. The documentation says FINISHED where the service sends FINISH. The end of life is the day
on which it was reported (newrelic-dotnet-agent, pull request 3373).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

from providers.base import Json
from providers.families import fields, pieces, prompts
from providers.types import (
    Capabilities,
    Completion,
    GenerationRequest,
    MessageStop,
    Range,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
)

_BASE = Capabilities(
    system_prompt=False,
    prefill=True,
    temperature=Range(low=0.0, high=1.0, default=0.7),
    top_p=Range(low=0.0, high=1.0, default=0.9),
    max_output_tokens=8192,
    context_tokens=8192,
    end_of_life="2025-12-29",
    source="Bedrock user guide, model-parameters-titan-text; read 2026-11-22",
)
_ROWS = {
    "amazon.titan-text-lite": replace(_BASE, max_output_tokens=4096, context_tokens=4096),
    "amazon.titan-text-premier": replace(_BASE, max_output_tokens=3072, context_tokens=32_768),
}

_QUIET_KEYS = frozenset({"outputText", "index", "totalOutputTextTokenCount", "completionReason", "inputTextTokenCount"})

_WORDS = {
    StopReason.MAX_TOKENS: "LENGTH",
    StopReason.STOP_SEQUENCE: "STOP_CRITERIA_MET",
    StopReason.CONTENT_FILTERED: "CONTENT_FILTERED",
}


class Titan:
    """Titan's text shape, in both directions. Roles are written into the text, as its documentation shows."""

    name = "titan"
    prefixes: tuple[str, ...] = ("amazon.titan-text-", "amazon.titan-tg1-")
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """Facts of one Titan model."""
        return pieces.best_match(model_id, _ROWS, _BASE)

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body."""
        settings = request.inference
        config: dict[str, Any] = {
            "maxTokenCount": settings.max_tokens,
            "temperature": settings.temperature,
            "topP": settings.top_p,
            "stopSequences": list(settings.stop_sequences) or None,
        }
        body: dict[str, Any] = {"inputText": prompts.transcript(request.messages)}
        if given := pieces.present(config):
            body["textGenerationConfig"] = given
        return pieces.merged(body, request.extra)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; a `completionReason` that is not null is the end. Often one chunk holds the whole answer."""
        return pieces.one_answer(self.name, _read_stream(chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer."""
        return pieces.one_answer(self.name, _read_body(body))

    def recognizes(self, body: Json) -> bool:
        """Only this shape has an `inputText`."""
        return "inputText" in body

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        config = fields.object_field(body, "textGenerationConfig")
        names = {"max_tokens": "maxTokenCount", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"}
        rest = fields.without(config, names.values())
        return GenerationRequest(
            model_id=model_id,
            messages=prompts.read_transcript(fields.text_field(body, "inputText")),
            inference=fields.inference(config, **names),
            extra={
                **fields.without(body, ("inputText", "textGenerationConfig")),
                **({"textGenerationConfig": rest} if rest else {}),
            },
            api="invoke",
            family=self.name,
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer; reasoning has no place in it."""
        used = completion.usage or Usage()
        result = {
            "tokenCount": used.output_tokens,
            "outputText": completion.text,
            "completionReason": _word(completion.stop_reason),
        }
        return {"inputTextTokenCount": used.input_tokens, "results": [result]}

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """One chunk per piece, and a last one with the reason and the counts."""
        used, stop = Usage(), None
        for event in events:
            match event:
                case TextDelta(text):
                    yield _chunk(text, None, Usage())
                case Usage():
                    used = event
                case MessageStop():
                    stop = event
        if stop is not None:
            yield _chunk("", _word(stop.reason), used)


def _read_stream(chunks: Iterator[Json]) -> Iterator[StreamEvent]:
    input_tokens: int | None = None
    for chunk in chunks:
        text = chunk.get("outputText")
        if text is None:
            pieces.skip_rest(Titan.name, chunk, _QUIET_KEYS)
            continue
        yield TextDelta(text)
        if (told := chunk.get("inputTextTokenCount")) is not None:  # only the first of several chunks tells
            input_tokens = told
        output_tokens = chunk.get("totalOutputTextTokenCount")
        reason = chunk.get("completionReason")
        if reason is None and output_tokens is not None:
            reason = _blocked(chunk)
        if reason:
            yield from _usage(input_tokens, output_tokens)
            yield pieces.stopped(reason)


def _read_body(body: Json) -> Iterator[StreamEvent]:
    result = body["results"][0]
    yield TextDelta(result["outputText"])
    yield from _usage(body.get("inputTextTokenCount"), result.get("tokenCount"))
    if reason := result.get("completionReason") or _blocked(body):
        yield pieces.stopped(reason)


def _blocked(answer: Json) -> str | None:
    """The word for an answer that a guardrail wrote: it has no reason of its own (recorded stream in openllmetry)."""
    return "guardrail_intervened" if answer.get("amazon-bedrock-guardrailAction") == "INTERVENED" else None


def _usage(input_tokens: int | None, output_tokens: int | None) -> Iterator[StreamEvent]:
    if input_tokens is not None or output_tokens is not None:
        counts = {"inputTextTokenCount": input_tokens, "outputTextTokenCount": output_tokens}
        yield pieces.usage(counts, input_tokens="inputTextTokenCount", output_tokens="outputTextTokenCount")


def _chunk(text: str, reason: str | None, used: Usage) -> dict[str, Any]:
    return {
        "outputText": text,
        "index": 0,
        "totalOutputTextTokenCount": used.output_tokens,
        "completionReason": reason,
        "inputTextTokenCount": used.input_tokens,
    }


def _word(reason: StopReason | None) -> str:
    return _WORDS.get(reason, "FINISH") if reason else "FINISH"
