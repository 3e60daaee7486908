"""*View request*: the boto3 call that would be made now, as JSON and as a program. Nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from app.ui.escaping import escape
from providers.places import BackendStatus
from providers.types import PreparedCall

_READERS = {
    "converse": 'print(response["output"]["message"]["content"][0]["text"])',
    "converse_stream": (
        'for event in response["stream"]:\n'
        '    print(event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""), end="", flush=True)'
    ),
    "invoke_model": 'print(json.loads(response["body"].read()))',
    "invoke_model_with_response_stream": (
        'for event in response["body"]:\n    print(json.loads(event["chunk"]["bytes"]))'
    ),
}


def request_html(call: PreparedCall, status: BackendStatus, *, also_complete: bool) -> str:
    """Both forms, each with a button that copies it. `also_complete`: the same is asked without streaming too."""
    extra = '<p class="note">Mode Both makes this call, and the same without streaming.</p>' if also_complete else ""
    return f"{extra}{_code('boto3', as_program(call, status))}{_code('JSON', as_json(call))}"


def as_json(call: PreparedCall) -> str:
    """Operation and parameters; a body that is JSON text is shown as what it says."""
    return json.dumps(
        {"operation": call.operation, "parameters": _opened(call.parameters)}, indent=2, ensure_ascii=False
    )


def as_program(call: PreparedCall, status: BackendStatus) -> str:
    """A program that makes exactly this call."""
    region = status.region or "us-west-2"
    where = [f'"bedrock-runtime", region_name="{region}"']
    if status.endpoint_url:
        where.append(f'endpoint_url="{status.endpoint_url}"')
    if status.backend == "local":  # it checks no signature, but boto3 wants to sign
        where.append('aws_access_key_id="local", aws_secret_access_key="local"')
    body = call.parameters.get("body")
    lines = ["import json", "", "import boto3", ""] if isinstance(body, str | bytes) else ["import boto3", ""]
    lines += [f"client = boto3.client({', '.join(where)})", f"response = client.{call.operation}("]
    for name, value in call.parameters.items():
        if name == "body" and isinstance(value, str | bytes):
            lines.append(_argument(name, f"json.dumps({_python(json.loads(value))})"))
        else:
            lines.append(_argument(name, _python(value)))
    return "\n".join([*lines, ")", _READERS[call.operation]])


def _argument(name: str, code: str) -> str:
    return f"    {name}={code},"


def _python(value: Any, depth: int = 1) -> str:
    """A literal, one item a line, as it stands `depth` levels deep."""
    inner, outer = "    " * (depth + 1), "    " * depth
    if isinstance(value, Mapping) and value:
        items = [f"{inner}{json.dumps(name)}: {_python(item, depth + 1)},\n" for name, item in value.items()]
        return "{\n" + "".join(items) + outer + "}"
    if isinstance(value, list | tuple) and value:
        return "[\n" + "".join(f"{inner}{_python(item, depth + 1)},\n" for item in value) + outer + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _opened(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: json.loads(value) if name == "body" and isinstance(value, str | bytes) else _plain(value)
        for name, value in parameters.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _code(name: str, text: str) -> str:
    return (
        f'<div class="code"><div class="code-bar"><span>{name}</span>'
        '<button type="button" data-act="copy-code">Copy</button></div>'
        f'<pre tabindex="0"><code>{escape(text)}</code></pre></div>'
    )
