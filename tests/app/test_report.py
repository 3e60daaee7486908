"""A report is one file: verdict first, everything in it, and nothing that must stay at home."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import re
from dataclasses import replace

import pytest

from app.report import comparison_report, experiment_report, report_html
from app.report_tables import names_of
from app.ui.replay import BLOCK
from metrics.comparison import verdict_of
from tests.app.reported import ACCOUNT, KEY, SETTINGS, TEXT, a_comparison, a_streamed, an_experiment
from tests.app.ui.make import a_record


@functools.cache
def experiment(*, texts: bool = True) -> str:
    return experiment_report(an_experiment(), SETTINGS, texts=texts)


@functools.cache
def comparison(*, texts: bool = True) -> str:
    return comparison_report(a_comparison(), texts=texts)


@pytest.fixture(params=[(experiment, True), (experiment, False), (comparison, True), (comparison, False)])
def report(request: pytest.FixtureRequest) -> str:
    make, texts = request.param
    made: str = make(texts=texts)
    return made


def words_of(report: str) -> str:
    """What is to be read, without style, script and tags."""
    body = re.sub(r"<(style|script)\b.*?</\1>", "", report, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", body)).replace("\u00a0", " ")


def test_nothing_that_must_stay_at_home_is_in_it(report: str) -> None:
    assert not re.search(r"(?<!\d)\d{12}(?!\d)", report)
    assert ACCOUNT not in report
    assert KEY not in report
    assert "jordan" not in report
    assert "word@" not in report


def test_the_browser_may_ask_nobody_and_run_nothing_else(report: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', report)
    assert policy is not None
    script = re.findall(r"<script>(.*?)</script>", report, flags=re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert "default-src 'none'" in policy[1]
    assert f"script-src 'sha256-{digest}'" in policy[1]
    assert not re.search(r'(?:src|href)="(?!#)', report)
    assert "@import" not in report
    assert "url(" not in re.sub(r"url\(#", "", report)


def test_the_verdict_comes_first() -> None:
    told = words_of(experiment())
    sentence = verdict_of(an_experiment()).sentence.split(",")[0]
    assert "First text 0.9" in sentence
    assert told.index(sentence) < told.index("Medians and differences") < told.index("What was asked")


def test_it_says_what_was_measured() -> None:
    told = words_of(experiment())
    for fact in ("seed 7", "boto3 1.44.5", "1 call, not counted", "single user, closed loop", "2026-11-22 10:00:00"):
        assert fact in told
    assert experiment().count('<svg class="chart"') == 3
    assert told.count("warm-up") >= 1
    assert "21 runs" in told


def test_texts_are_left_out_on_request() -> None:
    for with_texts, without in ((experiment(), experiment(texts=False)), (comparison(), comparison(texts=False))):
        assert "Sleep is a habit" in with_texts
        assert "How do I sleep better?" in with_texts
        assert "habit" not in without
        assert "sleep better" not in without
        assert BLOCK * 5 in without
    assert "Be kind to &lt;b&gt;everybody&lt;/b&gt;." in experiment()
    assert "Be kind" not in experiment(texts=False)


def test_the_replay_is_the_run_in_the_middle() -> None:
    rows = [row for row in an_experiment() if row.mode == "stream"]
    middle = sorted(row.time_to_visible_s or 0 for row in rows)[4]
    assert f"First text after {middle * 1000:.0f} ms" in experiment()
    assert experiment().count("data-replay=") == 1


def test_several_models_have_a_verdict_plots_and_a_replay_each() -> None:
    others = [
        replace(
            row, request_model="simulated.swift", simulated=True, run_id=f"x{row.run_id}", pair_id=f"x{row.pair_id}"
        )
        for row in an_experiment()
    ]
    report = experiment_report([*an_experiment(), *others], SETTINGS)
    assert report.count('<svg class="chart"') == 6
    assert report.count("data-replay=") == 2
    assert '<span class="badge">simulated</span>' in report
    assert "simulated.swift: First text within" in report


def test_what_is_simulated_says_so() -> None:
    report = experiment_report(an_experiment(simulated=True, request_model="simulated.swift"), SETTINGS)
    assert '<p class="lead"><span class="badge">simulated</span>' in report
    assert '<span class="replay-mark">simulated</span>' in report


def test_without_chunks_there_is_no_replay_but_a_report() -> None:
    report = experiment_report([replace(row, chunks=None) for row in an_experiment()], SETTINGS)
    assert "the times of the chunks were not read" in report
    assert "data-replay=" not in report


def test_without_a_pair_it_says_so() -> None:
    for rows in ([], an_experiment(0)):
        told = words_of(experiment_report(rows, SETTINGS))
        assert "Nothing was measured" in told
        assert "no pair counts" in told


def test_a_comparison_says_who_was_first_and_what_to_be_careful_about() -> None:
    told = words_of(comparison())
    lead = told[told.index("Verdict") :]
    assert "(its own temperature): first text soonest, 400 ms and done first, 1.30 s." in lead
    assert "One answer each: this is what happened, no forecast." in lead
    assert "they are never the best" in lead
    assert "cut off" in told
    assert "400 ms · best" in told
    assert "200 ms · best" not in told  # simulated
    assert "tok/s · best" not in told  # all alike
    assert comparison().count("data-replay=") == 4


def test_answers_of_a_comparison_share_their_axes_and_play_at_once() -> None:
    rows = [a_streamed("1", request_model="a"), a_streamed("2", request_model="b", stall_s=8.0)]
    report = comparison_report(rows)
    drawings = re.findall(r'<svg class="chart".*?</svg>', report)
    ends = [re.findall(r'<text style="[^"]*middle[^"]*" x="([\d.]+)"[^>]*>([\d.]+)</text>', one) for one in drawings]
    assert len(ends) == 2
    assert ends[0] == ends[1] != []
    assert "Play all" in words_of(report)
    assert "Play all" not in words_of(comparison_report(rows[:1]))


def test_two_may_be_first_each_in_its_own_way() -> None:
    rows = [a_streamed("1", first_s=0.2, duration_s=9.0, request_model="a"), a_streamed("2", request_model="b")]
    assert "a: first text soonest, 200 ms; b: done first, 1.30 s." in comparison_report(rows)
    same = [replace(row, time_to_visible_s=0.2, duration_s=9.0) for row in rows]
    close = [replace(rows[0], duration_s=1.3, time_to_visible_s=0.4), replace(rows[1], time_to_visible_s=0.405)]
    for alike in (same, close):
        assert "No answer was clearly sooner than the others." in comparison_report(alike)


def test_a_comparison_of_nothing_is_told_as_such() -> None:
    assert "Nothing was asked" in comparison_report([])
    assert "There are not two whole answers to compare" in comparison_report([a_streamed("1")])


def test_runs_of_one_model_are_told_apart() -> None:
    rows = [a_record(mode="sync"), a_record(), a_record(request_model="b")]
    assert names_of(rows) == ["us.amazon.nova-micro-v1:0 (complete)", "us.amazon.nova-micro-v1:0 (streamed)", "b"]
    assert names_of([a_record(), a_record()]) == [f"us.amazon.nova-micro-v1:0 (pane {k})" for k in (1, 2)]


def test_panes_that_shared_this_machine_are_a_caution() -> None:
    here = [a_streamed(str(n), backend="local", order_in_pair=None) for n in range(2)]
    assert "took each other&#x27;s processor" in comparison_report(here)
    assert "processor" not in comparison_report([replace(row, order_in_pair=n) for n, row in enumerate(here)])


def test_markup_in_anything_is_inert() -> None:
    evil = '</script><img src=x onerror="alert(1)">'
    rows = [
        replace(row, request_model=evil, prompt=evil, response=evil + TEXT, error_message=evil)
        for row in a_comparison()
    ]
    for report in (
        comparison_report(rows),
        experiment_report(
            [replace(row, request_model=evil) for row in an_experiment()], SETTINGS | {"notices": [evil]}
        ),
        report_html(evil, (evil, "")),
    ):
        assert "<img" not in report
        assert report.count("</script>") == 1


def test_the_same_runs_make_the_same_report() -> None:
    assert experiment_report(an_experiment(), SETTINGS) == experiment()
