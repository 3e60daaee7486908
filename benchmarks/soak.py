"""A long run of short answers over a network that breaks at random: nothing may be lost, doubled or left behind.

A scripted server answers as Bedrock does and breaks as networks do: throttling, 5xx, cuts and resets after k pieces,
exception events, wrong checksums, silence, a clean end without the terminal marker, slow first tokens. Clients ask the
playground's own HTTP API over real sockets; some leave for good, some lose their connection and come back with
`Last-Event-ID`. Every answer's text is known beforehand, so that each piece that is lost or doubled is seen. At the end
every run must be one row that says what its client saw, and threads, sockets and files must be as before.

    python -m benchmarks.soak [--minutes 10] [--clients 12] [--seed 1]

Exits with 1 where anything is lost, doubled or left.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import logging
import os
import random
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.api import build_api
from app.services import Services, make_services
from benchmarks.chaos import Chaos, words
from metrics.run_log import RunLog
from providers.connect import Backends
from tests.app.conftest import served
from tests.wire import WireServer, wire_server

CONTINUES = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
BEGINS_AGAIN = "qwen.qwen3-32b-v1:0"
LEAVES = 0.05
LOSES_CONNECTION = 0.25


# --- the clients ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Seen:
    """What one client saw of its answer."""

    number: int
    text: str = ""
    run_id: str = ""
    ending: dict[str, Any] | None = None
    left: bool = False
    reconnects: int = 0


@dataclass(slots=True)
class Tally:
    """What all clients saw."""

    seen: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    next_number: int = 0
    problems: list[str] = field(default_factory=list)

    def draw(self) -> int:
        """The number of the next question."""
        with self.lock:
            self.next_number += 1
            return self.next_number

    def add(self, seen: Seen) -> None:
        """Keeps it."""
        with self.lock:
            self.seen.append(seen)


def ask(url: str, seen: Seen, rng: random.Random) -> None:
    """One question, with the connection lost on the way now and then."""
    leaves = rng.random() < LEAVES
    asked = {
        "prompt": f"question {seen.number}",
        "model_id": rng.choice((CONTINUES, BEGINS_AGAIN)),
        "api": "converse",
        "stream": "true",
        "resume": rng.choice(("auto", "auto", "off")),
    }
    last_id = ""
    while seen.ending is None:
        breaks = leaves or (seen.reconnects < 3 and rng.random() < LOSES_CONNECTION)
        budget = rng.randrange(1, 60) if breaks else 1_000_000
        headers = {"Last-Event-ID": last_id} if last_id else {}
        with httpx.stream("GET", url, params=asked, headers=headers, timeout=30, trust_env=False) as answer:
            if answer.status_code != 200:
                raise RuntimeError(f"status {answer.status_code} for question {seen.number}")
            for event in _events(answer):
                last_id = event["id"]
                _take(seen, event)
                budget -= 1
                if budget <= 0:
                    break
        if seen.ending is None and leaves:
            seen.left = True
            return
        if seen.ending is None:
            seen.reconnects += 1
            time.sleep(rng.uniform(0.0, 0.3))


def _events(answer: httpx.Response) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line:
            if "data" in event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def _take(seen: Seen, event: dict[str, str]) -> None:
    seen.run_id = event["id"].split(":")[0]
    told = json.loads(event["data"])
    match event.get("event"):
        case "reset":
            seen.text = ""
        case None if "text" in told:
            seen.text += told["text"]
        case None:
            seen.ending = told


# --- the verdict ------------------------------------------------------------------------------------------------------


def judge(tally: Tally, run_log: RunLog) -> list[str]:
    """Sentences about everything that is not as it must be."""
    problems = list(tally.problems)
    for seen in tally.seen:
        whole = "".join(words(seen.number))
        row = run_log.get(seen.run_id) if seen.run_id else None
        if row is None:
            problems.append(f"question {seen.number} has no row")
            continue
        if not whole.startswith(row.response.rstrip()):
            problems.append(f"question {seen.number}: the row holds a text that was not said")
        if seen.left:
            continue
        if row.response != seen.text:
            problems.append(f"question {seen.number}: the row holds {len(row.response)} of {len(seen.text)} characters")
        if not whole.startswith(seen.text.rstrip()):
            problems.append(f"question {seen.number}: lost or doubled pieces")
        done = bool(seen.ending and seen.ending.get("done"))
        if done and (seen.text != whole or row.status != "completed"):
            problems.append(f"question {seen.number}: called done without its whole text ({row.status})")
        if not done and row.status == "completed":
            problems.append(f"question {seen.number}: called failed, and its row completed")
    if run_log.count() != len(tally.seen):
        problems.append(f"{run_log.count()} rows for {len(tally.seen)} questions")
    return problems


def resources(run_log: RunLog) -> tuple[int, int]:
    """Threads and open files of this process, sockets among them, without what the log's pool keeps open."""
    run_log._database.engine.dispose()
    gc.collect()
    return threading.active_count(), len(os.listdir("/proc/self/fd"))


