"""From a run's ending to its one row: names, figures, price. Everything is derived here, once, from raw stamps."""

from __future__ import annotations

import dataclasses
import functools
import platform
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import Any, Literal

from app import __version__
from metrics.pricing import Price, price
from metrics.record import Mode, Phase, RunRecord, RunStatus, chunks_since, timestamp
from metrics.timing import NS_PER_S, Kind, TokenCounts, flags, measure
from metrics.tokens import ESTIMATOR_VERSION, TokenEstimator, text_size
from providers.errors import ProviderError
from providers.families.pieces import reason_of
from providers.types import Completion, GenerationRequest, StopReason, Usage

MOST_TOKENS = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLabels:
    """What a run belongs to, as the caller says it."""

    mode: Mode
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    conversation_id: str | None = None
    comparison_id: str | None = None
    experiment_id: str | None = None
    pair_id: str | None = None
    order_in_pair: int | None = None
    phase: Phase | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a run is answered, as the runner finds it. `cold`: the first call to this model in this process."""

    backend: Literal["aws", "local"]
    simulated: bool
    cold: bool
    region: str | None = None
    server_address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended: raw stamps of one clock (ns), the answer as far as it came, and the error if there was one.

    `queued_s` is how long the request stood in the model's line, where that was told. `resends` counts the requests
    after the first one; `resumed` says that the answer was put together from several.
    """

    status: RunStatus
    completion: Completion
    chunks: tuple[tuple[int, Kind, int], ...]
    started_at: datetime
    sent_at_ns: int
    headers_at_ns: int | None
    ended_at_ns: int
    queued_s: float | None = None
    error: BaseException | None = None
    resends: int = 0
    resumed: bool = False

    @property
    def taken_at_ns(self) -> int:
        """What every figure counts from: the call, or the moment in which the model took the request out of its line.
        How many others there were is no property of the model."""
        return self.sent_at_ns + round((self.queued_s or 0.0) * NS_PER_S)


def make_record(
    request: GenerationRequest,
    labels: RunLabels,
    origin: Origin,
    ending: Ending,
    estimator: TokenEstimator,
) -> RunRecord:
    """The row. `request` is what was sent: without the parameters that the model does not take."""
    completion, usage = ending.completion, _usage(ending)
    size = text_size(completion.text)
    estimated = estimator.estimate_size(size, request.model_id) if completion.text else 0
    metrics = measure(
        stream=labels.mode == "stream",
        sent_at_ns=ending.taken_at_ns,
        ended_at_ns=ending.ended_at_ns,
        headers_at_ns=ending.headers_at_ns,
        chunks=ending.chunks,
        tokens=_token_counts(request.model_id, ending, usage.output_tokens, estimator, estimated),
        server_latency_s=completion.server_timing.latency_s if completion.server_timing else None,
        complete=ending.status == "completed" and ending.resends == 0,
    )
    cost = _cost(usage, request.model_id, origin, ending)
    return RunRecord(
        **dataclasses.asdict(metrics),
        **_asked(request),
        **_told(completion, usage),
        **_failed(ending),
        **dataclasses.asdict(labels),
        request_stream=labels.mode == "stream",
        status=ending.status,
        started_at=timestamp(ending.started_at),
        backend=origin.backend,
        simulated=origin.simulated,
        region=origin.region,
        server_address=origin.server_address,
        queued_s=ending.queued_s,
        chunks=chunks_since(ending.taken_at_ns, ending.chunks),
        tokens_source="usage" if usage.output_tokens is not None else "estimate" if completion.text else None,
        tokens_estimated=estimated if completion.text else None,
        estimator_version=ESTIMATOR_VERSION,
        text_units=size.units,
        text_script=size.script,
        cost_usd=cost.usd,
        price_model=cost.model,
        price_source=cost.source,
        resends=ending.resends,
        flags=flags(
            stream=labels.mode == "stream",
            sent_at_ns=ending.taken_at_ns,
            chunks=ending.chunks,
            stop_reason=completion.stop_reason.value if completion.stop_reason else None,
            resends=ending.resends,
            cache_read_tokens=usage.cache_read_tokens,
            cold=origin.cold,
        ),
        client=client_versions(),
    )


