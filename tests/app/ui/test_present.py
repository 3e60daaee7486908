"""Words and figures: dashes for what is missing, ≈ for estimates, units that fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.ui import present
from metrics.progress import ProgressEstimate
from metrics.token_rate import RateStatus
from providers.places import BackendStatus
from providers.types import RetryScheduled
from tests.app.ui.make import a_complete_update, a_live_update, a_record, an_update


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (0.0, "0 ms"),
        (0.0004, "0 ms"),
        (0.4124, "412 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (7.405, "7.41 s"),
        (-0.2, "-200 ms"),
        (123.456, "123.46 s"),
    ],
)
def test_times_are_ms_below_a_second(value: float | None, said: str) -> None:
    assert present.seconds(value) == said


@pytest.mark.parametrize(("value", "said"), [(0.0, "0.0 s"), (3.24, "3.2 s"), (59.9, "59.9 s"), (64.2, "1:04")])
def test_a_running_clock_has_few_digits(value: float, said: str) -> None:
    assert present.clock(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0, "$0"), (0.00001, "< $0.0001"), (0.0031, "$0.0031"), (0.25, "$0.25"), (12.5, "$12.50")],
)
def test_money(value: float | None, said: str) -> None:
    assert present.money(value) == said


@pytest.mark.parametrize(("value", "said"), [(None, "– tok/s"), (3.14, "3.1 tok/s"), (61.7, "62 tok/s")])
def test_rates(value: float | None, said: str) -> None:
    assert present.rate(value) == said


def test_estimates_are_marked() -> None:
    assert present.rate(61.7, estimated=True) == "≈ 62 tok/s"
    assert present.count(1204, estimated=True) == "≈ 1,204"
    assert present.count(None, estimated=True) == "–"


def texts(*updates: object) -> list[str]:
    return [figure.text for update in updates for figure in present.figures(update)]  # type: ignore[arg-type]


def test_the_figures_of_a_streamed_answer() -> None:
    assert texts(an_update(record=a_record(cost_usd=0.0031, price_source="a table"))) == [
        "first text 412 ms",
        "62 tok/s",
        "412 tokens",
        "7.40 s total",
        "$0.0031",
    ]


def test_a_complete_answer_has_its_first_text_with_its_last() -> None:
    assert texts(a_complete_update())[:2] == ["first text 7.40 s, all at once", "56 tok/s overall"]


def test_what_is_missing_is_a_dash_and_never_zero() -> None:
    record = a_record(decode_tokens_per_s=None, duration_s=None, status="failed")
    said = texts(an_update(state="failed", text="", first_text_s=None, tokens=None, record=record))
    assert said == ["first text –", "– tok/s", "– tokens", "– total", "cost –"]
    assert not any("0" in text for text in said)


def test_estimated_tokens_mark_rate_and_count() -> None:
    said = texts(an_update(tokens_reported=False))
    assert said[1] == "≈ 62 tok/s"
    assert said[2] == "≈ 412 tokens"


def test_while_it_flows_only_what_is_known_is_told() -> None:
    assert texts(a_live_update(tokens=30)) == ["first text 412 ms", "≈ 30 tokens"]


def test_badges_tell_what_to_know_before_comparing() -> None:
    flagged = an_update(simulated=True, record=a_record(flags=("truncated", "buffered_stream", "retried", "cold")))
    assert present.badges(flagged) == (
        "simulated",
        "limit reached",
        "not really streamed: it came in one burst",
        "tried again",
        "first call",
    )
    assert present.badges(an_update(state="stopped")) == ("stopped",)
    assert present.badges(an_update(state="failed")) == ("cut off",)
    assert present.badges(an_update()) == ()


def test_an_answer_that_broke_off_says_so_however_it_ended() -> None:
    record = a_record(flags=("retried",))
    assert present.badges(an_update(record=record, resumed=True)) == ("broke off, continued",)
    assert present.badges(an_update(record=record, resets=1)) == ("broke off, begun again",)
    assert present.badges(an_update(record=record)) == ("tried again",)


def test_a_model_of_this_machine_costs_nothing() -> None:
    assert texts(an_update(record=a_record(backend="local")))[-1] == "no cost: this machine"
    assert texts(an_update(record=a_record(backend="aws")))[-1] == "cost –"


def test_the_status_line_has_six_words() -> None:
    assert set(present.MAIN_STATES.values()) == {"waiting", "streaming", "stalled", "done", "stopped", "failed"}


def test_details_of_the_status() -> None:
    retry = RetryScheduled(attempt=2, of=3, wait_s=0.5, reason="too many requests", error_type="ThrottledError")
    assert present.status_detail(a_live_update(state="retrying", retry=retry)) == "attempt 2 of 3: too many requests"
    advised = replace(retry, reason="It failed on this request: gone. Try again, or change the prompt.")
    said = present.status_detail(a_live_update(state="retrying", retry=advised))
    assert said == "attempt 2 of 3: It failed on this request: gone."
    assert present.status_detail(a_live_update(state="stalled", silence_s=4.2)) == "nothing came for 4 s"
    assert present.status_detail(a_live_update(state="thinking")) == "the model is thinking"
    assert present.status_detail(a_live_update(state="waiting")) == "for the first text"
    assert present.status_detail(a_live_update(state="waiting", mode="sync")) == "for the whole answer"
    assert present.status_detail(an_update()) == ""


def status(now: float | None, average: float | None = None) -> RateStatus:
    return RateStatus(
        tokens=50,
        elapsed_s=4,
        silence_s=0.1,
        overall_per_s=now or 12,
        average_per_s=average,
        instantaneous_per_s=now,
        expected_per_s=10,
    )


def test_the_live_rate_stands_beside_its_average() -> None:
    assert present.live_rate(None) == ""
    assert present.live_rate(status(None)) == "– tok/s"
    assert present.live_rate(status(61.7, 58.2)) == "≈ 62 tok/s · average 58"
    assert present.live_rate(status(3.1, 4.25)) == "≈ 3.1 tok/s · average 4.2"


def test_a_slow_answer_is_said_to_be_slow() -> None:
    assert present.pace(status(1.0)) == "Response speed is slow: about 1.0 tokens/s"
    assert present.pace(status(60.0)) == ""
    assert present.pace(None) == ""


def estimate(low: float, high: float, *, soon: float | None = None, late: float | None = None) -> ProgressEstimate:
    return ProgressEstimate(phase="normal", fraction=low, low=low, high=high, eta_low_s=soon, eta_high_s=late)


def test_progress_is_a_range_in_fives() -> None:
    assert present.progress_range(None) == ""
    assert present.progress_range(ProgressEstimate(phase="estimating")) == ""
    assert present.progress_range(estimate(0.41, 0.68)) == "about 40–70 %"
    assert present.progress_range(estimate(0.5, 0.51)) == "about 50 %"
    assert present.progress_range(estimate(0.001, 0.999)) == "about 5–95 %"
    long = ProgressEstimate(phase="longer than usual", fraction=0.9, low=0.8, high=0.95)
    assert present.progress_range(long) == "longer than usual"


@pytest.mark.parametrize(
    ("soon", "late", "said"),
    [
        (None, None, ""),
        (4.2, 9.4, "4–9 s left"),
        (0.2, 7.0, "up to 7 s left"),
        (3.9, 4.1, "about 4 s left"),
        (0.1, 0.3, "about 1 s left"),
        (50.0, 200.0, "1–4 min left"),
    ],
)
def test_time_left_is_a_range(soon: float | None, late: float | None, said: str) -> None:
    assert present.time_left(estimate(0.4, 0.7, soon=soon, late=late)) == said


def test_saving_compares_the_first_texts() -> None:
    complete = a_complete_update()
    assert present.saving(complete, an_update()) == "First text 6.99 s sooner with streaming"
    assert present.saving(complete, an_update(first_text_s=8.4)) == "First text 1.00 s later with streaming, this time"
    assert present.saving(complete, an_update(first_text_s=7.41)) == "First text at the same moment, streamed or not"


def test_nothing_is_saved_where_a_half_is_missing() -> None:
    assert present.saving(None, an_update()) == ""
    assert present.saving(a_complete_update(), None) == ""
    assert present.saving(a_complete_update(), an_update(first_text_s=None)) == ""
    assert present.saving(a_complete_update(state="failed"), an_update()) == ""


def test_answers_of_unlike_length_are_pointed_out() -> None:
    assert present.lengths_differ(a_complete_update(tokens=100), an_update(tokens=129)) == ""
    said = present.lengths_differ(a_complete_update(tokens=100), an_update(tokens=400))
    assert said.startswith("The answers differ in length (100 and 400 tokens)")


def test_the_backend_line() -> None:
    here = BackendStatus(backend="local", reason="no AWS credentials found")
    assert present.backend_line(here, "SmolLM2 135M") == "On this machine: SmolLM2 135M, no AWS credentials found"
    profile = BackendStatus(backend="aws", reason="credentials from x", region="us-west-2", profile="dev")
    assert present.backend_line(profile, "m") == "AWS us-west-2 · profile dev"
    endpoint = BackendStatus(
        backend="aws", reason="endpoint set by hand", region="eu-west-1", endpoint_url="http://u:p@127.0.0.1:8100/x"
    )
    assert present.backend_line(endpoint, "m") == "AWS eu-west-1 · endpoint 127.0.0.1:8100"
    plain = BackendStatus(backend="aws", reason="credentials from the environment", region="us-west-2")
    assert present.backend_line(plain, "m") == "AWS us-west-2 · credentials from the environment"


def test_announcements_are_whole_sentences() -> None:
    assert present.announcement(an_update()) == "Answer complete, 412 tokens, 7.4 seconds."
    assert present.announcement(a_live_update()) == "The first text has arrived."
    assert present.announcement(a_live_update(state="waiting")) == "Waiting for the answer."
    assert present.announcement(an_update(state="stopped")).startswith("Answer stopped.")


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://a.example/x.png", "a.example"), ("/x", "unknown host"), ("http://[bad", "unknown host")],
)
def test_hosts(url: str, host: str) -> None:
    assert present.not_loaded(url) == f"[image not loaded: {host}]"
