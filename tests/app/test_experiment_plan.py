"""The order of an experiment, for every seed; and what a call of it sends."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.experiment_plan import BLOCK, ExperimentSettings, checked, plan, request_of
from metrics.texts import without_nonce
from providers.errors import InvalidValueError, UnknownModelError

ONE = ExperimentSettings(models=("simulated.swift",), prompts=("Why?",))
shapes = st.builds(
    lambda models, prompts, pairs, warm_up, seed: replace(
        ONE,
        models=tuple(f"simulated.m{number}" for number in range(models)),
        prompts=tuple(f"prompt {number}" for number in range(prompts)),
        pairs=pairs,
        warm_up=warm_up,
        seed=seed,
    ),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 45),
    st.integers(0, 3),
    st.integers(0, 2**31 - 1),
)


@given(shapes)
def test_both_orders_are_equally_many_for_every_seed_and_model(settings: ExperimentSettings) -> None:
    for model in settings.models:
        first = [call.mode for call in plan(settings) if call.model_id == model and call.order == 1]
        assert len(first) == settings.pairs
        for done in range(BLOCK, settings.pairs + 1, BLOCK):
            assert first[:done].count("sync") == done // 2
        assert abs(first.count("sync") - first.count("stream")) == settings.pairs % 2


@given(shapes)
def test_the_members_of_a_pair_are_neighbours_and_alike(settings: ExperimentSettings) -> None:
    measured = [call for call in plan(settings) if call.phase == "measure"]
    for first, second in zip(measured[::2], measured[1::2], strict=True):
        assert {first.mode, second.mode} == {"sync", "stream"}
        assert (first.order, second.order) == (1, 2)
        assert (first.pair, first.model_id, first.prompt) == (second.pair, second.model_id, second.prompt)


@given(shapes)
def test_models_take_turns_and_prompts_share_the_pairs(settings: ExperimentSettings) -> None:
    calls = plan(settings)
    assert [call.number for call in calls] == list(range(1, settings.calls + 1))
    firsts = [call for call in calls if call.order == 1]
    for start in range(0, len(firsts), len(settings.models)):
        assert {call.model_id for call in firsts[start : start + len(settings.models)]} == set(settings.models)
    for model in settings.models:
        asked = Counter(call.prompt for call in firsts if call.model_id == model)
        counts = [asked[prompt] for prompt in settings.prompts]
        assert max(counts) - min(counts) <= 1


@given(shapes)
def test_warm_up_comes_first_once_complete_and_once_streamed(settings: ExperimentSettings) -> None:
    calls = plan(settings)
    warm = calls[: 2 * settings.warm_up * len(settings.models)]
    assert {call.phase for call in warm} <= {"warmup"}
    assert {call.phase for call in calls[len(warm) :]} == {"measure"}
    wanted = {(model, mode): settings.warm_up for model in settings.models for mode in ("sync", "stream")}
    assert Counter((call.model_id, call.mode) for call in warm) == Counter(wanted)


def test_the_seed_alone_decides() -> None:
    settings = replace(ONE, pairs=20, prompts=("a", "b", "c"))
    assert plan(settings) == plan(settings)
    assert plan(settings) != plan(replace(settings, seed=1))


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_no_two_calls_begin_alike() -> None:
    settings = replace(ONE, pairs=10)
    texts = {request_of(call, settings, salt="x").messages[0].text for call in plan(settings)}
    texts |= {request_of(call, settings, salt="y").messages[0].text for call in plan(settings)}
    assert len(texts) == 2 * settings.calls
    assert len({text[:14] for text in texts}) == 2 * settings.calls
    assert {without_nonce(text) for text in texts} == {"Why?"}


def test_the_nonce_stands_before_the_system_prompt_where_there_is_one() -> None:
    call = plan(ONE)[0]
    request = request_of(call, replace(ONE, system="Be brief."), salt="x")
    assert request.messages[0].text == "Why?"
    assert request.system is not None
    assert without_nonce(request.system) == "Be brief." != request.system


def test_without_a_nonce_the_prompt_is_as_it_was_written() -> None:
    request = request_of(plan(ONE)[0], replace(ONE, nonce=False), salt="x")
    assert request.messages[0].text == "Why?"
    assert request.inference.temperature == 0.0
    assert request.inference.max_tokens == 256


def test_a_locked_length_asks_for_more_than_is_let_through() -> None:
    request = request_of(plan(ONE)[0], replace(ONE, nonce=False, length_locked=True, max_tokens=64), salt="x")
    assert request.messages[0].text == (
        "Why?\n\nAnswer at great length: write at least 128 words, and do not stop before."
    )


def test_a_vendor_that_nobody_knows_is_asked_over_converse() -> None:
    stranger = replace(plan(ONE)[0], model_id="newvendor.model-v1:0")
    assert request_of(stranger, ONE, salt="x").api == "converse"
    with pytest.raises(UnknownModelError):
        request_of(replace(stranger, model_id="fragile"), ONE, salt="x")


# --- checks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("models", ()),
        ("models", (" ",)),
        ("prompts", ("", " \n")),
        ("pairs", 0),
        ("pairs", 1001),
        ("pairs", 2.5),
        ("pairs", True),
        ("max_tokens", 0),
        ("warm_up", -1),
        ("seed", -1),
        ("pause_s", -0.1),
        ("pause_s", float("nan")),
        ("cost_cap_usd", -1.0),
        ("narrower_than", 0.0),
        ("narrower_than", float("nan")),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidValueError) as refused:
        checked(replace(ONE, **{field: value}))
    assert refused.value.field == field


def test_doubles_and_blanks_are_dropped() -> None:
    settings = checked(replace(ONE, models=(" a.b ", "a.b"), prompts=("x", "", " x "), system="  "))
    assert settings.models == ("a.b",)
    assert settings.prompts == ("x",)
    assert settings.system is None