@functools.cache
def client_versions() -> Mapping[str, str]:
    """What measured: versions that can move the figures."""
    names = ("boto3", "botocore", "urllib3")
    return {"playground": __version__, "python": platform.python_version()} | {name: version(name) for name in names}


def stop_reason_of(record: RunRecord) -> StopReason | None:
    """Why an answer ended, from its row, which holds the service's own word. Two families that have reached their end
    of life gave words another meaning than the rest: of Jurassic-2 a caller's stop sequence is taken for the end of the
    turn here, of Claude's text completions the end of the turn for a stop sequence."""
    if record.finish_reasons:
        return reason_of(record.finish_reasons[0])
    return StopReason.OTHER if record.status == "completed" else None


def _asked(request: GenerationRequest) -> dict[str, Any]:
    inference = request.inference
    return {
        "request_model": request.model_id,
        "max_tokens": inference.max_tokens,
        "temperature": inference.temperature,
        "top_p": inference.top_p,
        "stop_sequences": inference.stop_sequences,
        "system_prompt": request.system,
        "conversation": tuple({"role": turn.role, "text": turn.text} for turn in request.messages[:-1]),
        "prompt": request.messages[-1].text,
    }


def _told(completion: Completion, usage: Usage) -> dict[str, Any]:
    return {
        "response": completion.text,
        "reasoning": completion.reasoning,
        "request_id": completion.request_id,
        "finish_reasons": (completion.raw_stop_reason,) if completion.raw_stop_reason else (),
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "usage_raw": usage.raw,
    }


def _failed(ending: Ending) -> dict[str, Any]:
    error = ending.error
    if error is None:
        return {}
    told = error if isinstance(error, ProviderError) else None
    return {
        "error_type": type(error).__name__,
        "error_message": str(told) if told else "The playground itself failed on this run.",
        "http_status": told.http_status if told else None,
    }


def _usage(ending: Ending) -> Usage:
    """What was reported of this answer. A continued answer was reported in parts, of which only the last arrived."""
    usage = ending.completion.usage or Usage()
    if not ending.resumed:
        counts: dict[str, Any] = {name: _count(getattr(usage, name)) for name in _COUNTS}
        return dataclasses.replace(usage, **counts)
    return Usage(raw=usage.raw)


_COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def _count(reported: int | None) -> int | None:
    """A number of tokens that can be one. Any other was not reported: no database would take it, either."""
    return reported if reported is not None and 0 <= reported < MOST_TOKENS else None


def _token_counts(
    model_id: str, ending: Ending, reported: int | None, estimator: TokenEstimator, estimated: int
) -> TokenCounts:
    completion = ending.completion
    # Character shares of the count: exact where a model's tokens are about as long all through.
    chars = sum(length for _, _, length in ending.chunks)
    visible = sum(length for _, kind, length in ending.chunks if kind == "text")
    total = estimated + estimator.estimate(completion.reasoning, model_id) if reported is None else reported
    per_char = total / chars if chars else 0.0
    first_visible = next((length for _, kind, length in ending.chunks if kind == "text"), None)
    return TokenCounts(
        reported=reported,
        estimated=float(total) if chars else None,
        visible=per_char * visible if visible else None,
        first_chunk=max(1.0, per_char * ending.chunks[0][2]) if ending.chunks else None,
        first_visible=None if first_visible is None else max(1.0, per_char * first_visible),
    )


def _cost(usage: Usage, model_id: str, origin: Origin, ending: Ending) -> Price:
    """List price. None for an endpoint in place of AWS, which has prices of its own, nor where some requests of the
    run were not told their tokens."""
    if origin.server_address is not None or ending.resends:
        return Price()
    return price(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        model_id=model_id,
        region=origin.region,
        at=ending.started_at,
    )
