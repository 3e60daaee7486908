"""The table below the panes: the same figures as above, the best of them marked, and what to be careful about."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from app.comparisons import PaneSettings, Standing
from app.live import RunFailure, RunUpdate
from app.ui.compare_table import COLUMNS, best_of, cautions_of, summary
from metrics.votes import Preference
from tests.app.ui.make import a_live_update, a_record, an_update
from tests.app.ui.test_compare_view import labels, standing

FIRST, RATE, TOKENS, TOTAL, SILENCE, COST = range(6)


def answer(visible_s: float, total_s: float, rate: float | None = 60.0, **values: Any) -> RunUpdate:
    record_values = values.pop("record", {})
    record = a_record(
        time_to_visible_s=visible_s,
        time_to_first_visible_s=visible_s,
        duration_s=total_s,
        decode_tokens_per_s=rate,
        **record_values,
    )
    return an_update(first_text_s=visible_s, record=record, **values)


def local(update: RunUpdate) -> RunUpdate:
    assert update.record is not None
    return replace(update, record=replace(update.record, backend="local"))


def test_the_best_of_each_column_is_marked_with_a_word() -> None:
    quick, slow = answer(0.2, 9.0, 30.0), answer(1.5, 5.0, 80.0)
    html = summary(standing(quick, slow), labels)
    rows = re.findall(r"<tr data-state.*?</tr>", html)
    assert "200 ms <b>best</b>" in rows[0]
    assert "80 tok/s <b>best</b>" in rows[1]
    assert "5.00 s <b>best</b>" in rows[1]
    assert html.count("<b>best</b>") == 3


def test_a_difference_that_may_be_chance_has_no_best() -> None:
    assert best_of((answer(0.100, 5), answer(0.108, 5)), COLUMNS[FIRST]) is None
    assert best_of((answer(0.4, 5.0), answer(0.5, 5.2)), COLUMNS[TOTAL]) is None
    assert best_of((answer(0.4, 5, 60), answer(0.5, 5, 58)), COLUMNS[RATE]) is None
    assert best_of((answer(0.4, 5), answer(0.5, 5)), COLUMNS[FIRST]) == 0
    assert best_of((answer(0.4, 5),), COLUMNS[FIRST]) is None


def test_only_whole_answers_can_be_best() -> None:
    stopped = answer(0.1, 1.0, state="stopped")
    failed = an_update(state="failed", failure=RunFailure(sentence="No.", type="X"), record=None, run_id="")
    assert best_of((stopped, answer(0.4, 5), answer(0.9, 6), failed, None), COLUMNS[FIRST]) == 1


def simulated(visible_s: float, total_s: float) -> RunUpdate:
    return answer(visible_s, total_s, simulated=True, record={"simulated": True, "backend": "local"})


def test_simulated_models_are_never_the_best_beside_a_real_one() -> None:
    answers = (simulated(0.1, 1), answer(0.4, 5), answer(0.9, 6), simulated(0.2, 2))
    assert best_of(answers, COLUMNS[FIRST]) == 1
    assert best_of(answers[:2], COLUMNS[FIRST]) is None
    assert best_of((answers[0], answers[3]), COLUMNS[FIRST]) == 0
    assert any("Simulated models" in words for words in cautions_of(standing(*answers)))


def test_the_rate_of_a_complete_answer_is_no_match_for_that_of_a_stream() -> None:
    complete = answer(5, 5, 900.0, mode="sync", record={"mode": "sync"})
    assert best_of((complete, answer(0.4, 5, 60), answer(0.4, 5, 30)), COLUMNS[RATE]) == 1


def test_failed_panes_are_rows_too() -> None:
    failure = RunFailure(sentence="Denied.", type="AccessDeniedError")
    refused = an_update(state="failed", failure=failure, record=None, run_id="", text="", tokens=None)
    broken = answer(0.4, 5, None, state="failed", failure=failure, record={"status": "failed"})
    html = summary(standing(refused, broken, answer(0.4, 6)), labels)
    rows = re.findall(r"<tr data-state.*?</tr>", html)
    assert "<td>not sent</td>" in rows[0]
    assert "AccessDeniedError" in rows[0]
    assert "<td>failed</td>" in rows[1]
    assert rows[0].count("–") == len(COLUMNS)


def test_an_answer_that_broke_off_is_told_as_what_it_is() -> None:
    cut = answer(0.4, 5, None, state="failed", record={"status": "interrupted"})
    went_on = answer(0.4, 5, resumed=True, record={"flags": ("retried",)})
    rows = re.findall(r"<tr data-state.*?</tr>", summary(standing(cut, went_on), labels))
    assert "<td>cut off</td>" in rows[0]
    assert "<td>done</td>" in rows[1]
    assert "broke off, continued" in rows[1]


def test_what_a_model_of_this_machine_costs_is_told() -> None:
    html = summary(standing(local(answer(0.2, 1)), answer(0.3, 2)), labels)
    assert html.count("<td>no cost: this machine</td>") == 1
    assert html.count("<td>–</td>") >= 1


def test_where_it_ran_is_told() -> None:
    html = summary(standing(answer(0.2, 1, record={"region": "eu-west-1"}), local(answer(0.3, 2))), labels)
    assert "AWS eu-west-1" in html
    assert "this machine" in html


def test_what_differs_stands_at_the_name() -> None:
    panes = (PaneSettings(model="m", temperature=0.7), PaneSettings(model="m", temperature=0.2))
    assert "temperature 0.2" in summary(standing(answer(0.2, 1), answer(0.3, 2), panes=panes), labels)


def test_panes_that_shared_the_one_model_are_told_to_go_one_after_another() -> None:
    both = local(answer(0.2, 1)), local(answer(0.3, 2))
    assert any("one after another" in words for words in cautions_of(standing(*both)))
    assert not any("one after another" in words for words in cautions_of(standing(*both, in_turn=True)))
    assert not any("one after another" in words for words in cautions_of(standing(both[0], answer(0.3, 2))))


def test_lengths_that_differ_are_told() -> None:
    short, long = (answer(0.2, 1, record={"output_tokens": tokens}) for tokens in (100, 131))
    assert any("100 to 131 tokens" in words for words in cautions_of(standing(short, long)))
    assert not cautions_of(standing(short, answer(0.3, 2, record={"output_tokens": 129})))


def test_one_cold_start_among_warm_ones_is_told() -> None:
    cold = answer(0.2, 1, record={"flags": ("cold",)})
    assert any("first call" in words for words in cautions_of(standing(cold, answer(0.3, 2))))
    assert not any("first call" in words for words in cautions_of(standing(cold, cold)))


def test_a_pane_that_was_asked_again_is_told() -> None:
    html = summary(standing(answer(0.2, 1), answer(0.3, 2), again=frozenset({1})), labels)
    assert html.count("asked again, alone") == 1


def test_a_blind_race_only_asks_which_is_best() -> None:
    silent = answer(0.2, 1, state="stopped", text="")
    html = summary(standing(answer(0.2, 1), silent, answer(0.3, 2), blind=True), labels)
    assert re.findall(r'data-choice="(\w+)"', html) == ["0", "2", "tie"]
    assert "Label of" not in html
    assert "<table" not in html


def test_after_the_vote_the_names_are_told_and_what_people_prefer() -> None:
    voted = standing(answer(0.2, 1), answer(0.3, 2), blind=True, choice=1)
    html = summary(voted, labels, Preference(faster=7, votes=10, ties=2))
    assert "You preferred B: Label of us.amazon.nova-micro-v1:0." in html
    assert "The faster one was preferred 7 of 10 (2 ties apart)." in html
    assert '<th scope="row">2 B · Label of' in html
    tie = summary(standing(answer(0.2, 1), blind=True, choice="tie"), labels, Preference(faster=0, votes=0, ties=1))
    assert "You called it a tie." in tie
    assert "preferred 0" not in tie


def test_while_answers_come_there_is_no_table_and_before_them_a_sample() -> None:
    assert summary(standing(a_live_update(), open=True), labels) == ""
    assert 'data-act="compare-sample"' in summary(Standing(), labels)
