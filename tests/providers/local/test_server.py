"""The endpoint over the socket: real boto3 on one side, the real model and simulated ones on the other."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError

from providers.families.pieces import METRICS_KEY
from providers.local.engine import MODEL_ID, Engine, load_runtime
from providers.local.launch import LocalEndpoint
from providers.local.server import MAX_BODY_BYTES
from providers.local.simulated import Profile
from tests.conftest import make_client
from tests.patience import until

QUICK = Profile(id="simulated.quick", label="", time_to_first_token_s=0.1, tokens_per_s=100, length_tokens=60)
PACED = Profile(id="simulated.paced", label="", time_to_first_token_s=0.1, tokens_per_s=25, length_tokens=60)
ENDLESS = Profile(id="simulated.endless", label="", time_to_first_token_s=0.0, tokens_per_s=100, length_tokens=9000)
SILENT = Profile(id="simulated.silent", label="", time_to_first_token_s=60, tokens_per_s=10, length_tokens=60)
FRAGILE = Profile(
    id="simulated.fragile", label="", time_to_first_token_s=0, tokens_per_s=500, length_tokens=60, breaks_before_token=9
)

QUESTION = "Why is the sky blue?"
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TITAN = "amazon.titan-text-express-v1"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"

INVOKE_BODIES: dict[str, dict[str, Any]] = {
    CLAUDE: {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 12,
        "temperature": 0.0,
        "messages": [{"role": "user", "content": QUESTION}],
    },
    TITAN: {"inputText": QUESTION, "textGenerationConfig": {"maxTokenCount": 12, "temperature": 0.0}},
    LLAMA: {"prompt": QUESTION, "max_gen_len": 12, "temperature": 0.0},
}


@pytest.fixture(scope="module")
def fast() -> Iterator[LocalEndpoint]:
    """An endpoint with simulated models made for these tests."""
    with LocalEndpoint(engine=Engine(), profiles=(QUICK, PACED, ENDLESS, SILENT, FRAGILE)) as running:
        yield running


@pytest.fixture(scope="module")
def fast_client(fast: LocalEndpoint) -> Any:
    return make_client(fast.url)


def converse(model_id: str, text: str = QUESTION, **settings: Any) -> dict[str, Any]:
    """Arguments of converse and converse_stream."""
    return {
        "modelId": model_id,
        "messages": [{"role": "user", "content": [{"text": text}]}],
        "inferenceConfig": settings,
    }


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)


def chunks_of(response: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(event["chunk"]["bytes"]) for event in response["body"]]


# --- the four operations ----------------------------------------------------------------------------------------------


def test_converse_with_the_real_model(runtime_client: Any) -> None:
    answer = runtime_client.converse(**converse(MODEL_ID, maxTokens=12, temperature=0.0))
    (block,) = answer["output"]["message"]["content"]
    assert len(block["text"]) > 10
    assert answer["stopReason"] == "max_tokens"
    usage = answer["usage"]
    assert usage["outputTokens"] == 12
    assert usage["totalTokens"] == usage["inputTokens"] + 12
    assert answer["metrics"]["latencyMs"] > 10


def test_converse_stream_with_the_real_model_says_the_same(runtime_client: Any) -> None:
    settings: dict[str, Any] = {"maxTokens": 12, "temperature": 0.0}
    complete = runtime_client.converse(**converse(MODEL_ID, **settings))
    events = list(runtime_client.converse_stream(**converse(MODEL_ID, **settings))["stream"])
    assert text_of(events) == complete["output"]["message"]["content"][0]["text"]
    kinds = [next(iter(event)) for event in events]
    assert kinds[0] == "messageStart"
    assert kinds[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert events[-1]["metadata"]["usage"] == complete["usage"]


@pytest.mark.parametrize("asked", [CLAUDE, TITAN, LLAMA])
@pytest.mark.parametrize("under_own_id", [False, True], ids=["bedrock-id", "own-id"])
def test_invoke_and_its_stream_with_the_real_model(runtime_client: Any, asked: str, under_own_id: bool) -> None:
    model_id = MODEL_ID if under_own_id else asked
    body = json.dumps(INVOKE_BODIES[asked])
    complete = runtime_client.invoke_model(modelId=model_id, body=body)
    headers = complete["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-output-token-count"] == "12"
    assert int(headers["x-amzn-bedrock-input-token-count"]) > 5
    assert int(headers["x-amzn-bedrock-invocation-latency"]) > 10
    assert headers["x-answered-by"] == MODEL_ID
    assert json.loads(complete["body"].read())

    stream = runtime_client.invoke_model_with_response_stream(modelId=model_id, body=body)
    assert stream["contentType"] == "application/json"
    chunks = chunks_of(stream)
    assert len(chunks) > 6
    assert [METRICS_KEY in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    metrics = chunks[-1][METRICS_KEY]
    assert metrics["outputTokenCount"] == 12
    assert metrics["inputTokenCount"] == int(headers["x-amzn-bedrock-input-token-count"])
    assert 0 < metrics["firstByteLatency"] < metrics["invocationLatency"]


def test_a_simulated_model_says_the_same_in_every_way(fast_client: Any) -> None:
    complete = fast_client.converse(**converse(QUICK.id))["output"]["message"]["content"][0]["text"]
    streamed = text_of(list(fast_client.converse_stream(**converse(QUICK.id))["stream"]))
    body = json.dumps(INVOKE_BODIES[CLAUDE] | {"max_tokens": 500})
    invoked = json.loads(fast_client.invoke_model(modelId=QUICK.id, body=body)["body"].read())
    chunks = chunks_of(fast_client.invoke_model_with_response_stream(modelId=QUICK.id, body=body))
    deltas = "".join(chunk["delta"]["text"] for chunk in chunks if chunk["type"] == "content_block_delta")
    assert complete == streamed == invoked["content"][0]["text"] == deltas
    assert "simulated" in complete


def test_settings_reach_the_model(runtime_client: Any) -> None:
    parameters = converse(MODEL_ID, "Count from 1 to 9.", maxTokens=60, temperature=0.0, stopSequences=["3"])
    answer = runtime_client.converse(**parameters, system=[{"text": "You count."}])
    assert answer["stopReason"] == "stop_sequence"
    assert "3" not in answer["output"]["message"]["content"][0]["text"]


def test_an_open_assistant_turn_is_continued(runtime_client: Any) -> None:
    parameters = converse(MODEL_ID, "Count to five.", maxTokens=8, temperature=0.0)
    parameters["messages"].append({"role": "assistant", "content": [{"text": "One, two,"}]})
    answer = runtime_client.converse(**parameters)
    assert answer["output"]["message"]["content"][0]["text"].startswith(" three")


# --- time -------------------------------------------------------------------------------------------------------------


def arrival_times_s(events: Any) -> list[float]:
    """When each delta was there, of a ConverseStream or of chunks in Claude's shape."""
    return [
        time.monotonic()
        for event in events
        if "contentBlockDelta" in event or b"content_block_delta" in event.get("chunk", {}).get("bytes", b"")
    ]


