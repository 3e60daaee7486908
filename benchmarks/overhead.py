"""What our client adds to a bare boto3 loop: CPU per token and time to first text, as ratios taken in one run.

A server in a process of its own plays a scripted ConverseStream at a steady pace. The same stream is read three ways,
turn and turn about: by a bare boto3 loop, by `BedrockClient`, and by a `Run` with somebody watching rate and progress
fifteen times a second, its row written at the end. CPU is that of this process, all threads.

    python -m benchmarks.overhead [--rounds 9] [--tokens 1500] [--per-second 600]

Exits with 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.records import RunLabels
from app.runner import Runner
from metrics.run_log import RunLog
from providers import BedrockClient
from providers.clients import local_client
from providers.connect import Backends
from providers.local.event_stream import event_frame
from providers.types import GenerationRequest, InferenceConfig, Message

MODEL = "qwen.qwen3-32b-v1:0"
CLIENT_LIMIT = 1.35
WATCHED_LIMIT = 1.6
FIRST_TEXT_LIMIT_MS = 1.5
WORDS = ("The ", "sea ", "is ", "calm ", "to", "-night, ", "the ", "tide ", "is ", "full. ")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU per token in microseconds, time to first text in milliseconds."""

    cpu_us: float
    first_text_ms: float


# --- the scripted server, in its own process --------------------------------------------------------------------------


def _play(listener: socket.socket, tokens: int, per_second: float) -> None:
    frames = [
        event_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": WORDS[i % len(WORDS)]}})
        for i in range(tokens)
    ]
    usage = {"inputTokens": 9, "outputTokens": tokens, "totalTokens": tokens + 9}
    closing = [
        event_frame("messageStop", {"stopReason": "end_turn"}),
        event_frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
    ]
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=_serve, args=(sock, frames, closing, per_second), daemon=True).start()


def _serve(sock: socket.socket, frames: list[bytes], closing: list[bytes], per_second: float) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock, sock.makefile("rb") as reader, contextlib.suppress(OSError):
        while reader.readline() != b"":
            length = 0
            while (line := reader.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            reader.read(length)
            _answer(sock, frames, closing, per_second)


def _answer(sock: socket.socket, frames: list[bytes], closing: list[bytes], per_second: float) -> None:
    sock.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    due = time.perf_counter() + 0.02
    for frame in frames:
        time.sleep(max(0.0, due - time.perf_counter()))
        due += 1 / per_second
        sock.sendall(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
    for frame in closing:
        sock.sendall(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
    sock.sendall(b"0\r\n\r\n")


@contextlib.contextmanager
def scripted_server(tokens: int, per_second: float) -> Iterator[str]:
    """The address of the server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = multiprocessing.get_context("fork").Process(
            target=_play, args=(listener, tokens, per_second), daemon=True
        )
        process.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            process.join()


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
        scripted_server(given.tokens, given.per_second) as url,
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
