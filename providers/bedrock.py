"""BedrockProvider: a request becomes one boto3 call, its frames become chunks, chunks become events.

The same class serves AWS and the local endpoint; only the client differs. An answer without its terminal marker becomes
an interruption, a cancelled call just ends, and what boto3 raises is translated by `service_errors.py`. It never
retries: that is `retry.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Literal

from providers import errors
from providers.account import Account
from providers.base import Json, ModelFamily, RuntimeClient
from providers.cancellation import Cancellation, calling
from providers.families import pieces
from providers.local import headers
from providers.model_ids import parse_model_id
from providers.registry import Resolved, resolve
from providers.service_errors import translate_errors
from providers.types import (
    Accumulator,
    GenerationRequest,
    MessageStart,
    MessageStop,
    ModelInfo,
    PreparedCall,
    ReasoningDelta,
    ServerTiming,
    StreamEvent,
    TextDelta,
    Usage,
)
from providers.validation import check

METRICS_KEY = "amazon-bedrock-invocationMetrics"
NS_PER_S = 1e9


class BedrockProvider:
    """Answers from one `bedrock-runtime` client.

    `account` is asked for the list of models and for what is behind opaque ARNs; without one, and until it answers,
    the list is `models`. `region` is for sentences. `line` tells how many stand before the call of an id, where the
    endpoint is in this process. `clock` gives nanoseconds as `time.perf_counter_ns` does. Threads may share an object
    of this class.
    """

    def __init__(
        self,
        client: RuntimeClient,
        *,
        backend: Literal["aws", "local"] = "aws",
        models: Sequence[ModelInfo] = (),
        account: Account | None = None,
        region: str | None = None,
        line: Callable[[str], int | None] | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._client = client
        self._models = tuple(models)
        self._account = account
        self._region = region
        self._line = line
        self._clock = clock
        self.backend = backend

    def models(self) -> Sequence[ModelInfo]:
        """What can be chosen here, best first: what the account listed, or else the list that is built in."""
        return (self._account.models() if self._account else ()) or self._models

    def prepare(self, request: GenerationRequest, *, stream: bool) -> PreparedCall:
        """The exact call that `stream` or `invoke` would make. Raises `UnknownModelError`, `InvalidValueError`."""
        return self._plan(request, stream=stream)[1]

    def stream(self, request: GenerationRequest, canceller: Cancellation | None = None) -> Generator[StreamEvent]:
        """Events as they arrive. A model that cannot stream gives its answer as one piece.

        Raises `ProviderError`, also while iterating: `StreamInterruptedError` once a piece was delivered, before that
        the cause itself. Close the generator, or cancel, to close the connection.
        """
        family, call = self._plan(request, stream=True)
        return self._guarded(family, call, canceller)

    def invoke(self, request: GenerationRequest, canceller: Cancellation | None = None) -> Generator[StreamEvent]:
        """The events of a complete answer: one `TextDelta`, never split to look alive. Raises as `stream` does."""
        family, call = self._plan(request, stream=False)
        return self._guarded(family, call, canceller)

    def ahead(self, canceller: Cancellation) -> int | None:
        """How many stand in the model's line before the call with this `canceller`; `None` where nobody tells."""
        return self._line(canceller.call_id) if self._line else None

    # --- one call -----------------------------------------------------------------------------------------------------

    def _plan(self, request: GenerationRequest, *, stream: bool) -> tuple[ModelFamily, PreparedCall]:
        request, resolved = self._resolved(request)
        family = resolved.family
        capabilities = resolved.capabilities
        streamed = stream and capabilities.streaming
        checked, notices = check(request, capabilities, stream=streamed)
        encoded = resolved.encode(checked, stream=streamed)
        parameters: dict[str, Any] = {"modelId": request.model_id.strip()}
        operation: Literal["converse", "converse_stream", "invoke_model", "invoke_model_with_response_stream"]
        if family.api == "converse":
            operation = "converse_stream" if streamed else "converse"
            parameters |= encoded
        else:
            operation = "invoke_model_with_response_stream" if streamed else "invoke_model"
            parameters["body"] = json.dumps(encoded, ensure_ascii=False)
            parameters["contentType"] = parameters["accept"] = "application/json"
        return family, PreparedCall(
            operation=operation, parameters=parameters, family=family.name, request=checked, notices=notices
        )

    def _resolved(self, request: GenerationRequest) -> tuple[GenerationRequest, Resolved]:
        """Who speaks for the model, and the request that says so.

        An ARN whose model the account has not told yet goes over Converse, and `api` is set to that: what was shown
        is sent, and sent again, though the account answers in between.
        """
        account = self._account if request.family is None and request.api == "auto" else None
        if account is None:
            return request, resolve(request.model_id, family=request.family, api=request.api)
        behind = account.model_behind(request.model_id)
        unknown = behind is None and parse_model_id(request.model_id).opaque
        if unknown or account.only_converse(request.model_id):
            request = dataclasses.replace(request, api="converse")
        return request, resolve(request.model_id, api=request.api, underlying=behind)

    def _guarded(
        self, family: ModelFamily, call: PreparedCall, canceller: Cancellation | None
    ) -> Generator[StreamEvent]:
        """The events of `call` with faults told apart by what was delivered before them."""
        seen = Accumulator()
        delivered = stopped = False
        model_id = str(call.parameters["modelId"])
        try:
            with translate_errors(model_id, region=self._region, offered=self.models):
                for event in self._open(family, call, canceller):
                    seen.add(event)
                    kind = type(event)
                    if kind is TextDelta or kind is ReasoningDelta:
                        if stopped:
                            continue  # text after the terminal marker is no part of the answer
                        delivered = True
                    elif kind is MessageStop:
                        stopped = True
                    yield event
        except errors.ProviderError as error:
            if stopped or (canceller is not None and canceller.cancelled):
                return  # complete already, or cut on purpose
            if delivered:
                raise errors.StreamInterruptedError(
                    f"The answer was cut short: {error}", partial=seen.completion(), code=error.code
                ) from error
            raise
        if stopped or (canceller is not None and canceller.cancelled):
            return
        if delivered:
            raise errors.StreamInterruptedError(
                "The answer was cut short: the stream ended without a finish signal.",
                partial=seen.completion(),
                code="missing_terminal",
            )
        raise errors.ConnectionFailedError(
            f"{model_id} closed the stream before it said anything. Try again.", code="empty_stream"
        )

    def _open(self, family: ModelFamily, call: PreparedCall, canceller: Cancellation | None) -> Generator[StreamEvent]:
        method = getattr(self._client, call.operation)
        sent_at_ns = self._clock()
        with calling(canceller):
            response: dict[str, Any] = method(**call.parameters)
        headers_at_ns = self._clock()
        told = response.get("ResponseMetadata", {})
        start = MessageStart(
            sent_at_ns=sent_at_ns,
            headers_at_ns=headers_at_ns,
            queued_s=_queued_s(told.get("HTTPHeaders", {}), (headers_at_ns - sent_at_ns) / NS_PER_S),
            request_id=told.get("RequestId"),
        )
        if call.operation == "converse":
            body = {key: value for key, value in response.items() if key != "ResponseMetadata"}
            yield dataclasses.replace(start, body=body)
            yield from family.decode_body(body)
        elif call.operation == "invoke_model":
            yield from self._read_body(family, start, response, canceller)
        else:
            yield from self._read_stream(family, start, response, canceller)

    def _read_body(
        self, family: ModelFamily, start: MessageStart, response: dict[str, Any], canceller: Cancellation | None
    ) -> Generator[StreamEvent]:
        with contextlib.closing(response["body"]) as body:
            if canceller is not None:
                canceller.attach(body._raw_stream.shutdown)
            document = _parse_json(body.read())
        yield dataclasses.replace(start, body=document)
        told_usage = False
        for event in family.decode_body(document):
            told_usage = told_usage or isinstance(event, Usage)
            yield event
        yield from _from_headers(response["ResponseMetadata"].get("HTTPHeaders", {}), told_usage=told_usage)

    def _read_stream(
        self, family: ModelFamily, start: MessageStart, response: dict[str, Any], canceller: Cancellation | None
    ) -> Generator[StreamEvent]:
        frames = response["stream" if family.api == "converse" else "body"]
        try:
            if canceller is not None:
                canceller.attach(frames._raw_stream.shutdown)
            yield start
            if family.api == "converse":
                yield from family.decode_stream(iter(frames))
                return
            chunks = _Chunks(frames)
            told_usage = False
            for event in family.decode_stream(iter(chunks)):
                told_usage = told_usage or type(event) is Usage
                yield event
            yield from _from_metrics(chunks.metrics, told_usage=told_usage)
        finally:
            if canceller is not None:
                canceller.detach()
            frames.close()


