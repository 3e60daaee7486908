"""The playground as people meet it: its API on a socket, with an AWS behind it that is a scripted wire."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api import build_api
from app.services import Services, make_services
from metrics.record import RunRecord
from metrics.run_log import RunLog
from providers.connect import Backends
from tests.app.conftest import served
from tests.test_playground import ROOT, environment
from tests.wire import WireServer, wire_server

TALKER = "qwen.qwen3-32b-v1:0"
"""A model that takes no open assistant turn: a cut answer begins again or ends."""


@dataclass(slots=True)
class Seen:
    """What a client of the API saw of one stream: the text that stands, the states, and the endings."""

    text: str = ""
    states: list[str] = field(default_factory=list)
    resets: int = 0
    endings: list[dict[str, Any]] = field(default_factory=list)

    def take(self, name: str, data: dict[str, Any]) -> None:
        """One event. Nothing may follow an ending."""
        assert not self.endings, f"{name} after the ending"
        match name:
            case "status":
                self.states.append(data["state"])
            case "reset":
                self.text, self.resets = "", self.resets + 1
            case "message" if set(data) == {"text"}:
                self.text += data["text"]
            case "message":
                self.endings.append(data)

    @property
    def ending(self) -> dict[str, Any]:
        """The one ending."""
        assert len(self.endings) == 1
        return self.endings[0]


@dataclass(slots=True)
class Api:
    """The API, its services and its log."""

    url: str
    services: Services
    run_log: RunLog

    def stream(self, prompt: str = "Hi", **more: object) -> Seen:
        """Asks for a stream and reads it to its end."""
        asked = {"prompt": prompt, "model_id": TALKER, "api": "converse", "stream": True, **more}
        seen, name = Seen(), "message"
        with httpx.stream("POST", self.url + "/api/generate", json=asked, timeout=20, trust_env=False) as answer:
            assert answer.status_code == 200, answer.read()
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    seen.take(name, json.loads(line.removeprefix("data: ")))
                elif not line:
                    name = "message"
        return seen

    def newest(self) -> RunRecord:
        """The row of the run that was asked for last."""
        return self.run_log.recent(1, bulky=True)[0]


@contextlib.contextmanager
def api_on(url: str, folder: Path, *, silence_limit_s: float = 10.0) -> Iterator[Api]:
    """The API in front of the Bedrock at `url`, with a log of its own."""
    with RunLog(f"sqlite:///{folder / 'runs.db'}") as run_log:
        services = make_services(Backends("auto", endpoint_url=url, silence_limit_s=silence_limit_s), run_log)
        with served(build_api(services)) as address:
            yield Api(address, services, run_log)
        services.runner.close()


@dataclass(slots=True)
class Server:
    """A process that serves, where it can be reached, and the files that it writes."""

    process: subprocess.Popen[str]
    url: str
    log: Path
    errors: Path

    def rows(self) -> list[RunRecord]:
        """The run log as it is on the disk."""
        with RunLog(f"sqlite:///{self.log}") as run_log:
            return run_log.recent()


@contextlib.contextmanager
def server(folder: Path, *arguments: str, **more: str) -> Iterator[Server]:
    """`playground.py serve` on a free port; ended at the end, if it still runs."""
    log, errors = folder / "data" / "runs.db", folder / "stderr"
    command = [sys.executable, "playground.py", "serve", "--port", "0", "--log-url", f"sqlite:///{log}", *arguments]
    plain = environment(AWS_EC2_METADATA_DISABLED="true", **more)
    with errors.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=plain, stdout=subprocess.PIPE, stderr=file, text=True)
    assert process.stdout is not None
    try:
        yield Server(process, process.stdout.readline().split()[-1], log, errors)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def wire() -> Iterator[WireServer]:
    with wire_server() as server:
        yield server


@pytest.fixture(scope="module")
def api(wire: WireServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API whose AWS is `wire`."""
    with api_on(wire.url, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(wire: WireServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The same, but it gives up a stream that is silent for 0.3 s."""
    with api_on(wire.url, tmp_path_factory.mktemp("hasty"), silence_limit_s=0.3) as running:
        yield running
