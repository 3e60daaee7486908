"""How well the time to first text agrees with the endpoint's own clock.

A scripted endpoint in a process of its own notes when it read the request and when it sent the first text; the run
says how long that took as seen from here. The difference is what boto3, the socket and we add.

    python -m benchmarks.first_text [--runs 20]

Exits with 1 where the median difference is more than 5 ms.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.records import RunLabels
from app.runner import Runner
from benchmarks.scripted_server import Stamps, scripted_server
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.types import GenerationRequest, InferenceConfig, Message

LIMIT_MS = 5.0
FIRST_TEXT_S = 0.3
REQUEST = GenerationRequest(
    model_id="qwen.qwen3-32b-v1:0",
    messages=(Message(role="user", text="Tell me about the sea."),),
    inference=InferenceConfig(max_tokens=400, temperature=0.7),
    api="converse",
)


def difference_ms(runner: Runner, stamps: Callable[[], Stamps]) -> float:
    """Time to first text of one run less the endpoint's own."""
    run = runner.start(REQUEST, RunLabels(mode="stream"))
    run.join()
    record, own = run.snapshot().record, stamps()
    assert record is not None
    assert record.time_to_first_visible_s is not None
    return record.time_to_first_visible_s * 1e3 - (own.first_text_at_ns - own.asked_at_ns) / 1e6


def main(arguments: list[str]) -> int:
    """Prints the figures; 1 when the limit is missed."""
    parser = argparse.ArgumentParser(description="Time to first text against the endpoint's own clock.")
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        scripted_server(60, 80, first_text_s=FIRST_TEXT_S) as (url, stamps),
        RunLog(f"sqlite:///{Path(folder) / 'runs.db'}") as run_log,
    ):
        runner = Runner(Backends("auto", endpoint_url=url), run_log)
        difference_ms(runner, stamps)  # connections, imports, price tables
        found = [difference_ms(runner, stamps) for _ in range(given.runs)]
    median = statistics.median(found)
    print(
        f"time to first text is {median:.2f} ms more than the endpoint's own {FIRST_TEXT_S * 1e3:.0f} ms "
        f"(median of {len(found)}, {min(found):.2f} to {max(found):.2f}; limit {LIMIT_MS:g})"
    )
    return 0 if abs(median) <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
