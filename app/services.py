"""What every entry to the playground shares: one of each, made at start and handed to the page and the API."""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field

from app.comparisons import Comparisons
from app.conversations import Conversations
from app.experiments import Experiments
from app.forgetting import Forgetting
from app.journal import Journal
from app.recall import MAX_ROWS, recalled
from app.retention import Retention
from app.runner import MAX_RUNS, Runner
from app.settings import Settings
from app.telemetry import Telemetry
from app.tracing import Tracing
from metrics import pricing
from metrics.run_log import RunLog
from providers.connect import Backends

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The runner, the backends it asks, the log it writes, the conversations and comparisons of the page, the
    experiment, who is told of runs that were deleted, and the figures for operators."""

    runner: Runner
    backends: Backends
    run_log: RunLog
    conversations: Conversations
    comparisons: Comparisons = field(default_factory=Comparisons)
    experiments: Experiments = field(default_factory=Experiments)
    forgetting: Forgetting = field(default_factory=Forgetting)
    telemetry: Telemetry = field(default_factory=Telemetry)
    tracing: Tracing | None = None
    retention: Retention | None = None


def make_services(
    backends: Backends,
    run_log: RunLog,
    tracing: Tracing | None = None,
    *,
    max_runs: int = MAX_RUNS,
    keep_s: float | None = None,
) -> Services:
    """One of each around a log and the backends. Runs are kept for `keep_s`, without it for ever."""
    telemetry = Telemetry(tracing.observe if tracing else None)
    runner = Runner(backends, run_log, observe=telemetry.observe, journal=Journal(run_log), max_runs=max_runs)
    telemetry.watch(lambda: len(runner.under_way()))
    conversations = Conversations(find=lambda id_: recalled(run_log.recent(MAX_ROWS, conversation_id=id_)))
    comparisons = Comparisons()
    return Services(
        runner=runner,
        backends=backends,
        run_log=run_log,
        conversations=conversations,
        comparisons=comparisons,
        forgetting=Forgetting(conversations.forget, comparisons.forget),
        telemetry=telemetry,
        tracing=tracing,
        retention=None if keep_s is None else Retention(run_log, keep_s),
    )


def open_services(settings: Settings) -> Services:
    """One of each, with what the log taught. Says on standard error where a log that it makes lies. Raises
    `ConfigurationError` for the backend, `RunLogError` for the log."""
    backends = Backends(
        settings.backend,
        region=settings.region,
        profile=settings.profile,
        endpoint_url=settings.endpoint_url,
        silence_limit_s=settings.silence_limit_s,
    )
    if backends.status.backend == "aws":
        threading.Thread(target=pricing.load, name="prices", daemon=True).start()
    run_log = RunLog(settings.log_url, texts=settings.log_text)
    if run_log.is_new and run_log.where:
        sys.stderr.write(f"{first_words(run_log.where, settings)}\n")
    recovered = run_log.recover()
    if recovered:
        log.warning("%d runs of a process that died are in the log now, as far as they were seen", recovered)
    services = make_services(
        backends,
        run_log,
        Tracing() if settings.traces else None,
        max_runs=settings.max_runs,
        keep_s=settings.retention_s,
    )
    runner = services.runner
    runner.estimator.restore(run_log.token_counts())
    for model_id, mode, system, chars, capped in run_log.finished_lengths():
        runner.history.add(model_id, mode, system, chars, capped=capped)
    for model_id, longest_s in run_log.longest_silences():
        runner.stalls.add(model_id, longest_s)
    if services.retention is not None:
        services.retention.start()
    return services


def first_words(where: str, settings: Settings) -> str:
    """What is said of a log that was just made."""
    kept = {
        "full": "with their prompts and answers (--log-text hash or off keeps none of them",
        "hash": "with fingerprints of their prompts and answers (--log-text off keeps none, full keeps them whole",
        "off": "without their prompts and answers (--log-text full keeps them",
    }[settings.log_text]
    until = "" if settings.retention_s is not None else "; --retention 30d deletes old runs"
    return f"Runs are kept in {where}, {kept}{until})."


def close_services(services: Services) -> None:
    """Stops the experiment and the runs, then what they need; each of them, whatever the others raise."""
    with ExitStack() as last:
        if services.tracing is not None:
            last.callback(services.tracing.close)
        last.callback(services.run_log.close)
        if services.retention is not None:
            last.callback(services.retention.close)
        last.callback(services.backends.close)
        last.callback(services.runner.close)
        last.callback(services.experiments.close)