@pytest.mark.parametrize("api", ["converse", "invoke"])
def test_simulated_deltas_arrive_when_they_are_due(fast_client: Any, api: str) -> None:
    body = json.dumps(INVOKE_BODIES[CLAUDE] | {"max_tokens": 12})
    start_s = time.monotonic()
    if api == "converse":
        events = fast_client.converse_stream(**converse(PACED.id, maxTokens=12))["stream"]
    else:
        events = fast_client.invoke_model_with_response_stream(modelId=PACED.id, body=body)["body"]
    times = arrival_times_s(events)
    assert len(times) == 12
    late_s = [at_s - start_s - PACED.due_s(token) for token, at_s in enumerate(times)]
    assert min(late_s) >= 0
    assert statistics.median(late_s) < 0.8 / PACED.tokens_per_s  # nothing is held back until the next token


def test_real_deltas_arrive_one_after_another(runtime_client: Any) -> None:
    times = arrival_times_s(
        runtime_client.converse_stream(**converse(MODEL_ID, maxTokens=40, temperature=0.0))["stream"]
    )
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert sum(gap > 0.001 for gap in gaps) > len(gaps) / 2


def test_the_complete_answer_takes_as_long_as_the_streamed_one(fast_client: Any) -> None:
    start_s = time.monotonic()
    answer = fast_client.converse(**converse(QUICK.id, maxTokens=40))
    took_s = time.monotonic() - start_s
    assert took_s >= QUICK.due_s(39)
    assert answer["metrics"]["latencyMs"] == pytest.approx(took_s * 1000, abs=100)


def test_the_headers_come_before_the_first_word(fast_client: Any, fast: LocalEndpoint) -> None:
    start_s = time.monotonic()
    stream = fast_client.converse_stream(**converse(SILENT.id))["stream"]
    assert time.monotonic() - start_s < 5
    stream.close()
    until(lambda: fast.active == 0)


def test_nagle_is_off_on_accepted_connections(endpoint: LocalEndpoint, runtime_client: Any) -> None:
    stream = runtime_client.converse_stream(**converse("simulated.swift", maxTokens=5))["stream"]
    next(iter(stream))
    connections = list(endpoint._server.server_state.connections)
    assert connections
    for connection in connections:
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    stream.close()


