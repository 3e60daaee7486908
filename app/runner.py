"""Runner: the one path by which anything here asks a model. The page, the API and the command line all use it."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable

from app.journal import Journal, PlaygroundEndedError
from app.live import LiveFigures
from app.outbox import Log, Outbox
from app.records import Ending, Origin, RunLabels, make_record
from app.run import Run
from metrics.progress import LengthHistory
from metrics.record import RunRecord
from metrics.stalls import StallHistory
from metrics.tokens import TokenEstimator
from providers.errors import ProviderError
from providers.model_ids import parse_model_id
from providers.places import BackendStatus, Served
from providers.retry import RetryingProvider, RetryPolicy
from providers.types import GenerationRequest, StopReason

log = logging.getLogger(__name__)


MAX_RUNS = 128
"""Each run has a thread and a connection of its own; boto3's pool has room for as many."""


DRAWINGS_PER_S = 600.0
"""Of all pages together: about half a processor, of which a drawing takes some 0.8 ms (measured with Gradio 6.31, where
Gradio's own part is 0.6 ms)."""


class BusyError(ProviderError):
    """As many answers are under way as this process allows."""


class Runner:
    """Starts runs and takes their endings. One object serves the whole process; threads may share it.

    `providers` finds the provider of a model; `providers.connect.Backends` does.
    `estimator`, `history` and `stalls` learn from every completed run. `policy` says how a run tries again. `observe`
    is told every row, and why it could not be written, if so. `max_runs` may be under way at once. A `journal` keeps
    runs that have not ended.
    """

    def __init__(
        self,
        providers: Served,
        run_log: Log,
        *,
        estimator: TokenEstimator | None = None,
        history: LengthHistory | None = None,
        policy: RetryPolicy | None = None,
        observe: Callable[[RunRecord, str | None], None] | None = None,
        journal: Journal | None = None,
        max_runs: int = MAX_RUNS,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._providers = providers
        self._outbox = Outbox(run_log)
        self._policy = policy or RetryPolicy(resume=True, restart=True)
        self._observe = observe
        self._journal = journal
        self.max_runs = max_runs
        self._lock = threading.Lock()
        self._called: set[tuple[str, str | None]] = set()
        self._under_way: dict[str, Run] = {}
        self._closing = False
        self.now_ns = clock_ns
        self.estimator = estimator or TokenEstimator()
        self.history = history or LengthHistory()
        self.stalls = StallHistory()

    def start(self, request: GenerationRequest, labels: RunLabels, *, policy: RetryPolicy | None = None) -> Run:
        """Sends `request` on its way and returns at once. Raises as `prepare` does; then nothing was sent and no row
        is written."""
        run = self.prepare(request, labels, policy=policy)
        self.begin(run)
        return run

    def prepare(
        self,
        request: GenerationRequest,
        labels: RunLabels,
        *,
        policy: RetryPolicy | None = None,
        providers: Served | None = None,
    ) -> Run:
        """Everything that comes before the call: `begin` only has to make it. `providers` takes the place of the
        runner's own: another region or profile.

        Raises `ValueError` for what the model would refuse, `ConfigurationError` where its backend is not set up, and
        `BusyError` where too many runs are under way; an experiment has its place, because it makes one at a time.
        """
        if labels.experiment_id is None and len(self.under_way()) >= self.max_runs:
            raise BusyError(
                f"This playground is busy: as many answers as it allows are under way ({self.max_runs}). Try again "
                "in a few seconds.",
                retry_after_s=5,
            )
        providers = providers or self._providers
        provider = providers.provider_for(request.model_id)
        call = provider.prepare(request, stream=labels.mode == "stream")
        live = LiveFigures(
            request,
            labels.mode,
            self.estimator,
            self.history,
            stalled_after_s=self.stalls.limit_s(request.model_id),
        )
        policy = policy or self._policy
        origin = self._origin(providers.status_of(request.model_id), request.model_id)
        return Run(self, RetryingProvider(provider, policy), call, labels, origin, live, policy.attempts)

    def begin(self, run: Run, gate: threading.Barrier | None = None) -> None:
        """Sends a run that was prepared; with a `gate` as soon as all that share it have come there.

        Raises `PlaygroundEndedError` while the playground ends, `BusyError` where there is no thread to be had.
        """
        with self._lock:
            if self._closing:
                raise PlaygroundEndedError
            cold = _key(run) not in self._called
            run.origin = dataclasses.replace(run.origin, cold=cold)
            self._under_way[run.id] = run
        log.info("Run %s: %s of %s", run.id, run.labels.mode, run.request.model_id)
        if self._journal is not None:
            self._journal.open(run.id, lambda: self._record(run, run.so_far(PlaygroundEndedError())))
        try:
            run.begin(gate)
        except RuntimeError as error:
            self._forget(run)
            raise BusyError("This machine has no room for another answer now. Try again in a few seconds.") from error

    def _origin(self, status: BackendStatus, model_id: str) -> Origin:
        return Origin(
            backend=status.backend,
            simulated=parse_model_id(model_id).vendor == "simulated",
            cold=False,  # known when it is sent
            region=status.region,
            server_address=status.endpoint_url,
        )

    def under_way(self) -> tuple[Run, ...]:
        """The runs that have not ended."""
        with self._lock:
            return tuple(self._under_way.values())

    def finish(self, run: Run, ending: Ending) -> tuple[RunRecord, str | None]:
        """Writes the row of `run`, learns from it, and says why it could not be saved, if so."""
        try:
            record = self._record(run, ending)
            self._learn(run, ending, record)
            not_saved = self._outbox.send(record)
            if self._observe is not None:
                self._observe(record, not_saved)
            return record, not_saved
        finally:
            self._forget(run)

    def _forget(self, run: Run) -> None:
        if self._journal is not None:
            self._journal.close(run.id)
        with self._lock:
            self._under_way.pop(run.id, None)
            self._called.add(_key(run))

    def _record(self, run: Run, ending: Ending) -> RunRecord:
        return make_record(run.request, run.labels, run.origin, ending, self.estimator)

    def updates_per_s(self) -> float:
        """How often a page should be drawn anew: fifteen times a second, and down to five times the more answers are
        under way."""
        return min(15.0, max(5.0, DRAWINGS_PER_S / max(1, len(self._under_way))))

    def cut_all(self) -> None:
        """Ends every run because the playground ends, and begins no other: none of them was stopped by a person. Waits
        for nothing."""
        with self._lock:
            self._closing = True
        for run in self.under_way():
            run.cancel(PlaygroundEndedError())

    def close(self) -> None:
        """Stops every run, begins no other, and waits until each has its row."""
        with self._lock:
            self._closing = True
        runs = self.under_way()
        for run in runs:
            run.cancel()
        for run in runs:
            run.join(2.0)
        self._outbox.flush()

    def _learn(self, run: Run, ending: Ending, record: RunRecord) -> None:
        if ending.status != "completed" or ending.resends:
            return
        request, completion = run.request, ending.completion
        self.history.add(
            request.model_id,
            run.labels.mode,
            request.system,
            len(completion.text),
            capped=completion.stop_reason is StopReason.MAX_TOKENS,
        )
        if record.inter_chunk_max_s is not None:
            self.stalls.add(request.model_id, record.inter_chunk_max_s)
        if record.tokens_source == "usage" and record.output_tokens and not completion.reasoning:
            self.estimator.learn(request.model_id, completion.text, record.output_tokens)


def _key(run: Run) -> tuple[str, str | None]:
    return run.request.model_id, run.origin.region
