"""The framing against botocore's own decoder and parser: what they read is what was written."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any

import botocore.loaders
import botocore.model
import botocore.parsers
import pytest
from botocore.eventstream import EventStream, EventStreamBuffer
from botocore.exceptions import EventStreamError
from hypothesis import given
from hypothesis import strategies as st

from providers.local import event_stream

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = TEXT.filter(lambda name: 0 < len(name.encode()) < 256)
VALUES = TEXT.filter(lambda value: len(value.encode()) < 2**15)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def decoded(data: bytes) -> list[Any]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return list(buffer)


class _Raw:
    """The part of urllib3's response that botocore's event stream reads."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def stream(self) -> Iterator[bytes]:
        yield from self._pieces

    def close(self) -> None:
        pass


def read(operation: str, member: str, frames: bytes) -> list[dict[str, Any]]:
    """Events as a boto3 program gets them."""
    model = botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2")
    shape = botocore.model.ServiceModel(model).operation_model(operation).output_shape.members[member]
    parser = botocore.parsers.EventStreamJSONParser()
    pieces = [frames[at : at + 7] for at in range(0, len(frames), 7)]
    return list(EventStream(_Raw(pieces), shape, parser, operation))


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.binary(max_size=200))
def test_botocore_reads_back_every_header_and_payload(headers: dict[str, str], payload: bytes) -> None:
    (message,) = decoded(event_stream.encode_frame(headers, payload))
    assert message.headers == headers
    assert message.payload == payload


@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(min_value=1, max_value=60))
def test_frames_stand_behind_each_other_and_may_be_cut_anywhere(payloads: list[bytes], size: int) -> None:
    data = b"".join(event_stream.encode_frame({"n": str(n)}, payload) for n, payload in enumerate(payloads))
    buffer, read_back = EventStreamBuffer(), []
    for at in range(0, len(data), size):
        buffer.add_data(data[at : at + size])
        read_back.extend(buffer)
    assert [message.payload for message in read_back] == payloads


@given(st.dictionaries(TEXT, JSON, max_size=4), st.sampled_from(["", "a", "abcdefgh"]))
def test_a_chunk_arrives_byte_for_byte(chunk: dict[str, Any], padding: str) -> None:
    frame = event_stream.chunk_frame(chunk, padding=padding)
    (event,) = read("InvokeModelWithResponseStream", "body", frame)
    assert json.loads(event["chunk"]["bytes"]) == chunk


@given(TEXT, st.sampled_from(["", "abc"]))
def test_a_converse_event_arrives_without_its_padding(text: str, padding: str) -> None:
    body = {"contentBlockIndex": 0, "delta": {"text": text}}
    frame = event_stream.event_frame("contentBlockDelta", body, padding=padding)
    assert read("ConverseStream", "stream", frame) == [{"contentBlockDelta": body}]


def test_the_headers_are_those_of_the_service() -> None:
    (message,) = decoded(event_stream.chunk_frame({"a": 1}, padding="ab"))
    assert message.headers == {
        ":event-type": "chunk",
        ":content-type": "application/json",
        ":message-type": "event",
    }
    assert json.loads(message.payload) == {"bytes": "eyJhIjoxfQ==", "p": "ab"}


def test_an_exception_frame_raises_after_the_events_before_it() -> None:
    frames = event_stream.event_frame("messageStart", {"role": "assistant"})
    frames += event_stream.exception_frame("throttlingException", "Too many requests.")
    with pytest.raises(EventStreamError) as raised:
        read("ConverseStream", "stream", frames)
    assert raised.value.response["Error"] == {"Code": "throttlingException", "Message": "Too many requests."}


def test_an_error_frame_raises_with_code_and_message() -> None:
    with pytest.raises(EventStreamError) as raised:
        read("ConverseStream", "stream", event_stream.error_frame("SomethingElse", "It broke."))
    assert raised.value.response["Error"] == {"Code": "SomethingElse", "Message": "It broke."}


def test_a_name_that_does_not_fit_is_refused() -> None:
    with pytest.raises(struct.error):
        event_stream.encode_frame({"n" * 256: ""}, b"")


def test_a_lone_surrogate_does_not_break_the_stream() -> None:
    (event,) = read("InvokeModelWithResponseStream", "body", event_stream.chunk_frame({"text": "a\ud83d"}))
    assert json.loads(event["chunk"]["bytes"]) == {"text": "a?"}
