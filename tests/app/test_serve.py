"""The command `serve` before it serves."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from app.serve import serve
from app.settings import Settings


def test_a_port_in_use_is_told_before_anything_is_loaded_or_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "app.server", None)  # whoever imports it now fails
    log = tmp_path / "runs.db"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve(Settings(port=port, log_url=f"sqlite:///{log}")) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Cannot listen on 127.0.0.1 port {port}: ")
    assert line.endswith("Choose another port with --port.")
    assert not log.exists()
