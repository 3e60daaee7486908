"""The one path: what a run shows while it lives, and the one row that it leaves, for every ending."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from app.live import RunUpdate
from app.records import RunLabels
from app.run import Run
from app.runner import Runner
from metrics.record import RunRecord
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.errors import ConfigurationError
from providers.local.launch import LocalEndpoint
from providers.retry import RetryPolicy
from providers.types import GenerationRequest, InferenceConfig, Message
from tests.wire import (
    WireServer,
    document,
    failure,
    hang_up,
    silence,
    stop_frames,
    stream,
    text_frames,
    wire_server,
)

LOCAL = "local.smollm2-135m-instruct"
SWIFT = "simulated.swift"
QWEN = "qwen.qwen3-32b-v1:0"
ANSWER = stream([*text_frames("Hel", "lo"), *stop_frames()])


@pytest.fixture
def run_log(tmp_path: Path) -> Iterator[RunLog]:
    with RunLog(f"sqlite:///{tmp_path / 'runs.db'}") as log:
        yield log


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with wire_server() as server:
        yield server


@pytest.fixture
def here(run_log: RunLog, endpoint: LocalEndpoint) -> Runner:
    """A runner without AWS, on the local endpoint."""
    return Runner(Backends("local", local_url=endpoint.url), run_log)


@pytest.fixture
def far(run_log: RunLog, wire: WireServer) -> Runner:
    """A runner whose AWS is a scripted wire."""
    return Runner(Backends("auto", endpoint_url=wire.url), run_log)


def ask(model_id: str, text: str = "Tell me about the sea.", max_tokens: int | None = 60) -> GenerationRequest:
    return GenerationRequest(
        model_id=model_id,
        messages=(Message(role="user", text=text),),
        inference=InferenceConfig(max_tokens=max_tokens, temperature=0.7),
        api="converse",
    )


def until(run: Run, seen: Callable[[RunUpdate], bool]) -> RunUpdate:
    for update in run:
        if seen(update):
            return update
    raise AssertionError("the run ended first")


def ended(run: Run) -> RunUpdate:
    return until(run, lambda update: update.ended)


def only_row(log: RunLog) -> RunRecord:
    rows = log.recent(bulky=True)
    assert len(rows) == 1
    return rows[0]


def test_a_streamed_run_of_the_local_model(here: Runner, run_log: RunLog) -> None:
    updates = list(here.start(ask(LOCAL), RunLabels(mode="stream")))
    texts = [update.text for update in updates]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    last = updates[-1]
    assert last.state == "done"
    assert last.tokens_reported
    row = only_row(run_log)
    assert row == last.record or row.run_id == last.run_id
    assert (row.status, row.mode, row.backend, row.simulated) == ("completed", "stream", "local", False)
    assert row.response == last.text
    assert row.output_tokens == last.tokens
    assert row.tokens_source == "usage"
    assert row.cost_usd is None
    assert row.chunks is not None
    assert sum(chars for _, _, chars in row.chunks) == len(row.response)
    first, visible, late, whole = (
        row.time_to_first_chunk_s,
        row.time_to_visible_s,
        row.time_to_last_chunk_s,
        row.duration_s,
    )
    assert first is not None
    assert visible is not None
    assert late is not None
    assert whole is not None
    assert 0 < first <= visible <= late <= whole


def test_a_complete_run_has_no_first_chunk(here: Runner, run_log: RunLog) -> None:
    last = ended(here.start(ask(SWIFT), RunLabels(mode="sync")))
    row = only_row(run_log)
    assert last.first_text_s is None
    assert (row.mode, row.request_stream, row.simulated) == ("sync", False, True)
    assert row.time_to_first_chunk_s is None
    assert row.time_to_visible_s == row.duration_s


def test_live_figures_are_there_while_it_streams(here: Runner) -> None:
    run = here.start(ask("simulated.steady", max_tokens=400), RunLabels(mode="stream"))
    update = until(run, lambda update: update.rate is not None and update.rate.instantaneous_per_s is not None)
    assert update.state == "streaming"
    assert update.progress is not None
    assert update.progress.fraction is not None
    assert 0 < update.progress.fraction < 1
    assert update.tokens
    assert not update.tokens_reported
    run.cancel()
    run.join(2)


def test_stopping_keeps_the_text_and_writes_a_cancelled_row(
    here: Runner, run_log: RunLog, endpoint: LocalEndpoint
) -> None:
    run = here.start(ask(LOCAL, "Write a very long story.", 1500), RunLabels(mode="stream"))
    said = until(run, lambda update: len(update.text) > 20).text
    began = time.perf_counter()
    run.cancel()
    last = ended(run)
    assert time.perf_counter() - began < 1
    assert last.state == "stopped"
    assert last.text.startswith(said)
    row = only_row(run_log)
    assert (row.status, row.response) == ("cancelled", last.text)
    assert row.output_tokens is None  # never reported, so not claimed
    assert row.tokens_estimated


def test_stopping_while_it_waits_for_the_first_byte(far: Runner, wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(silence)
    run = far.start(ask(QWEN), RunLabels(mode="stream"))
    until(run, lambda _: bool(wire.asked))
    run.cancel()
    assert ended(run).state == "stopped"
    assert only_row(run_log).status == "cancelled"


@pytest.mark.parametrize("mode", ["stream", "sync"])
def test_a_failed_run_is_a_row_too(far: Runner, wire: WireServer, run_log: RunLog, mode: str) -> None:
    wire.reply_with(failure("403 Forbidden", "AccessDeniedException", "No access for you."))
    last = ended(far.start(ask(QWEN), RunLabels(mode=mode)))  # type: ignore[arg-type]  # one of the two
    assert last.state == "failed"
    assert last.failure is not None
    assert (last.failure.type, last.failure.request_id) == ("AccessDeniedError", "wire-1")
    row = only_row(run_log)
    assert (row.status, row.error_type, row.http_status) == ("failed", "AccessDeniedError", 403)
    assert row.output_tokens is None
    assert row.time_to_visible_s is None


def test_a_cut_answer_is_an_interrupted_row_with_its_text(far: Runner, wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(stream(text_frames("Hel", "lo"), hang_up))
    last = ended(far.start(ask(QWEN), RunLabels(mode="stream"), policy=RetryPolicy(attempts=1)))
    assert (last.state, last.text) == ("failed", "Hello")
    row = only_row(run_log)
    assert (row.status, row.response, row.finish_reasons) == ("interrupted", "Hello", ())


def test_a_retry_is_shown_counted_and_flagged(far: Runner, wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(
        failure("429 Too Many Requests", "ThrottlingException", "Slow.", {"Retry-After": "0.3"}),
        ANSWER,
    )
    run = far.start(ask(QWEN), RunLabels(mode="stream"))
    update = until(run, lambda update: update.state == "retrying")
    assert update.retry is not None
    assert (update.retry.attempt, update.retry.of) == (2, 3)
    assert ended(run).text == "Hello"
    row = only_row(run_log)
    assert row.resends == 1
    assert "retried" in row.flags


def test_an_answer_that_starts_over_replaces_its_text(far: Runner, wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(stream(text_frames("Hel"), hang_up), ANSWER)
    last = ended(far.start(ask(QWEN), RunLabels(mode="stream"), policy=RetryPolicy(restart=True)))
    assert (last.text, last.resets) == ("Hello", 1)
    assert only_row(run_log).response == "Hello"


def test_what_was_begun_again_is_what_the_row_replays(far: Runner, wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(stream(text_frames("Void", " words"), hang_up), ANSWER)
    ended(far.start(ask(QWEN), RunLabels(mode="stream"), policy=RetryPolicy(base_s=0, restart=True)))
    row = only_row(run_log)
    assert row.chunks is not None
    assert sum(chars for _, _, chars in row.chunks) == len(row.response) == 5


def test_no_price_for_an_endpoint_in_place_of_aws(far: Runner, wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(ANSWER)
    ended(far.start(ask("us.amazon.nova-lite-v1:0"), RunLabels(mode="stream")))
    assert only_row(run_log).cost_usd is None


def test_a_continued_answer_claims_no_count_and_teaches_nothing(far: Runner, wire: WireServer, run_log: RunLog) -> None:
    model = "us.amazon.nova-lite-v1:0"  # it takes an open turn
    factor = far.estimator.factor(model)
    wire.reply_with(stream(text_frames("One, two, "), hang_up), stream([*text_frames("three."), *stop_frames()]))
    last = ended(far.start(ask(model), RunLabels(mode="stream"), policy=RetryPolicy(base_s=0, resume=True)))
    assert (last.state, last.text, last.resumed) == ("done", "One, two, three.", True)
    row = only_row(run_log)
    assert (row.output_tokens, row.tokens_source) == (None, "estimate")
    assert row.overhead_s is None
    assert not last.tokens_reported
    assert far.estimator.factor(model) == factor


def test_a_refused_value_sends_nothing_and_leaves_no_row(far: Runner, wire: WireServer, run_log: RunLog) -> None:
    with pytest.raises(ValueError, match=r"[Pp]rompt"):
        far.start(ask(QWEN, "  "), RunLabels(mode="stream"))
    assert wire.asked == []
    assert run_log.count() == 0


def test_a_model_of_aws_without_aws_is_refused(here: Runner, run_log: RunLog) -> None:
    with pytest.raises(ConfigurationError):
        here.start(ask(QWEN), RunLabels(mode="stream"))
    assert run_log.count() == 0


def test_the_row_tells_what_was_sent(far: Runner, wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(document({"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "usage": {}}))
    request = GenerationRequest(
        model_id="global.anthropic.claude-opus-5",
        messages=(Message(role="user", text="Hi"),),
        inference=InferenceConfig(max_tokens=50, temperature=0.9),
    )
    last = ended(far.start(request, RunLabels(mode="sync")))
    assert any("temperature" in notice for notice in last.notices)
    assert only_row(run_log).temperature is None


def test_runs_share_the_machine_but_not_their_clocks(far: Runner, wire: WireServer) -> None:
    wire.reply_with(silence, ANSWER)
    stuck = far.start(ask(QWEN), RunLabels(mode="stream"))
    until(stuck, lambda _: len(wire.asked) == 1)
    quick = ended(far.start(ask(QWEN), RunLabels(mode="stream")))
    assert quick.state == "done"
    assert quick.elapsed_s < 1
    assert [run.id for run in far.under_way()] == [stuck.id]
    far.close()
    assert stuck.snapshot().state == "stopped"
    assert far.under_way() == ()


def test_a_coroutine_hears_the_first_text_and_the_end_at_once(far: Runner, wire: WireServer) -> None:
    wire.reply_with(stream(text_frames("Hel"), silence))

    async def watch() -> list[float]:
        run = far.start(ask(QWEN), RunLabels(mode="stream"))
        ticks: list[float] = []
        async for update in run.updates(per_s=1):  # it would wait 0.25 s between ticks
            ticks.append(time.perf_counter())
            if update.text:
                assert update.silence_s is not None
                assert update.silence_s < 0.1
                run.cancel()
        return ticks

    ticks = asyncio.run(watch())
    assert ticks[-1] - ticks[-2] < 0.2


def test_the_history_and_the_estimator_learn_from_completed_runs(here: Runner) -> None:
    before = here.history.fit(SWIFT, "stream", None).runs
    ended(here.start(ask(SWIFT), RunLabels(mode="stream")))
    assert here.history.fit(SWIFT, "stream", None).runs == before + 1


def test_pages_are_drawn_less_often_the_more_answers_are_under_way(far: Runner, wire: WireServer) -> None:
    wire.reply_with(*[silence] * 60)
    assert far.updates_per_s() == 15.0
    runs = [far.start(ask(QWEN), RunLabels(mode="stream")) for _ in range(60)]
    assert far.updates_per_s() == 10.0
    far.close()
    assert all(run.snapshot().ended for run in runs)
    assert far.updates_per_s() == 15.0
