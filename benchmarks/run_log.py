"""How long the log takes over many rows: pages, filters, orders, words, pairs, files, deleting. Medians of several.

Makes a log of plausible rows (lengths of answers log-normal around 1,300 characters, stamps for every chunk) in a
temporary file, or in an empty database at `--url`.

    python -m benchmarks.run_log [--rows 50000] [--repeats 7] [--url postgresql://…]

Exits with 1 when a question takes longer than 300 ms.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from metrics.database import Database
from metrics.exports import FORMATS, RUN_COLUMNS, write_file
from metrics.migrations import upgrade
from metrics.record import COLUMNS, RunRecord, plain, timestamp
from metrics.run_log import Order, RunFilter, RunLog
from metrics.run_search import index_run
from metrics.run_table import runs

LIMIT_MS = 300
BATCH = 500
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = (
    "us.amazon.nova-lite-v1:0",
    "us.amazon.nova-micro-v1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "mistral.mistral-large-2407-v1:0",
    "local.smollm2-135m-instruct",
    "simulated.swift",
)
DURATION = "gen_ai.client.operation.duration"


def plausible(count: int) -> Iterator[RunRecord]:
    """Runs 40 s apart, the same each time."""
    rng = random.Random(7)
    letters = "etaoinshrdlucmfwygpbvk"
    words = ["".join(rng.choices(letters, range(22, 0, -1), k=rng.randint(2, 9))) for _ in range(4000)]
    stamps = [
        tuple((300_000_000 + n * 21_000_000 + rng.randrange(10**7), "text", rng.randint(2, 9)) for n in range(length))
        for length in range(60, 600, 5)
    ]

    def text(chars: float) -> str:
        return " ".join(rng.choices(words, k=max(1, round(min(chars, 20_000) / 6.5))))

    for n in range(count):
        mode = "stream" if n % 2 else "sync"
        status = rng.choices(("completed", "cancelled", "interrupted", "failed"), (90, 4, 2, 4))[0]
        model, duration_s = rng.choice(MODELS), rng.lognormvariate(1.2, 0.6)
        response = text(rng.lognormvariate(7.17, 0.85)) if status != "failed" else ""
        yield RunRecord(
            run_id=f"{rng.getrandbits(128):032x}",
            status=status,  # type: ignore[arg-type]  # one of the four
            mode=mode,  # type: ignore[arg-type]  # one of the two
            started_at=timestamp(BEGIN + timedelta(seconds=40 * n)),
            backend="local" if model.startswith(("local", "simulated")) else "aws",
            simulated=model.startswith("simulated"),
            request_model=model,
            request_stream=mode == "stream",
            pair_id=f"pair-{n // 2}" if n % 10 < 4 else None,
            prompt=text(rng.uniform(20, 400)),
            response=response,
            conversation=({"role": "user", "text": text(300)},) if n % 3 == 0 else (),
            duration_s=duration_s,
            time_to_first_visible_s=duration_s / 5,
            time_to_visible_s=duration_s / 5 if mode == "stream" else duration_s,
            decode_tokens_per_s=rng.gauss(60, 20),
            output_tokens=len(response) // 4,
            cost_usd=len(response) * 1e-6,
            chunks=rng.choice(stamps),
            flags=("cold",) if n % 30 == 0 else (),
        )


def fill(url: str, count: int) -> None:
    """Writes the rows, many in one transaction."""
    database = Database(url)
    upgrade(database.engine)
    records, left = plausible(count), count
    while left > 0:
        with database.writing() as connection:
            for record in (next(records) for _ in range(min(BATCH, left))):
                values = {attribute: plain(getattr(record, attribute)) for attribute in COLUMNS}
                added = connection.execute(sa.insert(runs).values(values).returning(runs.c.id)).scalar_one()
                index_run(connection, added, values)
        left -= BATCH
    database.close()


def questions(log: RunLog) -> dict[str, Callable[[], object]]:
    """What a person at the table asks, each over the whole log."""
    last = log.recent(1)[0]
    word = max(last.prompt.split(), key=len)
    longest = Order(by=DURATION)
    failed = RunFilter(status="failed", mode="stream", backend="aws", model_id=MODELS[0])
    total = log.count()
    return {
        "newest page": lambda: log.page(RunFilter(), Order()),
        "last page": lambda: log.page(RunFilter(), Order(), offset=max(0, total - 100)),
        "by total time": lambda: log.page(RunFilter(), longest),
        "by model": lambda: log.page(RunFilter(), Order(by="gen_ai.request.model", descending=False)),
        "completed, by cost": lambda: log.page(RunFilter(status="completed"), Order(by="bench.cost_usd")),
        "four filters at once": lambda: log.page(failed, longest),
        "first calls": lambda: log.page(RunFilter(flag="cold"), longest),
        "a rare word": lambda: log.page(RunFilter(text=word), Order()),
        "words of a model": lambda: log.page(RunFilter(text="nova-lite"), longest),
        "two letters": lambda: log.page(RunFilter(text=word[:2]), longest),
        "pairs": lambda: log.pair_page(RunFilter(), Order()),
        "pairs by difference": lambda: log.pair_page(RunFilter(), Order(by="sooner")),
        "names of models": log.models,
        "the API's 1,000 newest": lambda: log.recent(1000),
        "one run": lambda: log.get(last.run_id),
    }


def timed_ms(what: Callable[[], object]) -> float:
    """How long it takes, once."""
    begin = time.perf_counter()
    what()
    return (time.perf_counter() - begin) * 1e3


def measure(url: str, count: int, repeats: int, folder: Path) -> bool:
    """Prints a line for each operation; whether every question was within the limit."""
    print(f"making {count:,} rows: {timed_ms(lambda: fill(url, count)) / 1e3:.1f} s")
    within = True
    with RunLog(url) as log:
        for name, ask in questions(log).items():
            taken = sorted(timed_ms(ask) for _ in range(repeats))
            within = within and statistics.median(taken) <= LIMIT_MS
            print(f"{name:24} {statistics.median(taken):8.1f} ms   slowest {taken[-1]:8.1f}")
        fresh = iter([replace(record, run_id=f"more-{record.run_id}") for record in plausible(repeats * 8)])
        taken = sorted(timed_ms(lambda: log.add(next(fresh))) for _ in range(repeats * 8))
        print(f"{'one more row':24} {statistics.median(taken):8.1f} ms   slowest {taken[-1]:8.1f}")
        for wanted in FORMATS:
            path = folder / f"runs.{wanted}"
            rows = log.rows(RunFilter(), Order())
            taken_s = timed_ms(lambda: write_file(path, wanted, rows, RUN_COLUMNS, of="runs")) / 1e3  # noqa: B023
            print(f"all rows as {wanted:12} {taken_s:8.1f} s    {path.stat().st_size / 1e6:,.0f} MB")
        for name, forget in forgetting(log, count).items():
            print(f"{name:24} {timed_ms(forget) / 1e3:8.1f} s")
    return within


def forgetting(log: RunLog, count: int) -> dict[str, Callable[[], object]]:
    """What takes rows away, one after the other: a single one, the oldest tenth, all."""
    last = log.recent(1)[0].run_id
    return {
        "delete one run": lambda: log.delete([last]),
        "delete the oldest tenth": lambda: log.delete_older(BEGIN + timedelta(seconds=4 * count)),
        "write the file anew": log.clear_traces,
        "delete all runs": log.delete_all,
    }


def main() -> int:
    """Measures, and gives the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--url", default="", help="an empty database; a temporary SQLite file where left out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{folder}/runs.db"
        within = measure(url, given.rows, given.repeats, Path(folder))
    print("every question within" if within else "a question beyond", f"{LIMIT_MS} ms")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
