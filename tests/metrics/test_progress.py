"""The plain share of the limit, and the estimator on answers whose true length is known."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import estimate_completion_progress
from metrics.progress import (
    FINISHED,
    LengthFit,
    LengthHistory,
    ProgressEstimate,
    ProgressEstimator,
    fit_lengths,
)

# --- the plain share --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "max_tokens", "expected"),
    [
        ("", 100, 0.0),
        ("one two three four five", 13, 0.5),
        ("word " * 10, 130, 0.1),
        ("word " * 1000, 100, 1.0),
        ("word", 0, 0.0),
        ("word", -5, 0.0),
        ("   \n ", 100, 0.0),
    ],
)
def test_plain_share_of_the_limit(response: str, max_tokens: int, expected: float) -> None:
    assert estimate_completion_progress("Why?", response, max_tokens) == pytest.approx(expected)


def test_plain_share_survives_missing_values() -> None:
    assert estimate_completion_progress(None, None, None) == 0.0  # type: ignore[arg-type]
    assert estimate_completion_progress("", "a b", None) == 0.0  # type: ignore[arg-type]


@given(st.text(), st.text(), st.integers())
def test_plain_share_is_a_fraction(prompt: str, response: str, max_tokens: int) -> None:
    assert 0.0 <= estimate_completion_progress(prompt, response, max_tokens) <= 1.0


# --- what is learned from lengths -------------------------------------------------------------------------------------


def history_of(lengths: list[int], *, capped: bool = False) -> LengthHistory:
    history = LengthHistory()
    for chars in lengths:
        history.add("model", "stream", None, chars, capped=capped)
    return history


def test_without_history_the_prior_speaks() -> None:
    fit = LengthHistory().fit("model", "stream", None)
    assert fit == LengthFit()
    assert fit.quantile(0.5) == pytest.approx(1300)


def test_history_moves_the_median_towards_what_was_seen() -> None:
    medians = [history_of([200] * n).fit("model", "stream", None).quantile(0.5) for n in (0, 5, 20, 100)]
    assert medians == sorted(medians, reverse=True)
    assert medians[-1] == pytest.approx(200, rel=0.15)


def test_narrow_keys_speak_once_they_have_enough_runs() -> None:
    history = LengthHistory()
    for _ in range(50):
        history.add("chatty", "stream", None, 4000)
    for _ in range(4):
        history.add("chatty", "stream", "Be brief.", 100)
    assert history.fit("chatty", "stream", "Be brief.").runs == 54
    history.add("chatty", "stream", "Be brief.", 100)
    assert history.fit("chatty", "stream", "Be brief.").runs == 5
    assert history.fit("chatty", "sync", None).runs == 55
    assert history.fit("unknown", "stream", None).runs == 55
    assert history.fit("chatty", "stream", None).quantile(0.5) > 2 * history.fit(
        "chatty", "stream", "Be brief."
    ).quantile(0.5)


def test_only_the_latest_runs_count() -> None:
    history = history_of([100] * 500 + [5000] * 200)
    assert history.fit("model", "stream", None).quantile(0.5) > 4000


def test_answers_cut_by_their_limit_count_as_longer() -> None:
    whole = history_of([1000] * 30).fit("model", "stream", None)
    cut = history_of([1000] * 30, capped=True).fit("model", "stream", None)
    assert cut.quantile(0.5) > 1.2 * whole.quantile(0.5)
    assert math.isfinite(cut.quantile(0.9))


def test_an_empty_answer_teaches_nothing() -> None:
    assert history_of([0, 0]).fit("model", "stream", None).runs == 0


# --- one answer -------------------------------------------------------------------------------------------------------


def feed(estimator: ProgressEstimator, chars: int) -> ProgressEstimate:
    estimator.add("x" * chars)
    return estimator.estimate(100.0)


def test_nothing_is_claimed_before_the_first_text() -> None:
    assert ProgressEstimator("Hi", LengthFit()).estimate(50.0) == ProgressEstimate(phase="estimating")


def test_fraction_range_and_time_left_agree() -> None:
    fit = fit_lengths(((math.log(1000), False),) * 100)
    found = feed(ProgressEstimator("Hi", fit), 400)
    assert found.fraction is not None
    assert found.low is not None
    assert found.high is not None
    assert found.eta_s is not None
    assert found.low < found.fraction < found.high
    assert found.fraction == pytest.approx(0.4, abs=0.05)
    assert found.eta_s == pytest.approx((400 / found.fraction - 400) / 100)
    assert found.eta_low_s is not None
    assert found.eta_high_s is not None
    assert 0 < found.eta_low_s < found.eta_s < found.eta_high_s


def test_without_a_speed_there_is_no_time_left() -> None:
    estimator = ProgressEstimator("Hi", LengthFit())
    estimator.add("Hello there")
    for chars_per_s in (None, 0.0):
        found = estimator.estimate(chars_per_s)
        assert found.fraction is not None
        assert found.eta_s is found.eta_low_s is found.eta_high_s is None


def test_the_limit_is_an_end() -> None:
    limited = feed(ProgressEstimator("Hi", LengthFit(), limit_chars=400), 200)
    assert limited.fraction == pytest.approx(0.5)
    assert limited.low == pytest.approx(0.5)
    over = feed(ProgressEstimator("Hi", LengthFit(), limit_chars=100), 200)
    assert over.fraction == pytest.approx(0.97)
    assert over.eta_high_s == 0.0


def test_an_unusually_long_answer_is_called_so() -> None:
    fit = fit_lengths(((math.log(500), False),) * 100)
    estimator = ProgressEstimator("Hi", fit)
    assert feed(estimator, 500).phase == "normal"
    found = feed(estimator, 100_000)
    assert found.phase == "longer than usual"
    assert found.fraction is not None
    assert found.fraction <= 0.97
    assert found.eta_s is not None
    assert math.isfinite(found.eta_s)


def test_finished_is_whole() -> None:
    assert (FINISHED.fraction, FINISHED.eta_s) == (1.0, 0.0)


# --- cues in the text -------------------------------------------------------------------------------------------------


def fraction_of(prompt: str, text: str) -> float:
    estimator = ProgressEstimator(prompt, LengthFit())
    estimator.add(text)
    fraction = estimator.estimate().fraction
    assert fraction is not None
    return fraction


def test_a_closing_phrase_means_near_the_end() -> None:
    body = "Rivers carry stones. " * 15
    assert fraction_of("Why?", body + "In conclusion, rivers") >= 0.88
    assert fraction_of("Why?", body) < 0.88
    assert fraction_of("Why?", "In summary, rivers carry stones.") < 0.5, "an opening is not a closing"


@pytest.mark.parametrize("prompt", ["Give me 10 tips for sleep", "List ten creative names", "Top 10 movies, please"])
def test_open_item_of_an_asked_list(prompt: str) -> None:
    text = "".join(f"{n}. Some advice.\n" for n in range(1, 9))
    plain = fraction_of("Tell me about sleep", text)
    assert fraction_of(prompt, text) == pytest.approx((plain + 7.5 / 10) / 2)


@pytest.mark.parametrize("prompt", ["In 5 sentences about cats", "Use 10 words", "What happened 8 days ago?"])
def test_amounts_that_are_no_list(prompt: str) -> None:
    text = "1. One\n2. Two\n"
    assert fraction_of(prompt, text) == fraction_of("Why?", text)


def test_code_gives_no_cue() -> None:
    code = "Here:\n```\n1. not an item\n" + "y = 1\n" * 60 + "# let me know\n"
    assert fraction_of("List 2 steps", code) == fraction_of("Why?", code) < 0.88
    assert fraction_of("Why?", code + "```\nlet me know if ") >= 0.88


@given(st.text(alphabet="a1. `\n", max_size=80), st.lists(st.integers(0, 80), max_size=6))
def test_cuts_between_chunks_do_not_matter(text: str, cuts: list[int]) -> None:
    whole, parts = (ProgressEstimator("List 4 things", LengthFit()) for _ in range(2))
    whole.add(text)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        parts.add(text[start:end])
    assert parts.estimate(9.0) == whole.estimate(9.0)


@given(
    st.lists(st.sampled_from(["x" * 7, "1. a\n", "2. b\n", "\n```\n", " let me know ", "y" * 300]), max_size=40),
    st.floats(3, 9),
    st.floats(0.05, 1.5),
    st.none() | st.floats(1, 3000),
)
def test_progress_never_goes_back(pieces: list[str], mu: float, sigma: float, limit: float | None) -> None:
    estimator = ProgressEstimator("Name 3 things", LengthFit(mu, sigma), limit_chars=limit)
    last = 0.0
    for piece in pieces:
        estimator.add(piece)
        found = estimator.estimate(40.0)
        assert found.fraction is not None
        assert found.low is not None
        assert found.high is not None
        assert last <= found.fraction <= 0.97
        assert 0 <= found.low <= found.fraction <= found.high <= 1
        assert found.eta_low_s is not None
        assert found.eta_s is not None
        assert found.eta_high_s is not None
        assert 0 <= found.eta_low_s <= found.eta_s <= found.eta_high_s
        last = found.fraction


@given(st.floats(3, 9), st.floats(0.05, 1.5), st.floats(0.01, 0.99), st.floats(1, 1e7), st.floats(1, 100))
def test_a_longer_start_never_means_an_earlier_end(
    mu: float, sigma: float, q: float, so_far: float, factor: float
) -> None:
    fit = LengthFit(mu, sigma)
    assert so_far <= fit.quantile(q, so_far) <= fit.quantile(q, so_far * factor) * (1 + 1e-9)


# --- does it help? ----------------------------------------------------------------------------------------------------


def answers(count: int, seed: int) -> list[int]:
    """Lengths like those of public AlpacaEval answers: 10th, 50th, 90th percentile near 330, 1450, 2700 characters;
    log-normal with a heavy lower side, so not drawn from the very model that is tested."""
    rng = random.Random(seed)
    return [
        round(math.exp(rng.gauss(math.log(1700), 0.4) if rng.random() < 0.75 else rng.gauss(math.log(500), 0.8)))
        for _ in range(count)
    ]


def replayed(fit: LengthFit, chars: int) -> Iterator[tuple[float, float]]:
    """(true, shown) progress of one answer at 5 ... 95 %."""
    estimator = ProgressEstimator("Why?", fit)
    done = 0
    for step in range(1, 20):
        upto = round(chars * step / 20)
        estimator.add("x" * (upto - done))
        done = upto
        yield step / 20, estimator.estimate().fraction or 0.0


def mean_error(pairs: Iterator[tuple[float, float]]) -> float:
    return statistics.fmean(abs(shown - true) for true, shown in pairs)


@pytest.mark.parametrize("runs", [0, 5, 20, 100])
def test_beats_the_share_of_the_limit_and_a_constant(runs: int) -> None:
    fit = history_of(answers(runs, seed=1)).fit("model", "stream", None)
    lengths = [max(40, chars) for chars in answers(200, seed=2)]
    ours = statistics.fmean(mean_error(replayed(fit, chars)) for chars in lengths)
    steps = [step / 20 for step in range(1, 20)]
    by_limit = statistics.fmean(
        mean_error((true, min(1.0, true * chars / 4 / 1024)) for true in steps) for chars in lengths
    )
    constant = mean_error((true, 0.5) for true in steps)
    assert ours < 0.20
    assert ours < constant < by_limit


@pytest.mark.parametrize("so_far", [30, 100, 400, 1600])
def test_range_holds_about_four_answers_in_five(so_far: int) -> None:
    fit = history_of(answers(100, seed=3)).fit("model", "stream", None)
    longer = [chars for chars in answers(4000, seed=4) if chars > so_far]
    early, late = fit.quantile(0.1, so_far), fit.quantile(0.9, so_far)
    assert 0.7 <= statistics.fmean(early <= chars <= late for chars in longer) <= 0.95
