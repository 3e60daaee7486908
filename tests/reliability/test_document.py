"""docs/reliability.md names its tests; here each name is looked up, and each row that must be there."""

from __future__ import annotations

import re

import pytest

from tests.reliability.test_bad_input import BAD, ODD
from tests.reliability.test_faults import FAULTS, UNREACHABLE
from tests.test_playground import ROOT

TEXT = (ROOT / "docs" / "reliability.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)))
ROWS = [f"F{number}" for number in range(1, 37)]
ROWS += [f"S{number}" for number in (*range(16), *range(20, 30))]


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / "tests" / file).read_text("utf-8"), re.MULTILINE), file


def test_the_rows_that_are_named_are_those_that_there_are() -> None:
    faults = set(re.findall(r"`\[(F\d+)\]`", TEXT))
    assert faults == {row.split()[0] for row in (*FAULTS, *UNREACHABLE)}
    inputs = set(re.findall(r"`\[bad: ([^…\]]+)\]`", TEXT))
    assert inputs <= {*BAD, *ODD}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_stands_there_once(row: str) -> None:
    assert len(re.findall(rf"^\| {row} \|", TEXT, re.MULTILINE)) == 1
