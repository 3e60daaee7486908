"""Starting and ending the endpoint: on a thread, in the foreground, and for a program that knows nothing of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from providers.local.engine import MODEL_ID
from providers.local.launch import LocalEndpoint
from tests.conftest import make_client
from tests.patience import until

SERVE = """
from providers.local.launch import serve
serve(0, on_start=lambda url: print(url, flush=True))
"""

PLAIN_BOTO3 = """
import sys, time
import boto3
client = boto3.client("bedrock-runtime")
answer = client.converse_stream(
    modelId=sys.argv[1],
    messages=[{"role": "user", "content": [{"text": "Tell me about rivers."}]}],
    inferenceConfig={"maxTokens": 24},
)
for event in answer["stream"]:
    if "contentBlockDelta" in event:
        print(time.monotonic(), event["contentBlockDelta"]["delta"]["text"].encode())
"""


def test_it_can_be_called_as_soon_as_it_is_made_and_starts_without_the_model() -> None:
    start_s = time.monotonic()
    with LocalEndpoint() as endpoint:
        made_s = time.monotonic() - start_s
        answer = make_client(endpoint.url).converse(
            modelId="simulated.swift",
            messages=[{"role": "user", "content": [{"text": "Hi"}]}],
            inferenceConfig={"maxTokens": 5},
        )
        assert answer["stopReason"] == "max_tokens"
        assert endpoint.engine._runtime is None
    assert made_s < 1


def test_it_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    endpoint = LocalEndpoint()
    endpoint.close()
    endpoint.close()
    until(lambda: set(threading.enumerate()) <= before)
    with LocalEndpoint(endpoint.port) as again:
        assert again.port == endpoint.port


def test_a_taken_port_is_an_error_at_once() -> None:
    with LocalEndpoint() as endpoint, pytest.raises(OSError, match="in use"):
        LocalEndpoint(endpoint.port)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_plain_boto3_program_streams_from_the_endpoint_in_the_foreground(ending: signal.Signals) -> None:
    server = subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        program = subprocess.run(
            [sys.executable, "-c", PLAIN_BOTO3, MODEL_ID if ending is signal.SIGINT else "simulated.swift"],
            env={
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
                "AWS_DEFAULT_REGION": "us-west-2",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    finally:
        server.send_signal(ending)
        _, complaints = server.communicate(timeout=20)
    lines = program.stdout.splitlines()
    times = [float(line.split()[0]) for line in lines]
    assert len(lines) > 10
    assert times[-1] - times[0] > 0.05
    assert complaints == ""
    assert server.returncode == (0 if ending is signal.SIGINT else -signal.SIGTERM)


def test_a_program_that_forgets_to_close_it_still_ends() -> None:
    script = (
        "from providers.local.launch import LocalEndpoint\n"
        "from tests.conftest import make_client\n"
        "client = make_client(LocalEndpoint().url)\n"
        "messages = [{'role': 'user', 'content': [{'text': 'Tell me a story.'}]}]\n"
        f"stream = client.converse_stream(modelId={MODEL_ID!r}, messages=messages)['stream']\n"
        "next(event for event in stream if 'contentBlockDelta' in event)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
