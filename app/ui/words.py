"""What the log's own words for endings and flags are called beside answers and in reports: one word each. The tab Runs
keeps the log's words, because its filter, the files and the API do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from metrics.record import RunStatus
from metrics.texts import Texts

ENDINGS: Mapping[RunStatus, str] = {
    "completed": "done",
    "cancelled": "stopped",
    "interrupted": "cut off",
    "failed": "failed",
}
"""How a run ended."""
FLAGS: Mapping[str, str] = {
    "truncated": "limit reached",
    "buffered_stream": "not really streamed: it came in one burst",
    "retried": "tried again",
    "cold": "first call",
    "cache_hit": "cache hit",
    "reasoning": "reasoning",
    "no_visible": "no text",
}
"""What a reader must know before comparing a run with others."""
NO_COST = "no cost: this machine"


def flag_words(flags: Iterable[str]) -> list[str]:
    """The flags of a run in words; one that this version does not know as it is."""
    return [FLAGS.get(flag, flag.replace("_", " ")) for flag in flags]


NO_TEXT: Mapping[Texts, str] = {
    "full": "",
    "hash": "The text was not kept, only its fingerprint (--log-text hash).",
    "off": "The text was not kept (--log-text off).",
}
"""Why there is nothing to read of a run."""
