"""What a run's time went into, stage by stage. Pure.

A run that stood in a model's line has that time apart: here "the call" is the end of it. The stages follow one another
without a gap, so that they add up to the total. A stage that a run did not have, or that
was not timed, is not there; its time is in the one before the next mark.
"""

from __future__ import annotations

from dataclasses import dataclass

from metrics.record import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: when it began, counted from the call, how long it took, and what exactly it is."""

    name: str
    began_s: float
    length_s: float
    meaning: str


def stages_of(record: RunRecord) -> tuple[Stage, ...]:
    """The stages of a run, in order; none where its duration is not known."""
    if record.duration_s is None:
        return ()
    stages, began_s = [], 0.0
    for ends_s, name, meaning in _marks(record, record.duration_s):
        if ends_s is None:
            continue
        ends_s = min(max(ends_s, began_s), record.duration_s)
        stages.append(Stage(name=name, began_s=began_s, length_s=ends_s - began_s, meaning=meaning))
        began_s = ends_s
    return tuple(stages)


def _marks(record: RunRecord, duration_s: float) -> list[tuple[float | None, str, str]]:
    """(when it was over, name, meaning) of each stage that a run may have."""
    opened = (
        record.time_to_headers_s,
        "Until the service answered",
        "From the call until it returned, with the service's headers",
    )
    if record.mode == "sync":
        return [opened, (duration_s, "Reading the answer", "From the headers until the whole body was read")]
    first_s, last_s = record.time_to_first_visible_s, record.time_to_last_chunk_s
    chunk_s = record.time_to_first_chunk_s
    thought_s = chunk_s if chunk_s is not None and "reasoning" in record.flags and chunk_s != first_s else None
    thinks = "Thinking" if thought_s is not None else "Until the first text"
    last = "Text" if first_s is not None else "Thinking" if thought_s is not None else "Chunks"
    return [
        opened,
        (thought_s, "Until the first thought", "From the headers until the first piece of reasoning"),
        (first_s, thinks, "Until the first visible text arrived"),
        (last_s, last, "Until the last chunk arrived"),
        (
            duration_s,
            "Closing" if record.status == "completed" else "Until it ended",
            "From the last chunk until the stream was over; the usage comes here",
        ),
    ]
