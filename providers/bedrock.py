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
from dataclasses import dataclass
from typing import Any, Literal

from providers import errors
from providers.account import Account
from providers.answer_head import UNREAD_BODY, AnswerHead
from providers.base import Json, ModelFamily, RuntimeClient
from providers.beside_the_body import from_headers, from_metrics, queued_s
from providers.cancellation import Cancellation, calling
from providers.families import pieces
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
    StreamEvent,
    TextDelta,
    Usage,
)
from providers.validation import check

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
        seen, head = Accumulator(), AnswerHead()
        delivered = stopped = False
        model_id = str(call.parameters["modelId"])
        try:
            with translate_errors(model_id, region=self._region, offered=self.models):
                for event in self._open(_Exchange(family, call, canceller, head)):
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
            if isinstance(error, errors.DecodeError) and head.quote():
                raise _not_bedrock(str(error), head, error.code) from error
            raise
        if stopped or (canceller is not None and canceller.cancelled):
            return
        if delivered:
            raise errors.StreamInterruptedError(
                "The answer was cut short: the stream ended without a finish signal.",
                partial=seen.completion(),
                code="missing_terminal",
            )
        raise _said_nothing(model_id, head)

    def _open(self, exchange: _Exchange) -> Generator[StreamEvent]:
        call = exchange.call
        method = getattr(self._client, call.operation)
        sent_at_ns = self._clock()
        with calling(exchange.canceller):
            response: dict[str, Any] = method(**call.parameters)
        headers_at_ns = self._clock()
        told = response.get("ResponseMetadata", {})
        start = MessageStart(
            sent_at_ns=sent_at_ns,
            headers_at_ns=headers_at_ns,
            queued_s=queued_s(told.get("HTTPHeaders", {}), (headers_at_ns - sent_at_ns) / NS_PER_S),
            request_id=told.get("RequestId"),
        )
        if call.operation == "converse":
            body = {key: value for key, value in response.items() if key != "ResponseMetadata"}
            exchange.head.take(told.get(UNREAD_BODY, b""))
            yield dataclasses.replace(start, body=body)
            yield from exchange.family.decode_body(body)
        elif call.operation == "invoke_model":
            yield from self._read_body(exchange, start, response)
        else:
            yield from self._read_stream(exchange, start, response)

    def _read_body(self, exchange: _Exchange, start: MessageStart, response: dict[str, Any]) -> Generator[StreamEvent]:
        with contextlib.closing(response["body"]) as body:
            if exchange.canceller is not None:
                exchange.canceller.attach(body._raw_stream.shutdown)
            data = body.read()
        exchange.head.take(data)
        document = _parse_json(data)
        yield dataclasses.replace(start, body=document)
        told_usage = False
        for event in exchange.family.decode_body(document):
            told_usage = told_usage or isinstance(event, Usage)
            yield event
        yield from from_headers(response["ResponseMetadata"].get("HTTPHeaders", {}), told_usage=told_usage)

    def _read_stream(
        self, exchange: _Exchange, start: MessageStart, response: dict[str, Any]
    ) -> Generator[StreamEvent]:
        family, canceller = exchange.family, exchange.canceller
        frames = response["stream" if family.api == "converse" else "body"]
        try:
            if canceller is not None:
                canceller.attach(frames._raw_stream.shutdown)
            exchange.head.watch(frames)
            yield start
            if family.api == "converse":
                yield from family.decode_stream(iter(frames))
                return
            chunks = _Chunks(frames)
            told_usage = False
            for event in family.decode_stream(iter(chunks)):
                told_usage = told_usage or type(event) is Usage
                yield event
            yield from from_metrics(chunks.metrics, told_usage=told_usage)
        finally:
            if canceller is not None:
                canceller.detach()
            frames.close()


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One call on its way: who speaks, what is sent, how it is cut, and how its answer begins."""

    family: ModelFamily
    call: PreparedCall
    canceller: Cancellation | None
    head: AnswerHead


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
            if pieces.METRICS_KEY in chunk:
                self.metrics = chunk[pieces.METRICS_KEY]
            yield chunk


def _said_nothing(model_id: str, head: AnswerHead) -> errors.ProviderError:
    """For a stream that ended without a piece. A few words that are no frame leave botocore waiting for the rest."""
    if head.quote():
        return _not_bedrock("The endpoint did not answer in Bedrock's format.", head, "bad_frame")
    return errors.ConnectionFailedError(
        f"{model_id} closed the stream before it said anything. Try again.", code="empty_stream"
    )


def _not_bedrock(sentence: str, head: AnswerHead, code: str | None) -> errors.DecodeError:
    return errors.DecodeError(f"{sentence} It begins: {head.quote()}", code=code)


def _parse_json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise errors.DecodeError(
            "The endpoint did not answer in Bedrock's format: a part of the answer is not JSON.", code="bad_json"
        ) from error
