"""What the audit of the pinned packages says of each answer of the service."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions

import pytest

from tests.audit import ROOT, _said, pins, verdict

GOOD = {"name": "gradio", "version": "6.31.0", "vulns": []}
BAD = {"name": "gradio", "version": "6.5.0", "vulns": [{"id": "CVE-2026-27167", "fix_versions": ["6.6.0"]}]}
UNKNOWN = {"name": "gradio", "version": "6.31.0", "skip_reason": "not found"}


def test_every_package_is_pinned() -> None:
    assert {"gradio==6.31.0", "boto3==1.44.5", "pip_audit==2.10.1"} <= {pin.replace("-", "_") for pin in pins()}


def test_every_package_that_is_installed_is_pinned_by_its_version_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()[1:]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    pinned = {re.split("==", pin)[0].lower().replace("_", "-").replace(".", "-") for pin in pins()}
    pinned = {name.split("[")[0] for name in pinned}
    installed = {found.name.lower().replace("_", "-").replace(".", "-") for found in distributions()}
    assert installed - pinned <= {"pip", "setuptools", "wheel"}


def test_no_service_is_said_and_is_no_failure() -> None:
    assert verdict([UNKNOWN]) == (0, "not audited: no advisory service answers here")
    assert verdict([]) == (0, "not audited: no advisory service answers here")


def test_a_known_flaw_fails_and_names_the_way_out() -> None:
    status, words = verdict([GOOD, BAD, UNKNOWN])
    assert status == 1
    assert "gradio 6.5.0: CVE-2026-27167, mended in 6.6.0" in words
    assert verdict([GOOD])[0] == 0


def test_an_audit_that_breaks_is_no_audit(capsys: pytest.CaptureFixture[str]) -> None:
    assert _said([sys.executable, "-c", "raise SystemExit('no such option')"]) == 1
    assert "no such option" in capsys.readouterr().out
    assert _said([sys.executable, "-c", "raise ConnectionError('no route')"]) == 0
