"""What an experiment may cost, and that a cap is never passed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.experiment_cost import MARGIN_TOKENS, Meter, check_cap
from metrics.pricing import Price
from providers.errors import InvalidValueError
from providers.types import GenerationRequest, InferenceConfig, Message
from tests.app.ui.make import a_record

PRICED = "us.amazon.nova-micro-v1:0"


def a_meter(usd_per_token: float | None = None) -> Meter:
    def by_token(*, input_tokens: int, output_tokens: int, **_: Any) -> Price:
        return Price(None if usd_per_token is None else (input_tokens + output_tokens) * usd_per_token, "a test")

    return Meter(lambda _: "us-west-2", by_token)


def asking(model_id: str = PRICED, *, max_tokens: int = 100, prompt: str = "Why is the sky blue?") -> GenerationRequest:
    return GenerationRequest(
        model_id=model_id,
        messages=(Message(role="user", text=prompt),),
        inference=InferenceConfig(max_tokens=max_tokens),
    )


def test_the_most_is_priced_with_all_its_output() -> None:
    meter = Meter(lambda _: "us-west-2")
    most = meter.most(asking(max_tokens=256))
    assert most == pytest.approx(256 * 0.14e-6, rel=0.15)
    assert meter.total([asking(max_tokens=256)] * 42) == pytest.approx(42 * (most or 0))


def test_a_price_that_is_the_united_states_one_is_raised_elsewhere() -> None:
    here = Meter(lambda _: "us-west-2").most(asking())
    there = Meter(lambda _: "ap-south-1").most(asking("amazon.nova-micro-v1:0"))
    assert here is not None
    assert there is not None
    assert there > 1.2 * here


def test_this_machine_costs_nothing_and_the_unknown_is_not_nothing() -> None:
    meter = a_meter(None)
    assert meter.most(asking("simulated.swift")) == 0.0
    assert meter.most(asking("somebody.unheard-of-v1:0")) is None
    assert meter.total([asking("simulated.swift"), asking()]) is None
    meter.add(asking(), a_record())
    assert meter.spend.usd is None


def test_a_cap_without_a_price_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="cannot be kept") as refused:
        check_cap([asking("simulated.swift"), asking()], a_meter(None), 1.0)
    assert refused.value.field == "cost_cap_usd"
    check_cap([asking()], a_meter(None), None)
    check_cap([asking()], a_meter(0.01), 1.0)


@pytest.mark.parametrize("status", ["failed", "cancelled", "interrupted"])
def test_a_call_that_did_not_complete_counts_at_its_most(status: str) -> None:
    meter = a_meter(0.01)
    meter.add(asking(), a_record(status=status, input_tokens=10, output_tokens=2))
    assert meter.spend.usd == meter.spend.possibly_billed_usd == meter.most(asking())


def test_a_completed_call_counts_as_reported() -> None:
    meter = a_meter(0.01)
    meter.add(asking(), a_record(input_tokens=10, output_tokens=20))
    assert meter.spend.usd == pytest.approx(0.3)
    assert meter.spend.possibly_billed_usd == 0.0


NOISE = "\U0001f9ff" * 40
"""Four bytes each, and rare: a tokenizer may have to spell every byte."""


def test_no_estimate_is_in_the_most_that_a_prompt_can_have() -> None:
    most = a_meter(0.01).most(asking(prompt=NOISE, max_tokens=1))
    assert most == pytest.approx(0.01 * (4 * 40 + MARGIN_TOKENS + 1))


def test_what_a_prompt_was_reported_to_have_takes_the_place_of_its_bytes() -> None:
    meter = a_meter(0.01)
    other = meter.most(asking(prompt="Another question."))
    meter.add(asking(prompt="[0123456789ab]\nWhy?"), a_record(input_tokens=9, output_tokens=1))
    meter.add(asking(prompt="[ba9876543210]\nWhy?"), a_record(status="failed", input_tokens=None))
    most = meter.most(asking(prompt="[aaaaaaaaaaaa]\nWhy?", max_tokens=5))
    assert most == pytest.approx(0.01 * (9 + MARGIN_TOKENS + 5))
    assert meter.most(asking(prompt="Another question.")) == other


def test_a_service_that_adds_to_the_prompt_raises_the_most() -> None:
    meter = a_meter(0.01)
    meter.add(asking(prompt="Why?"), a_record(input_tokens=500, output_tokens=1))
    assert meter.most(asking(prompt="Why?", max_tokens=5)) == pytest.approx(0.01 * (500 + MARGIN_TOKENS + 5))


@given(st.lists(st.tuples(st.integers(1, 100), st.booleans()), max_size=60), st.floats(0, 20))
def test_a_cap_is_never_passed(answers: list[tuple[int, bool]], cap_usd: float) -> None:
    meter = a_meter(0.01)
    request, in_tokens = asking(max_tokens=100, prompt=NOISE), len(NOISE.encode())
    billed = 0.0
    for output_tokens, completed in answers:
        if not meter.fits([request], cap_usd):
            break
        status = "completed" if completed else "failed"
        meter.add(request, a_record(status=status, input_tokens=in_tokens, output_tokens=output_tokens))
        billed += 0.01 * (in_tokens + output_tokens)
    assert billed <= cap_usd + 1e-9
