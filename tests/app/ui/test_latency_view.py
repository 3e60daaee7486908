"""What tab Latency draws while an experiment runs, and of its result."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.experiment_cost import Spend
from app.experiment_plan import PlannedCall
from app.experiment_update import ExperimentUpdate
from app.ui import latency_view
from app.ui.latency_result import Outcome, verdict_html
from tests.app.experiments import MODEL, paired_runs, settings

HOSTILE = '<script>alert("x")</script>'


def an_update(**values: Any) -> ExperimentUpdate:
    defaults: dict[str, Any] = {
        "id": "e1",
        "settings": settings(pairs=20),
        "state": "running",
        "started_at": "2026-11-22T10:00:00.000000Z",
        "done": 14,
        "total": 42,
        "elapsed_s": 61.0,
        "left_s": 118.0,
        "now": PlannedCall(number=15, model_id=MODEL, prompt="Why?", mode="stream", phase="measure", pair=6, order=1),
        "records": (),
        "spend": Spend(usd=0.0021),
    }
    return ExperimentUpdate(**(defaults | values))


def words(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html)


def label(model_id: str) -> str:
    return {MODEL: "Measured"}.get(model_id, model_id)


def test_progress_says_how_far_and_how_long() -> None:
    html = latency_view.progress(an_update())
    told = "14 of 42 calls · pair 6 of 20, streamed call · about 2 min left · $0.0021 spent"
    assert f'<p class="words">{told}</p>' in html
    assert 'aria-valuenow="14"' in html
    assert "width:33.3%" in html


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"left_s": None}, "estimating the time left"),
        ({"left_s": 4.4}, "about 4 s left"),
        ({"now": None}, "starting"),
        ({"spend": Spend(usd=None)}, "cost –"),
        ({"spend": Spend(usd=0.5, possibly_billed_usd=0.1)}, "$0.50 spent, of which $0.10 possibly billed"),
        ({"state": "stopped", "now": None}, "Stopped: 14 of 42 calls in 1:01"),
        ({"state": "capped", "now": None}, "Stopped at the cost cap"),
    ],
)
def test_progress_in_other_states(values: dict[str, Any], told: str) -> None:
    assert told in latency_view.progress(an_update(**values))


def test_a_listener_hears_the_state_and_not_each_call() -> None:
    said = re.compile(r'role="status">([^<]*)<')
    heard = {said.findall(latency_view.progress(an_update(done=done)))[0] for done in range(42)}
    assert heard == {"Experiment running."}


def test_each_pair_is_a_row_with_what_was_left_out() -> None:
    runs = paired_runs(3)
    runs[2:4] = paired_runs(2, status="failed", error_message=HOSTILE)[2:4]
    html = latency_view.pair_rows(runs, label)
    assert html.count("<tr data-void") == 3
    assert html.count('<tr data-void="true">') == 1
    assert "left out: failed" in html
    assert "3.011 1.012 3.012 1.999" in re.sub(r"\s+", " ", words(html))
    assert ">Why?</td>" in html
    assert "[0123456789ab]" not in html
    assert "<script" not in html


def test_while_it_runs_the_newest_pairs_come_first() -> None:
    html = latency_view.pair_rows(paired_runs(30), label, live=True)
    assert html.count("<tr data-void") == latency_view.LIVE_ROWS
    assert html.index(">30</td>") < html.index(">29</td>")
    assert f"The last {latency_view.LIVE_ROWS} of 30 pairs" in html
    assert latency_view.pair_rows((), label) == ""


def test_the_pair_under_way_is_no_row_yet() -> None:
    runs = paired_runs(3)[:5]
    assert latency_view.pair_rows(runs, label, live=True).count("<tr data-void") == 2
    assert "left out: partner missing" in latency_view.pair_rows(runs, label)


# --- the result -------------------------------------------------------------------------------------------------------


def an_outcome(runs: Any, **values: Any) -> Outcome:
    told = settings(pairs=20, seed=7).to_json() | {"state": "done", "client": {"boto3": "1.44.5"}, "spent_usd": 0.01}
    return Outcome(settings=told | values, records=runs, more=("Starts within 1 s: met.",))


def test_the_verdict_comes_first_and_then_what_it_rests_on() -> None:
    runs = [*paired_runs(1, phase="warmup", pair_id=None), *paired_runs(9)]
    told = words(verdict_html(an_outcome(runs), label)).replace("\u00a0", " ")
    assert told.strip().startswith("First text 2.00 s sooner with streaming, 95 % interval")
    assert "n = 9." in told
    for fact in ("AWS us-west-2", "9 counted, 0 left out", "2 calls, not counted", "seed 7", "boto3 1.44.5", "$0.0100"):
        assert fact in told
    assert "Starts within 1 s: met." in told
    assert "p90 from 50 pairs on" in told


def test_few_pairs_claim_nothing() -> None:
    told = words(verdict_html(an_outcome(paired_runs(3)), label))
    assert "not enough runs to tell" in told
    assert "sooner with streaming, 95" not in told


def test_several_models_have_a_verdict_each() -> None:
    runs = [*paired_runs(8), *paired_runs(8, model="simulated.swift", simulated=False)]
    html = verdict_html(an_outcome(runs, models=[MODEL, "simulated.swift"]), label)
    assert html.count('class="lead"') == 2
    assert "<h3>Measured</h3>" in html
    assert '<summary>Numbers of Measured</summary><div><div class="grid"' in html
    assert html.count("<details") == 2
    assert "<details" not in verdict_html(an_outcome(paired_runs(8)), label)
    swapped = verdict_html(an_outcome(runs, models=["simulated.swift", MODEL]), label)
    assert html.index("<h3>Measured") < html.index("<h3>simulated.swift")
    assert swapped.index("<h3>Measured") > swapped.index("<h3>simulated.swift")


def test_what_runs_on_this_machine_costs_nothing_and_says_so() -> None:
    told = words(verdict_html(an_outcome(paired_runs(8, backend="local"), spent_usd=0.0), label))
    assert "no cost: this machine" in told
    assert "no cost" not in words(verdict_html(an_outcome(paired_runs(8)), label))


def test_simulated_is_said_at_the_verdict() -> None:
    assert '<span class="badge">simulated</span>' in verdict_html(an_outcome(paired_runs(8, simulated=True)), label)


def test_nothing_measured_is_said() -> None:
    assert "Nothing was measured." in verdict_html(an_outcome([], state="failed"), label)


def test_hostile_text_is_escaped_everywhere() -> None:
    told = {"notices": [HOSTILE], "models": [HOSTILE], "conditions": HOSTILE, "client": {HOSTILE: HOSTILE}}
    outcome = an_outcome(paired_runs(2), **told)
    assert "<script" not in verdict_html(outcome, lambda _: HOSTILE)
    assert "<script" not in latency_view.problem(HOSTILE, HOSTILE)
    assert "<script" not in latency_view.pair_rows(paired_runs(1, prompt=HOSTILE), lambda _: HOSTILE)
