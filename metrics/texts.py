"""What of a run's texts goes into the log: all of them, their fingerprints, or none.

Here a row loses its texts, in one place, before it is written; a flag on it says so from then on. Texts are what a
person or a model wrote, and what a service may have quoted of it. Numbers, times, names of models and lengths of chunks
stay. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from metrics.record import RunRecord, clean_text

Texts = Literal["full", "hash", "off"]
NOT_KEPT = "text_not_kept"
HASHED = "text_hashed"
REDUCED = frozenset({NOT_KEPT, HASHED})
"""Flags of rows whose texts are not those of the run."""
FINGERPRINT = "sha256:"
_NONCE = re.compile(r"^\[[0-9a-f]{12}\]\n")
REASON_NOT_KEPT = "What went wrong is not kept in words: the run log was told to keep no texts."
"""In place of an error's sentence, which may quote the prompt. The error's type and status are kept."""

_TEXTS = ("system_prompt", "prompt", "response", "reasoning")
_PLAIN_SETTINGS = frozenset(
    {"models", "experiment_id", "prompt_set", "state", "started_at", "conditions", "client", "texts"}
)
"""Settings of an experiment that hold words of ours alone. Of all others only numbers are kept."""


def texts_of(record: RunRecord) -> Texts:
    """How the texts of a row were kept."""
    if NOT_KEPT in record.flags:
        return "off"
    return "hash" if HASHED in record.flags else "full"


def without_nonce(text: str) -> str:
    """A prompt as a person wrote it, without the characters that keep an experiment's calls out of prompt caches."""
    return _NONCE.sub("", text)


def fingerprint(text: str) -> str:
    """`sha256:` and the hash of the text in UTF-8, in hexadecimal; nothing of nothing. Equal texts have equal ones,
    prompts that differ by their nonce too, and who guesses a text can check the guess."""
    return FINGERPRINT + hashlib.sha256(clean_text(without_nonce(text)).encode()).hexdigest() if text else text


def reduced_text(text: str, texts: Texts) -> str:
    """A single text as it is to be kept; a fingerprint is none of another one."""
    if texts == "full":
        return text
    is_one = text.startswith(FINGERPRINT) and len(text) == len(fingerprint("a"))
    return text if texts == "hash" and is_one else _KEEP[texts](text)


def reduced(record: RunRecord, texts: Texts) -> RunRecord:
    """The row as it is to be kept. One that lost its texts already is not asked for more than is left of them."""
    before = texts_of(record)
    if texts == "full" or before in ("off", texts):
        return record
    keep = _KEEP[texts]
    values: dict[str, Any] = {name: keep(text) for name in _TEXTS if (text := getattr(record, name))}
    if texts == "off":
        values |= {"system_prompt": None, "conversation": (), "stop_sequences": ()}
    else:
        values["conversation"] = tuple({**turn, "text": keep(turn["text"])} for turn in record.conversation)
        values["stop_sequences"] = tuple(map(keep, record.stop_sequences))
    return replace(
        record,
        **values,
        usage_raw=_numbers(record.usage_raw),
        error_message=record.error_message and REASON_NOT_KEPT,
        flags=(*(flag for flag in record.flags if flag != HASHED), HASHED if texts == "hash" else NOT_KEPT),
    )


def reduced_settings(settings: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    """Settings of an experiment as they are to be kept; lists keep their length. `texts` in them says what was done."""
    known = settings.get("texts", "full")
    if texts == "full" or known in ("off", texts):
        return dict(settings)
    keep = _KEEP[texts]
    found = {name: value if name in _PLAIN_SETTINGS else _mapped(value, keep) for name, value in settings.items()}
    if texts == "off" and "prompt_set" in found:
        found["prompt_set"] = ""  # it is made of the prompts, so that a guess could be checked
    return {**found, "notices": [], "texts": texts}


def _nothing(_: str) -> str:
    return ""


_KEEP: Mapping[Texts, Callable[[str], str]] = {"hash": fingerprint, "off": _nothing}


def _mapped(value: Any, keep: Callable[[str], str]) -> Any:
    match value:
        case str():
            return keep(value)
        case Mapping():
            return {name: _mapped(item, keep) for name, item in value.items()}
        case list() | tuple():
            return [_mapped(item, keep) for item in value]
        case _:
            return value


def _numbers(value: Mapping[str, Any]) -> dict[str, Any]:
    """What a service reported, without anything that it put in words."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            found[name] = _numbers(item)
        elif item is None or isinstance(item, bool | int | float):
            found[name] = item
    return found
