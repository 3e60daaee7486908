"""BedrockProvider over real boto3 and a real socket: what each ending of the wire becomes."""

from __future__ import annotations

import threading
import time

import pytest

from providers import errors
from providers.bedrock import BedrockProvider
from providers.cancellation import Cancellation
from providers.clients import local_client
from providers.local.event_stream import event_frame, exception_frame
from providers.types import (
    Api,
    MessageStart,
    MessageStop,
    ServerTiming,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
    accumulate,
)
from tests.providers.conftest import ask
from tests.wire import (
    WireServer,
    chunk_frames,
    document,
    failure,
    hang_up,
    reset,
    silence,
    stop_frames,
    stream,
    text_frames,
)

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
CLAUDE_CHUNKS = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": 9,
            "outputTokenCount": 2,
            "invocationLatency": 400,
            "firstByteLatency": 150,
        },
    },
]


def test_a_converse_stream_becomes_events(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(stream([*text_frames("Hel", "", "lo"), *stop_frames()]))
    events = list(provider.stream(ask(max_tokens=20, temperature=0.0)))
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hel", "lo"]
    start = events[0]
    assert isinstance(start, MessageStart)
    assert start.request_id == "wire-1"
    assert 0 < start.sent_at_ns < start.headers_at_ns
    done = accumulate(events)
    assert (done.text, done.stop_reason) == ("Hello", StopReason.END_TURN)
    assert done.usage is not None
    assert (done.usage.input_tokens, done.usage.output_tokens) == (5, 7)
    assert done.server_timing == ServerTiming(latency_s=0.321)
    assert wire.asked[0].operation == "converse-stream"
    assert wire.asked[0].body["inferenceConfig"] == {"maxTokens": 20, "temperature": 0.0}


def test_an_invoke_stream_reads_metrics_from_the_last_chunk(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(stream(chunk_frames(*CLAUDE_CHUNKS)))
    done = accumulate(provider.stream(ask(CLAUDE, api="auto", max_tokens=20)))
    assert done.text == "Hello"
    assert done.server_timing == ServerTiming(latency_s=0.4, first_byte_s=0.15)
    assert wire.asked[0].operation == "invoke-with-response-stream"
    assert wire.asked[0].model_id == CLAUDE
    assert wire.asked[0].body["anthropic_version"] == "bedrock-2023-05-31"


def test_usage_comes_from_the_headers_where_the_body_has_none(wire: WireServer, provider: BedrockProvider) -> None:
    headers = {
        "x-amzn-bedrock-input-token-count": "11",
        "x-amzn-bedrock-output-token-count": "3",
        "x-amzn-bedrock-invocation-latency": "250",
    }
    wire.reply_with(document({"generation": "Hey", "stop_reason": "stop"}, headers))
    events = list(provider.invoke(ask("us.meta.llama3-3-70b-instruct-v1:0", api="auto")))
    usage = next(event for event in events if isinstance(event, Usage))
    assert (usage.input_tokens, usage.output_tokens) == (11, 3)
    assert ServerTiming(latency_s=0.25) in events
    start = events[0]
    assert isinstance(start, MessageStart)
    assert start.body == {"generation": "Hey", "stop_reason": "stop"}


def test_headers_that_are_no_numbers_are_unknown_and_not_a_failure(wire: WireServer, provider: BedrockProvider) -> None:
    headers = {
        "x-amzn-bedrock-input-token-count": "11.0",
        "x-amzn-bedrock-output-token-count": "many",
        "x-amzn-bedrock-invocation-latency": "soon",
    }
    wire.reply_with(document({"generation": "Hey", "stop_reason": "stop"}, headers))
    done = accumulate(provider.invoke(ask("us.meta.llama3-3-70b-instruct-v1:0", api="auto")))
    assert done.usage is not None
    assert (done.usage.input_tokens, done.usage.output_tokens) == (11, None)
    assert done.usage.raw["output-token-count"] == "many"
    assert done.server_timing == ServerTiming(latency_s=None)


def test_a_complete_answer_is_one_piece(wire: WireServer, provider: BedrockProvider) -> None:
    body = {
        "output": {"message": {"role": "assistant", "content": [{"text": "All at once."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 10},
    }
    wire.reply_with(document(body))
    events = list(provider.invoke(ask()))
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["All at once."]
    assert wire.asked[0].operation == "converse"


# --- cut, broken, refused ---------------------------------------------------------------------------------------------

CUTS = {
    "clean end without a marker": stream(text_frames("Hel", "lo")),
    "orderly close": stream(text_frames("Hel", "lo"), hang_up),
    "reset": stream(text_frames("Hel", "lo"), reset),
    "half a frame": stream([*text_frames("Hel", "lo"), stop_frames()[1][:20]]),
    "wrong checksum": stream([*text_frames("Hel", "lo"), stop_frames()[1][:-1] + b"\0"]),
    "exception": stream([*text_frames("Hel", "lo"), exception_frame("modelStreamErrorException", "It broke.")]),
    "unlisted exception": stream([*text_frames("Hel", "lo"), exception_frame("newKindOfException", "Odd.")]),
    "throttled": stream([*text_frames("Hel", "lo"), exception_frame("throttlingException", "Slow down.")]),
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_stream_keeps_what_arrived(wire: WireServer, provider: BedrockProvider, cut: str) -> None:
    wire.reply_with(CUTS[cut])
    got: list[StreamEvent] = []
    with pytest.raises(errors.StreamInterruptedError) as caught:
        got.extend(provider.stream(ask()))
    # Over a reset the system may drop what it had not read yet; never more than arrived, never anything else.
    assert "Hello".startswith(caught.value.partial.text)
    assert caught.value.partial.text == accumulate(got).text
    assert not caught.value.partial.is_complete
    if cut != "reset":
        assert caught.value.partial.text == "Hello"
    assert str(caught.value).startswith("The answer was cut short: ")


def test_a_connection_lost_after_the_marker_does_not_undo_the_answer(
    wire: WireServer, provider: BedrockProvider
) -> None:
    wire.reply_with(stream([*text_frames("Hello"), *stop_frames()], hang_up))
    assert accumulate(provider.stream(ask())).is_complete


def test_text_after_the_marker_is_no_part_of_the_answer(wire: WireServer, provider: BedrockProvider) -> None:
    late = event_frame("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": " and more"}})
    wire.reply_with(stream([*text_frames("Hello"), *stop_frames(), late]))
    assert accumulate(provider.stream(ask())).text == "Hello"


def test_an_empty_stream_may_be_tried_again(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(stream([]))
    with pytest.raises(errors.ConnectionFailedError, match="before it said anything"):
        list(provider.stream(ask()))


def test_a_page_in_place_of_frames_is_told_apart(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(stream([b"<!doctype html><title>Sign in to the network</title>"]))
    with pytest.raises(
        errors.DecodeError, match=r"proxy or a sign-in page.* It begins: <!doctype html><title>Sign in to"
    ):
        list(provider.stream(ask()))


@pytest.mark.parametrize(("api", "streamed"), [("invoke", True), ("invoke", False), ("converse", False)])
def test_a_page_is_quoted_whichever_way_was_asked(
    wire: WireServer, provider: BedrockProvider, api: Api, streamed: bool
) -> None:
    page = f"<html>\n  <title>Zürich Guest Wi-Fi</title>  token Bearer test {'é' * 1000}".encode()
    wire.reply_with(stream([page]))
    call = provider.stream if streamed else provider.invoke
    with pytest.raises(errors.DecodeError) as raised:
        list(call(ask(CLAUDE, api=api)))
    quote = str(raised.value).partition(" It begins: ")[2]
    assert quote.startswith("<html> <title>Zürich Guest Wi-Fi</title> token [removed] éé")
    assert 180 < len(quote) <= 200


@pytest.mark.parametrize("sent", [b"\x00\x00\x00\x10", b"\x1b[2J", "\x9b31m".encode(), "\u202e".encode(), b"\xff"])
def test_what_a_terminal_would_obey_is_not_quoted(wire: WireServer, provider: BedrockProvider, sent: bytes) -> None:
    wire.reply_with(stream([b"Sign in " + sent + b" garbage, and more of it"]))
    with pytest.raises(errors.DecodeError) as raised:
        list(provider.stream(ask()))
    assert "It begins" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        ("400 Bad Request", "ValidationException", "Input is too long.", errors.InvalidRequestError),
        (
            "400 Bad Request",
            "ValidationException",
            "The provided model identifier is invalid.",
            errors.ModelNotFoundError,
        ),
        ("403 Forbidden", "AccessDeniedException", "You don't have access.", errors.AccessDeniedError),
        ("403 Forbidden", "ExpiredTokenException", "The security token is expired", errors.AccessDeniedError),
        ("404 Not Found", "ResourceNotFoundException", "End of its life.", errors.ModelNotFoundError),
        ("408 Request Timeout", "ModelTimeoutException", "Too slow.", errors.ModelTimeoutError),
        ("424 Failed Dependency", "ModelErrorException", "Broken.", errors.ModelFailedError),
        ("429 Too Many Requests", "ThrottlingException", "Too many requests.", errors.ThrottledError),
        ("429 Too Many Requests", "ThrottlingException", "Too many tokens per day.", errors.QuotaExceededError),
        ("429 Too Many Requests", "ModelNotReadyException", "Loading.", errors.ModelNotReadyError),
        ("500 Internal Server Error", "InternalServerException", "Oops.", errors.InternalServiceError),
        ("503 Service Unavailable", "ServiceUnavailableException", "Down.", errors.ServiceUnavailableError),
        ("502 Bad Gateway", "", "", errors.ServiceUnavailableError),
    ],
)
def test_refusals_have_their_class_and_say_what_to_do(
    wire: WireServer,
    provider: BedrockProvider,
    status: str,
    code: str,
    message: str,
    kind: type[errors.ProviderError],
) -> None:
    wire.reply_with(failure(status, code, message))
    with pytest.raises(errors.ProviderError) as caught:
        list(provider.stream(ask()))
    assert type(caught.value) is kind
    assert message.rstrip(".") in str(caught.value)
    assert caught.value.__cause__ is not None
    assert len(wire.asked) == 1  # botocore's own retries are off


def test_nobody_listens() -> None:
    nobody = BedrockProvider(local_client("http://127.0.0.1:9"))
    with pytest.raises(errors.ConnectionFailedError, match="connection to the service failed"):
        list(nobody.stream(ask()))


# --- hanging up -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["before the headers", "in a silence", "while it flows", "complete answer"])
def test_cancelling_closes_the_connection_from_any_state(
    wire: WireServer, provider: BedrockProvider, phase: str
) -> None:
    flowing = stream(text_frames(*["word "] * 50), silence)
    wire.reply_with(flowing if phase in ("in a silence", "while it flows") else silence)
    canceller = Cancellation()
    got: list[object] = []
    call = provider.invoke if phase == "complete answer" else provider.stream
    reached = threading.Event()

    def read() -> None:
        for event in call(ask(), canceller):
            got.append(event)
            if len(got) == (5 if phase == "while it flows" else 51):
                reached.set()

    reader = threading.Thread(target=read)
    reader.start()
    if phase in ("in a silence", "while it flows"):
        assert reached.wait(5)
    else:
        deadline = time.perf_counter() + 5
        while not wire.asked and time.perf_counter() < deadline:
            time.sleep(0.005)
    asked_to_stop = time.perf_counter()
    canceller.cancel()
    reader.join(1)
    assert not reader.is_alive()
    deadline = time.perf_counter() + 1
    while not wire.left_at and time.perf_counter() < deadline:
        time.sleep(0.005)
    assert wire.left_at, "the other side never saw the client go"
    assert wire.left_at[0] - asked_to_stop < 1
    assert not any(isinstance(event, MessageStop) for event in got)


def test_closing_the_generator_closes_the_connection(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(stream(text_frames("one", "two"), silence))
    events = provider.stream(ask())
    next(events)
    next(events)
    events.close()
    deadline = time.perf_counter() + 1
    while not wire.left_at and time.perf_counter() < deadline:
        time.sleep(0.005)
    assert wire.left_at


# --- checks before any call -------------------------------------------------------------------------------------------


def test_a_value_out_of_range_is_refused_before_any_call(wire: WireServer, provider: BedrockProvider) -> None:
    with pytest.raises(ValueError, match=r"temperature.*between 0 and 1"):
        provider.stream(ask(temperature=1.5))
    assert wire.asked == []


def test_prepare_shows_what_would_be_sent(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(stream([*text_frames("Hi"), *stop_frames()]))
    request = ask(max_tokens=12, temperature=0.5)
    call = provider.prepare(request, stream=True)
    list(provider.stream(request))
    assert call.operation == "converse_stream"
    sent = {key: value for key, value in call.parameters.items() if key != "modelId"}
    assert sent == wire.asked[0].body
