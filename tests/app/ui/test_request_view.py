"""View request: exactly the call, as JSON and as a program that runs."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from app.ui.request_view import as_json, as_program, request_html
from providers.connect import Backends
from providers.places import BackendStatus
from providers.types import GenerationRequest, InferenceConfig, Message, PreparedCall

HERE = BackendStatus(backend="local", reason="x", endpoint_url="http://127.0.0.1:8100")
AWS = BackendStatus(backend="aws", reason="x", region="eu-west-1")


def call(model_id: str, *, stream: bool = True, text: str = 'Say "hi" <b>') -> PreparedCall:
    request = GenerationRequest(
        model_id=model_id,
        messages=(Message(role="user", text=text),),
        system="Be brief.",
        inference=InferenceConfig(max_tokens=50, temperature=0.5),
    )
    backends = Backends("auto", endpoint_url="http://127.0.0.1:9")
    return backends.provider_for(model_id).prepare(request, stream=stream)


def arguments(program: str) -> dict[str, Any]:
    """The keyword arguments of the one call on `client` that a program makes."""
    [made] = [
        node
        for node in ast.walk(ast.parse(program))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("client.")
    ]
    values = {}
    for keyword in made.keywords:
        value = keyword.value
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "json.dumps":
            values[str(keyword.arg)] = json.dumps(ast.literal_eval(value.args[0]))
        else:
            values[str(keyword.arg)] = ast.literal_eval(value)
    return values


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model_id", ["us.anthropic.claude-haiku-4-5-20251001-v1:0", "qwen.qwen3-32b-v1:0"])
def test_the_program_makes_the_call_that_is_sent(model_id: str, stream: bool) -> None:
    prepared = call(model_id, stream=stream)
    program = as_program(prepared, AWS)
    assert f"client.{prepared.operation}(" in program
    found = arguments(program)
    assert found.keys() == prepared.parameters.keys()
    for name, value in prepared.parameters.items():
        assert (json.loads(found[name]) if name == "body" else found[name]) == (
            json.loads(value) if name == "body" else value
        )


def test_the_program_knows_region_and_endpoint() -> None:
    prepared = call("qwen.qwen3-32b-v1:0")
    assert 'region_name="eu-west-1"' in as_program(prepared, AWS)
    assert "endpoint_url" not in as_program(prepared, AWS)
    assert 'endpoint_url="http://127.0.0.1:8100"' in as_program(prepared, HERE)


def test_the_program_does_not_tell_the_login_of_an_endpoint() -> None:
    prepared = call("qwen.qwen3-32b-v1:0")
    guarded = Backends("auto", endpoint_url="http://somebody:secret@127.0.0.1:9").status
    shown = request_html(prepared, guarded, also_complete=False)
    assert "http://127.0.0.1:9" in shown
    assert "somebody" not in shown
    assert "secret" not in shown


def test_json_shows_a_body_as_what_it_says() -> None:
    prepared = call("us.anthropic.claude-haiku-4-5-20251001-v1:0")
    shown = json.loads(as_json(prepared))
    assert shown["operation"] == "invoke_model_with_response_stream"
    assert shown["parameters"]["body"]["max_tokens"] == 50


def test_the_html_is_escaped_and_both_is_explained() -> None:
    html = request_html(call("qwen.qwen3-32b-v1:0"), AWS, also_complete=True)
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    assert html.count('data-act="copy-code"') == 2
    assert "without streaming" in html
