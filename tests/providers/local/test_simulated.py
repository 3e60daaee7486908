"""Simulated models: their timing is what the profile says, by a clock that only waiting moves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ModelFailedError
from providers.local.prose import PARAGRAPHS
from providers.local.simulated import PROFILES, Profile, SimulatedModel, prose
from providers.types import (
    Accumulator,
    GenerationRequest,
    InferenceConfig,
    Message,
    StopReason,
    StreamEvent,
    TextDelta,
    accumulate,
)

PLAIN = Profile(id="simulated.test", label="", time_to_first_token_s=0.5, tokens_per_s=20, length_tokens=100)


class HandClock(threading.Event):
    """A stop event whose waits move the clock in no time, each one a little late, as real ones are."""

    def __init__(self, *, late_s: float = 0.0, stop_at_s: float = float("inf")) -> None:
        super().__init__()
        self.now_s = 1000.0
        self._late_s = late_s
        self._stop_at_s = 1000.0 + stop_at_s

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        if self.now_s + timeout >= self._stop_at_s:
            self.now_s = self._stop_at_s
            return True
        self.now_s += timeout + self._late_s if timeout else 0.0
        return False


def ask(text: str = "Why?", *more: Message, **inference: int | tuple[str, ...]) -> GenerationRequest:
    return GenerationRequest(
        model_id=PLAIN.id,
        messages=(Message(role="user", text=text), *more),
        inference=InferenceConfig(**inference),  # type: ignore[arg-type]
    )


def timed(profile: Profile, request: GenerationRequest, clock: HandClock) -> list[tuple[float, StreamEvent]]:
    events: Iterator[StreamEvent] = SimulatedModel(profile, clock=lambda: clock.now_s).stream(request, clock)
    return [(clock.now_s - 1000.0, event) for event in events]


def delta_times(profile: Profile, clock: HandClock) -> list[float]:
    return [at_s for at_s, event in timed(profile, ask(), clock) if isinstance(event, TextDelta)]


def completion(profile: Profile, request: GenerationRequest) -> tuple[str, StopReason | None, int | None]:
    done = accumulate(event for _, event in timed(profile, request, HandClock()))
    return done.text, done.stop_reason, done.usage.output_tokens if done.usage else None


def drain(events: Iterator[StreamEvent], fold: Accumulator) -> None:
    for event in events:
        fold.add(event)


def test_first_token_and_rate_are_those_of_the_profile() -> None:
    times = delta_times(PLAIN, HandClock())
    assert times[0] == pytest.approx(0.5)
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([0.05] * (len(times) - 1))


def test_late_waits_do_not_add_up() -> None:
    times = delta_times(PLAIN, HandClock(late_s=0.004))
    assert times[-1] == pytest.approx(0.5 + (len(times) - 1) * 0.05 + 0.004)


def test_a_stall_stands_where_the_profile_puts_it() -> None:
    times = delta_times(replace(PLAIN, stall_before_token=10, stall_s=3.0), HandClock())
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps.index(max(gaps)) == 9
    assert max(gaps) == pytest.approx(3.05)


def test_a_lump_is_one_piece_at_the_time_of_the_last_token() -> None:
    (at_s,) = delta_times(replace(PLAIN, tokens_per_chunk=None), HandClock())
    assert at_s == pytest.approx(delta_times(PLAIN, HandClock())[-1])


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.id)
def test_the_built_in_models_say_that_they_are_simulated(profile: Profile) -> None:
    assert profile.id.startswith("simulated.")
    assert profile.label.startswith("Simulated")
    assert "simulated" in prose("Why?", profile.length_tokens)


def test_the_text_depends_on_the_prompt_and_on_nothing_else() -> None:
    assert completion(PLAIN, ask("One")) == completion(PLAIN, ask("One"))
    assert len({prose(str(number), 300) for number in range(50)}) == len(PARAGRAPHS)


@given(st.text(), st.integers(min_value=80, max_value=2000))
def test_the_text_ends_with_a_sentence(prompt: str, length_tokens: int) -> None:
    text = prose(prompt, length_tokens)
    assert text[-1] in ".!?"
    assert text == text.strip()


def test_max_tokens_cuts_the_answer_and_is_told() -> None:
    whole, reason, tokens = completion(PLAIN, ask())
    assert reason is StopReason.END_TURN
    assert tokens is not None
    assert tokens <= PLAIN.length_tokens
    cut, reason, tokens = completion(PLAIN, ask(max_tokens=7))
    assert (reason, tokens) == (StopReason.MAX_TOKENS, 7)
    assert whole.startswith(cut)


def test_max_tokens_of_exactly_the_length_is_not_a_cut() -> None:
    _, _, tokens = completion(PLAIN, ask())
    assert completion(PLAIN, ask(max_tokens=tokens or 0))[1] is StopReason.END_TURN


def test_a_stop_sequence_ends_the_answer_before_itself() -> None:
    whole, _, all_tokens = completion(PLAIN, ask())
    text, reason, tokens = completion(PLAIN, ask(stop_sequences=("written beforehand",)))
    assert text == whole.partition("written beforehand")[0]
    assert reason is StopReason.STOP_SEQUENCE
    assert 0 < (tokens or 0) < (all_tokens or 0)


def test_an_open_assistant_turn_is_continued() -> None:
    whole, _, _ = completion(PLAIN, ask())
    begun = Message(role="assistant", text=whole[:60])
    assert completion(PLAIN, ask("Why?", begun))[0] == whole[60:]


def test_stopping_ends_the_wait_and_the_events() -> None:
    clock = HandClock(stop_at_s=0.72)
    events = timed(PLAIN, ask(), clock)
    assert clock.now_s == pytest.approx(1000.72)
    assert accumulate(event for _, event in events).stop_reason is None
    assert sum(isinstance(event, TextDelta) for _, event in events) == 5


def test_a_fragile_model_breaks_off_and_can_be_continued() -> None:
    fragile = replace(PLAIN, breaks_before_token=20)
    clock, fold = HandClock(), Accumulator()
    with pytest.raises(ModelFailedError):
        drain(SimulatedModel(fragile, clock=lambda: clock.now_s).stream(ask(), clock), fold)
    begun = fold.completion().text
    rest, reason, _ = completion(fragile, ask("Why?", Message(role="assistant", text=begun)))
    assert begun + rest == completion(PLAIN, ask())[0]
    assert reason is StopReason.END_TURN
