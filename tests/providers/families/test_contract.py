"""What every registered family promises, held against the wire samples and against anything Hypothesis thinks of."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.base import FamilyServer, ModelFamily
from providers.errors import DecodeError, InvalidValueError, ProviderError
from providers.registry import ALL_SHAPES, FAMILIES, resolve
from providers.types import (
    Accumulator,
    Completion,
    GenerationRequest,
    InferenceConfig,
    Message,
    MessageStop,
    ReasoningDelta,
    ServerTiming,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
    accumulate,
)
from tests.providers.families import samples
from tests.providers.families.samples import Sample, counted, said

SAMPLES = samples.load()
STREAMS = [sample for sample in SAMPLES if sample.chunks is not None]
BODIES = [sample for sample in SAMPLES if sample.body is not None]

CARRIES_REASONING = {sample.family for sample in SAMPLES if sample.expected["reasoning"]}
CARRIES_USAGE = {sample.family for sample in SAMPLES} - {
    sample.family for sample in SAMPLES if not sample.expected["body_usage"]
}

by_name = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
each_stream = pytest.mark.parametrize("sample", STREAMS, ids=lambda sample: sample.name)
each_body = pytest.mark.parametrize("sample", BODIES, ids=lambda sample: sample.name)
each_family = pytest.mark.parametrize("family", ALL_SHAPES, ids=lambda family: type(family).__name__)


def family_of(sample: Sample) -> ModelFamily:
    return resolve(sample.model_id, api=sample.request.api).family


def server(family: ModelFamily) -> FamilyServer:
    assert isinstance(family, FamilyServer)
    return family


def stream(family: ModelFamily, chunks: Iterable[Any]) -> list[StreamEvent]:
    return list(family.decode_stream(iter(chunks)))


# --- requests ---------------------------------------------------------------------------------------------------------


def test_every_family_has_a_sample_with_a_source() -> None:
    assert {sample.family for sample in SAMPLES} == {family.name for family in FAMILIES}
    assert all(sample.source for sample in SAMPLES)


def test_the_samples_of_streams_are_of_every_family_that_streams() -> None:
    streaming = {family.name for family in FAMILIES if family.capabilities(family.prefixes[0]).streaming}
    assert {sample.family for sample in STREAMS} == streaming


@by_name
def test_the_id_finds_the_family(sample: Sample) -> None:
    assert family_of(sample).name == sample.family


@by_name
def test_encode_writes_the_documented_body_and_leaves_the_request_alone(sample: Sample) -> None:
    resolved = resolve(sample.model_id, api=sample.request.api)
    extra = copy.deepcopy(dict(sample.request.extra))
    first = resolved.encode(sample.request, stream=True)
    assert first == sample.encoded
    assert list(json.loads(json.dumps(first))) == list(first)
    assert resolved.encode(sample.request, stream=True) == first
    assert sample.request.extra == extra


@by_name
def test_encode_knows_the_model_behind_a_prefix_by_itself(sample: Sample) -> None:
    assert family_of(sample).encode(sample.request, stream=True) == sample.encoded


@by_name
def test_a_body_is_recognized_by_one_family_alone(sample: Sample) -> None:
    assert [family.name for family in FAMILIES if server(family).recognizes(sample.encoded)] == [sample.recognized_by]


@by_name
def test_the_server_side_reads_the_request_back(sample: Sample) -> None:
    read = server(family_of(sample)).parse_request(sample.model_id, sample.encoded)
    assert read.messages == sample.request.messages
    assert read.system == sample.request.system
    asked = sample.request.inference
    assert (read.inference.temperature, read.inference.top_p) == (asked.temperature, asked.top_p)
    assert read.inference.stop_sequences == asked.stop_sequences
    assert asked.max_tokens in (read.inference.max_tokens, None)
    for key, value in sample.request.extra.items():
        told = read.extra.get("additionalModelRequestFields", {}) if sample.family == "converse" else read.extra
        assert told.get(key, read.extra.get(key)) in (
            value,
            {**value, "top_k": 40} if isinstance(value, dict) else value,
        )


CONTROL_WORDS = (
    "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|header_start|>",
    "<|header_end|>", "<|eot|>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>", "User:", "Bot:",
    "\n\nHuman:", "\n\nAssistant:", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>",
    "assistant", "system", "\n", "\n\n", " ", "x",
)  # fmt: skip
nasty_text = st.lists(st.sampled_from(CONTROL_WORDS), min_size=1, max_size=8).map("".join).map(lambda text: f"q{text}q")
MODEL_IDS = sorted({sample.model_id for sample in SAMPLES} - {"moonshot.kimi-k2-thinking"})


@pytest.mark.parametrize("model_id", MODEL_IDS)
@given(first=nasty_text, answer=nasty_text, last=nasty_text, system=st.none() | nasty_text)
@settings(max_examples=40, deadline=None)
def test_no_text_opens_a_turn_of_its_own(model_id: str, first: str, answer: str, last: str, system: str | None) -> None:
    resolved = resolve(model_id)
    messages = (
        Message(role="user", text=first),
        Message(role="assistant", text=answer),
        Message(role="user", text=last),
    )
    request = GenerationRequest(
        model_id=model_id, messages=messages, system=system if resolved.capabilities.system_prompt else None
    )
    read = server(resolved.family).parse_request(model_id, resolved.encode(request, stream=False))
    assert [turn.role for turn in read.messages] == ["user", "assistant", "user"]
    assert (read.system is None) == (request.system is None)


# --- answers ----------------------------------------------------------------------------------------------------------


@each_stream
def test_a_stream_folds_to_what_was_said(sample: Sample) -> None:
    completion = accumulate(stream(family_of(sample), sample.chunks or ()))
    expected = dict(sample.expected)
    del expected["body_usage"]
    assert {**said(completion), "usage": counted(completion)} == expected


@each_body
def test_a_body_folds_to_the_same(sample: Sample) -> None:
    events = list(family_of(sample).decode_body(sample.body or {}))
    completion = accumulate(events)
    expected = {**sample.expected, "usage": sample.expected["body_usage"]}
    del expected["body_usage"]
    assert {**said(completion), "usage": counted(completion)} == expected
    assert sum(isinstance(event, TextDelta) for event in events) <= 1


@each_stream
def test_cut_anywhere_it_is_never_complete_before_the_marker(sample: Sample) -> None:
    chunks, whole = sample.chunks or [], sample.expected
    for length in range(len(chunks) + 1):
        completion = accumulate(stream(family_of(sample), chunks[:length]))
        assert completion.is_complete == (length > sample.terminal_chunk)
        assert whole["text"].startswith(completion.text)
        assert whole["reasoning"].startswith(completion.reasoning)


@each_stream
def test_one_stop_and_no_text_after_it(sample: Sample) -> None:
    chunks = sample.chunks or []
    events = stream(family_of(sample), chunks)
    stops = [position for position, event in enumerate(events) if isinstance(event, MessageStop)]
    assert len(stops) == 1
    assert all(isinstance(event, Usage | ServerTiming) for event in events[stops[0] + 1 :])
    assert all(event.text for event in events if isinstance(event, TextDelta))


@each_stream
def test_what_comes_after_the_marker_changes_no_text(sample: Sample) -> None:
    chunks = sample.chunks or []
    events = stream(family_of(sample), [*chunks, *chunks])
    assert said(accumulate(events)) == said(accumulate(stream(family_of(sample), chunks)))
    assert sum(isinstance(event, MessageStop) for event in events) == 1


@each_stream
def test_an_error_after_the_marker_comes_after_the_stop(sample: Sample) -> None:
    def broken() -> Iterable[Any]:
        yield from sample.chunks or ()
        raise ConnectionResetError

    accumulator = Accumulator()
    with pytest.raises(ConnectionResetError):  # noqa: PT012 - what was seen before the error is the point
        for event in family_of(sample).decode_stream(iter(broken())):
            accumulator.add(event)
    assert accumulator.completion().is_complete


@each_stream
def test_unknown_and_empty_chunks_change_nothing(sample: Sample) -> None:
    chunks = sample.chunks or []
    whole = said(accumulate(stream(family_of(sample), chunks)))
    novelty: dict[str, Any] = {"novelty": {"number": 1, "list": [1, {"text": ""}]}}
    strangers: tuple[dict[str, Any], ...] = ({}, novelty, {"amazon-bedrock-trace": {}})
    for position in range(len(chunks) + 1):
        for stranger in strangers:
            mixed = [*chunks[:position], stranger, *chunks[position:]]
            assert said(accumulate(stream(family_of(sample), mixed))) == whole


@each_stream
def test_text_in_an_unknown_chunk_is_an_error_not_a_loss(sample: Sample) -> None:
    with pytest.raises(DecodeError, match="not documented"):
        stream(family_of(sample), [{"novelty": {"parts": [{"text": "lost"}]}}, *(sample.chunks or ())])


# --- anything at all --------------------------------------------------------------------------------------------------

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += _paths(item, (*path, key))
    return found


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = _replaced(value[path[0]], path[1:], new)
    return changed


@given(data=st.data(), sample=st.sampled_from(SAMPLES))
@settings(max_examples=400, deadline=None)
def test_a_spoilt_answer_raises_nothing_but_our_errors(data: st.DataObject, sample: Sample) -> None:
    document: Any = sample.chunks if sample.chunks is not None else [sample.body]
    path = data.draw(st.sampled_from(_paths(document)[1:]))
    spoilt = _replaced(document, path, data.draw(json_values))
    family = family_of(sample)
    for events in (family.decode_stream(iter(spoilt)), family.decode_body(spoilt[0])):
        read: list[StreamEvent] = []
        with contextlib.suppress(ProviderError):
            read.extend(events)
        assert sum(isinstance(event, MessageStop) for event in read) <= 1
        accumulate(read).text.encode()


@given(document=json_values, family=st.sampled_from(ALL_SHAPES))
@settings(max_examples=200, deadline=None)
def test_any_json_at_all_raises_nothing_but_our_errors(document: Any, family: ModelFamily) -> None:
    for events in (family.decode_stream(iter([document])), family.decode_body(document)):
        with contextlib.suppress(ProviderError):
            list(events)


# --- both directions joined -------------------------------------------------------------------------------------------

words = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
# Where reasoning stands inside the text, white space between the two belongs to neither.
pieces_of_text = st.lists(words, max_size=6).filter(lambda text: "".join(text) == "".join(text).lstrip())
reasons = st.sampled_from((StopReason.END_TURN, StopReason.MAX_TOKENS))


def over_the_wire(document: Any) -> Any:
    return json.loads(json.dumps(document))


def answer(text: list[str], thoughts: list[str], reason: StopReason, used: Usage | None = None) -> list[StreamEvent]:
    events: list[StreamEvent] = [ReasoningDelta(thought) for thought in thoughts]
    events += [TextDelta(piece) for piece in text]
    events += [used] if used else []
    return [*events, MessageStop(reason=reason, raw_reason=reason.value)]


@each_family
@given(text=pieces_of_text, thoughts=st.lists(words, max_size=3), reason=reasons, inputs=st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_what_the_server_writes_the_client_reads(
    family: ModelFamily, text: list[str], thoughts: list[str], reason: StopReason, inputs: int
) -> None:
    used = Usage(input_tokens=inputs, output_tokens=len(text))
    events = answer(text, thoughts, reason, used)
    chunks = over_the_wire(list(server(family).write_stream(iter(events))))
    body = over_the_wire(server(family).write_body(accumulate(events)))
    for completion in (accumulate(stream(family, chunks)), accumulate(family.decode_body(body))):
        _same(family, completion, "".join(text), "".join(thoughts), reason, used)


def _same(
    family: ModelFamily, completion: Completion, text: str, thoughts: str, reason: StopReason, used: Usage
) -> None:
    assert completion.text == text
    assert completion.stop_reason is reason
    if completion.reasoning or family.name in CARRIES_REASONING:
        assert completion.reasoning.removesuffix("\n") == thoughts.removesuffix("\n") or "<" in thoughts
    if completion.usage or family.name in CARRIES_USAGE:
        assert counted(completion) == [used.input_tokens, used.output_tokens]


@each_family
def test_a_character_cut_in_halves_is_joined(family: ModelFamily) -> None:
    halves = ["a\ud83d", "\ude00b", "\ud83d", "\ude01", "\ud83d"]
    events = answer(halves, [], StopReason.END_TURN)
    chunks = over_the_wire(list(server(family).write_stream(iter(events))))
    assert accumulate(stream(family, chunks)).text == "a😀b😁\ufffd"
    while accumulate(stream(family, chunks)).is_complete:
        chunks.pop()
    assert accumulate(stream(family, chunks)).text == ("a😀b😁" if chunks else "")


@each_family
@pytest.mark.parametrize("text", ["<", "<thin", "</think", "a < b"])
def test_what_looks_like_half_a_tag_is_not_lost(family: ModelFamily, text: str) -> None:
    events = answer([*text], [], StopReason.END_TURN)
    chunks = over_the_wire(list(server(family).write_stream(iter(events))))
    assert accumulate(stream(family, chunks)).text == text
    assert accumulate(family.decode_body(over_the_wire(server(family).write_body(accumulate(events))))).text == text


@each_family
def test_a_server_that_is_cut_off_writes_no_end(family: ModelFamily) -> None:
    events = answer(["Red", ", blue."], [], StopReason.END_TURN)[:-1]
    completion = accumulate(stream(family, over_the_wire(list(server(family).write_stream(iter(events))))))
    assert not completion.is_complete
    assert "Red, blue.".startswith(completion.text)


@each_family
def test_a_server_whose_model_fails_at_once_writes_nothing(family: ModelFamily) -> None:
    def failing() -> Iterable[StreamEvent]:
        raise DecodeError("broken")
        yield TextDelta("never")

    with pytest.raises(DecodeError, match="broken"):
        next(iter(server(family).write_stream(failing())))


@each_family
def test_usage_may_follow_the_stop(family: ModelFamily) -> None:
    used = Usage(input_tokens=3, output_tokens=4)
    events: list[StreamEvent] = [*answer(["Hi"], [], StopReason.END_TURN), used]
    completion = accumulate(stream(family, over_the_wire(list(server(family).write_stream(iter(events))))))
    assert completion.is_complete
    assert counted(completion) == [3, 4] or family.name not in CARRIES_USAGE


@each_family
@given(body=st.dictionaries(st.sampled_from(("messages", "prompt", "inputText", "message", "max_tokens")), json_values))
@settings(max_examples=30, deadline=None)
def test_a_strange_request_is_refused_not_crashed_upon(family: ModelFamily, body: dict[str, Any]) -> None:
    server(family).recognizes(body)
    with contextlib.suppress(InvalidValueError):
        server(family).parse_request("local.model", body)


def test_stop_words_reach_the_other_side() -> None:
    for family in ALL_SHAPES:
        request = GenerationRequest(
            model_id="local.model",
            messages=(Message(role="user", text="Hi"),),
            inference=InferenceConfig(stop_sequences=("|", "END")),
        )
        read = server(family).parse_request("local.model", family.encode(request, stream=True))
        takes_any = family.capabilities("local.model").max_stop_sequences != 0
        assert read.inference.stop_sequences == (("|", "END") if takes_any else ()), family.name
