"""What a watcher sees of a run at one moment, and how the live figures come about. No threads and no drawing here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from app.records import Ending
from metrics.progress import LengthHistory, ProgressEstimate, ProgressEstimator
from metrics.record import Mode, RunRecord, RunStatus
from metrics.stalls import LATEST_S
from metrics.token_rate import RateStatus, TokenRateMonitor
from metrics.tokens import TextMeter, TokenEstimator
from providers.errors import ProviderError
from providers.types import GenerationRequest, RetryScheduled, StopReason

State = Literal["waiting", "retrying", "thinking", "streaming", "stalled", "done", "stopped", "failed"]
ENDED: frozenset[State] = frozenset({"done", "stopped", "failed"})

STALLED_AFTER_S = LATEST_S
NS_PER_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailure:
    """Why a run failed or was cut: a sentence for the person, the error's class, and the service's request id."""

    sentence: str
    type: str
    request_id: str | None = None
    retry_after_s: float | None = None

    @classmethod
    def of(cls, error: BaseException, request_id: str | None = None) -> RunFailure:
        """For an error of a provider its own sentence; for any other one that tells nothing of the inside."""
        if isinstance(error, ProviderError):
            return cls(
                sentence=str(error),
                type=type(error).__name__,
                request_id=error.request_id or request_id,
                retry_after_s=error.retry_after_s,
            )
        sentence = "The playground itself failed on this run. The log of the server says more."
        return cls(sentence=sentence, type=type(error).__name__, request_id=request_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUpdate:
    """A run at one moment. Times are seconds on the server's clock; `None` is not known or not defined, never 0.

    `elapsed_s` counts from the call. While the request stands in the line of this machine's model `ahead` says how many
    stand before it; `queued_s` is how long it stood there, and that time is not in `first_text_s`.

    `resends` counts the requests after the first one, so far; `attempts` is how many there may be.

    `text` only ever grows, except after `resets` went up: then an answer was started over; where it broke off and was
    `resumed`, it went on. `tokens` are reported by the service when `tokens_reported` is true, otherwise estimated.
    `rate` and `progress` are there while a stream flows. `record` is the row that was written when the run ended,
    `not_saved` says why it could not be.
    """

    run_id: str
    model_id: str
    mode: Mode
    simulated: bool
    state: State
    elapsed_s: float
    text: str = ""
    reasoning: str = ""
    ahead: int | None = None
    queued_s: float | None = None
    first_text_s: float | None = None
    silence_s: float | None = None
    tokens: int | None = None
    tokens_reported: bool = False
    rate: RateStatus | None = None
    progress: ProgressEstimate | None = None
    retry: RetryScheduled | None = None
    resends: int = 0
    attempts: int = 1
    resets: int = 0
    resumed: bool = False
    notices: tuple[str, ...] = ()
    stop_reason: StopReason | None = None
    failure: RunFailure | None = None
    record: RunRecord | None = None
    not_saved: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ENDED


STATES: Mapping[RunStatus, State] = {
    "completed": "done",
    "cancelled": "stopped",
    "interrupted": "failed",
    "failed": "failed",
}


def concluded(
    seen: RunUpdate, ending: Ending, record: RunRecord, not_saved: str | None, *, elapsed_s: float
) -> RunUpdate:
    """The last update of a run that was last `seen` so."""
    failed = ending.status in ("interrupted", "failed")
    return replace(
        seen,
        state=STATES[ending.status],
        elapsed_s=elapsed_s,
        tokens=record.tokens_estimated if record.output_tokens is None else record.output_tokens,
        tokens_reported=record.tokens_source == "usage",
        ahead=None,
        rate=None,
        progress=None,
        retry=None,
        stop_reason=ending.completion.stop_reason,
        failure=RunFailure.of(ending.error, ending.completion.request_id) if failed and ending.error else None,
        record=record,
        not_saved=not_saved,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The live figures of a stream at one moment; all of them estimates."""

    tokens: int
    rate: RateStatus
    progress: ProgressEstimate


class LiveFigures:
    """Rate, tokens and progress of one stream, worked out when somebody looks and not for each token.

    `observe(chars, at_ns)` belongs to the stream's path and only takes a note; `read` does the work. One thread may
    observe while one other reads.
    """

    def __init__(
        self,
        request: GenerationRequest,
        mode: Mode,
        estimator: TokenEstimator,
        history: LengthHistory,
        *,
        stalled_after_s: float = STALLED_AFTER_S,
    ) -> None:
        self.stalled_after_s = stalled_after_s
        self._request = request
        self._estimator = estimator
        self._fit = history.fit(request.model_id, mode, request.system)
        self._monitor = TokenRateMonitor()
        self.observe = self._monitor.observe
        self._read_to = 0
        self.restart()

    def read(self, text: str, now_ns: int) -> Figures:
        """The figures at `now_ns`; `text` is everything that was observed so far, and not empty."""
        self._meter.add(text[self._read_to :])
        self._progress.add(text[self._read_to :])
        self._read_to = len(text)
        tokens = self._estimator.estimate_size(self._meter.size(), self._request.model_id)
        rate = self._monitor.status(now_ns, tokens=tokens)
        tokens_per_s = rate.instantaneous_per_s or rate.average_per_s
        chars_per_token = len(text) / tokens
        limit = self._request.inference.max_tokens
        self._progress.limit_chars = limit * chars_per_token if limit else None
        chars_per_s = tokens_per_s * chars_per_token if tokens_per_s else None
        return Figures(tokens=tokens, rate=rate, progress=self._progress.estimate(chars_per_s))

    def restart(self) -> None:
        """The answer begins anew: what was read is void."""
        self._meter = TextMeter()
        self._progress = ProgressEstimator(self._request.messages[-1].text, self._fit)
        self._read_to = 0
