"""A hundred streams at once through a playground in a process of its own: its HTTP API, or the queue of its page.

Three processes: a server that plays a ConverseStream at a steady pace, the playground, and this one with the clients.
A few streams one after the other say what a single one takes, then all are asked for at the same moment; a first round
of both does not count. Every one must come whole, none may wait for a thread or a connection, and afterwards threads
and open files must be what they were.

    python -m benchmarks.load [--through api|page] [--streams 100] [--tokens 100] [--per-second 20] [--bound 1.0]

Every page has a session of its own; what it is sent are drawn answers, up to fifteen a second, and not pieces.

Exits with 1 where a stream is not whole, where the first text of 99 of 100 comes later than `bound` seconds after that
of a single stream, or where anything is left. On Linux: threads and files are read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.scripted_server import WORDS, scripted_server
from metrics.run_log import RunLog
from tests.page_client import Page

MODEL = "qwen.qwen3-32b-v1:0"
FIRST_TEXT_S = 0.2
ALONE = 5
SETTLE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One stream as its client saw it: seconds until its first text and between pieces, and whether it was whole."""

    first_s: float
    total_s: float
    longest_gap_s: float
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a process holds: threads, open files, resident memory in MB, processor time in seconds."""

    threads: int
    files: int
    memory_mb: float
    cpu_s: float

    @classmethod
    def by(cls, pid: int) -> Held:
        """As /proc tells it now."""
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return cls(
            threads=int(fields[17]),
            files=len(os.listdir(f"/proc/{pid}/fd")),
            memory_mb=int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6,
            cpu_s=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        )


@contextlib.contextmanager
def playground(endpoint_url: str, log: Path) -> Iterator[tuple[str, int]]:
    """A playground in front of `endpoint_url`: its address and process id."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PLAYGROUND_"))}
    command = [sys.executable, "playground.py", "serve", "--port", "0", "--log-url", f"sqlite:///{log}"]
    process = subprocess.Popen(
        [*command, "--endpoint-url", endpoint_url],
        env={**plain, "AWS_EC2_METADATA_DISABLED": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1], process.pid
    finally:
        process.terminate()
        process.wait(10)


async def ask(client: httpx.AsyncClient, url: str, expected: str) -> Seen:
    """One stream, read to its end."""
    asked = {"prompt": "Hi", "model_id": MODEL, "api": "converse", "max_tokens": 1000}
    began_s = time.perf_counter()
    moments: list[float] = []
    text, done = "", False
    async with client.stream("POST", url + "/api/generate/stream", json=asked) as answer:
        named = False
        async for line in answer.aiter_lines():
            named = line.startswith("event:") or (named and line != "")
            if line.startswith("data: ") and not named:
                told = json.loads(line.removeprefix("data: "))
                done = done or bool(told.get("done"))
                if "text" in told:
                    moments.append(time.perf_counter())
                    text += told["text"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    return Seen(
        first_s=moments[0] - began_s if moments else float("inf"),
        total_s=time.perf_counter() - began_s,
        longest_gap_s=max(gaps, default=0.0),
        whole=done and text == expected,
    )


async def ask_on_page(page: Page, expected: str) -> Seen:
    """One question on an open page, watched until the page is told that it is answered."""
    began_s = time.perf_counter()
    moments: list[float] = []
    first, last = expected.split()[0], ""
    asked = page.ask(chat_prompt="Hi", model=MODEL, family="converse", max_tokens=1000)
    async with contextlib.aclosing(asked) as messages:
        async for at_s, last in messages:
            if moments or first in last:
                moments.append(at_s)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    return Seen(
        first_s=moments[0] - began_s if moments else float("inf"),
        total_s=time.perf_counter() - began_s,
        longest_gap_s=max(gaps, default=0.0),
        whole='"msg":"process_completed"' in last and '"success":true' in last,
    )


async def load(url: str, streams: int, expected: str, *, on_page: bool) -> tuple[list[Seen], list[Seen]]:
    """A few streams alone, then all at once. Pages are open before they are asked on."""
    limits = httpx.Limits(max_connections=2 * streams, max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as client:
        asks: list[Callable[[], Awaitable[Seen]]] = [functools.partial(ask, client, url, expected)] * (ALONE + streams)
        if on_page:
            config = (await client.get(url + "/config")).json()
            pages = [Page(client, url, config) for _ in asks]
            for page in pages:
                await page.open()
            asks = [functools.partial(ask_on_page, page, expected) for page in pages]
        alone = [await ask_one() for ask_one in asks[:ALONE]]
        together = await asyncio.gather(*(ask_one() for ask_one in asks[ALONE:]))
    return alone, list(together)


def settled(pid: int, before: Held) -> Held:
    """What the process holds once what is ending has ended."""
    limit = time.monotonic() + SETTLE_S
    while _more(now := Held.by(pid), before) and time.monotonic() < limit:
        time.sleep(0.2)
    return now


def _more(now: Held, before: Held) -> bool:
    return now.threads > before.threads + 2 or now.files > before.files + 5


def judge(alone: list[Seen], together: list[Seen], bound_s: float) -> list[str]:
    """Sentences about what is not as it must be."""
    problems = []
    cut = sum(not seen.whole for seen in together)
    if cut:
        problems.append(f"{cut} streams were not whole")
    late_s = percentile([seen.first_s for seen in together], 99) - statistics.median(seen.first_s for seen in alone)
    if late_s > bound_s:
        problems.append(f"the first text came {late_s:.2f} s later than alone")
    return problems


def percentile(values: list[float], at: int) -> float:
    """Inclusive, of all values."""
    return statistics.quantiles(values, n=100, method="inclusive")[at - 1]


def told(name: str, seen: list[Seen]) -> str:
    """One line of figures."""
    figures = {
        "first text": [one.first_s for one in seen],
        "longest gap": [one.longest_gap_s for one in seen],
        "total": [one.total_s for one in seen],
    }
    shown = (f"{what} p50 {percentile(of, 50):.2f} s, p99 {percentile(of, 99):.2f} s" for what, of in figures.items())
    return f"{name}: {sum(one.whole for one in seen)} of {len(seen)} whole; " + "; ".join(shown)


def main(arguments: list[str]) -> int:
    """Prints the figures; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description="Many streams at once.")
    parser.add_argument("--through", choices=("api", "page"), default="api")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--per-second", type=float, default=20.0)
    parser.add_argument("--bound", type=float, default=1.0, help="seconds that the first text may come later")
    given = parser.parse_args(arguments)
    expected = "".join(WORDS[place % len(WORDS)] for place in range(given.tokens))
    with contextlib.ExitStack() as stack:
        service, _ = stack.enter_context(scripted_server(given.tokens, given.per_second, first_text_s=FIRST_TEXT_S))
        log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "runs.db"
        url, pid = stack.enter_context(playground(service, log))
        # A first round fills what is kept on purpose: boto3's connections, the threads of the pool.
        asyncio.run(load(url, given.streams, expected, on_page=given.through == "page"))
        before = Held.by(pid)
        began_s = time.perf_counter()
        alone, together = asyncio.run(load(url, given.streams, expected, on_page=given.through == "page"))
        took_s = time.perf_counter() - began_s
        after = settled(pid, before)
        with RunLog(f"sqlite:///{log}") as run_log:
            saved = sum(run.status == "completed" and run.response == expected for run in run_log.recent(1000))
    problems = judge(alone, together, given.bound)
    if _more(after, before):
        problems.append("threads or files are left")
    if saved != 2 * (ALONE + given.streams):
        problems.append(f"{saved} rows hold the whole answer")
    print(told("alone", alone))
    print(told(f"{given.streams} at once", together))
    print(f"playground: {after.cpu_s - before.cpu_s:.1f} s of processor time in {took_s:.1f} s")
    print(f"before {before}\nafter  {after}")
    for problem in problems:
        print(f"WRONG: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
