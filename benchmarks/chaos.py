"""A Bedrock that breaks at random, as networks and services do, around answers whose text is known beforehand."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator

from providers.local.event_stream import exception_frame
from tests.wire import Connection, failure, hang_up, reset, stop_frames, stream, text_frames

FAULTY = 0.35
NAMES = ("modelStreamErrorException", "throttlingException", "internalServerException", "serviceUnavailableException")


def words(number: int) -> list[str]:
    """The pieces of the answer to question `number`: no two the same, so that order and doubles are seen."""
    return [f"{number}.{place} " for place in range(20 + number * 7 % 60)]


class Chaos:
    """One reply for every request, broken or not."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self.made: Counter[str] = Counter()

    def __call__(self, to: Connection) -> None:
        """Answers one request."""
        messages = to.asked.body["messages"]
        said = messages[-1]["content"][0]["text"] if messages[-1]["role"] == "assistant" else ""
        asked = next(turn for turn in reversed(messages) if turn["role"] == "user")["content"][0]["text"]
        rest = "".join(words(int(asked.split()[-1])))[len(said) :]
        pieces = re.findall(r"\s*\S+\s*", rest) or [rest]
        with self._lock:
            fault = self._rng.choice(FAULTS) if self._rng.random() < FAULTY else "none"
            after = self._rng.randrange(len(pieces) + 1)
            self.made[fault] += 1
        _play(to, fault, pieces, after)


FAULTS = ("throttled", "unavailable", "hang up", "reset", "exception", "checksum", "no marker", "slow", "gone at once")


def _play(to: Connection, fault: str, pieces: list[str], after: int) -> None:
    some = text_frames(*pieces[:after])
    match fault:
        case "throttled":
            failure("429 Too Many Requests", "ThrottlingException", "Slow down", {"Retry-After": "0.1"})(to)
        case "unavailable":
            failure("503 Service Unavailable", "ServiceUnavailableException", "Busy", {"Retry-After": "0.1"})(to)
        case "gone at once":
            hang_up(to)
        case "hang up":
            stream(some, hang_up)(to)
        case "reset":
            stream(some, reset)(to)
        case "exception":
            stream([*some, exception_frame(NAMES[after % len(NAMES)], "It broke")])(to)
        case "checksum":
            broken = bytearray(text_frames("x")[1])
            broken[-1] ^= 0xFF
            stream([*some, bytes(broken)], hang_up)(to)
        case "no marker":
            stream(some)(to)
        case _:
            _whole(to, pieces, wait_s=0.3 if fault == "slow" else 0.0)


def _whole(to: Connection, pieces: list[str], wait_s: float) -> None:
    start, *deltas = text_frames(*pieces)
    time.sleep(wait_s)

    def paced() -> Iterator[bytes]:
        yield start
        for frame in deltas:
            time.sleep(0.002)
            yield frame
        yield from stop_frames()

    to.head("200 OK", {"Content-Type": "application/vnd.amazon.eventstream", "Transfer-Encoding": "chunked"})
    for frame in paced():
        to.chunk(frame)
    to.end()
