"""An experiment from its first call to its last, on a scripted service over a real socket."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.experiment import Experiment
from app.experiment_plan import plan
from app.experiments import ExperimentBusy
from app.runner import BusyError, Runner
from app.services import make_services
from metrics.pricing import Price
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.errors import ConfigurationError, InvalidValueError, UnknownModelError
from tests.app.experiments import MODEL, answers, in_turn, ran, services_on, settings
from tests.patience import until
from tests.wire import WireServer, failure, silence, text_frames
from tests.wire import stream as streaming

THROTTLED = failure("429 Too Many Requests", "ThrottlingException", "Slow down")
DENIED = failure("403 Forbidden", "AccessDeniedException", "You may not")


def by_token(*, input_tokens: int, output_tokens: int, **_: Any) -> Price:
    return Price((input_tokens + output_tokens) * 0.01, "a test")


def test_every_call_is_a_row_in_the_planned_order(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers())
    experiment = ran(services_on(wire, run_log), settings(pairs=5, seed=7))
    update = experiment.snapshot()
    rows = run_log.of_experiment(experiment.id)
    assert (update.state, update.done, update.total, update.left_s) == ("done", 12, 12, None)
    assert [row.run_id for row in update.records] == [row.run_id for row in rows]
    wanted = plan(experiment.settings)
    assert [(row.mode, row.phase, row.order_in_pair or 0) for row in rows] == [
        (call.mode, call.phase, call.order) for call in wanted
    ]
    assert {row.seed for row in rows} == {7}
    assert {row.temperature for row in rows} == {0.0}
    pairs = [row.pair_id for row in rows if row.phase == "measure"]
    assert pairs[::2] == pairs[1::2]
    assert len(set(pairs)) == 5
    assert {row.pair_id for row in rows if row.phase == "warmup"} == {None}


def test_it_is_kept_with_its_settings_and_how_it_ended(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers())
    experiment = ran(services_on(wire, run_log), settings(pairs=1))
    stored = run_log.experiment(experiment.id)
    assert stored is not None
    assert stored.settings["state"] == "done"
    assert stored.settings["models"] == [MODEL]
    assert (stored.settings["calls_made"], stored.settings["calls_planned"]) == (4, 4)


def test_a_failed_call_is_not_tried_again_and_the_next_pairs_go_on(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(in_turn(answers(), answers(), THROTTLED, then=answers()))
    experiment = ran(services_on(wire, run_log), settings(pairs=3))
    assert len(wire.asked) == 8
    assert [record.status for record in experiment.snapshot().records] == ["completed"] * 2 + ["failed"] + [
        "completed"
    ] * 5
    assert experiment.snapshot().state == "done"


def test_a_model_that_cannot_answer_is_given_up(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(DENIED)
    update = ran(services_on(wire, run_log), settings(pairs=20)).snapshot()
    assert (update.state, update.done, update.total) == ("failed", 42, 42)
    assert len(wire.asked) == len(update.records) == 2
    assert "given up after 2 failed calls" in update.problem


def test_a_service_that_is_only_busy_is_asked_longer(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(THROTTLED)
    update = ran(services_on(wire, run_log), settings(pairs=20)).snapshot()
    assert (update.state, len(wire.asked)) == ("failed", 6)


def test_one_model_that_fails_does_not_stop_the_other(wire: WireServer, run_log: RunLog) -> None:
    def by_model(to: Any) -> None:
        (answers() if to.asked.model_id == MODEL else DENIED)(to)

    wire.reply_with(by_model)
    update = ran(services_on(wire, run_log), settings(models=(MODEL, "newvendor.other"), pairs=3)).snapshot()
    assert update.state == "done"
    assert len([record for record in update.records if record.request_model == MODEL]) == 8
    assert "newvendor.other was given up" in update.notices[0]


def test_stop_closes_the_call_and_keeps_what_is_done(wire: WireServer, run_log: RunLog) -> None:
    hang = streaming(text_frames("word "), silence)
    wire.reply_with(in_turn(*[answers()] * 4, then=hang))
    services = services_on(wire, run_log)
    experiment = Experiment(services, settings(pairs=10, seed=2))
    assert experiment.settings.pairs == 10
    services.experiments.begin(experiment)
    until(lambda: len(wire.asked) == 5)
    assert experiment.snapshot().left_s is not None
    experiment.cancel()
    experiment.join(5)
    update = experiment.snapshot()
    assert (update.state, update.done) == ("stopped", 5)
    assert [record.status for record in run_log.of_experiment(experiment.id)][-1] == "cancelled"
    until(lambda: bool(wire.left_at))


def test_a_stop_in_a_pause_ends_at_once(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers())
    services = services_on(wire, run_log)
    experiment = Experiment(services, settings(pause_s=30.0))
    services.experiments.begin(experiment)
    until(lambda: experiment.snapshot().done == 1)
    services.experiments.close(timeout_s=5)
    assert experiment.snapshot().state == "stopped"


def test_a_run_that_others_stopped_stops_the_experiment(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(streaming(text_frames("word "), silence))
    services = services_on(wire, run_log)
    experiment = Experiment(services, settings())
    services.experiments.begin(experiment)
    until(lambda: bool(wire.asked))
    services.runner.close()
    experiment.join(5)
    assert experiment.snapshot().state == "stopped"


def test_only_one_runs_at_a_time(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(silence)
    services = services_on(wire, run_log)
    first = Experiment(services, settings())
    services.experiments.begin(first)
    with pytest.raises(ExperimentBusy):
        services.experiments.begin(Experiment(services, settings()))
    assert services.experiments.current is first
    services.experiments.close()
    wire.reply_with(answers())
    second = ran(services, settings(pairs=1))
    assert services.experiments.current is second


class Threadless(Experiment):
    """One for which no thread is to be had."""

    def begin(self) -> None:
        raise BusyError("The experiment could not start.")


def test_one_that_cannot_start_does_not_stand_in_the_way(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers())
    services = services_on(wire, run_log)
    with pytest.raises(BusyError):
        services.experiments.begin(Threadless(services, settings()))
    assert services.experiments.current is None
    experiment = ran(services, settings(pairs=1))
    assert experiment.snapshot().state == "done"
    with pytest.raises(BusyError, match="Try again"):
        services.experiments.begin(experiment)  # a thread starts but once


class SlowLog:
    """A log that keeps an experiment only when it is allowed to."""

    def __init__(self, run_log: RunLog, allowed: threading.Event) -> None:
        self._run_log = run_log
        self._allowed = allowed

    def save_experiment(self, stored: Any) -> None:
        assert self._allowed.wait(10)
        self._run_log.save_experiment(stored)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run_log, name)


def test_a_slow_log_holds_up_nobody_who_begins_or_looks(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers())
    services, allowed = services_on(wire, run_log), threading.Event()
    slow: Any = SlowLog(run_log, allowed)
    experiment = Experiment(replace(services, run_log=slow), settings(pairs=1))
    services.experiments.begin(experiment)
    assert services.experiments.current is experiment
    assert experiment.snapshot().state == "running"
    assert wire.asked == [], "it is in the log before it costs anything"
    allowed.set()
    experiment.join(10)
    assert experiment.snapshot().state == "done"


def test_it_ends_early_when_the_interval_is_narrow(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers(first_s=0.01, gap_s=0.01, jitter_s=0.0))
    asked = settings(pairs=40, narrower_than=1.0)
    update = ran(services_on(wire, run_log), asked).snapshot()
    pairs = (len(update.records) - 2) // 2
    assert (update.state, len(update.records)) == ("done", 2 + 2 * pairs)
    assert pairs in (10, 20, 30), "it is looked at after every ten, and a busy machine may need more of them"
    assert f"Ended early, after {pairs} of 40 pairs" in update.notices[0]


def test_it_goes_on_while_the_interval_is_wide(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers(jitter_s=0.0))
    update = ran(services_on(wire, run_log), settings(pairs=12, narrower_than=0.0001)).snapshot()
    assert (update.state, len(update.records), update.notices) == ("done", 26, ())


class Expiring:
    """Backends whose credentials run out after some calls."""

    def __init__(self, backends: Backends, calls: int) -> None:
        self._backends = backends
        self._left = calls

    def provider_for(self, model_id: str, **more: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ConfigurationError("The credentials have run out. Sign in again.")
        return self._backends.provider_for(model_id, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backends, name)


def test_a_refusal_in_the_middle_is_said_and_keeps_what_is_done(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers())
    services = services_on(wire, run_log)
    expiring = replace(services, runner=Runner(Expiring(services.backends, 5), run_log))
    update = ran(expiring, settings(pairs=3)).snapshot()
    assert (update.state, len(update.records)) == ("failed", 5)
    assert update.problem == "The credentials have run out. Sign in again."


# --- the cap ----------------------------------------------------------------------------------------------------------


def test_the_cap_stops_before_the_pair_that_might_pass_it(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers())
    services = services_on(wire, run_log)
    asked = settings(pairs=50, warm_up=0, cost_cap_usd=2.0, nonce=False)
    experiment = ran(services, asked, pricing=by_token)
    update = experiment.snapshot()
    assert update.state == "capped"
    assert update.spend.usd == pytest.approx(0.12 * len(update.records))
    assert 0 < len(update.records) < 100
    most = experiment.most_usd
    assert most is not None
    assert 2.0 - 2 * most / 100 < (update.spend.usd or 0) <= 2.0
    assert "cost cap of $2" in update.notices[-1]


def test_a_cap_too_low_for_one_pair_says_so(wire: WireServer, run_log: RunLog) -> None:
    update = ran(services_on(wire, run_log), settings(cost_cap_usd=0.1), pricing=by_token).snapshot()
    assert (update.state, update.records, wire.asked) == ("capped", (), [])
    assert "too low for a single pair" in update.problem


def test_a_cap_without_a_price_is_refused(wire: WireServer, run_log: RunLog) -> None:
    with pytest.raises(InvalidValueError, match="No list price is known"):
        Experiment(services_on(wire, run_log), settings(cost_cap_usd=1.0))


# --- refused before anything is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"models": ("fragile",)}, UnknownModelError),
        ({"models": (MODEL, "fragile")}, UnknownModelError),
        ({"pairs": 0}, InvalidValueError),
        ({"temperature": 9.0}, InvalidValueError),
    ],
)
def test_what_cannot_be_asked_is_refused(
    values: dict[str, Any], error: type[Exception], wire: WireServer, run_log: RunLog
) -> None:
    with pytest.raises(error):
        Experiment(services_on(wire, run_log), settings(**values))
    assert wire.asked == []
    assert run_log.experiments() == []


def test_a_model_on_aws_without_an_account_is_refused(run_log: RunLog) -> None:
    with pytest.raises(ConfigurationError):
        Experiment(make_services(Backends("local"), run_log), settings(models=("us.amazon.nova-micro-v1:0",)))


# --- watching ---------------------------------------------------------------------------------------------------------


def test_watchers_see_it_to_its_end(wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(answers())
    services = services_on(wire, run_log)
    experiment = Experiment(services, settings(pairs=2))
    services.experiments.begin(experiment)
    seen = list(experiment)
    assert [update.done for update in seen] == sorted(update.done for update in seen)
    assert seen[-1].state == "done"

    async def last() -> Any:
        return [update async for update in experiment.updates()][-1]

    assert asyncio.run(last()).done == 6


def test_a_log_that_cannot_be_written_loses_no_figures(wire: WireServer, run_log: RunLog, tmp_path: Path) -> None:
    wire.reply_with(answers())
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        database.execute("DROP TABLE runs")
        database.execute("DROP TABLE experiments")
    update = ran(services_on(wire, run_log), settings(pairs=1)).snapshot()
    assert (update.state, len(update.records)) == ("done", 4)
    assert "not in the run log" in update.notices[0]
    assert "missing in the run log" in update.notices[1]
