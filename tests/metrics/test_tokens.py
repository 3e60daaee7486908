"""The estimator against counts by hand, and what it learns."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metrics.tokens import PRIOR_UNITS, TextMeter, TextSize, TokenEstimator, start_factor, text_size

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
PROSE = "The river carries small stones from the mountains to the sea, and leaves them there for a long time. "


@pytest.mark.parametrize(
    ("text", "units", "script"),
    [
        ("", 0, "latin"),
        (" ", 0, "latin"),
        ("word", 0.96, "latin"),
        ("Words here", 2.16, "latin"),
        ("information", 0.9 + 0.33, "latin"),
        ("NASA", 1.76, "latin"),
        ("camelCase", 0.9 + 0.11 + 0.8, "latin"),
        ("I", 0.96, "latin"),
        ("naïveté", 1 + 0.26 * 4, "latin"),
        ("12345", 2.6, "latin"),
        ("a\n\nb", 0.96 * 2 + 0.9, "latin"),
        ("a    b", 0.96 * 2 + 0.5, "latin"),
        ("({})", 0.65 + 0.6, "latin"),
        ("Привет", 6 * 0.36, "greek_cyrillic"),
        ("שלום", 4 * 0.5, "hebrew_arabic"),
        ("ひらがな", 4 * 0.75, "kana"),
        ("你好", 2 * 0.85, "han"),
        ("안녕", 2 * 0.75, "hangul"),
        ("สวัส", None, "other"),
        ("😀", 0.8, "latin"),
    ],
)
def test_units_of_pieces(text: str, units: float | None, script: str) -> None:
    size = text_size(text)
    assert size.script == script
    if units is not None:
        assert size.units == pytest.approx(units)


@pytest.mark.parametrize(
    ("model_id", "factor"),
    [
        ("openai.gpt-oss-120b-1:0", 1.0),
        ("us.meta.llama3-3-70b-instruct-v1:0", 1.0),
        (CLAUDE, 1.16),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 1.16),
        ("us.anthropic.claude-opus-4-6-v1", 1.16),
        ("us.anthropic.claude-opus-4-8", 1.64),
        ("global.anthropic.claude-opus-5", 1.64),
        ("global.anthropic.claude-sonnet-5", 1.64),
        (f"arn:aws:bedrock:us-east-1::inference-profile/{CLAUDE}", 1.16),
        ("mistral.mixtral-8x7b-instruct-v0:1", 1.22),
        ("mistral.mistral-large-3-675b-instruct", 1.05),
        ("us.amazon.nova-lite-v1:0", 1.05),
        ("something-else", 1.05),
    ],
)
def test_start_factors(model_id: str, factor: float) -> None:
    assert start_factor(model_id) == factor


def test_estimate_is_a_whole_number_and_never_zero_for_text() -> None:
    estimator = TokenEstimator()
    assert estimator.estimate("", CLAUDE) == 0
    assert estimator.estimate(" ", CLAUDE) == 1
    assert estimator.estimate(PROSE, CLAUDE) == round(text_size(PROSE).units * 1.16)


def test_english_prose_is_near_what_a_public_tokenizer_says() -> None:
    """The public o200k tokenizer counts 22 tokens here."""
    assert TokenEstimator().estimate(PROSE, "openai.gpt-oss-20b-1:0") == pytest.approx(22, abs=2)


def test_learning_moves_the_factor_to_what_was_reported() -> None:
    estimator = TokenEstimator()
    text = PROSE * 10
    truth = round(text_size(text).units * 1.5)
    before = abs(estimator.estimate(text, CLAUDE) - truth)
    for _ in range(3):
        estimator.learn(CLAUDE, text, truth)
    after = abs(estimator.estimate(text, CLAUDE) - truth)
    assert after < before / 2
    for _ in range(50):
        estimator.learn(CLAUDE, text, truth)
    assert estimator.factor(CLAUDE) == pytest.approx(1.5, rel=0.02)


def test_first_lesson_by_hand() -> None:
    estimator = TokenEstimator()
    estimator.learn_size(CLAUDE, TextSize(100.0), 150)
    assert estimator.factor(CLAUDE) == pytest.approx((PRIOR_UNITS * 1.16 + 150) / (PRIOR_UNITS + 100))


def test_lessons_stay_with_their_model_and_script() -> None:
    estimator = TokenEstimator()
    estimator.learn(CLAUDE, PROSE * 20, 800)
    assert estimator.factor(CLAUDE) != start_factor(CLAUDE)
    assert estimator.factor(CLAUDE, "han") == start_factor(CLAUDE)
    assert estimator.factor("us.amazon.nova-lite-v1:0") == start_factor("us.amazon.nova-lite-v1:0")


@pytest.mark.parametrize("output_tokens", [-1, 0, 1, 100_000])
def test_counts_that_cannot_belong_to_the_text_teach_nothing(output_tokens: int) -> None:
    estimator = TokenEstimator()
    estimator.learn(CLAUDE, PROSE, output_tokens)
    estimator.learn(CLAUDE, "", output_tokens)
    assert estimator.factor(CLAUDE) == start_factor(CLAUDE)


def test_state_can_be_rebuilt_from_what_was_logged() -> None:
    live, rebuilt = TokenEstimator(), TokenEstimator()
    runs = [(CLAUDE, text_size(PROSE * n), round(30 * n)) for n in range(1, 20)]
    for model_id, size, output_tokens in runs:
        live.learn_size(model_id, size, output_tokens)
    rebuilt.restore(runs)
    assert rebuilt.factor(CLAUDE) == live.factor(CLAUDE)


texts = st.text(alphabet=st.sampled_from("abCD é1,.\n\t  界あк😀-")) | st.text()


@given(texts, st.lists(st.integers(0, 400), max_size=8))
@example("a  b", [2])
@example("a \t\n", [2])
def test_growing_text_measures_as_the_whole(text: str, cuts: list[int]) -> None:
    meter = TextMeter()
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        meter.add(text[start:end])
        meter.size()
    assert meter.size().units == pytest.approx(text_size(text).units)
    assert meter.size().script == text_size(text).script


def test_a_text_without_spaces_is_not_kept_back_for_ever() -> None:
    meter = TextMeter()
    for _ in range(100):
        meter.add("界" * 50)
    assert meter.size().units == pytest.approx(5000 * 0.85)
    assert len(meter._tail) <= 250


@given(texts, texts)
def test_more_text_is_never_much_smaller(first: str, second: str) -> None:
    """A word that grows past a step of the weights may shrink by a fifth of a token, no more."""
    assert text_size(first + second).units >= text_size(first).units - 0.75
