"""Loads the wire samples: what a family sends, and what the service answers.

One JSON file each under `wire/`, with its public `source`. `basis` is "recorded" where fields and order were read in a
recording of the real service, "documented" where only documentation was at hand. Words are our own in both cases.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from providers.types import Completion, GenerationRequest, InferenceConfig, Message

WIRE = Path(__file__).parent / "wire"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One file. `terminal_chunk` is the index of the chunk that proves that the answer ended; `recognized_by` the
    family that takes such a body where the id names none."""

    name: str
    source: str
    basis: Literal["recorded", "documented"]
    family: str
    recognized_by: str
    model_id: str
    request: GenerationRequest
    encoded: dict[str, Any]
    body: dict[str, Any] | None
    chunks: list[Any] | None
    terminal_chunk: int
    expected: dict[str, Any]


def load() -> list[Sample]:
    """All samples, by name."""
    return [_read(path) for path in sorted(WIRE.glob("*.json"))]


def said(completion: Completion) -> dict[str, Any]:
    """What of a completion the samples state, except for usage."""
    return {
        "text": completion.text,
        "reasoning": completion.reasoning,
        "stop_reason": completion.stop_reason.value if completion.stop_reason else None,
        "raw_stop_reason": completion.raw_stop_reason,
    }


def counted(completion: Completion) -> list[int | None] | None:
    """The tokens of a completion as the samples state them."""
    used = completion.usage
    return None if used is None else [used.input_tokens, used.output_tokens]


def _read(path: Path) -> Sample:
    raw = json.loads(path.read_text("ascii"))
    asked = raw["request"]
    inference = asked["inference"]
    request = GenerationRequest(
        model_id=raw["model_id"],
        messages=tuple(Message(role=role, text=text) for role, text in asked["messages"]),
        system=asked.get("system"),
        inference=InferenceConfig(**{**inference, "stop_sequences": tuple(inference.get("stop_sequences", ()))}),
        extra=asked.get("extra", {}),
        api=asked.get("api", "auto"),
    )
    return Sample(
        name=path.stem,
        source=raw["source"],
        basis=raw["basis"],
        family=raw["family"],
        recognized_by=raw.get("recognized_by", raw["family"]),
        model_id=raw["model_id"],
        request=request,
        encoded=raw["encoded"],
        body=raw.get("body"),
        chunks=raw.get("chunks"),
        terminal_chunk=raw.get("terminal_chunk", -1),
        expected=raw["expected"],
    )
