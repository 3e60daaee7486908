"""Runs of an experiment and of a comparison that hold everything which must not be in a report."""

from __future__ import annotations

import random
from typing import Any

from metrics.record import RunRecord
from tests.app.ui.make import a_record

S = 1_000_000_000
ACCOUNT = "123456789012"
PROFILE = f"arn:aws:bedrock:us-west-2:{ACCOUNT}:inference-profile/us.amazon.nova-lite-v1:0"
KEY = "AKIA" + "TEST" * 4
TEXT = "Sleep is a habit, and habits can be learned. Go to bed at the same hour 🌙 every night.\n\n1. Keep it dark.\n"
PROMPT = f"How do I sleep better? My account is {ACCOUNT}."
SETTINGS: dict[str, Any] = {
    "models": [PROFILE],
    "prompts": [PROMPT],
    "pairs": 10,
    "max_tokens": 256,
    "seed": 7,
    "system": "Be kind to <b>everybody</b>.",
    "pause_s": 0.5,
    "warm_up": 1,
    "nonce": True,
    "state": "done",
    "notices": [f"{PROFILE} was slow; see /var/tmp/of/jordan/trace.txt and https://name:word@proxy.test/x with {KEY}"],
    "conditions": "single user, closed loop, from this machine",
    "client": {"playground": "0.1.0", "boto3": "1.44.5"},
}


def streamed_chunks(text: str, first_s: float, gap_s: float, stall_s: float = 0.0) -> tuple[tuple[int, str, int], ...]:
    """Chunks of five characters, `gap_s` apart, with one silence in the middle."""
    lengths = [5] * (len(text) // 5) + ([len(text) % 5] if len(text) % 5 else [])
    half = len(lengths) // 2
    return tuple(
        (round((first_s + number * gap_s + (stall_s if number >= half else 0)) * S), "text", length)
        for number, length in enumerate(lengths)
    )


def a_streamed(run_id: str, *, first_s: float = 0.4, stall_s: float = 0.0, **given: Any) -> RunRecord:
    """A streamed run of `TEXT`, its figures those of its chunks."""
    chunks = streamed_chunks(TEXT, first_s, 0.04, stall_s)
    last_s = chunks[-1][0] / S
    values: dict[str, Any] = {
        "run_id": run_id,
        "request_model": PROFILE,
        "prompt": PROMPT,
        "response": TEXT,
        "chunks": chunks,
        "duration_s": last_s + 0.1,
        "time_to_headers_s": first_s / 2,
        "time_to_first_chunk_s": first_s,
        "time_to_first_visible_s": first_s,
        "time_to_visible_s": first_s,
        "time_to_last_chunk_s": last_s,
        "output_tokens": 30,
    }
    return a_record(**(values | given))


def a_complete(run_id: str, duration_s: float, **given: Any) -> RunRecord:
    """A complete run of `TEXT`."""
    values: dict[str, Any] = {
        "run_id": run_id,
        "mode": "sync",
        "request_model": PROFILE,
        "prompt": PROMPT,
        "response": TEXT,
        "duration_s": duration_s,
        "time_to_first_visible_s": None,
        "time_to_visible_s": duration_s,
        "time_to_headers_s": duration_s - 0.01,
        "decode_tokens_per_s": None,
        "output_tokens": 30,
    }
    return a_record(**(values | given))


def an_experiment(pairs: int = 10, **given: Any) -> list[RunRecord]:
    """Pairs of 1.3 s to 0.4 s, after a warm-up."""
    noise = random.Random(5)
    rows = [a_complete("warm", 2.0, phase="warmup", experiment_id="e", **given)]
    for number in range(pairs):
        both: dict[str, Any] = {"pair_id": f"p{number}", "experiment_id": "e", "phase": "measure", "seed": 7} | given
        at = f"2026-11-22T10:{number:02d}"
        rows.append(a_complete(f"c{number}", 1.3 + noise.random() / 5, started_at=f"{at}:00.000000Z", **both))
        rows.append(a_streamed(f"s{number}", first_s=0.4 + noise.random() / 10, started_at=f"{at}:10.000000Z", **both))
    return rows


def a_comparison() -> list[RunRecord]:
    """Four panes: two models, one of them twice and once cut."""
    same: dict[str, Any] = {"comparison_id": "c", "max_tokens": 256}
    return [
        a_streamed("1", first_s=0.4, **same),
        a_streamed("2", first_s=0.9, stall_s=1.2, temperature=0.2, **same),
        a_streamed("3", first_s=0.2, request_model="simulated.swift", simulated=True, backend="local", **same),
        a_streamed(
            "4",
            first_s=0.3,
            request_model="mistral.test",
            status="interrupted",
            error_message=f"{PROFILE} broke: /etc/of/jordan said {KEY}.",
            **same,
        ),
    ]
