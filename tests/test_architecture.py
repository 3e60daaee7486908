"""Who may import whom. What the linter cannot say is said here."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = [
    ROOT / "playground.py",
    *sorted(path for folder in ("providers", "metrics", "app") for path in (ROOT / folder).rglob("*.py")),
]

FORBIDDEN = {
    "providers": {"metrics", "app", "gradio"},
    "metrics": {"providers", "app", "gradio", "boto3", "botocore"},
    "app": {"boto3", "botocore", "xllamacpp"},
}
ALLOWED_HERE = {
    "boto3": {"providers/clients.py", "providers/connect.py"},
    "botocore": {"providers/clients.py", "providers/connect.py", "providers/service_errors.py"},
    "xllamacpp": {"providers/local/engine.py"},
}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, dotted."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_layers_point_one_way(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & FORBIDDEN.get(name_of(path).split("/")[0], set())
    for package, allowed in ALLOWED_HERE.items():
        assert package not in roots or name_of(path) in allowed
    if "gradio" in roots:
        assert name_of(path).startswith("app/ui/") or name_of(path) == "app/server.py"


@pytest.mark.parametrize(
    ("part", "others"),
    [("app/ui/", ("app.api", "app.settings", "app.server")), ("app/api.py", ("app.ui", "app.settings", "app.server"))],
)
def test_the_ways_in_do_not_know_each_other(part: str, others: tuple[str, ...]) -> None:
    for path in MODULES:
        if name_of(path).startswith(part):
            assert not [name for name in imported(path) if name.startswith(others)]


def test_only_settings_reads_our_environment() -> None:
    readers = [
        name_of(path)
        for path in MODULES
        if "PLAYGROUND_" in path.read_text("utf-8") and name_of(path) != "app/settings.py"
    ]
    assert readers == []


@pytest.mark.parametrize("heavy", ["gradio", "pandas", "xllamacpp", "genai_prices"])
def test_importing_the_client_stays_light(heavy: str) -> None:
    code = f"import sys, providers, metrics; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_public_names_are_those_of_the_contract() -> None:
    import metrics
    import providers

    assert {"TokenRateMonitor", "estimate_completion_progress"} <= set(metrics.__all__)
    assert {
        "BedrockClient",
        "ChatConversation",
        "ChatMessage",
        "StreamingChatApp",
        "StreamingSession",
        "handle_stream_interruptions",
    } <= set(providers.__all__)


def test_functions_tell_their_time_from_a_clock_that_does_not_jump() -> None:
    assert [name_of(path) for path in MODULES if "time.time()" in path.read_text("utf-8")] == []
