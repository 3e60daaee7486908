"""What the form of tab Latency amounts to, whatever a browser sends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.experiment_plan import ExperimentSettings
from app.ui.latency_form import FIELDS, WIDGETS, Promise, read_promise, read_settings, spend_line
from providers.errors import InvalidValueError

FORM: dict[str, Any] = {
    "models": ["simulated.swift"],
    "prompts": "Why?\n\n How? ",
    "pairs": 20,
    "max_tokens": 256,
    "cost_cap_usd": "",
    "seed": "7",
    "temperature": "",
    "system": "",
    "pause_s": "0.5",
    "warm_up": 1,
    "narrower_than": "",
    "nonce": True,
    "length_locked": False,
}


def reading(**values: Any) -> ExperimentSettings:
    return read_settings([(FORM | values)[field] for field in FIELDS])


def test_the_form_becomes_settings() -> None:
    assert reading() == ExperimentSettings(models=("simulated.swift",), prompts=("Why?", "How?"), seed=7)
    assert reading(narrower_than="10").narrower_than == 0.1
    settings = reading(cost_cap_usd="1,5", temperature="0.7", system="Be brief.", nonce=False, length_locked=True)
    assert settings.cost_cap_usd == 1.5
    assert (settings.temperature, settings.system) == (0.7, "Be brief.")
    assert (settings.nonce, settings.length_locked) == (False, True)


def test_an_empty_seed_is_drawn() -> None:
    assert len({reading(seed="").seed for _ in range(8)}) > 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("models", []),
        ("models", "simulated.swift"),
        ("models", [1]),
        ("prompts", " \n "),
        ("prompts", None),
        ("pairs", None),
        ("pairs", 0),
        ("pairs", 2.5),
        ("pairs", "many"),
        ("max_tokens", float("nan")),
        ("cost_cap_usd", "much"),
        ("seed", "-1"),
        ("seed", True),
        ("pause_s", ""),
        ("pause_s", "61"),
        ("warm_up", 21),
        ("narrower_than", "0"),
        ("narrower_than", "101"),
        ("system", 5),
    ],
)
def test_what_is_wrong_is_refused_at_its_widget(field: str, value: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"[A-Z].*\.$") as refused:
        reading(**{field: value})
    assert refused.value.field == field
    assert field in WIDGETS


texts = st.text(max_size=5)
values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, st.lists(texts, max_size=3))


@given(st.lists(values, min_size=len(FIELDS), max_size=len(FIELDS)))
def test_no_value_breaks_it(sent: list[Any]) -> None:
    refused = ""
    try:
        read_settings(sent)
    except InvalidValueError as error:
        refused = error.field
    assert refused in ("", *WIDGETS)


def test_a_promise_may_be_half_or_none() -> None:
    assert read_promise("1", "6") == Promise(first_s=1.0, total_s=6.0)
    assert read_promise("", "6,5") == Promise(first_s=None, total_s=6.5)
    for wrong in ("0", "-1", "soon", "1e9"):
        with pytest.raises(InvalidValueError):
            read_promise(wrong, "")


def test_the_line_beside_the_button_says_what_it_costs_at_most() -> None:
    settings = reading()
    assert spend_line(settings, 0.18) == "At most $0.18 at list price: 42 calls of at most 256 tokens."
    assert spend_line(settings, 0.0).startswith("Costs nothing: 42 calls")
    assert "no list price is known" in spend_line(settings, None)
    capped = spend_line(replace(settings, cost_cap_usd=0.1), 0.18)
    assert capped.startswith("At most $0.10")
    assert "$0.18" in capped
    assert spend_line(replace(settings, cost_cap_usd=5.0), 0.18).startswith("At most $0.18")
