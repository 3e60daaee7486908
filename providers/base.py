"""The seams: what a provider, a model family and the other side of a family are. Protocols only, no behaviour."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from providers.cancellation import Cancellation
from providers.types import (
    Capabilities,
    Completion,
    GenerationRequest,
    ModelInfo,
    PreparedCall,
    StreamEvent,
)

Json = Mapping[str, Any]


class Provider(Protocol):
    """Where answers come from."""

    def prepare(self, request: GenerationRequest, *, stream: bool) -> PreparedCall:
        """The exact call that `stream` or `invoke` would make. Raises `UnknownModelError`, `InvalidValueError`."""

    def stream(self, request: GenerationRequest, canceller: Cancellation | None = None) -> Generator[StreamEvent]:
        """Events of a streamed answer, as they arrive. Raises `ProviderError`, also while iterating.

        After `canceller.cancel()` the events just end, without a `MessageStop`.
        """

    def invoke(self, request: GenerationRequest, canceller: Cancellation | None = None) -> Generator[StreamEvent]:
        """The same events for a complete answer: at most one `TextDelta`, never split to look alive."""

    def ahead(self, canceller: Cancellation) -> int | None:
        """How many stand in the model's line before the call under way with this `canceller`; `None` where it stands
        in no line, or nobody tells."""

    def models(self) -> Sequence[ModelInfo]:
        """What can be chosen, best first."""


class ModelFamily(Protocol):
    """One wire shape: how a request is written and how its answer is read. Pure, without I/O; state lives in the
    generators. `family` means the shape, not the vendor."""

    name: str
    """The word for `family=` in the contract: `claude`, `titan`, `llama`, ..."""
    prefixes: tuple[str, ...]
    """Beginnings of model ids after the geographic prefix, vendor included: `("anthropic.claude-",)`. The longest
    match over all families wins."""
    api: Literal["invoke", "converse"]
    """Which pair of operations carries it."""

    def capabilities(self, model_id: str) -> Capabilities:
        """What the model takes; `model_id` is bare: no geographic prefix, no ARN around it."""

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body of an invoke call, or the keyword arguments of a Converse call without `modelId`.

        The request was checked against `capabilities` before: parameters that the model refuses are `None` here. Its
        `model_id` may be bare or as it was given; `Resolved.encode` makes it bare.
        """

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events from the chunks of a stream (for Converse: from its event dicts). Where the terminal marker was seen
        there is one `MessageStop`, at once; after it come usage and timing only. Raises `DecodeError` where text would
        be lost. Never emits empty `TextDelta`s, nor `MessageStart`. `amazon-bedrock-invocationMetrics` is read by the
        caller, not here.
        """

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """The same events from a complete answer. Raises `DecodeError`."""


@runtime_checkable
class FamilyServer(Protocol):
    """The other direction of an invoke family, for the local endpoint. Implemented by the same class."""

    def recognizes(self, body: Json) -> bool:
        """Whether a request body is in this family's shape (used for ids that name no family)."""

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for. Raises `InvalidValueError` with the service's kind of sentence."""

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer."""

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """Chunks as the service would send them. The endpoint adds `amazon-bedrock-invocationMetrics` to the last."""


class RuntimeClient(Protocol):
    """The part of boto3's `bedrock-runtime` client that is used; its answers are boto3's dicts."""

    def converse(self, **parameters: Any) -> dict[str, Any]: ...

    def converse_stream(self, **parameters: Any) -> dict[str, Any]: ...

    def invoke_model(self, **parameters: Any) -> dict[str, Any]: ...

    def invoke_model_with_response_stream(self, **parameters: Any) -> dict[str, Any]: ...