# --- clients that go away ---------------------------------------------------------------------------------------------


def test_closing_a_stream_stops_the_model(endpoint: LocalEndpoint, runtime_client: Any) -> None:
    parameters = converse(MODEL_ID, "Tell me a long story about a river.", maxTokens=2000, temperature=0.0)
    stream = runtime_client.converse_stream(**parameters)["stream"]
    next(event for event in stream if "contentBlockDelta" in event)
    assert endpoint.engine.running == 1
    stream.close()
    until(lambda: endpoint.engine.running == 0, within_s=1.0)
    until(lambda: endpoint.active == 0)


@pytest.mark.parametrize("verb", ["converse", "converse-stream"])
def test_a_client_that_leaves_while_the_prompt_is_read_stops_the_model(endpoint: LocalEndpoint, verb: str) -> None:
    with post(endpoint, MODEL_ID, verb, converse_body("river " * 1500)):
        until(lambda: endpoint.engine.running == 1)
    until(lambda: endpoint.engine.running == 0, within_s=1.0)
    until(lambda: endpoint.active == 0)


@pytest.mark.parametrize("verb", ["converse", "converse-stream"])
def test_a_client_that_leaves_a_silent_model_is_noticed(fast: LocalEndpoint, verb: str) -> None:
    with post(fast, SILENT.id, verb, converse_body()):
        until(lambda: fast.active == 1)
    until(lambda: fast.active == 0, within_s=1.0)


def converse_body(text: str = QUESTION, max_tokens: int = 12) -> bytes:
    messages = [{"role": "user", "content": [{"text": text}]}]
    return json.dumps({"messages": messages, "inferenceConfig": {"maxTokens": max_tokens}}).encode()


def post(endpoint: LocalEndpoint, model_id: str, verb: str, body: bytes) -> socket.socket:
    """A request whose answer nobody waits for; closing the socket is leaving."""
    connection = socket.create_connection(("127.0.0.1", endpoint.port))
    head = f"POST /model/{model_id}/{verb} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


# --- many at once -----------------------------------------------------------------------------------------------------


def test_many_streams_flow_side_by_side(fast_client: Any) -> None:
    def ask(_: int) -> float:
        start_s = time.monotonic()
        list(fast_client.converse_stream(**converse(QUICK.id))["stream"])
        return time.monotonic() - start_s

    with ThreadPoolExecutor(20) as pool:
        took_s = list(pool.map(ask, range(20)))
    assert max(took_s) < 2 * QUICK.due_s(60) + 1


