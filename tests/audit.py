"""Asks an advisory service about every pinned package: run by `make check`, not a test.

    python -m tests.audit

Says "not audited" where no service answers, which is no failure: a machine without a network must be able to check.
Exits with 1 where a package has a known vulnerability, and names it with the version that has none.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PINS = ("constraints.txt", "requirements.txt", "requirements-model.txt", "requirements-dev.txt")
TIMEOUT_S = 120
NO_NETWORK = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "Max retries exceeded", "ServiceError")


def pins() -> list[str]:
    """Every `name==version` of the project's files."""
    lines = [line.split("#")[0].strip() for name in PINS for line in (ROOT / name).read_text("utf-8").splitlines()]
    return sorted({line for line in lines if "==" in line})


def verdict(found: list[dict[str, Any]]) -> tuple[int, str]:
    """Exit status and sentences, from pip-audit's list of packages."""
    asked = [each for each in found if "skip_reason" not in each]
    if not asked:
        return 0, "not audited: no advisory service answers here"
    wrong = [
        f"{each['name']} {each['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version'}"
        for each in asked
        for flaw in each["vulns"]
    ]
    unknown = len(found) - len(asked)
    done = f"audited {len(asked)} packages" + (f", {unknown} are not known to the service" if unknown else "")
    return (1, "\n".join([*wrong, done])) if wrong else (0, f"{done}: no known vulnerability")


def main() -> int:
    """Asks, and says what came of it."""
    options = ["--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off", "--timeout", "5"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins()))
        file.flush()
        command = [sys.executable, "-m", "pip_audit", *options, "--requirement", file.name]
        return _said(command)


def _said(command: list[str]) -> int:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return _tell(*verdict([]))
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        if any(words in done.stderr for words in NO_NETWORK):
            return _tell(*verdict([]))
        return _tell(1, f"the audit itself failed:\n{done.stderr.strip()}")
    return _tell(*verdict(found))


def _tell(status: int, words: str) -> int:
    sys.stdout.write(words + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
