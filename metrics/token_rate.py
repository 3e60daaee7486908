"""How fast tokens arrive while an answer streams. Estimates, for a live display; the final figures are in `timing.py`.

Two speeds: over the whole time since `start()`, and over the last three seconds. The first chunk's tokens are left out
of the second, because they were made before it arrived, and it stays blank for the first second, because a few bursts
tell nothing. (A window of three seconds follows a slowdown with 13 to 17 % jitter; tokens over the last gap jitter by
150 to 300 %, and a running average never shows the slowdown. Simulated bursts, 2026-11.)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from metrics.tokens import text_size

NS_PER_S = 1e9
WINDOW_NS = 3_000_000_000
BLANK_NS = 1_000_000_000
SLOW_SHARE = 0.3
IS_SLOW_SHARE = 0.5
MODERATE_SHARE = 0.7
DEFAULT_CHARS_PER_TOKEN = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateStatus:
    """The state of a stream at one moment. Token figures are estimates.

    `overall_per_s` is tokens / time since the start, waiting included; 0.0 before anything arrived.
    `instantaneous_per_s` covers the last 3 s, `average_per_s` everything since the first chunk; both leave the first
    chunk's tokens out and are `None` until it is a second old. `silence_s` is the time since the last chunk.
    """

    tokens: float
    elapsed_s: float
    silence_s: float | None
    overall_per_s: float
    average_per_s: float | None
    instantaneous_per_s: float | None
    expected_per_s: float

    @property
    def current_per_s(self) -> float:
        """The speed to judge by: that of the last seconds where it is known, else the overall one."""
        return self.overall_per_s if self.instantaneous_per_s is None else self.instantaneous_per_s

    @property
    def is_slow(self) -> bool:
        """Whether tokens come at less than half of the expected speed. Nothing to judge is not slow."""
        return self._judged and self.current_per_s < IS_SLOW_SHARE * self.expected_per_s

    @property
    def message(self) -> str:
        """A short sentence about the speed; empty where it is as expected, or not known yet."""
        if not self._judged or self.current_per_s >= MODERATE_SHARE * self.expected_per_s:
            return ""
        word = "slow" if self.current_per_s < SLOW_SHARE * self.expected_per_s else "moderate"
        return f"Response speed is {word}: about {self.current_per_s:.1f} tokens/s"

    @property
    def _judged(self) -> bool:
        return self.tokens > 0 and self.elapsed_s > 0


class TokenRateMonitor:
    """Watches the speed of one stream at a time.

    Two ways to feed it: `update(chunk)` measures the chunk and answers at once; `observe(chars, at_ns)` only notes it,
    for the stream's path, and `status()` does the work when somebody looks. One thread may observe while another asks.
    Without `start()` the clock begins at the first `update` (or `observe`d chunk).
    """

    def __init__(
        self, expected_tokens_per_second: float = 10.0, *, clock_ns: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self.expected_tokens_per_second = expected_tokens_per_second
        self._clock_ns = clock_ns
        self._started_ns: int | None = None
        self._last: RateStatus | None
        self._reset()

    def start(self) -> None:
        """Sets the clock and everything counted so far to zero."""
        self._started_ns = self._clock_ns()
        self._reset()

    def update(self, chunk: str) -> dict[str, float | int | bool | None]:
        """Takes in a piece of text that arrived now and tells the state.

        `overall_rate` and `instantaneous_rate` (the last 3 s; `None` for the first second after the first chunk) are
        tokens per second, `total_tokens` a whole number. Before `start()` the clock begins here. An empty chunk
        counts nothing.
        """
        now_ns = self._clock_ns()
        if self._started_ns is None:
            self._started_ns = now_ns
        if chunk:
            self._units += text_size(chunk).units
            self.observe(len(chunk), now_ns)
        status = self.status(now_ns, tokens=self._units)
        return {
            "overall_rate": status.overall_per_s,
            "instantaneous_rate": status.instantaneous_per_s,
            "is_slow": status.is_slow,
            "total_tokens": max(1, round(status.tokens)) if status.tokens else 0,
            "elapsed_seconds": status.elapsed_s,
        }

    def get_status_message(self) -> str:
        """What the last `update` or `status` found: says slow below 0.3 of the expected speed, moderate below 0.7,
        else nothing."""
        return self._last.message if self._last else ""

    def observe(self, chars: int, at_ns: int) -> None:
        """Notes that `chars` characters arrived at `at_ns`, on the monitor's clock. Nothing is computed here."""
        self._seen.append((at_ns, chars))

    def status(self, now_ns: int | None = None, *, tokens: float | None = None) -> RateStatus:
        """The state at `now_ns`, or now. `tokens` is a fresh estimate of everything observed so far; from then on
        characters count as tokens at that ratio."""
        now_ns = self._clock_ns() if now_ns is None else now_ns
        self._read(now_ns)
        if tokens and self._chars:
            self._chars_per_token = self._chars / tokens
        self._last = self._status(now_ns)
        return self._last

    def _reset(self) -> None:
        self._seen: list[tuple[int, int]] = []
        self._read_to = 0
        self._chars = 0
        self._outside = 0
        self._chars_outside = 0
        self._units = 0.0
        self._chars_per_token = DEFAULT_CHARS_PER_TOKEN
        self._last = None

    def _read(self, now_ns: int) -> None:
        """Catches up with what was observed. The first chunk is outside the window from the beginning."""
        seen, end = self._seen, len(self._seen)
        while self._read_to < end:
            self._chars += seen[self._read_to][1]
            self._read_to += 1
        while self._outside < end and (self._outside == 0 or seen[self._outside][0] <= now_ns - WINDOW_NS):
            self._chars_outside += seen[self._outside][1]
            self._outside += 1

    def _status(self, now_ns: int) -> RateStatus:
        started_ns = self._seen[0][0] if self._started_ns is None and self._read_to else self._started_ns
        elapsed_ns = 0 if started_ns is None else now_ns - started_ns
        tokens = self._chars / self._chars_per_token
        average = instantaneous = silence_s = None
        if self._read_to:
            first_ns, first_chars = self._seen[0]
            silence_s = max(0, now_ns - self._seen[self._read_to - 1][0]) / NS_PER_S
            flowing_ns = now_ns - first_ns
            if flowing_ns >= BLANK_NS:
                average = self._per_s(self._chars - first_chars, flowing_ns)
                instantaneous = self._per_s(self._chars - self._chars_outside, min(flowing_ns, WINDOW_NS))
        return RateStatus(
            tokens=tokens,
            elapsed_s=elapsed_ns / NS_PER_S,
            silence_s=silence_s,
            overall_per_s=tokens / (elapsed_ns / NS_PER_S) if elapsed_ns > 0 else 0.0,
            average_per_s=average,
            instantaneous_per_s=instantaneous,
            expected_per_s=self.expected_tokens_per_second,
        )

    def _per_s(self, chars: int, span_ns: int) -> float:
        return chars / self._chars_per_token / (span_ns / NS_PER_S)