def test_more_calls_than_there_is_room_for_are_throttled(fast: LocalEndpoint, fast_client: Any) -> None:
    streams = [fast_client.converse_stream(**converse(SILENT.id))["stream"] for _ in range(64)]
    with pytest.raises(fast_client.exceptions.ThrottlingException):
        fast_client.converse(**converse(QUICK.id))
    for stream in streams:
        stream.close()
    until(lambda: fast.active == 0)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (converse("nope.nope"), "The provided model identifier is invalid."),
        (converse("local.nope"), "The provided model identifier is invalid."),
        (converse(MODEL_ID, " "), "is blank"),
        (converse(MODEL_ID, temperature=2.5), "#/temperature: 2.5 is not less or equal to 2"),
        (converse(CLAUDE, temperature=0.5, topP=0.5), "cannot both be specified"),
        (converse("us.anthropic.claude-opus-4-8", temperature=0.5), "`temperature` is deprecated for this model."),
        (converse(MODEL_ID, "word " * 5000), "Input is too long for requested model"),
    ],
)
def test_refusals_are_http_errors_with_a_sentence(
    runtime_client: Any, operation: str, parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(runtime_client.exceptions.ValidationException) as raised:
        getattr(runtime_client, operation)(**parameters)
    response = raised.value.response
    assert sentence in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["RequestId"]


def test_a_model_that_breaks_ends_the_stream_with_an_exception_frame(fast_client: Any) -> None:
    stream, events = fast_client.converse_stream(**converse(FRAGILE.id))["stream"], list[dict[str, Any]]()
    with contextlib.closing(stream), pytest.raises(EventStreamError, match="broke off") as raised:
        events.extend(stream)
    assert len(text_of(events)) > 10
    assert raised.value.response["Error"]["Code"] == "modelStreamErrorException"


def test_a_model_that_breaks_before_a_complete_answer_is_an_http_error(fast_client: Any) -> None:
    with pytest.raises(fast_client.exceptions.ModelErrorException, match="broke off"):
        fast_client.converse(**converse(FRAGILE.id))


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_a_machine_without_the_weights_says_what_to_do(operation: str) -> None:
    with LocalEndpoint(engine=Engine(load=lambda: load_runtime(package="no_such_package"))) as endpoint:
        client = make_client(endpoint.url)
        with pytest.raises(client.exceptions.ModelErrorException, match="make install"):
            getattr(client, operation)(**converse(MODEL_ID))


def test_a_body_over_the_limit(fast_client: Any) -> None:
    with pytest.raises(ClientError, match="larger than 8 MB") as raised:
        fast_client.invoke_model(modelId=QUICK.id, body=b" " * (MAX_BODY_BYTES + 1))
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_arns_and_colons_in_the_path(runtime_client: Any) -> None:
    arn = f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/{CLAUDE}"
    assert runtime_client.converse(**converse(arn, maxTokens=2))["stopReason"]


def test_no_answer_names_a_file_of_this_machine(endpoint: LocalEndpoint) -> None:
    for verb in ("converse", "converse-stream"):
        status, _, body = request(endpoint, "POST", f"/model/{MODEL_ID}/{verb}", converse_body())
        assert status == 200
        assert b"gguf" not in body
        assert b"site-packages" not in body


# --- the door ---------------------------------------------------------------------------------------------------------


def request(
    endpoint: LocalEndpoint, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Plain HTTP without any signature."""
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


CONVERSE_PATH = f"/model/{QUICK.id}/converse"


def test_any_signature_will_do(fast: LocalEndpoint) -> None:
    for headers in ({}, {"Authorization": "Bearer test"}, {"Authorization": "nonsense"}):
        assert request(fast, "POST", CONVERSE_PATH, converse_body(), headers)[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "evil.example"}, 400),
        ({"Host": "127.0.0.1.nip.io"}, 400),
        ({"Host": "localhost."}, 400),
        ({"Host": "127.0.0.1", "Origin": "http://127.0.0.1"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:2"}, 403),
        ({"Host": "127.0.0.1", "Origin": "https://127.0.0.1"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 400),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
    ],
)
def test_only_programs_of_this_machine_come_in(fast: LocalEndpoint, headers: dict[str, str], status: int) -> None:
    got, answer_headers, body = request(fast, "POST", CONVERSE_PATH, converse_body(), headers)
    assert got == status, body
    assert answer_headers["x-amzn-requestid"]
    assert "access-control-allow-origin" not in answer_headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CONVERSE_PATH, 405),
        ("POST", "/", 405),
        ("POST", "/model/x/count-tokens", 404),
        ("GET", "/docs", 404),
        ("OPTIONS", CONVERSE_PATH, 405),
    ],
)
def test_other_operations_are_unknown(fast: LocalEndpoint, method: str, path: str, status: int) -> None:
    got, headers, body = request(fast, method, path)
    assert got == status
    assert headers["x-amzn-errortype"] == "UnknownOperationException"
    assert json.loads(body)["message"]


def test_the_front_page_says_what_this_is(fast: LocalEndpoint) -> None:
    status, _, body = request(fast, "GET", "/")
    about = json.loads(body)
    assert status == 200
    assert about["models"] == [MODEL_ID, QUICK.id, PACED.id, ENDLESS.id, SILENT.id, FRAGILE.id]


def test_frames_are_padded_and_chunked(fast: LocalEndpoint) -> None:
    _, headers, body = request(fast, "POST", f"/model/{QUICK.id}/converse-stream", converse_body())
    assert headers["transfer-encoding"] == "chunked"
    assert headers["content-type"] == "application/vnd.amazon.eventstream"
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    lengths = {len(json.loads(message.payload).get("p", "")) for message in buffer}
    assert len(lengths) > 5


# --- shutting down ----------------------------------------------------------------------------------------------------


def test_closing_the_endpoint_ends_its_streams_with_a_word() -> None:
    before = threading.active_count()
    endpoint = LocalEndpoint(engine=Engine(), profiles=(ENDLESS, SILENT))
    client = make_client(endpoint.url)
    flowing = client.converse_stream(**converse(ENDLESS.id))["stream"]
    waiting = client.converse_stream(**converse(SILENT.id))["stream"]
    next(iter(flowing))
    with ThreadPoolExecutor() as pool:
        complete = pool.submit(lambda: client.converse(**converse(SILENT.id)))
        until(lambda: endpoint.active == 3)
        start_s = time.monotonic()
        endpoint.close()
        assert time.monotonic() - start_s < 3
        for stream in (flowing, waiting):
            with contextlib.closing(stream), pytest.raises(EventStreamError, match="shutting down"):
                list(stream)
        with pytest.raises(client.exceptions.ServiceUnavailableException, match="shutting down"):
            complete.result(timeout=5)
    endpoint.close()
    until(lambda: threading.active_count() <= before)
