"""Reads the fields of request bodies, for the server side of the families.

The sentences are in the manner of the service's `ValidationException` ("Malformed input request: #/max_tokens: ...").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NoReturn

from providers.errors import InvalidValueError
from providers.types import InferenceConfig, Message, Role


def malformed(path: str, complaint: str) -> NoReturn:
    """Raises `InvalidValueError` for the field at `path`."""
    raise InvalidValueError(
        f"Malformed input request: #/{path}: {complaint}, please reformat your input and try again.", field=path
    )


def text_field(body: Mapping[str, Any], name: str) -> str:
    """A required text. Raises `InvalidValueError`, as all of these do."""
    value = body.get(name)
    if not isinstance(value, str):
        malformed(name, f"expected type: String, found: {_kind(value)}")
    return value


def number_field(body: Mapping[str, Any], name: str) -> float | None:
    """A number, or `None` where the field is absent or null."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        malformed(name, f"expected type: Number, found: {_kind(value)}")
    return value


def count_field(body: Mapping[str, Any], *names: str) -> int | None:
    """A whole number under the first of `names` that is there."""
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            malformed(name, f"expected type: Integer, found: {_kind(value)}")
        return value
    return None


def texts_field(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of texts; one text alone counts as a list of one."""
    value = body.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        malformed(name, "expected type: JSONArray of String")
    return tuple(value)


def object_field(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object, empty where it is absent."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        malformed(name, f"expected type: JSONObject, found: {_kind(value)}")
    return value


def list_field(body: Mapping[str, Any], name: str) -> list[Any]:
    """A required list."""
    value = body.get(name)
    if not isinstance(value, list):
        malformed(name, f"expected type: JSONArray, found: {_kind(value)}")
    return value


def inference(
    body: Mapping[str, Any],
    *,
    max_tokens: str | tuple[str, ...],
    temperature: str = "temperature",
    top_p: str = "top_p",
    stop: str | None = None,
) -> InferenceConfig:
    """The settings under a family's own names."""
    names = (max_tokens,) if isinstance(max_tokens, str) else max_tokens
    return InferenceConfig(
        max_tokens=count_field(body, *names),
        temperature=number_field(body, temperature),
        top_p=number_field(body, top_p),
        stop_sequences=texts_field(body, stop) if stop else (),
    )


def messages_field(body: Mapping[str, Any], *, roles: Collection[str] = ("system", "developer")) -> list[Message]:
    """The turns under `messages`, without those whose role is in `roles`; see `system_texts`.

    A turn's content is a text, or a list of blocks of which those with `text` count.
    """
    turns: list[Message] = []
    for position, turn in enumerate(list_field(body, "messages")):
        path = f"messages/{position}"
        role = turn.get("role") if isinstance(turn, Mapping) else None
        if role in roles:
            continue
        if role not in ("user", "assistant"):
            malformed(f"{path}/role", f"{role!r} is not a valid enum value")
        known: Role = "user" if role == "user" else "assistant"
        turns.append(Message(role=known, text=content_text(turn.get("content"), path)))
    return turns


def system_texts(body: Mapping[str, Any], *, roles: Collection[str] = ("system", "developer")) -> str | None:
    """The texts of the turns under `messages` whose role is in `roles`."""
    found = [
        content_text(turn.get("content"), f"messages/{position}")
        for position, turn in enumerate(list_field(body, "messages"))
        if isinstance(turn, Mapping) and turn.get("role") in roles
    ]
    return "\n".join(found) or None


def content_text(content: Any, path: str) -> str:
    """The text of a turn's content: a text, or blocks with `text`, joined by line breaks.

    Raises `InvalidValueError` for a block without text: this endpoint reads nothing else.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        malformed(f"{path}/content", f"expected type: JSONArray, found: {_kind(content)}")
    texts: list[str] = []
    for block in content:
        text = block.get("text") if isinstance(block, Mapping) else None
        if not isinstance(text, str):
            malformed(f"{path}/content", "only text is supported by this model")
        texts.append(text)
    return "\n".join(texts)


def without(body: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The fields that no setting of ours stands for: what `GenerationRequest.extra` keeps."""
    known = set(names)
    return {key: value for key, value in body.items() if key not in known}


def _kind(value: Any) -> str:
    match value:
        case None:
            return "Null"
        case bool():
            return "Boolean"
        case str():
            return "String"
        case int():
            return "Integer"
        case float():
            return "Number"
        case list():
            return "JSONArray"
        case _:
            return "JSONObject"
