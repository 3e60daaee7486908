"""The command line as a person uses it: in a process of its own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLAIN_BOTO3 = """
import boto3
client = boto3.client("bedrock-runtime", region_name="us-west-2")
answer = client.converse_stream(
    modelId="local.smollm2-135m-instruct",
    messages=[{"role": "user", "content": [{"text": "Say hello."}]}],
    inferenceConfig={"maxTokens": 12},
)
pieces = [event["contentBlockDelta"]["delta"]["text"] for event in answer["stream"] if "contentBlockDelta" in event]
assert len(pieces) > 1
import sys
assert not any(name.split(".")[0] in ("providers", "app", "metrics") for name in sys.modules)
print("".join(pieces))
"""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PLAYGROUND_"))}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return kept | nothing | more


def playground(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "playground.py", *arguments],
        cwd=ROOT,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def test_models_lists_what_can_be_chosen() -> None:
    listed = json.loads(playground("models", "--json").stdout)
    assert listed["default"] == "local.smollm2-135m-instruct"
    assert {model["backend"] for model in listed["models"]} == {"local"}
    plain = playground("models").stdout
    assert all(model["id"] in plain for model in listed["models"])


def test_asking_for_aws_without_credentials_fails_with_a_sentence() -> None:
    done = playground("models", "--backend", "aws")
    assert done.returncode == 1
    assert "aws configure" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--port", "many"], ["models", "--backend", "moon"]])
def test_bad_arguments_end_with_2(arguments: list[str]) -> None:
    assert playground(*arguments).returncode == 2


def test_a_boto3_program_that_knows_nothing_of_this_one_streams_from_the_endpoint(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "playground.py", "endpoint", "--port", "0"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as endpoint:
        assert endpoint.stdout is not None
        told = [endpoint.stdout.readline().split() for _ in range(4)]
        url = told[0][-1]
        assert told[3] == ["export", f"AWS_ENDPOINT_URL_BEDROCK_RUNTIME={url}"]
        try:
            done = subprocess.run(
                [sys.executable, "-c", PLAIN_BOTO3],
                cwd=tmp_path,
                env=environment(
                    AWS_ENDPOINT_URL_BEDROCK_RUNTIME=url, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"
                ),
                capture_output=True,
                text=True,
                timeout=40,
                check=False,
            )
        finally:
            endpoint.send_signal(signal.SIGINT)
            endpoint.wait(10)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert endpoint.returncode == 0


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    command = f"{shlex.quote(sys.executable)} playground.py models --json | true"
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