class _Chunks:
    """The JSON of each `chunk` frame; keeps the last invocation metrics that rode along."""

    def __init__(self, frames: Any) -> None:
        self._frames = frames
        self.metrics: Mapping[str, Any] | None = None

    def __iter__(self) -> Iterator[Json]:
        for frame in self._frames:
            part = frame.get("chunk")
            if part is None:
                continue
            chunk = _parse_json(part.get("bytes", b""))
            if METRICS_KEY in chunk:
                self.metrics = chunk[METRICS_KEY]
            yield chunk


def _parse_json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise errors.DecodeError(
            "The endpoint did not answer in Bedrock's format: a part of the answer is not JSON.", code="bad_json"
        ) from error


# --- usage and timing that travel outside the body --------------------------------------------------------------------


def _from_metrics(metrics: Mapping[str, Any] | None, *, told_usage: bool) -> Iterator[StreamEvent]:
    """`amazon-bedrock-invocationMetrics` of the last chunk: milliseconds and tokens, on the service's clock."""
    if metrics is None:
        return
    if not told_usage:
        yield pieces.usage(
            metrics,
            input_tokens="inputTokenCount",
            output_tokens="outputTokenCount",
            cache_read=("cacheReadInputTokenCount",),
            cache_write=("cacheWriteInputTokenCount",),
        )
    yield ServerTiming(
        latency_s=_seconds(metrics.get("invocationLatency")), first_byte_s=_seconds(metrics.get("firstByteLatency"))
    )


