"""What must not leave with a report: account ids, keys, credentials in addresses, paths of this machine. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from metrics.record import RunRecord, clean_text

DOT = "•"
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_KEY = re.compile(
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b|\bABSK[A-Za-z0-9+/=]{20,}|\bbedrock-api-key-[A-Za-z0-9+/=_-]{8,}"
)
_NAMED_SECRET = re.compile(r"(?i)((?:secret|token|password|api[_-]?key|authorization|signature)\w*[\"']?\s*[:=]\s*)\S+")
_ARN = re.compile(r"arn:[\w-]*:[\w-]*:[\w-]*:[^:\s]*:")
_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")
_PATH = re.compile(r"(?<![\w:/.])(?:/(?:[\w.@-]+/)+[\w.@-]*|[A-Za-z]:\\[^\s\"']*)")


def masked(text: str) -> str:
    """`text` with account ids and keys as dots. Its length stays, so that a replay fits."""
    return _KEY.sub(_dots, _ACCOUNT.sub(_dots, clean_text(text)))


def told(text: str) -> str:
    """A sentence, an id or a setting of ours, made fit to be shown anywhere: ARNs without account, addresses without
    login, no path."""
    for pattern, instead in ((_ARN, "arn:…:"), (_LOGIN, ""), (_NAMED_SECRET, r"\1" + DOT * 3), (_PATH, "[path]")):
        text = pattern.sub(instead, text)
    return masked(text)


def cleaned(record: RunRecord) -> RunRecord:
    """The run without what must not leave, its answer as long as it was."""
    ours = ("request_model", "response_model", "error_message", "server_address", "guardrail_id", "price_model")
    theirs = ("prompt", "response", "reasoning", "system_prompt")
    values: dict[str, Any] = {}
    for names, clean in ((ours, told), (theirs, masked)):
        values |= {name: clean(text) for name in names if (text := getattr(record, name))}
    return replace(record, **values, request_id=None, response_id=None, conversation=(), usage_raw={})


def cleaned_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an experiment without what must not leave: what people wrote is masked, all else told."""
    return {name: _clean(value, masked if name in ("prompts", "system") else told) for name, value in settings.items()}


def _clean(value: Any, clean: Any) -> Any:
    match value:
        case str():
            return clean(value)
        case Mapping():
            return {name: _clean(item, clean) for name, item in value.items()}
        case list() | tuple():
            return [_clean(item, clean) for item in value]
        case _:
            return value


def _dots(found: re.Match[str]) -> str:
    return DOT * len(found[0])
