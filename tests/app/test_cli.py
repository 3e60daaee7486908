"""The terminal chat, in a process of its own: into a pipe, and in a real terminal with Ctrl-C."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from app.cli import until_ctrl_c
from app.live import RunUpdate
from app.services import first_words
from app.settings import Settings
from metrics.run_log import RunLog
from tests.app.ui.make import an_update
from tests.test_playground import ROOT, environment

SLOW = "simulated.steady"


def piped(words: str, log: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "playground.py", "chat", "--log-url", f"sqlite:///{log}", *more],
        cwd=ROOT,
        env=environment(),
        input=words,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def test_a_pipe_gets_plain_text_and_every_answer_is_a_row(tmp_path: Path) -> None:
    log = tmp_path / "runs.db"
    done = piped("Hello\nAnd again\nexit\nnever asked\n", log, "--model", "simulated.swift", "--max-tokens", "12")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [first_words(str(log), Settings())]
    assert "\x1b" not in done.stdout
    with RunLog(f"sqlite:///{log}") as run_log:
        rows = run_log.recent()
    assert [row.prompt for row in rows] == ["And again", "Hello"]
    assert done.stdout == "".join(row.response + "\n" for row in reversed(rows))
    assert len(rows[0].conversation) == 2


def test_a_failure_is_a_sentence_on_stderr(tmp_path: Path) -> None:
    done = piped("Hello\n", tmp_path / "runs.db", "--model", "us.amazon.nova-lite-v1:0")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "without an AWS account" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_id_that_names_no_model_is_told_what_helps_in_a_terminal(tmp_path: Path) -> None:
    done = piped("Hello\n", tmp_path / "runs.db", "--model", "nonsense")
    assert done.returncode == 1
    assert done.stderr.splitlines()[1].startswith(
        "nonsense is no model that is known here. `playground.py models` lists"
    )
    assert "family=" not in done.stderr


class Held:
    """A run whose reader is interrupted while it holds the lock that stopping needs, as it may be anywhere."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stopped = False

    def __iter__(self) -> Iterator[RunUpdate]:
        with self.lock:
            signal.raise_signal(signal.SIGINT)
        while not self.stopped:
            yield an_update(state="streaming")
        yield an_update(state="stopped")

    def cancel(self) -> None:
        assert self.lock.acquire(timeout=1), "the handler waits for its own thread"
        self.stopped = True
        self.lock.release()


def test_ctrl_c_never_waits_for_the_thread_that_it_interrupted() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert [update.state for update in until_ctrl_c(Held())][-1] == "stopped"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_stops_the_answer_and_not_the_program(tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    log = tmp_path / "runs.db"
    with subprocess.Popen(
        [sys.executable, "playground.py", "chat", "--model", SLOW, "--log-url", f"sqlite:///{log}"],
        cwd=ROOT,
        env=environment(TERM="xterm"),
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
    ) as program:
        os.close(inside)
        read_until(terminal, "›")
        os.write(terminal, b"Tell me something long.\n")
        read_until(terminal, " ", more_than=200)
        program.send_signal(signal.SIGINT)
        assert "stopped" in read_until(terminal, "›")
        os.write(terminal, b"quit\n")
        assert program.wait(10) == 0
    os.close(terminal)
    with RunLog(f"sqlite:///{log}") as run_log:
        (row,) = run_log.recent()
    assert row.status == "cancelled"
    assert row.response


def read_until(terminal: int, words: str, *, more_than: int = 0, within_s: float = 20) -> str:
    """What the terminal shows until `words` came, and more characters than that."""
    shown = ""
    deadline = time.perf_counter() + within_s
    while time.perf_counter() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 4096).decode("utf-8", "replace")
        if words in shown and len(shown) > more_than:
            return shown
    raise AssertionError(f"{words!r} did not come; the terminal shows {shown!r}")
