"""What a run felt like while one read along: silences between its chunks, and whether a reader had to wait. Pure.

Chunks are as a record keeps them: (nanoseconds since the call, kind, characters). Times go out in seconds.
"""

from __future__ import annotations

import itertools
import re
import statistics
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metrics.record import RunRecord
from metrics.texts import texts_of
from metrics.timing import NS_PER_S, Chunks, content

LONG_S = 0.25
LONG_TIMES = 3.0
"""A gap is long where it is both longer than `LONG_S` and `LONG_TIMES` the median gap of its run: a slow and steady
stream has none."""
WORDS_PER_MIN = 240
"""A brisk reader. Adults read English non-fiction silently at 238 words a minute on average (Brysbaert 2019, Journal of
Memory and Language 109, a review of 190 studies)."""

_SIGNS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(f"[{_SIGNS}]|[^\\s{_SIGNS}]+")
"""A word; in Chinese and Japanese, which write none apart, a sign. Chinese is read at some 255 signs a minute
(Trauzettel-Klosinski and Dietz 2012, Investigative Ophthalmology & Visual Science 53, reading aloud)."""
_SENTENCE = re.compile(r"[^\W\d_]{3,}[^\w\s]*[.!?…][\"'”’)\]*]*(?=\s|$)|[。！？]")
"""Where a sentence ends: after a word of three letters, so that `1.` and `Dr.` do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A time in which nothing came: when it began, counted from the call, and how long it lasted."""

    began_s: float
    length_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How a reader of `WORDS_PER_MIN` words a minute fared, who began at the first text.

    first_text_s      when there was something to read
    first_sentence_s  when the first sentence was complete; `None` where none ever was
    waited_s          how long the reader had nothing left to read after that, all such moments together
    done_s            when the last word was read
    """

    first_text_s: float
    first_sentence_s: float | None
    waited_s: float
    done_s: float

    @property
    def fell_behind(self) -> bool:
        """Whether the stream was noticeably slower than the reader: by more than it takes to read one word."""
        return self.waited_s > 60 / WORDS_PER_MIN

    @property
    def waited_in_all_s(self) -> float:
        """The wait for the first text and all later ones."""
        return self.first_text_s + self.waited_s


def silences(chunks: Chunks, until_s: float | None = None) -> tuple[Silence, ...]:
    """The gaps between chunks, in order. With `until_s` the time from the last chunk until then is one, too: for a run
    that still goes on, or that was cut. The wait for the first chunk is none: it has a figure of its own."""
    times_s = [at_ns / NS_PER_S for at_ns, _, _ in content(chunks)]
    if times_s and until_s is not None and until_s > times_s[-1]:
        times_s.append(until_s)
    return tuple(Silence(began_s=begin, length_s=end - begin) for begin, end in itertools.pairwise(times_s))


def longest(gaps: Iterable[Silence]) -> Silence | None:
    """The longest silence, the first of several; `None` where there is no gap."""
    return max(gaps, key=lambda gap: gap.length_s, default=None)


def long_ones(gaps: Sequence[Silence]) -> tuple[Silence, ...]:
    """The gaps that stand out from the rest, in order."""
    if not gaps:
        return ()
    limit_s = max(LONG_S, LONG_TIMES * statistics.median(gap.length_s for gap in gaps))
    return tuple(gap for gap in gaps if gap.length_s > limit_s)


def silences_of(record: RunRecord) -> tuple[Silence, ...]:
    """The gaps of a logged run; of one that did not complete, the silence at its end is one, too."""
    until_s = None if record.status == "completed" else record.duration_s
    return silences(typed_chunks(record.chunks or ()), until_s) if record.mode == "stream" else ()


def reader_of(record: RunRecord) -> Reader | None:
    """How a reader fared with a run; `None` where no text came or was kept, or its times are not known."""
    if texts_of(record) != "full":
        return None
    arrivals = text_arrivals(record)
    words = list(_WORD.finditer(record.response))
    if not arrivals or not words:
        return None
    ends = [chars for chars, _ in arrivals]

    def came_s(chars: int) -> float:
        """When that many characters were there."""
        return arrivals[min(bisect_left(ends, chars), len(arrivals) - 1)][1]

    first_s = arrivals[0][1]
    pace_s = 60 / WORDS_PER_MIN
    reading_s, waited_s = first_s, 0.0
    for word in words:
        wait_s = max(0.0, came_s(word.end()) - reading_s)
        waited_s += wait_s
        reading_s += wait_s + pace_s
    sentence = _SENTENCE.search(record.response)
    return Reader(
        first_text_s=first_s,
        first_sentence_s=came_s(sentence.end()) if sentence else None,
        waited_s=waited_s,
        done_s=reading_s,
    )


def text_arrivals(record: RunRecord) -> tuple[tuple[int, float], ...]:
    """(characters of visible text so far, when they were there), in order. A complete answer arrives all at once; how
    long one was whose text was not kept is not known."""
    if record.mode == "sync":
        if texts_of(record) != "full":
            return ()
        arrived = record.response and record.duration_s is not None
        return ((len(record.response), record.duration_s or 0.0),) if arrived else ()
    texts = [(at_ns, chars) for at_ns, kind, chars in record.chunks or () if kind == "text" and chars > 0]
    totals = itertools.accumulate(chars for _, chars in texts)
    return tuple((total, at_ns / NS_PER_S) for total, (at_ns, _) in zip(totals, texts, strict=True))


def typed_chunks(chunks: Iterable[tuple[int, str, int]]) -> Chunks:
    """Chunks as `metrics.timing` takes them: in the log a kind is a plain string."""
    return [(at_ns, "text" if kind == "text" else "reasoning", chars) for at_ns, kind, chars in chunks]