def settled(before: tuple[int, int], run_log: RunLog, timeout_s: float = 15.0) -> tuple[int, int]:
    """Threads and files once what is ending has ended."""
    limit = time.monotonic() + timeout_s
    while more(now := resources(run_log), before) and time.monotonic() < limit:
        time.sleep(0.2)
    return now


def more(now: tuple[int, int], before: tuple[int, int]) -> bool:
    """Whether there are more of either."""
    return now[0] > before[0] or now[1] > before[1]


def _client(url: str, tally: Tally, rng: random.Random, until: float) -> None:
    while time.monotonic() < until:
        seen = Seen(tally.draw())
        try:
            ask(url, seen, rng)
        except (httpx.HTTPError, RuntimeError) as error:
            with tally.lock:
                tally.problems.append(f"question {seen.number}: {type(error).__name__} {error}")
        tally.add(seen)


def soak(server: WireServer, services: Services, given: argparse.Namespace) -> tuple[Tally, list[str]]:
    """Asks for the time that was given; what was seen, and what is wrong about it."""
    tally = Tally()
    before = resources(services.run_log)
    with served(build_api(services)) as url:
        until = time.monotonic() + 60 * given.minutes
        rngs = [random.Random(given.seed * 1000 + number) for number in range(given.clients)]
        clients = [threading.Thread(target=_client, args=(url + "/api/generate", tally, rng, until)) for rng in rngs]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        services.runner.close()
    aws: Any = services.backends.aws()
    aws._client.close()  # boto3 keeps its connections to use them again: what is left now is left behind
    after = settled(before, services.run_log)
    problems = judge(tally, services.run_log)
    if more(after, before):
        names = sorted(thread.name for thread in threading.enumerate())
        problems.append(f"threads and files before {before}, after {after}: {names}")
    print(f"threads and files: {before} before, {after} after")
    server.asked.clear()
    return tally, problems


def main(arguments: list[str]) -> int:
    """Prints what happened; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description="Answers over a network that breaks at random.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each client that left, which is the point here
    chaos = Chaos(given.seed)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(wire_server())
        server.reply_with(chaos)
        run_log = stack.enter_context(RunLog(f"sqlite:///{Path(folder) / 'runs.db'}"))
        services = make_services(Backends("auto", endpoint_url=server.url), run_log)
        tally, problems = soak(server, services, given)
        statuses = Counter(row.status for row in run_log.recent(1_000_000))
    print(
        f"{len(tally.seen)} answers, {sum(seen.reconnects for seen in tally.seen)} connections lost and taken up again"
    )
    print("rows: " + ", ".join(f"{count} {status}" for status, count in statuses.most_common()))
    print("requests: " + ", ".join(f"{count} {fault}" for fault, count in chaos.made.most_common()))
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    for problem in problems[:20]:
        print(f"WRONG: {problem}")
    print(f"{len(problems)} problems" if problems else "nothing lost, nothing doubled, nothing left")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
