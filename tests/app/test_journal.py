"""A process that is killed leaves a row of every run that it had sent, where the log took it in time."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from app.journal import PATIENCE_S, Journal
from metrics.record import RunRecord
from metrics.run_log import RunLog, RunLogError
from providers.local.launch import LocalEndpoint
from tests.metrics.records import record
from tests.test_playground import ROOT, environment

CHILD = """
import sys
from app.journal import Journal
from app.records import RunLabels
from app.runner import Runner
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.types import GenerationRequest, InferenceConfig, Message

url, log_url = sys.argv[1:]
run_log = RunLog(log_url)
runner = Runner(Backends("local", local_url=url), run_log, journal=Journal(run_log, every_s=0.05, patience_s=10))
while True:
    request = GenerationRequest(
        model_id="simulated.swift",
        messages=(Message(role="user", text="Hi"),),
        inference=InferenceConfig(max_tokens=20),
    )
    run = runner.start(request, RunLabels(mode="stream"))
    print(run.id, flush=True)
    run.join()
"""


def test_a_kill_at_any_moment_loses_no_run_and_doubles_none(endpoint: LocalEndpoint, tmp_path: Path) -> None:
    rng = random.Random(7)
    sent: list[str] = []
    for number in range(6):
        log_url = f"sqlite:///{tmp_path / 'runs.db'}"
        command = [sys.executable, "-c", CHILD, endpoint.url, log_url]
        with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            sent.append(child.stdout.readline().strip())
            time.sleep(rng.uniform(0.0, 0.8))
            child.kill()
            sent += child.stdout.read().split()
        with RunLog(log_url) as run_log:
            run_log.recover()
            rows = {row.run_id: row for row in run_log.recent(1000)}
            assert set(rows) >= set(sent), f"round {number}"
            assert run_log.count() == len(rows)
    cut = [row for row in rows.values() if row.status == "interrupted"]
    assert cut
    assert {row.error_type for row in cut} == {"PlaygroundEndedError"}
    assert any(row.response for row in cut)


class FullLog:
    """A log that takes nothing, after a while."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def keep_open(self, records: Iterable[RunRecord]) -> None:
        list(records)
        self.asked.set()
        self.go_on.wait(5)
        raise RunLogError("The disk is full.")


def test_a_log_that_does_not_answer_holds_no_run_up() -> None:
    full = FullLog()
    journal = Journal(full, every_s=0.01)
    began = time.monotonic()
    journal.open("one", lambda: record("one"))
    assert time.monotonic() - began < PATIENCE_S + 1, "it hung on the log, which takes five seconds"
    full.go_on.set()
    full.asked.clear()
    assert full.asked.wait(5), "it goes on trying"
    journal.close("one")


def test_the_thread_lives_only_while_there_are_runs(tmp_path: Path) -> None:
    with RunLog(f"sqlite:///{tmp_path / 'runs.db'}") as run_log:
        journal = Journal(run_log, every_s=0.01)
        for number in range(3):
            journal.open(str(number), lambda: record("one"))
            journal.close(str(number))
        limit = time.monotonic() + 5
        while any(thread.name == "journal" for thread in threading.enumerate()):
            assert time.monotonic() < limit
            time.sleep(0.01)
