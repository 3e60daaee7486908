"""Amazon Nova 1 and 2 over InvokeModel: close to Converse, and yet its own shape.

Source: Nova user guide (complete request schema), and recorded bodies in opentelemetry-python-contrib and openllmetry,
read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

from providers.base import Json
from providers.families import converse, converse_events, fields, pieces
from providers.types import Capabilities, Completion, GenerationRequest, Range, StreamEvent

SCHEMA_VERSION = "messages-v1"

_BASE = Capabilities(
    prefill=True,
    temperature=Range(low=0.0, high=1.0, default=0.7),
    top_p=Range(low=0.0, high=1.0, default=0.9),
    source="Nova user guide, complete request schema and model cards; read 2026-11-22",
)
_ROWS = {
    "amazon.nova-micro": replace(_BASE, max_output_tokens=10_000, context_tokens=128_000),
    "amazon.nova-lite": replace(_BASE, max_output_tokens=10_000, context_tokens=300_000),
    "amazon.nova-pro": replace(_BASE, max_output_tokens=10_000, context_tokens=300_000),
    "amazon.nova-premier": replace(_BASE, context_tokens=1_000_000, end_of_life="2026-09-14"),
    "amazon.nova-2-": replace(_BASE, max_output_tokens=65_535, context_tokens=1_000_000),
}


class Nova:
    """Nova's message shape, in both directions."""

    name = "nova"
    prefixes: tuple[str, ...] = ("amazon.nova-",)
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """Facts of one Nova model."""
        return pieces.best_match(model_id, _ROWS, _BASE)

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body. Content and system must be lists."""
        settings = request.inference
        config: dict[str, Any] = {
            "maxTokens": settings.max_tokens,
            "temperature": settings.temperature,
            "topP": settings.top_p,
            "stopSequences": list(settings.stop_sequences) or None,
        }
        body: dict[str, Any] = {
            "schemaVersion": SCHEMA_VERSION,
            "messages": [{"role": turn.role, "content": [{"text": turn.text}]} for turn in request.messages],
        }
        if request.system:
            body["system"] = [{"text": request.system}]
        if given := pieces.present(config):
            body["inferenceConfig"] = given
        return pieces.merged(body, request.extra)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; `messageStop` is the end, the usage comes in `metadata` after it."""
        return pieces.one_answer(self.name, converse_events.read(self.name, chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer."""
        return pieces.one_answer(self.name, converse_events.read_body(self.name, body))

    def recognizes(self, body: Json) -> bool:
        """By its own fields, or by blocks of text without a type."""
        if body.get("schemaVersion") == SCHEMA_VERSION or "inferenceConfig" in body:
            return True
        match body.get("messages"):
            case [{"content": [{"text": str(), **others}, *_]}, *_]:
                return "type" not in others and "anthropic_version" not in body
            case _:
                return False

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        config = dict(fields.object_field(body, "inferenceConfig"))
        if "max_new_tokens" in config:  # the old name, which the service still takes
            config.setdefault("maxTokens", config.pop("max_new_tokens"))
        names = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"}
        rest = fields.without(config, names.values())
        system = body.get("system")
        return GenerationRequest(
            model_id=model_id,
            messages=tuple(fields.messages_field(body, roles=())),
            system=fields.content_text(system, "system") or None if system is not None else None,
            inference=fields.inference(config, **names),
            extra={
                **fields.without(body, ("schemaVersion", "messages", "system", "inferenceConfig")),
                **({"inferenceConfig": rest} if rest else {}),
            },
            api="invoke",
            family=self.name,
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer: Converse's without `metrics`."""
        body = converse.Converse().write_body(completion)
        del body["metrics"]
        return body

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """Chunks as Nova sends them; its usage has no total and its metrics are empty."""
        return converse_events.write(events, metrics=False, total=False)
