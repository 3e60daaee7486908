"""Experiments out of the log: promise, baseline, two models, plots, files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.ui.latency_export import write_export
from app.ui.latency_form import Promise
from app.ui.latency_shelf import Shelf
from metrics.experiment_log import StoredExperiment
from metrics.record import RunRecord
from metrics.run_log import RunLog
from tests.app.experiments import MODEL, paired_runs, settings

NONE = Promise(first_s=None, total_s=None)
SECRET = "Why does nobody know this?"


def keep(log: RunLog, runs: list[RunRecord], *, id: str = "e1", day: int = 22, **values: Any) -> StoredExperiment:
    stored = StoredExperiment(
        id=id,
        started_at=f"2026-11-{day}T10:00:00.000000Z",
        settings=settings(pairs=len(runs) // 2).to_json()
        | {"state": "done", "calls_made": 4, "calls_planned": 8}
        | values,
    )
    log.save_experiment(stored)
    for run in runs:
        started_at = run.started_at.replace("-22T", f"-{day}T")
        pair_id = str(run.pair_id).replace("e1", id)
        log.add(replace(run, experiment_id=id, run_id=f"{id}-{run.run_id}", pair_id=pair_id, started_at=started_at))
    return stored


@pytest.fixture
def shelf(run_log: RunLog) -> Shelf:
    return Shelf(run_log, lambda model_id: model_id.upper())


def test_what_is_not_there_is_not_found(shelf: Shelf) -> None:
    assert shelf.found("nowhere", NONE) is None
    assert shelf.listed() == []


def test_an_experiment_is_listed_and_drawn(shelf: Shelf, run_log: RunLog) -> None:
    keep(run_log, paired_runs(8))
    assert shelf.listed() == [(f"2026-11-22 10:00:00 · {MODEL.upper()} · 8 pairs", "e1")]
    shown = shelf.found("e1", Promise(first_s=1.05, total_s=None))
    assert shown is not None
    assert "Starts within 1.05 s: met in 4 of 8 runs" in shown.verdict
    assert shown.plot.count("<svg") == 2
    assert shown.table.count("<tr data-void") == 8
    assert "4 of 8 calls" in shown.progress


def test_a_later_one_is_held_against_a_baseline(shelf: Shelf, run_log: RunLog) -> None:
    keep(run_log, paired_runs(8, sooner_s=2.5), id="before", day=20)
    keep(run_log, paired_runs(8), id="after")
    assert "Against the baseline" not in str(shelf.found("after", NONE))
    shelf.turn_pin("before")
    after, before = shelf.found("after", NONE), shelf.found("before", NONE)
    assert after is not None
    assert before is not None
    assert "Against the baseline: First text 9" in after.verdict
    assert "slower than on 20 Nov" in after.verdict
    assert before.pinned
    assert "Against" not in before.verdict
    shelf.turn_pin("before")
    assert "Against the baseline" not in str(shelf.found("after", NONE))


def test_two_models_are_held_against_each_other(shelf: Shelf, run_log: RunLog) -> None:
    keep(run_log, [*paired_runs(8), *paired_runs(8, model="x.other", sooner_s=2.5, pair_id=None)])
    runs = paired_runs(8, model="x.other", sooner_s=2.5)
    for run in runs:
        run_log.add(replace(run, pair_id=str(run.pair_id).replace("e1", "e1-b")))
    shown = shelf.found("e1", NONE)
    assert shown is not None
    assert f"{MODEL.upper()} than from X.OTHER" in shown.verdict
    assert shown.plot.count("<svg") == 4


def test_nothing_that_counts_is_nothing_to_plot(shelf: Shelf, run_log: RunLog) -> None:
    keep(run_log, paired_runs(2, status="failed"))
    shown = shelf.found("e1", NONE)
    assert shown is not None
    assert "nothing to plot" in shown.plot


@pytest.mark.parametrize("kind", ["JSON", "CSV", "Report"])
def test_a_file_holds_what_was_said_only_where_that_is_wanted(
    kind: str, run_log: RunLog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    runs = paired_runs(2, prompt=SECRET, response=SECRET, chunks=((1_000_000, "text", 26),))
    stored = keep(run_log, runs, prompts=[SECRET])
    with_texts = Path(write_export(stored, runs, kind, texts=True)).read_text("utf-8")
    without = Path(write_export(stored, runs, kind, texts=False)).read_text("utf-8")
    assert SECRET in with_texts
    assert SECRET not in without
    if kind == "JSON":
        assert json.loads(without)["verdict"]["n"] == 2
