"""What the events of tab Compare put out fits the widgets that take it, and the panes begin with models that differ."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.comparisons import PaneSettings, Standing
from app.services import make_services
from app.ui.chat import KEEP
from app.ui.compare import build_compare
from app.ui.compare_outputs import ARRANGED, DRAWN, Outputs, heads, refused
from app.ui.compare_report import HIDDEN, NOTHING, report_outputs, write_report
from app.ui.compare_view import CompareView
from app.ui.compare_widgets import first_models
from app.ui.panel import Problem
from metrics.experiment_log import Vote
from metrics.run_log import RunLog, RunLogError
from providers.connect import Backends
from tests.app.ui.make import a_record, an_update
from tests.app.ui.test_compare_view import labels, standing
from tests.wire import wire_server


@pytest.fixture
def config(run_log: RunLog) -> dict[str, Any]:
    """The tab by itself."""
    services = make_services(Backends("local", local_url="http://127.0.0.1:9"), run_log)

    async def build() -> dict[str, Any]:
        # Gradio makes itself an event loop where none runs, and leaves it open.
        with gr.Blocks(analytics_enabled=False) as page, gr.Tab("Compare") as tab:
            build_compare(services, tab, labels)
        return dict(page.get_config_file())

    return asyncio.run(build())


def test_as_much_comes_out_as_there_are_outputs(config: dict[str, Any], run_log: RunLog) -> None:
    sizes = {len(event["outputs"]) for event in config["dependencies"] if event["backend_fn"]}
    assert {DRAWN, ARRANGED} <= sizes
    outputs = Outputs(run_log, labels)
    panes = (PaneSettings(model="a"), PaneSettings(model="b"))
    assert len(outputs.drawn(Standing(), 2, CompareView(labels))) == DRAWN
    assert len(outputs.arranged(Standing(), panes)) == ARRANGED
    assert len(outputs.arranged(Standing(), panes, keep=True)) == ARRANGED
    assert len(refused(Problem(sentence="No."))) == DRAWN
    assert len(heads(panes)) == 6


def test_one_event_draws_all_panes(config: dict[str, Any]) -> None:
    [asked] = [event for event in config["dependencies"] if event["types"]["generator"]]
    assert len(asked["targets"]) == 3
    assert asked["trigger_mode"] == "once"
    assert {event["api_visibility"] for event in config["dependencies"] if event["backend_fn"]} == {"private"}


def test_the_votes_are_told_when_there_is_one_and_not_while_answers_come(run_log: RunLog) -> None:
    quick, slow = (a_record(run_id=name, comparison_id="c", time_to_visible_s=s) for name, s in (("1", 0.2), ("2", 2)))
    run_log.add(quick)
    run_log.add(slow)
    run_log.add_vote(Vote(comparison_id="c", run_id="1", voted_at="2026-11-22T10:00:00.000000Z"))
    voted = standing(an_update(record=quick), an_update(record=slow), blind=True, choice=0)
    outputs = Outputs(run_log, labels)
    assert "The faster one was preferred 1 of 1." in "".join(map(str, outputs.drawn(voted, 2, CompareView(labels))))
    unvoted = standing(an_update(record=quick), an_update(record=slow))
    assert "preferred" not in "".join(map(str, outputs.drawn(unvoted, 2, CompareView(labels))))


def test_a_log_that_cannot_be_read_keeps_nobody_from_the_figures(run_log: RunLog, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as file:
        file.execute("DROP TABLE votes")
    with pytest.raises(RunLogError):
        run_log.votes()
    voted = standing(an_update(), an_update(), blind=True, choice="tie")
    assert "You called it a tie." in "".join(map(str, Outputs(run_log, labels).drawn(voted, 2, CompareView(labels))))


def test_without_aws_the_first_panes_are_simulated_and_all_differ() -> None:
    models = first_models(Backends("local"))
    assert len(set(models)) == len(models) == 6
    assert all(model_id.startswith("simulated.") for model_id in models)


def test_with_aws_the_first_panes_are_of_different_vendors() -> None:
    with wire_server() as wire:
        backends = Backends("auto", endpoint_url=wire.url)
        models = first_models(backends)
    assert models[0] == backends.default_model()
    assert len(set(models)) == 6
    assert models[1].split(".")[1] != models[0].split(".")[1]
    assert not any(model_id.startswith(("simulated.", "local.")) for model_id in models)


def test_a_report_is_a_file_and_a_blind_race_has_none() -> None:
    told = standing(an_update(record=a_record(prompt="Why is it so?", response="Because.")))
    path = write_report(told, texts=True)
    assert path is not None
    assert "Why is it so?" in Path(path).read_text("utf-8")
    without = write_report(told, texts=False)
    assert without is not None
    assert "Why is it so?" not in Path(without).read_text("utf-8")
    assert write_report(standing(an_update(), blind=True), texts=True) is None
    assert write_report(Standing(), texts=True) is None


def test_a_report_that_cannot_be_had_is_a_sentence_and_never_an_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = standing(an_update(record=a_record(prompt="Why is it so?")))
    for texts in (True, False):
        problem, button = report_outputs(told, texts=texts)
        assert problem == ""
        assert Path(button.value["path"]).parent.name in button.label
    assert_refused(report_outputs(Standing(), texts=False), NOTHING)
    assert_refused(report_outputs(standing(an_update(), blind=True), texts=False), HIDDEN)
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file" / "below"))
    assert_refused(report_outputs(told, texts=False), "could not be written: Not a directory. Check the disk")


def assert_refused(outputs: tuple[Any, Any], sentence: str) -> None:
    problem, file = outputs
    assert sentence in problem
    assert file == KEEP
