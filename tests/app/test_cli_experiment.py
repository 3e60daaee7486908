"""The command, in a process of its own: against the local endpoint, and against a service with a known effect."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli_experiment import INTERRUPTED, _Command, experiment
from app.settings import parse
from metrics.record import BULKY, COLUMNS
from metrics.run_log import RunLog
from tests.app.experiments import MODEL, answers, in_turn, services_on
from tests.patience import until
from tests.test_playground import ROOT, environment
from tests.wire import WireServer, failure, silence, text_frames
from tests.wire import stream as streaming

EXPECT = "time_to_visible.stream.p50"


def command(log: Path, *arguments: str) -> list[str]:
    return [sys.executable, "playground.py", "experiment", "--log-url", f"sqlite:///{log}", "--pause", "0", *arguments]


def ran(log: Path, *arguments: str, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(log, *arguments),
        cwd=ROOT,
        env=environment(**more),
        input=typed,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def here(log: Path, *arguments: str) -> int:
    """The exit status without a process of its own, for what ends before anything is asked."""
    try:
        return experiment(parse(["experiment", "--log-url", f"sqlite:///{log}", *arguments], {}))
    except SystemExit as ended:
        return int(str(ended.code))


def on_wire(wire: WireServer, log: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return ran(log, "--model", MODEL, "--prompt", "Why?", *arguments, AWS_ENDPOINT_URL_BEDROCK_RUNTIME=wire.url)


def test_a_known_effect_is_recovered_and_everything_is_written(wire: WireServer, tmp_path: Path) -> None:
    wire.reply_with(answers(first_s=0.02, gap_s=0.02, jitter_s=0.015))
    log, out = tmp_path / "runs.db", tmp_path / "out.json"
    done = on_wire(wire, log, "--pairs", "10", "--seed", "7", "--json", str(out), "--expect", f"{EXPECT}<1.0")
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    assert list(found) == ["settings", "runs", "verdict"]
    verdict = found["verdict"]
    assert verdict["sentence"] in done.stdout
    assert verdict["low"] <= 0.06 <= verdict["high"]
    assert (verdict["level"], verdict["n"]) == (0.95, 10)
    phases = [row["bench.phase"] for row in found["runs"]]
    assert (phases.count("measure"), phases.count("warmup")) == (20, 2)
    assert set(COLUMNS.values()) - BULKY <= set(found["runs"][0]) <= set(COLUMNS.values())
    assert found["settings"]["seed"] == 7
    with RunLog(f"sqlite:///{log}") as run_log:
        rows = run_log.of_experiment(found["settings"]["experiment_id"])
    assert [row.run_id for row in rows] == [row["bench.run_id"] for row in found["runs"]]
    assert "pair 10 of 10: complete" in done.stderr
    assert done.stderr.count("\n") == 1 + 1 + 2 + 10, "the new log, the plan, warm-up and pairs"


def test_the_same_seed_gives_the_same_order_in_the_local_models(tmp_path: Path) -> None:
    told = []
    for number in range(2):
        done = ran(
            tmp_path / f"{number}.db",
            *("--model", "simulated.swift", "--prompt-file", "-", "--pairs", "3", "--seed", "11"),
            *("--max-tokens", "2", "--warm-up", "0", "--no-nonce", "--json", "-"),
            typed="Why?\n\nHow?\n",
        )
        assert done.returncode == 0, done.stderr
        assert "Simulated: first text: not enough runs to tell" in done.stderr
        rows = json.loads(done.stdout)["runs"]
        told.append([(row["bench.mode"], row["bench.prompt"], row["bench.response"]) for row in rows])
    assert told[0] == told[1]
    assert {prompt for _, prompt, _ in told[0]} == {"Why?", "How?"}


def test_an_expectation_that_is_missed_ends_with_3(wire: WireServer, tmp_path: Path) -> None:
    wire.reply_with(answers(first_s=0.01))
    done = on_wire(wire, tmp_path / "runs.db", "--pairs", "1", "--expect", f"{EXPECT}>0", "--expect", f"{EXPECT}<0.001")
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("Expectation missed") == 1
    assert re.search(re.escape(f"{EXPECT}<0.001; it is 0.") + r"\d", done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--pairs", "1"),
        ("--prompt", " "),
        ("--prompt", "Why?", "--pairs", "0"),
        ("--prompt", "Why?", "--pairs", "many"),
        ("--prompt", "Why?", "--expect", "nonsense"),
        ("--prompt", "Why?", "--expect", "loudness.stream.p50<1"),
        ("--prompt", "Why?", "--json", "no/such/folder/out.json"),
        ("--prompt", "Why?", "--json", "/proc/foo.json"),
        ("--prompt", "Why?", "--model", "nonsense"),
        ("--prompt", "Why?", "--model", "stability.sd3-large-v1:0"),
        ("--prompt-file", "no-such-file"),
        ("--prompt", "Why?", "--model", "simulated.swift", "--temperature", "9"),
    ],
)
def test_wrong_arguments_end_with_2_and_ask_nothing(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(tmp_path / "runs.db", *arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip()


def test_a_model_that_nobody_knows_is_told_in_words_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here(tmp_path / "runs.db", "--prompt", "Why?", "--model", "nonsense")
    said = capsys.readouterr().err
    assert "nonsense" in said
    assert "playground.py models" in said
    assert "family=" not in said


def test_a_model_on_aws_without_an_account_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = "us.amazon.nova-micro-v1:0"
    assert here(tmp_path / "runs.db", "--prompt", "Why?", "--model", model) == 1
    assert model in capsys.readouterr().err


def test_a_model_that_is_given_up_late_ends_with_1_and_keeps_its_pairs(wire: WireServer, tmp_path: Path) -> None:
    wire.reply_with(in_turn(*[answers()] * 6, then=failure("403 Forbidden", "AccessDeniedException", "You may not")))
    done = on_wire(wire, tmp_path / "runs.db")
    assert done.returncode == 1
    assert "given up after 2 failed calls" in done.stderr
    assert "n = 2" in done.stdout


def test_what_no_text_can_hold_does_not_lose_the_result(wire: WireServer, tmp_path: Path) -> None:
    wire.reply_with(answers())
    out = tmp_path / "out.json"
    half = os.fsdecode(b"half \xed\xa0\xbd")
    done = on_wire(wire, tmp_path / "runs.db", "--pairs", "1", "--system", half, "--json", str(out))
    assert done.returncode == 0, done.stderr
    assert json.loads(out.read_text("utf-8"))["settings"]["system"].startswith("half \ufffd")
    assert sorted(path.suffix for path in tmp_path.iterdir() if not path.name.startswith("runs.db")) == [".json"]


def test_ctrl_c_may_come_while_a_lock_is_held(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers())
    options = parse(["experiment", "--model", MODEL, "--prompt", "Why?"], {}).experiment
    command = _Command(services_on(wire, run_log), options, ("Why?",), ())
    with command._ctrl_c_stops(), command._experiment._lock:
        signal.raise_signal(signal.SIGINT)
    assert command.run() == INTERRUPTED
    assert len(wire.asked) < 42


def test_a_service_that_refuses_every_call_ends_with_1(wire: WireServer, tmp_path: Path) -> None:
    wire.reply_with(failure("403 Forbidden", "AccessDeniedException", "You may not"))
    out = tmp_path / "out.json"
    done = on_wire(wire, tmp_path / "runs.db", "--json", str(out))
    assert done.returncode == 1
    assert "given up after 2 failed calls" in done.stderr
    assert [row["bench.status"] for row in json.loads(out.read_text("utf-8"))["runs"]] == ["failed"] * 2


def test_a_service_that_is_not_there_ends_with_1(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    done = ran(tmp_path / "runs.db", "--model", MODEL, "--prompt", "x", AWS_ENDPOINT_URL_BEDROCK_RUNTIME=nobody)
    assert done.returncode == 1
    assert "given up after 6 failed calls" in done.stderr


def test_ctrl_c_keeps_what_is_done(wire: WireServer, tmp_path: Path) -> None:
    good, hang = answers(), streaming(text_frames("word "), silence)

    def reply(to: Any) -> None:
        (good if len(wire.asked) <= 6 else hang)(to)

    wire.reply_with(reply)
    log, out = tmp_path / "runs.db", tmp_path / "out.json"
    with subprocess.Popen(
        command(log, "--model", MODEL, "--prompt", "Why?", "--json", str(out)),
        cwd=ROOT,
        env=environment(AWS_ENDPOINT_URL_BEDROCK_RUNTIME=wire.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        until(lambda: len(wire.asked) == 7, within_s=20)
        os.kill(program.pid, signal.SIGINT)
        said, _ = program.communicate(timeout=10)
    assert program.returncode == 130
    assert "n = 2" in said
    found = json.loads(out.read_text("utf-8"))
    assert found["settings"]["state"] == "stopped"
    assert [row["bench.status"] for row in found["runs"]] == ["completed"] * 6 + ["cancelled"]
    assert found["verdict"]["voided"] == {"stopped": 1}


def test_a_reader_that_leaves_early_is_no_failure(tmp_path: Path) -> None:
    words = " ".join(command(tmp_path / "runs.db", "--model", "simulated.swift", "--max-tokens", "2", "--pairs", "1"))
    piped = f"set -o pipefail; {words} --prompt Why --json - | true"
    done = subprocess.run(
        ["bash", "-c", piped],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
