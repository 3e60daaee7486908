"""What our client adds to a bare boto3 loop: CPU per token and time to first text, as ratios taken in one run.

A server in a process of its own plays a scripted ConverseStream at a steady pace. The same stream is read three ways,
turn and turn about: by a bare boto3 loop, by `BedrockClient`, and by a `Run` with somebody watching rate and progress
fifteen times a second, its row written at the end. CPU is that of this process, all threads.

    python -m benchmarks.overhead [--rounds 9] [--tokens 1500] [--per-second 600]

Exits with 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.records import RunLabels
from app.runner import Runner
from benchmarks.scripted_server import scripted_server
from metrics.run_log import RunLog
from providers import BedrockClient
from providers.clients import local_client
from providers.connect import Backends
from providers.types import GenerationRequest, InferenceConfig, Message

MODEL = "qwen.qwen3-32b-v1:0"
CLIENT_LIMIT = 1.35
WATCHED_LIMIT = 1.6
FIRST_TEXT_LIMIT_MS = 1.5


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU per token in microseconds, time to first text in milliseconds."""

    cpu_us: float
    first_text_ms: float


# --- three readers ----------------------------------------------------------------------------------------------------


def bare(client: Any) -> Callable[[], float]:
    """A loop as anybody would write it."""
    parameters = {
        "modelId": MODEL,
        "messages": [{"role": "user", "content": [{"text": "Tell me about the sea."}]}],
        "inferenceConfig": {"maxTokens": 4000, "temperature": 0.7},
    }

    def read() -> float:
        first, parts = 0.0, []
        for event in client.converse_stream(**parameters)["stream"]:
            delta = event.get("contentBlockDelta")
            if delta is not None:
                parts.append(delta["delta"]["text"])
                first = first or time.perf_counter()
        assert len("".join(parts)) > 0
        return first

    return read


def ours(url: str) -> Callable[[], float]:
    """`BedrockClient.generate_text`, streamed."""
    client = BedrockClient(endpoint_url=url)

    def read() -> float:
        first = 0.0
        for _ in client.generate_text(MODEL, "Tell me about the sea.", max_tokens=4000, stream=True, api="converse"):
            first = first or time.perf_counter()
        return first

    return read


def watched(url: str, run_log: RunLog) -> Callable[[], float]:
    """A run of the page: rate and progress fifteen times a second, and its row."""
    runner = Runner(Backends("auto", endpoint_url=url), run_log)
    request = GenerationRequest(
        model_id=MODEL,
        messages=(Message(role="user", text="Tell me about the sea."),),
        inference=InferenceConfig(max_tokens=4000, temperature=0.7),
        api="converse",
    )

    def read() -> float:
        run = runner.start(request, RunLabels(mode="stream"))
        while not (update := run.snapshot()).ended:
            run.join(1 / 15)
        record = update.record
        assert record is not None
        assert record.time_to_visible_s is not None
        return record.time_to_visible_s

    return read


def measured(read: Callable[[], float], tokens: int, *, relative: bool) -> Cost:
    """One reading. `relative`: it tells the first text as seconds since the call, not as a moment."""
    cpu, began = time.process_time(), time.perf_counter()
    first = read()
    cpu = time.process_time() - cpu
    return Cost(cpu / tokens * 1e6, (first if relative else first - began) * 1e3)


def main(arguments: list[str]) -> int:
    """Prints the figures; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description="What our client adds to a bare boto3 loop.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=1500)
    parser.add_argument("--per-second", type=float, default=600.0)
    given = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        scripted_server(given.tokens, given.per_second) as (url, _),
        RunLog(f"sqlite:///{Path(folder) / 'runs.db'}") as run_log,
    ):
        readers = {"bare": bare(local_client(url)), "client": ours(url), "watched": watched(url, run_log)}
        for read in readers.values():
            read()  # connections, imports, price tables
        rounds = [
            {name: measured(read, given.tokens, relative=name == "watched") for name, read in readers.items()}
            for _ in range(given.rounds)
        ]
    return _report(rounds)


def _report(rounds: list[dict[str, Cost]]) -> int:
    base = statistics.median(costs["bare"].cpu_us for costs in rounds)
    print(f"bare boto3 loop       {base:6.1f} us CPU a token   (median of {len(rounds)})")
    missed = False
    for name, words, limit in (
        ("client", "BedrockClient", CLIENT_LIMIT),
        ("watched", "with rate, progress", WATCHED_LIMIT),
    ):
        ratio = statistics.median(costs[name].cpu_us / costs["bare"].cpu_us for costs in rounds)
        later_ms = statistics.median(costs[name].first_text_ms - costs["bare"].first_text_ms for costs in rounds)
        missed = missed or ratio > limit or later_ms > FIRST_TEXT_LIMIT_MS
        print(
            f"{words:<20}  {ratio:6.2f} times the CPU   (limit {limit})   first text {later_ms:+.2f} ms "
            f"(limit {FIRST_TEXT_LIMIT_MS})"
        )
    print("a limit was missed" if missed else "within the limits")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
