"""Models with a stated timing instead of weights: for demonstrations, and for tests that need a known truth.

Their ids begin with `simulated.` and their labels with *Simulated*. The same request always gets the same text. Time
follows an absolute schedule, so that pacing does not drift, and every wait ends at once when the call is stopped.
"""

from __future__ import annotations

import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from providers.errors import ModelFailedError
from providers.local.prose import OPENING, PARAGRAPHS
from providers.local.stop_sequences import StopScanner
from providers.types import GenerationRequest, MessageStop, StopReason, StreamEvent, TextDelta, Usage

_TOKEN = re.compile(r"\s*(?:\w{1,7}|[^\w\s])")
_SENTENCE_END = re.compile(r"[a-z]{2}[.!?](?=\s|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How one simulated model behaves.

    `length_tokens` is how much it says, cut back to the end of a sentence. `tokens_per_chunk` is `None` where the
    whole answer comes in one piece. A stall of `stall_s` seconds stands before token number `stall_before_token`, and
    a model with `breaks_before_token` fails there, unless it was asked to continue an answer.
    """

    id: str
    label: str
    time_to_first_token_s: float
    tokens_per_s: float
    length_tokens: int
    tokens_per_chunk: int | None = 1
    stall_before_token: int | None = None
    stall_s: float = 0.0
    breaks_before_token: int | None = None

    def due_s(self, token: int) -> float:
        """When token number `token`, counted from 0, is ready; seconds after the request."""
        stalled = self.stall_before_token is not None and token >= self.stall_before_token
        return self.time_to_first_token_s + token / self.tokens_per_s + (self.stall_s if stalled else 0.0)


PROFILES = (
    Profile(
        id="simulated.swift",
        label="Simulated · swift (0.2 s, 80 tokens/s)",
        time_to_first_token_s=0.2,
        tokens_per_s=80,
        length_tokens=240,
    ),
    Profile(
        id="simulated.steady",
        label="Simulated · steady (0.8 s, 30 tokens/s)",
        time_to_first_token_s=0.8,
        tokens_per_s=30,
        length_tokens=300,
    ),
    Profile(
        id="simulated.slow-start",
        label="Simulated · slow start (4 s, 60 tokens/s)",
        time_to_first_token_s=4.0,
        tokens_per_s=60,
        length_tokens=300,
    ),
    Profile(
        id="simulated.stall",
        label="Simulated · stalls for 5 s (0.5 s, 40 tokens/s)",
        time_to_first_token_s=0.5,
        tokens_per_s=40,
        length_tokens=200,
        stall_before_token=60,
        stall_s=5.0,
    ),
    Profile(
        id="simulated.lump",
        label="Simulated · not really streamed (one piece after about 4 s)",
        time_to_first_token_s=0.5,
        tokens_per_s=60,
        length_tokens=200,
        tokens_per_chunk=None,
    ),
    Profile(
        id="simulated.fragile",
        label="Simulated · breaks off (0.5 s, 40 tokens/s)",
        time_to_first_token_s=0.5,
        tokens_per_s=40,
        length_tokens=200,
        breaks_before_token=60,
    ),
)


class SimulatedModel:
    """Plays one profile. `clock` is monotonic, in seconds."""

    def __init__(self, profile: Profile, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.profile = profile
        self._clock = clock

    def stream(self, request: GenerationRequest, stop: threading.Event) -> Iterator[StreamEvent]:
        """Events at the profile's pace; they just end once `stop` is set. Raises `ModelFailedError` if it breaks."""
        start_s = self._clock()
        profile = self.profile
        input_tokens = sum(len(_tokens(text)) for text in (request.system or "", *(m.text for m in request.messages)))
        yield Usage(input_tokens=input_tokens, output_tokens=0)

        tokens, continued = self._answer(request)
        said = tokens[: request.inference.max_tokens]
        ended = StopReason.END_TURN if len(said) == len(tokens) else StopReason.MAX_TOKENS
        scanner = StopScanner(request.inference.stop_sequences)
        size = profile.tokens_per_chunk or max(1, len(said))
        made = 0
        for first in range(0, len(said), size):
            chunk = said[first : first + size]
            if stop.wait(max(0.0, start_s + profile.due_s(first + len(chunk) - 1) - self._clock())):
                return
            if _breaks(profile, first + len(chunk)) and not continued:
                raise ModelFailedError("The simulated model broke off, as its profile says.")
            made += len(chunk)
            if text := scanner.feed("".join(chunk)):
                yield TextDelta(text)
            if scanner.found is not None:
                ended = StopReason.STOP_SEQUENCE
                break
        if text := scanner.rest():
            yield TextDelta(text)
        yield Usage(input_tokens=input_tokens, output_tokens=made)
        yield MessageStop(reason=ended, raw_reason=ended.value)

    def ahead(self, stop: threading.Event) -> int | None:
        """Nobody waits for a simulated model."""
        return None

    def _answer(self, request: GenerationRequest) -> tuple[Sequence[str], bool]:
        """The tokens to say, and whether they continue an assistant turn that was begun."""
        messages = request.messages
        begun = messages[-1].text if messages and messages[-1].role == "assistant" else ""
        questions = "\n".join(message.text for message in messages if message.role == "user")
        text = prose(questions, self.profile.length_tokens)
        return _tokens(text.removeprefix(begun) if begun else text), bool(begun)


def prose(prompt: str, length_tokens: int) -> str:
    """Text of at most `length_tokens` tokens that ends with a sentence; the prompt chooses where it begins."""
    turn = zlib.crc32(prompt.encode("utf-8", "replace")) % len(PARAGRAPHS)
    tokens = _tokens(OPENING)
    while len(tokens) < length_tokens:
        tokens += _tokens("\n\n" + PARAGRAPHS[turn])
        turn = (turn + 1) % len(PARAGRAPHS)
    text = "".join(tokens[:length_tokens])
    return text[: max((found.end() for found in _SENTENCE_END.finditer(text)), default=len(text))]


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def _breaks(profile: Profile, tokens_made: int) -> bool:
    return profile.breaks_before_token is not None and tokens_made > profile.breaks_before_token
