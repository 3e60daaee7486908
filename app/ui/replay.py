"""A logged run, played again at its true speed, and beside it the same run as it would have felt without streaming.

Here is the HTML with the run's times in it; `assets/replay.js` plays it, on the page and in a report alike. While it
plays the answer is text as it came; at the end it is drawn as the chat draws it. Pure.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

from app.ui import present
from app.ui.escaping import escape
from app.ui.markdown import to_html
from app.ui.words import ENDINGS, NO_TEXT
from metrics.record import RunRecord
from metrics.silences import WORDS_PER_MIN, Silence, long_ones, reader_of, silences_of
from metrics.texts import texts_of
from metrics.timing import NS_PER_S

_NOT_SPACE = re.compile(r"\S")
BLOCK = "█"


def replay_html(record: RunRecord, *, title: str = "", texts: bool = True, play: bool = True) -> str:
    """The player. Without `texts` it shows blocks of the same length in place of the answer. `play`: it begins
    at once; otherwise its end is shown until somebody plays it. `title` stands in place of the model.

    A run whose chunks were not read, or that has none, plays only its wait.
    """
    if why := why_not(record):
        return f'<p class="note">{escape(why)}</p>'
    heading = f"Replay: {title or record.request_model}"
    data = escape(json.dumps(_data(record, texts=texts), ensure_ascii=False, separators=(",", ":")))
    marks = "".join(f'<span class="replay-mark">{escape(mark)}</span>' for mark in _marks(record))
    told = "".join(f'<p class="replay-words">{escape(line)}</p>' for line in _words(record))
    panes = _pane("streamed", "As it streamed", record, texts=texts) if record.mode == "stream" else ""
    panes += _pane(
        "whole", "Without streaming" if record.mode == "stream" else "As it was, complete", record, texts=texts
    )
    failed = record.error_message and record.status in ("failed", "interrupted")
    problem = f'<p class="replay-problem">{escape(record.error_message or "")}</p>' if failed else ""
    return (
        f'<section class="replay" aria-label="{escape(heading)}" data-play="{str(play).lower()}" data-replay="{data}">'
        f"<h3><span>{escape(heading)}</span>{marks}</h3>{_controls()}"
        f'<div class="replay-track">{_strip(record)}'
        '<input type="range" min="0" max="1" step="any" value="0" aria-label="Moment of the run"></div>'
        f'<p class="sr-only" role="status"></p><div class="replay-panes">{panes}</div>{_drawn(record, texts=texts)}'
        f"{problem}{told}</section>"
    )


def why_not(record: RunRecord) -> str:
    """Why a run cannot be played; empty where it can."""
    if not record.duration_s:
        return "This run ended before anything could be timed: there is nothing to replay."
    if no_text := NO_TEXT[texts_of(record)]:
        return f"{no_text} There is nothing to replay."
    came = record.response or record.reasoning or any(chars for _, _, chars in record.chunks or ())
    return "" if came else "No text came in this run: there is nothing to replay."


def _controls() -> str:
    speeds = "".join(
        f'<button type="button" data-speed="{speed}" aria-pressed="{str(speed == 1).lower()}">{speed}×</button>'
        for speed in (0.5, 1, 2)
    )
    return (
        '<div class="replay-bar"><button type="button" data-do="play">Play</button>'
        '<button type="button" data-do="restart">Restart</button>'
        f'<span class="replay-speeds" role="group" aria-label="Speed">{speeds}</span>'
        '<span class="replay-clock" aria-hidden="true"></span></div>'
    )


def _pane(name: str, heading: str, record: RunRecord, *, texts: bool) -> str:
    # Blocks are nothing to be read out one by one.
    told = 'tabindex="0" role="group" aria-label="Answer"' if texts else 'role="img" aria-label="Answer, left out"'
    thought = '<div class="replay-thought" aria-label="Thinking" role="note"></div>' if record.reasoning else ""
    return (
        f'<section class="replay-pane" data-pane="{name}"><h4><span>{heading}</span>'
        f'<span class="replay-note" aria-hidden="true"></span></h4>'
        f'<div class="replay-box">{thought}<div class="replay-text" dir="auto" {told}></div></div></section>'
    )


def _drawn(record: RunRecord, *, texts: bool) -> str:
    """The whole answer, for the script to show when it has been played."""
    if not texts or not record.response:
        return ""
    return f'<template class="replay-drawn">{to_html(record.response).strip()}</template>'


def _data(record: RunRecord, *, texts: bool) -> dict[str, Any]:
    """What the script plays. A step is (ms since the call, length of the text by then, length of the thinking by then),
    lengths as JavaScript counts them."""
    text, thought = (record.response, record.reasoning) if texts else map(_blocks, (record.response, record.reasoning))
    ended = f"{ENDINGS[record.status]} after {present.seconds(record.duration_s)}"
    completed = record.status == "completed"
    return {
        "duration_ms": _ms(record.duration_s or 0),
        "text": text,
        "thought": thought,
        "steps": _steps(record, text, thought),
        "state": record.status,
        "ended": ended,
        "whole": completed,
        "whole_ended": ended if completed else f"{ended}: nothing to read",
    }


def _steps(record: RunRecord, text: str, thought: str) -> list[tuple[float, int, int]]:
    if record.mode == "sync":
        return []
    chunks = record.chunks or ()
    texts = list(accumulate(chars if kind == "text" else 0 for _, kind, chars in chunks))
    thoughts = list(accumulate(0 if kind == "text" else chars for _, kind, chars in chunks))
    text_units, thought_units = _units(text), _units(thought)
    return [
        (
            _ms(at_ns / NS_PER_S),
            text_units[min(chars, len(text))],
            thought_units[min(thinking, len(thought))],
        )
        for (at_ns, _, _), chars, thinking in zip(chunks, texts, thoughts, strict=True)
    ]


def _units(text: str) -> list[int]:
    """The length of each beginning of `text` in UTF-16 units, of which an emoji takes two."""
    return [0, *accumulate(2 if ord(sign) > 0xFFFF else 1 for sign in text)]


def _blocks(text: str) -> str:
    return _NOT_SPACE.sub(BLOCK, text)


def _ms(value_s: float) -> float:
    return round(value_s * 1000, 3)


def _marks(record: RunRecord) -> list[str]:
    found = {
        "simulated": record.simulated,
        ENDINGS[record.status]: record.status != "completed",
        "not really streamed: it came in one burst": "buffered_stream" in record.flags,
    }
    return [word for word, applies in found.items() if applies]


def _words(record: RunRecord) -> list[str]:
    """The same in words, for those who do not watch."""
    total = present.seconds(record.duration_s)
    if record.mode == "sync":
        return [f"This answer was asked for complete. It has no chunks: what is played is its wait of {total}."]
    if not record.chunks:
        return [f"No chunk of this run is known: what is played is its {total}."]
    first = f"First text after {present.seconds(record.time_to_first_visible_s)}"
    if record.time_to_first_visible_s is None:
        told = [f"No text came in {total}."]
    elif record.status == "completed":
        told = [f"{first}; without streaming, if it took as long, after {total}."]
    else:
        told = [f"{first}; {ENDINGS[record.status]} after {total}. Without streaming there would have been nothing."]
    if line := reader_line(record):
        told.append(line)
    return told


def reader_line(record: RunRecord) -> str:
    """`First sentence at 0.90 s. A reader of 240 words a minute never ran out of text.`; empty without text.
    Whether the text would have lasted is not said of one that was cut, and nothing of one that came all at once."""
    reader = reader_of(record) if record.mode == "stream" else None
    if reader is None:
        return ""
    sentence = (
        "" if reader.first_sentence_s is None else f"First sentence at {present.seconds(reader.first_sentence_s)}. "
    )
    if record.status != "completed":
        return sentence.strip()
    pace = f"A reader of {WORDS_PER_MIN} words a minute"
    if reader.fell_behind:
        return f"{sentence}{pace} ran out of text, for {present.seconds(reader.waited_s)} in all."
    return f"{sentence}{pace} never ran out of text."


def _strip(record: RunRecord) -> str:
    """A tick for each chunk and a frame around each long gap, above the slider."""
    if record.mode == "sync" or not record.chunks or not record.duration_s:
        return ""
    ends = record.duration_s
    text, thinking = (
        sorted({round(1000 * at / NS_PER_S / ends) for at, kind, _ in record.chunks if (kind == "text") is wanted})
        for wanted in (True, False)
    )
    gaps = "".join(_gap(gap, ends) for gap in long_ones(silences_of(record)))
    return (
        '<svg class="replay-strip" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">'
        f'{gaps}<path class="thinking" d="{_lines(thinking)}"/><path d="{_lines(text)}"/></svg>'
    )


def _gap(gap: Silence, ends_s: float) -> str:
    left, width = 1000 * gap.began_s / ends_s, 1000 * gap.length_s / ends_s
    told = f"nothing came for {present.seconds(gap.length_s)}"
    return f'<rect x="{left:.1f}" y="1" width="{width:.1f}" height="8"><title>{told}</title></rect>'


def _lines(places: list[int]) -> str:
    return "".join(f"M{place} 0V10" for place in places)
