"""A scripted service with a known effect, and experiments on it."""

from __future__ import annotations

import random
import time
from typing import Any

from app.experiment import Experiment
from app.experiment_plan import ExperimentSettings
from app.services import Services, make_services
from metrics.record import RunRecord
from metrics.run_log import RunLog
from providers.connect import Backends
from tests.app.ui.make import a_record
from tests.wire import Connection, Reply, WireServer, document, stop_frames, stream, text_frames

MODEL = "newvendor.measured-v1:0"
"""Asked over Converse, whose frames `tests.wire` has."""
WORDS = [f"word{number} " for number in range(4)]
"""So few that however fast they come, nobody calls it a burst."""


def answers(*, first_s: float = 0.0, gap_s: float = 0.0, jitter_s: float = 0.0) -> Reply:
    """Both ways of asking: the first text after `first_s`, give or take `jitter_s`, then a chunk every `gap_s`; a
    complete answer when the last chunk of a stream would have come."""
    rng = random.Random(1)

    def reply(to: Connection) -> None:
        start_s = first_s + rng.uniform(-jitter_s, jitter_s)
        if to.asked.operation == "converse":
            time.sleep(start_s + gap_s * (len(WORDS) - 1))
            document(complete("".join(WORDS)))(to)
            return
        first, *frames = text_frames(*WORDS)
        stream([first], lambda to: flow(to, frames, start_s))(to)

    def flow(to: Connection, frames: list[bytes], start_s: float) -> None:
        for number, frame in enumerate(frames):
            time.sleep(gap_s if number else start_s)
            to.chunk(frame)
        for frame in stop_frames():
            to.chunk(frame)
        to.end()

    return reply


def complete(text: str) -> dict[str, Any]:
    """The body of a complete Converse answer."""
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12},
        "metrics": {"latencyMs": 1},
    }


def in_turn(*replies: Reply, then: Reply) -> Reply:
    """One reply after the other, then the last one for good; unlike a script it counts all requests."""
    left = list(replies)

    def reply(to: Connection) -> None:
        (left.pop(0) if left else then)(to)

    return reply


def settings(**values: Any) -> ExperimentSettings:
    defaults: dict[str, Any] = {"models": (MODEL,), "prompts": ("Why?",), "pairs": 4, "max_tokens": 20, "pause_s": 0.0}
    return ExperimentSettings(**(defaults | values))


def services_on(wire: WireServer, run_log: RunLog) -> Services:
    return make_services(Backends("auto", endpoint_url=wire.url), run_log)


def ran(services: Services, asked: ExperimentSettings, **options: Any) -> Experiment:
    """An experiment that has ended."""
    experiment = Experiment(services, asked, **options)
    services.experiments.begin(experiment)
    experiment.join(20)
    return experiment


def paired_runs(pairs: int, *, model: str = MODEL, sooner_s: float = 2.0, **values: Any) -> list[RunRecord]:
    """Rows of an experiment that has ended: in each pair the streamed first text came about `sooner_s` sooner."""
    found = []
    for number in range(1, pairs + 1):
        for order, mode in enumerate(("sync", "stream"), start=1):
            total_s = 3.0 + 0.01 * number + 0.001 * order
            first_s = total_s if mode == "sync" else total_s - sooner_s
            found.append(
                a_record(
                    **{
                        "run_id": f"{model}-{number}-{mode}",
                        "experiment_id": "e1",
                        "pair_id": f"e1-{number:04d}",
                        "order_in_pair": order,
                        "phase": "measure",
                        "mode": mode,
                        "request_stream": mode == "stream",
                        "request_model": model,
                        "prompt": "[0123456789ab]\nWhy?",
                        "started_at": f"2026-11-22T10:{number:02d}:{order:02d}.000000Z",
                        "duration_s": total_s,
                        "time_to_visible_s": first_s,
                        "time_to_first_visible_s": None if mode == "sync" else first_s,
                        "output_tokens": 100,
                        "region": "us-west-2",
                        "temperature": 0.0,
                    }
                    | values
                )
            )
    return found
