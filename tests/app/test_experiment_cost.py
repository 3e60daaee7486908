"""What an experiment may cost, and that a cap is never passed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.experiment_cost import Meter, check_cap
from metrics.pricing import Price
from metrics.tokens import TokenEstimator
from providers.errors import InvalidValueError
from providers.types import GenerationRequest, InferenceConfig, Message
from tests.app.ui.make import a_record

PRICED = "us.amazon.nova-micro-v1:0"


def a_meter(usd_per_token: float | None = None) -> Meter:
    def by_token(*, input_tokens: int, output_tokens: int, **_: Any) -> Price:
        return Price(None if usd_per_token is None else (input_tokens + output_tokens) * usd_per_token, "a test")

    return Meter(lambda _: "us-west-2", TokenEstimator(), by_token)


def asking(model_id: str = PRICED, *, max_tokens: int = 100, prompt: str = "Why is the sky blue?") -> GenerationRequest:
    return GenerationRequest(
        model_id=model_id,
        messages=(Message(role="user", text=prompt),),
        inference=InferenceConfig(max_tokens=max_tokens),
    )


def test_the_most_is_priced_with_all_its_output() -> None:
    meter = Meter(lambda _: "us-west-2", TokenEstimator())
    most = meter.most(asking(max_tokens=256))
    assert most == pytest.approx(256 * 0.14e-6, rel=0.15)
    assert meter.total([asking(max_tokens=256)] * 42) == pytest.approx(42 * (most or 0))


def test_a_price_that_is_the_united_states_one_is_raised_elsewhere() -> None:
    here = Meter(lambda _: "us-west-2", TokenEstimator()).most(asking())
    there = Meter(lambda _: "ap-south-1", TokenEstimator()).most(asking("amazon.nova-micro-v1:0"))
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


@given(st.lists(st.tuples(st.integers(1, 100), st.booleans()), max_size=60), st.floats(0, 20))
def test_a_cap_is_never_passed(answers: list[tuple[int, bool]], cap_usd: float) -> None:
    meter = a_meter(0.01)
    request = asking(max_tokens=100)
    billed = 0.0
    for output_tokens, completed in answers:
        if not meter.fits([request], cap_usd):
            break
        record = a_record(status="completed" if completed else "failed", input_tokens=20, output_tokens=output_tokens)
        meter.add(request, record)
        billed += 0.01 * (20 + output_tokens)
    assert billed <= cap_usd + 1e-9
