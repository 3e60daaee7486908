"""From the widgets to the request: what is sent, what is left out, what is refused and in which words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from app.conversations import Conversation
from app.ui.asking import Form, capabilities_of, make_request, read_number, tells_its_model
from metrics.tokens import TokenEstimator
from providers.errors import InvalidValueError, UnknownModelError
from providers.types import GenerationRequest
from tests.app.test_conversations import asked, update

LOCAL = "local.smollm2-135m-instruct"
NOVA = "us.amazon.nova-micro-v1:0"
NO_TEMPERATURE = "global.anthropic.claude-opus-5"


def form(prompt: Any = "Why?", model: Any = NOVA, **changed: Any) -> Form:
    values = {"temperature": 0.7, "max_tokens": 512, "top_p": "", "system": "", "mode": "Stream"} | changed
    return Form.read([prompt, model, *values.values()])


def request(form: Form, conversation: Conversation | None = None) -> tuple[GenerationRequest, tuple[str, ...]]:
    return make_request(form, conversation or Conversation("k"), TokenEstimator())


def test_a_plain_question() -> None:
    made, notices = request(form(system="Be brief."))
    assert [message.text for message in made.messages] == ["Why?"]
    assert made.system == "Be brief."
    assert (made.inference.temperature, made.inference.max_tokens, made.inference.top_p) == (0.7, 512, None)
    assert notices == ()


def test_temperature_is_not_sent_to_a_model_that_refuses_it() -> None:
    made, _ = request(form(model=NO_TEMPERATURE, top_p="0.5"))
    assert made.inference.temperature is None
    assert made.inference.top_p is None


@pytest.mark.parametrize(
    ("given", "read"), [("", None), (" ", None), ("0.5", 0.5), ("0,5", 0.5), ("x", "x"), (0.5, 0.5), (None, None)]
)
def test_numbers_from_a_text_box(given: Any, read: Any) -> None:
    assert read_number(given) == read


def test_not_a_number_stays_one_to_be_refused_later() -> None:
    assert math.isnan(read_number("nan"))


@pytest.mark.parametrize("empty", ["", "   ", "\n\n", "\u200b", None])
def test_an_empty_prompt_is_refused_at_the_prompt(empty: Any) -> None:
    with pytest.raises(InvalidValueError, match="Prompt is required") as refused:
        request(form(empty))
    assert refused.value.field == "prompt"


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers() -> None:
    with pytest.raises(
        InvalidValueError, match=r"too long: .* about [\d,]+ tokens, and local.* takes 4,096"
    ) as refused:
        request(form("word " * 6000, LOCAL))
    assert refused.value.field == "prompt"


def test_a_prompt_of_megabytes_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="at most 100,000"):
        request(form("x" * 100_001))


@pytest.mark.parametrize("value", [7, ["a"], {"a": 1}, True])
def test_a_prompt_that_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValueError, match="must be text"):
        form(value)


@pytest.mark.parametrize("mode", ["", "stream", None, 3, ["Stream"]])
def test_an_unknown_mode_is_refused(mode: Any) -> None:
    with pytest.raises(InvalidValueError, match="Stream, Complete, Both"):
        form(mode=mode)


def test_a_model_must_be_chosen() -> None:
    with pytest.raises(InvalidValueError, match="Choose a model"):
        request(form(model=" "))


def test_a_word_that_is_no_model_is_refused_in_the_page_s_own_words() -> None:
    with pytest.raises(UnknownModelError, match="from the list, type the full id"):
        request(form(model="fragile"))
    assert capabilities_of("fragile") is None


def test_a_vendor_that_nobody_knows_is_asked_over_converse() -> None:
    made, notices = request(form(model="newvendor.some-model-v1:0"))
    assert made.api == "converse"
    assert notices == ("newvendor.some-model-v1:0 is not known here; it is asked over Converse.",)


def test_what_was_said_before_goes_along() -> None:
    conversation = Conversation("k")
    first = asked(conversation, "One?", update("1"))
    asked(conversation, "Two?", update("2"))
    made, _ = request(form("Three?"), conversation)
    assert [message.text for message in made.messages] == ["One?", "1", "Two?", "2", "Three?"]
    assert [message.role for message in made.messages] == ["user", "assistant"] * 2 + ["user"]
    again, _ = make_request(form("One, again?"), conversation, TokenEstimator(), replacing=first)
    assert [message.text for message in again.messages] == ["One, again?"]


def test_the_oldest_turns_are_left_out_when_the_context_is_full() -> None:
    conversation = Conversation("k")
    for number in range(6):
        asked(conversation, f"Question {number}", update("word " * 900))
    made, notices = request(form("And now?", LOCAL), conversation)
    assert made.messages[0].role == "user"
    assert len(made.messages) == 7
    assert made.messages[0].text == "Question 3"
    assert notices == (
        f"The oldest 3 of 6 turns were left out, because the conversation is longer than {LOCAL} can read.",
    )


def test_control_characters_do_not_travel() -> None:
    assert form("a\x00b\r\nc").prompt == "ab\nc"


IMPORTED = "arn:aws:bedrock:us-east-1:111122223333:imported-model/abcdefghijkl"


def test_an_arn_that_does_not_tell_its_model_is_asked_as_the_person_says() -> None:
    values = ["Why?", IMPORTED, 0.7, 512, "", "", "Stream"]
    for shape, family, api in (("auto", None, "auto"), ("llama", "llama", "auto"), ("converse", None, "converse")):
        made, _ = request(Form.read(values, shape=shape))
        assert (made.family, made.api) == (family, api)


def test_only_an_id_that_does_not_tell_its_model_asks_for_a_shape() -> None:
    assert tells_its_model(NOVA)
    assert tells_its_model(LOCAL)
    assert not tells_its_model(IMPORTED)
    assert not tells_its_model("newvendor.model-v1:0")
    assert not tells_its_model("nonsense")


def test_a_name_without_a_vendor_can_be_asked_in_a_named_shape() -> None:
    assert capabilities_of("nonsense") is None
    assert capabilities_of("nonsense", "converse") is not None
    with pytest.raises(UnknownModelError, match="how it is to be asked"):
        request(form(model="nonsense"))