def _from_headers(answered: Mapping[str, str], *, told_usage: bool) -> Iterator[StreamEvent]:
    """The `x-amzn-bedrock-…` headers of a complete answer to InvokeModel."""
    prefix = "x-amzn-bedrock-"
    told = {name.removeprefix(prefix): value for name, value in answered.items() if name.startswith(prefix)}
    if not told_usage and "output-token-count" in told:
        counted = pieces.usage(
            {name: _number(value) for name, value in told.items()},
            input_tokens="input-token-count",
            output_tokens="output-token-count",
            cache_read=("cache-read-input-token-count",),
            cache_write=("cache-write-input-token-count",),
        )
        yield dataclasses.replace(counted, raw=told)
    if "invocation-latency" in told:
        yield ServerTiming(latency_s=_seconds(told["invocation-latency"]))


def _queued_s(answered: Mapping[str, str], waited_s: float) -> float | None:
    """The time in the model's line as the local endpoint tells it. More than was waited at all is no such time."""
    queued_s = _seconds(answered.get(headers.QUEUED_MS))
    return queued_s if queued_s is not None and 0 <= queued_s <= waited_s else None


def _number(value: Any) -> float | None:
    """A number that may travel as text; `None` for what is none."""
    with contextlib.suppress(TypeError, ValueError):
        return float(value)
    return None


def _seconds(milliseconds: Any) -> float | None:
    number = _number(milliseconds)
    return None if number is None else number / 1000
