"""A paired experiment on its way: one thread that makes the planned calls one after the other, and snapshots for
whoever watches. It belongs to the process and not to a page: a page that was closed finds it again.

Every call goes through `Runner`, as any other, so that each leaves its row in the log. Nothing is ever tried again
here: a call that failed voids its pair, and the pair is told as such.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby

from app.experiment_cost import Meter, Pricing, check_cap, most_of
from app.experiment_plan import BLOCK, ExperimentSettings, PlannedCall, checked, plan, request_of
from app.experiment_result import precision
from app.experiment_update import ExperimentUpdate, State, settings_of
from app.journal import PlaygroundEndedError
from app.live import RunUpdate
from app.records import RunLabels
from app.run import Run
from app.runner import BusyError
from app.services import Services
from metrics.experiment_log import StoredExperiment
from metrics.pricing import price
from metrics.record import RunRecord, timestamp
from metrics.run_log import RunLogError
from providers import errors
from providers.retry import RetryPolicy
from providers.types import GenerationRequest

log = logging.getLogger(__name__)

ONCE = RetryPolicy(attempts=1)
LOOK_S = 0.25
"""How often a watcher looks: a closed tab is noticed at the next look."""
HOPELESS_AFTER = 6
"""Failed calls of a model in a row after which it is given up; two where the same request cannot succeed."""
_FINAL = frozenset(
    {errors.RequestError.__name__, errors.ConfigurationError.__name__}
    | {kind.__name__ for kind in errors.RequestError.__subclasses__()}
)


class Experiment:
    """Made, then begun once. Raises from the constructor what is wrong with the settings, before anything is sent:
    `InvalidValueError`, `UnknownModelError`, `ConfigurationError`."""

    def __init__(
        self,
        services: Services,
        settings: ExperimentSettings,
        *,
        pricing: Pricing = price,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.settings = checked(settings)
        self._services = services
        self._clock = clock
        self._calls = [(call, request_of(call, self.settings, salt=self.id)) for call in plan(self.settings)]
        self._meter = _meter(services, pricing)
        self._check()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._stop = threading.Event()
        self._state: State = "running"
        self._run: Run | None = None
        self._now: PlannedCall | None = None
        self._records: list[RunRecord] = []
        self._notices: list[str] = []
        self._problem = ""
        self._given_up: set[str] = set()
        self._failures: Counter[str] = Counter()
        self._ahead = Counter((call.model_id, call.mode) for call, _ in self._calls)
        self._took_s: dict[tuple[str, str], list[float]] = {}
        self._started_at = timestamp(datetime.now(UTC))
        self._began_s = self._ended_s = clock()
        self._thread = threading.Thread(target=self._work, name=f"experiment-{self.id[:8]}", daemon=True)

    @property
    def most_usd(self) -> float | None:
        """What the whole can cost at most; `None` where a model has no known price."""
        return most_of(self._calls, self._meter)

    def begin(self) -> None:
        """Starts the thread, and waits for nothing else. Once. Raises `BusyError` where no thread can be had."""
        self._began_s = self._clock()
        try:
            self._thread.start()
        except RuntimeError as error:
            raise BusyError(f"The experiment could not start ({error}). Try again in a few seconds.") from error

    def cancel(self) -> None:
        """Stops after closing the call under way; what is done stays, an unfinished pair is void. Safe to repeat."""
        self._stop.set()
        with self._lock:
            run = self._run
        if run is not None:
            run.cancel()

    def join(self, timeout_s: float | None = None) -> None:
        """Waits until it has ended and everything is written."""
        self._thread.join(timeout_s)

    # --- watching -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> ExperimentUpdate:
        """The experiment as it is now."""
        with self._lock:
            return self._picture()

    def __iter__(self) -> Iterator[ExperimentUpdate]:
        """An update at each change, the last one included."""
        seen: ExperimentUpdate | None = None
        while seen is None or not seen.ended:
            with self._changed:
                if seen is not None and (seen.state, seen.done) == (self._state, self._done):
                    self._changed.wait(LOOK_S)
                seen = self._picture()
            yield seen

    async def updates(self) -> AsyncGenerator[ExperimentUpdate]:
        """The same from a coroutine, four times a second."""
        while not (seen := self.snapshot()).ended:
            yield seen
            await asyncio.sleep(LOOK_S)
        yield seen

    @property
    def _done(self) -> int:
        return len(self._calls) - self._ahead.total()

    def _picture(self) -> ExperimentUpdate:
        running = self._state == "running"
        return ExperimentUpdate(
            id=self.id,
            settings=self.settings,
            state=self._state,
            started_at=self._started_at,
            done=self._done,
            total=len(self._calls),
            elapsed_s=(self._clock() if running else self._ended_s) - self._began_s,
            left_s=self._left_s() if running else None,
            now=self._now,
            records=tuple(self._records),
            spend=self._meter.spend,
            notices=tuple(self._notices),
            problem=self._problem,
        )

    def _left_s(self) -> float | None:
        """From the mean of what such calls took so far; where there was none yet, from the mean of all."""
        means = {kind: sum(took) / len(took) for kind, took in self._took_s.items()}
        if not means:
            return None
        overall = sum(means.values()) / len(means)
        calls = sum(count * means.get(kind, overall) for kind, count in self._ahead.items())
        return calls + self._ahead.total() * self.settings.pause_s

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Everything that can be refused is refused now."""
        first: dict[tuple[str, str], GenerationRequest] = {}
        for call, request in self._calls:
            first.setdefault((call.model_id, call.mode), request)
        for (model_id, mode), request in first.items():
            self._services.backends.provider_for(model_id).prepare(request, stream=mode == "stream")
        check_cap(first.values(), self._meter, self.settings.cost_cap_usd)

    def _work(self) -> None:
        try:
            self._save()
            state = self._make_calls()
        except (errors.ProviderError, ValueError) as error:  # refused at this moment: the runs until then stand
            state, self._problem = "failed", str(error)
        except Exception:  # the thread's edge: a bug must still end the experiment
            log.exception("Experiment %s broke", self.id)
            state, self._problem = "failed", "The playground itself failed. The log of the server says more."
        with self._changed:
            self._state, self._now, self._ended_s = state, None, self._clock()
            self._changed.notify_all()
        self._save()

    def _make_calls(self) -> State:
        for _, members in groupby(self._calls, key=lambda planned: planned[0].pair or -planned[0].number):
            pair = list(members)
            if pair[0][0].model_id in self._given_up:
                self._skip(pair[0][0].model_id, pair)
                continue
            if not self._meter.fits((request for _, request in pair), self.settings.cost_cap_usd):
                return self._capped()
            for call, request in pair:
                if self._records and self._stop.wait(self.settings.pause_s):
                    return "stopped"
                if not self._make(call, request):
                    return "stopped"
            if self._precise_enough(pair[0][0]):
                return "done"
        if len(self._given_up) == len(self.settings.models):
            self._problem = self._notices[-1]
            return "failed"
        return "done"

    def _precise_enough(self, call: PlannedCall) -> bool:
        """After every ten pairs of each model, where that was asked for: whether all intervals are narrow enough."""
        narrow = self.settings.narrower_than
        last_of_block = call.pair and call.pair % (BLOCK * len(self.settings.models)) == 0
        if narrow is None or not last_of_block or call.repetition == self.settings.pairs:
            return False
        models = [model_id for model_id in self.settings.models if model_id not in self._given_up]
        if not models or any(precision(self._records, model_id) > narrow for model_id in models):
            return False
        with self._changed:
            self._tell(
                f"Ended early, after {call.repetition} of {self.settings.pairs} pairs: every interval is narrower than "
                f"{narrow * 100:g} % of its ratio. It was looked at after every {BLOCK} pairs."
            )
        return True

    def _make(self, call: PlannedCall, request: GenerationRequest) -> bool:
        """Makes one call and waits for its end. False where it was stopped, or cut because the program ends."""
        labels = RunLabels(
            mode=call.mode,
            experiment_id=self.id,
            pair_id=f"{self.id}-{call.pair:04d}" if call.pair else None,
            order_in_pair=call.order or None,
            phase=call.phase,
            seed=self.settings.seed,
        )
        run = self._services.runner.start(request, labels, policy=ONCE)
        with self._changed:
            self._run, self._now = run, call
            self._changed.notify_all()
        if self._stop.is_set():
            run.cancel()
        run.join()
        update = run.snapshot()
        with self._changed:
            self._run = None
            self._take(call, request, update)
            self._changed.notify_all()
        cut = update.failure is not None and update.failure.type == PlaygroundEndedError.__name__
        return update.state != "stopped" and not cut

    def _take(self, call: PlannedCall, request: GenerationRequest, update: RunUpdate) -> None:
        """Books a call that has ended."""
        self._ahead[call.model_id, call.mode] -= 1
        self._meter.add(request, update.record)
        if update.record is not None:
            self._records.append(update.record)
        if update.not_saved:
            self._tell(f"Runs of this experiment are missing in the run log: {update.not_saved}")
        for notice in update.notices:
            self._tell(notice)
        if update.failure is None:
            self._failures[call.model_id] = 0
            self._took_s.setdefault((call.model_id, call.mode), []).append(update.elapsed_s)
            return
        self._failures[call.model_id] += 1
        limit = 2 if update.failure.type in _FINAL else HOPELESS_AFTER
        if self._failures[call.model_id] >= limit:
            self._given_up.add(call.model_id)
            self._tell(f"{call.model_id} was given up after {limit} failed calls in a row: {update.failure.sentence}")

    def _tell(self, notice: str) -> None:
        if notice not in self._notices:
            self._notices.append(notice)

    def _skip(self, model_id: str, pair: list[tuple[PlannedCall, GenerationRequest]]) -> None:
        with self._changed:
            for call, _ in pair:
                self._ahead[model_id, call.mode] -= 1

    def _capped(self) -> State:
        with self._changed:
            cap = f"${self.settings.cost_cap_usd:g}"
            self._tell(f"Stopped before the cost cap of {cap}: the next calls might have passed it.")
            if not any(record.phase == "measure" for record in self._records):
                self._problem = f"The cost cap of {cap} is too low for a single pair."
        return "capped"

    def _save(self) -> None:
        update = self.snapshot()
        try:
            known = self._services.run_log.experiment(self.id)
            stored = StoredExperiment(id=self.id, started_at=self._started_at, settings=settings_of(update))
            if known is not None:
                stored = replace(known, settings=stored.settings)
            self._services.run_log.save_experiment(stored)
        except RunLogError as error:
            log.error("Experiment %s is not logged: %s", self.id, error)  # noqa: TRY400  # the sentence is enough
            with self._lock:
                self._tell(f"This experiment is not in the run log: {error}")


def most_usd(services: Services, settings: ExperimentSettings) -> float | None:
    """What an experiment would cost at most; `None` where a model has no known price. Raises `UnknownModelError`."""
    calls = [(call, request_of(call, settings, salt="")) for call in plan(settings)]
    return most_of(calls, _meter(services, price))


def _meter(services: Services, pricing: Pricing) -> Meter:
    return Meter(lambda model_id: services.backends.status_of(model_id).region, pricing)
