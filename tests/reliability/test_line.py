"""More questions than the model of this machine has places for: the wait in line is shown, and kept out of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.records import RunLabels
from app.run import Run
from app.runner import Runner
from app.sse import ending
from app.ui import present
from metrics.record import Mode
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.local.engine import MODEL_ID, PARALLEL
from providers.types import GenerationRequest, InferenceConfig, Message
from tests.patience import until


@pytest.fixture(scope="module")
def backends() -> Iterator[Backends]:
    """With an endpoint of its own: nobody else stands in its line."""
    own = Backends("local")
    yield own
    own.close()


@pytest.fixture
def runner(backends: Backends, tmp_path: Path) -> Iterator[Runner]:
    with RunLog(f"sqlite:///{tmp_path / 'runs.db'}") as log:
        own = Runner(backends, log)
        yield own
        own.close()


def ask(runner: Runner, text: str, max_tokens: int, mode: Mode = "stream") -> Run:
    request = GenerationRequest(
        model_id=MODEL_ID,
        messages=(Message(role="user", text=text),),
        inference=InferenceConfig(max_tokens=max_tokens, temperature=0.0),
    )
    return runner.start(request, RunLabels(mode=mode))


@pytest.fixture
def busy(runner: Runner) -> list[Run]:
    """Every place is taken, for long."""
    runs = [ask(runner, "Tell me a long story about a river and its people.", 2000) for _ in range(PARALLEL)]
    for run in runs:
        until(lambda run=run: bool(run.snapshot().text))  # type: ignore[misc]
    return runs


@pytest.mark.parametrize("mode", ["stream", "sync"])
def test_the_wait_in_line_is_shown_and_in_no_other_figure(runner: Runner, busy: list[Run], mode: Mode) -> None:
    first = ask(runner, "Count to five.", 8, mode)
    until(lambda: first.snapshot().ahead == 0)
    second = ask(runner, "Count to five.", 8)
    until(lambda: second.snapshot().ahead == 1)
    assert present.status_detail(first.snapshot()) == "queued, next in line"
    assert present.status_detail(second.snapshot()) == "queued, 1 ahead"
    until(lambda: first.snapshot().elapsed_s > 0.6)  # a wait that would be seen in any figure that it is part of

    busy[0].cancel()
    first.join(20)
    record = first.snapshot().record
    assert record is not None
    assert record.queued_s is not None
    assert record.duration_s is not None
    assert record.server_latency_s is not None
    assert record.queued_s > 0.5
    assert record.duration_s + record.queued_s == pytest.approx(first.snapshot().elapsed_s, abs=0.05)
    assert 0 <= record.duration_s - record.server_latency_s < 0.3, "the endpoint counts from the same moment"
    if mode == "stream":
        assert record.time_to_visible_s == pytest.approx(first.snapshot().first_text_s)
        assert record.time_to_visible_s is not None
        assert 0 < record.time_to_visible_s < record.duration_s
        assert record.chunks is not None
        assert record.chunks[0][0] == pytest.approx(record.time_to_visible_s * 1e9, abs=1e3)
    assert f"queued {present.seconds(record.queued_s)}" in [each.text for each in present.figures(first.snapshot())]
    assert ending(first.snapshot())["metrics"]["queued_s"] == record.queued_s


def test_who_is_stopped_in_line_leaves_it(runner: Runner, busy: list[Run]) -> None:
    late = ask(runner, "Count to five.", 8)
    until(lambda: late.snapshot().ahead == 0)
    late.cancel()
    late.join(5)
    record = late.snapshot().record
    assert record is not None
    assert (record.status, record.queued_s, record.time_to_visible_s) == ("cancelled", None, None)
    assert late.snapshot().ahead is None


def test_a_free_model_is_no_wait(runner: Runner) -> None:
    run = ask(runner, "Count to five.", 4)
    run.join(20)
    record = run.snapshot().record
    assert record is not None
    assert record.queued_s is not None
    assert record.queued_s < present.IN_LINE_S
    assert not [each for each in present.figures(run.snapshot()) if each.name == "queue"]
