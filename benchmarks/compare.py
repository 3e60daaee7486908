"""How fair a comparison starts, and whether a slow pane moves the figure of a fast one. Simulated models, real sockets.

Run as `python -m benchmarks.compare`. The endpoint and the playground share one interpreter here, as they do on a
machine without AWS; docs/compare.md quotes what this prints.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence

from app.fan_in import Entry, FanIn
from app.runner import Runner
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.types import GenerationRequest, InferenceConfig, Message

FAST, SLOW = "simulated.swift", "simulated.slow-start"
ROUNDS = 15


def entry(model_id: str, max_tokens: int = 5) -> Entry:
    """A short question to one model."""
    request = GenerationRequest(
        model_id=model_id,
        messages=(Message(role="user", text="Why?"),),
        inference=InferenceConfig(max_tokens=max_tokens),
    )
    return Entry(model_id=model_id, request=request)


def skew_ms(runner: Runner, panes: int) -> float:
    """Between the first call and the last one of so many panes."""
    runs = FanIn(runner, [entry(FAST)] * panes)
    runs.start()
    runs.join(10)
    return 1000 * (runs.skew_s or 0.0)


def first_text_ms(runner: Runner, *beside: str) -> float:
    """The fast model's time to first text, alone or beside others."""
    runs = FanIn(runner, [entry(FAST, 40), *map(entry, beside)])
    runs.start()
    while True:
        update = runs.snapshot()[0]
        if update is not None and update.ended:
            break
        time.sleep(0.01)
    runs.cancel()
    runs.join(10)
    return 1000 * (update.first_text_s or 0.0)


def told(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):6.1f} ms  ({min(values):.1f} to {max(values):.1f}, n = {len(values)})"


def main() -> None:
    """Prints both."""
    with tempfile.TemporaryDirectory() as folder, RunLog(f"sqlite:///{folder}/runs.db") as log:
        backends = Backends("local")
        runner = Runner(backends, log)
        print(f"first skew of all, 2 panes   {skew_ms(runner, 2):6.1f} ms")
        for panes in (2, 4, 6):
            print(f"skew, {panes} panes                {told([skew_ms(runner, panes) for _ in range(ROUNDS)])}")
        for name, beside in (("alone", ()), ("beside a slow one", (SLOW,)), ("beside five", (SLOW,) * 5)):
            print(f"first text, {name:<17} {told([first_text_ms(runner, *beside) for _ in range(ROUNDS)])}")
        runner.close()
        backends.close()


if __name__ == "__main__":
    main()
