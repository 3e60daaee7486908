"""A command that stands in a document is run here, as it stands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api import build_api
from app.services import make_services
from app.settings import parse
from metrics.record import COLUMNS
from metrics.run_log import RunLog
from metrics.timing import Flag
from providers.connect import Backends
from providers.local.launch import LocalEndpoint
from tests.app.conftest import served
from tests.test_playground import environment

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGE = "http://127.0.0.1:7860"


def blocks(language: str) -> list[tuple[str, str]]:
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [(path.name, block) for path in DOCUMENTS for block in fence.findall(path.read_text("utf-8"))]


COMMANDS = [(name, line) for name, block in blocks("console") for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def api(endpoint: LocalEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with RunLog(f"sqlite:///{tmp_path_factory.mktemp('docs') / 'runs.db'}") as run_log:
        services = make_services(Backends("local", local_url=endpoint.url), run_log)
        with served(build_api(services)) as url:
            yield url


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("document", "line"), COMMANDS)
def test_a_command_works_as_it_stands(document: str, line: str, api: str) -> None:
    words = shlex.split(line)
    match words[0]:
        case "make":
            assert run(["make", "--dry-run", *words[1:]]).returncode == 0
        case "curl":
            done = run([word.replace(PAGE, api) for word in words])
            assert done.returncode == 0, done.stderr
            assert '"run_id"' in done.stdout
        case ".venv/bin/python" if words[1:] == ["playground.py", "models"]:
            assert run([sys.executable, *words[1:]]).returncode == 0
        case ".venv/bin/python" if words[1:2] == ["playground.py"]:
            parse(words[2:], {})  # a server: its arguments are read, tests of their own start it
        case "python3" | ".venv/bin/pip":
            assert all((ROOT / word).exists() for word in words if word.endswith(".txt"))
        case "aws":
            assert words == ["aws", "configure"]
        case ".venv/bin/python" if words[1:3] == ["-m", "pytest"]:
            assert all((ROOT / word).exists() for word in words[3:] if word.startswith("tests"))
        case other:
            pytest.fail(f"{document}: nothing here runs {other!r}")


@pytest.mark.parametrize(("document", "code"), blocks("python"))
def test_a_python_example_works_as_it_stands(document: str, code: str, api: str) -> None:
    compile(code, document, "exec")
    if "import" in code:
        done = run([sys.executable, "-c", code.replace(PAGE, api)])
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_links_between_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_column_and_flag_that_the_documents_name_exists() -> None:
    told = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    named = set(re.findall(r"`((?:bench|gen_ai)\.[a-z_.]+)`", told))
    assert named
    assert named <= set(COLUMNS.values())
    assert all(f"`{flag}`" in told for flag in Flag.__args__)  # type: ignore[attr-defined]  # a Literal


def test_the_project_speaks_of_itself_alone() -> None:
    words = re.compile(r"(?:^|[\s\"'(])/(?:home|root|work|tmp)/[a-z]|extra-index-url|AKIA[0-9A-Z]{16}")
    told = {".py", ".md", ".txt", ".toml", ".js", ".css"}
    ours = [path for path in ROOT.glob("*") if not path.name.startswith(".")]
    files = [path for top in ours for path in (top.rglob("*") if top.is_dir() else (top,)) if path.suffix in told]
    assert len(files) > 100
    assert [path.name for path in files if path.name != "test_docs.py" and words.search(path.read_text("utf-8"))] == []
