"""What an experiment will ask, in which order, before anything is asked. Pure.

Each model gets the same number of pairs of one complete and one streamed call, next to each other in time. Which of
the two goes first is drawn from the seed, half one way and half the other within every ten pairs, so that an experiment
that is stopped early is about balanced, too. The models take turns, in a new order each round: whatever drifts, drifts
for all of them.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from metrics.record import Mode, Phase
from providers.errors import InvalidValueError
from providers.registry import resolve_or_converse
from providers.types import Api, Capabilities, GenerationRequest, InferenceConfig, Message
from providers.validation import clean_text, is_blank

MAX_PAIRS = 1000
MAX_MODELS = 20
MAX_PROMPTS = 200
MAX_WARM_UP = 20
MAX_PAUSE_S = 60.0
MAX_TOKENS = 1_000_000
BLOCK = 10
"""Pairs within which both orders are equally many."""
ORDERS: tuple[tuple[Mode, Mode], ...] = (("sync", "stream"), ("stream", "sync"))
OVERRUN = "Answer at great length: write at least {words} words, and do not stop before."


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentSettings:
    """What an experiment is. `pairs` is per model; the prompts share them evenly.

    `temperature` `None` means the lowest that the model takes, which is 0 for most. `nonce`: every call begins with
    characters of its own, so that no prompt cache can help the second of a pair. `length_locked`: the prompt asks for
    more than `max_tokens` lets through, so that both answers of a pair have the same length. `warm_up` calls of each
    kind come before the pairs of a model and do not count. `pause_s` lies between two calls. `narrower_than`: the
    experiment ends early when the interval of every model's ratio is narrower than this share of it; it is looked at
    after every ten pairs.
    """

    models: tuple[str, ...]
    prompts: tuple[str, ...]
    pairs: int = 20
    max_tokens: int = 256
    seed: int = 0
    temperature: float | None = None
    system: str | None = None
    pause_s: float = 0.5
    warm_up: int = 1
    nonce: bool = True
    length_locked: bool = False
    cost_cap_usd: float | None = None
    narrower_than: float | None = None

    @property
    def calls(self) -> int:
        """How many calls it takes."""
        return len(self.models) * 2 * (self.pairs + self.warm_up)

    def to_json(self) -> dict[str, Any]:
        """As it is stored and exported."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call. `pair` counts the pairs of the whole experiment from 1, `repetition` those of its model from 1; both
    are 0 for a warm-up."""

    number: int
    model_id: str
    prompt: str
    mode: Mode
    phase: Phase
    pair: int = 0
    repetition: int = 0
    order: int = 0


def checked(settings: ExperimentSettings) -> ExperimentSettings:
    """The settings with clean texts and without doubles. Raises `InvalidValueError` with the field and its range."""
    models = tuple(dict.fromkeys(model.strip() for model in settings.models if model.strip()))
    prompts = tuple(dict.fromkeys(clean_text(text).strip() for text in settings.prompts if not is_blank(text)))
    if not models:
        raise InvalidValueError("Choose at least one model.", field="models")
    if not prompts:
        raise InvalidValueError("Write at least one prompt.", field="prompts")
    _within("models", len(models), 1, MAX_MODELS)
    _within("prompts", len(prompts), 1, MAX_PROMPTS)
    _whole("pairs", settings.pairs, 1, MAX_PAIRS)
    _within("pairs of all models together", len(models) * settings.pairs, 1, 5 * MAX_PAIRS)
    _whole("max_tokens", settings.max_tokens, 1, MAX_TOKENS)
    _whole("warm_up", settings.warm_up, 0, MAX_WARM_UP)
    _whole("seed", settings.seed, 0, 2**31 - 1)
    _within("pause_s", settings.pause_s, 0.0, MAX_PAUSE_S)
    if settings.cost_cap_usd is not None:
        _within("cost_cap_usd", settings.cost_cap_usd, 0.0, 1e6)
    if settings.narrower_than is not None and not 0.0 < settings.narrower_than <= 1.0:
        raise InvalidValueError("The interval to end at must be from 0 to 100 %, and above 0.", field="narrower_than")
    values = {name: getattr(settings, name) for name in settings.__slots__}
    system: str | None = clean_text(settings.system or "")
    system = system if system and not is_blank(system) else None
    return ExperimentSettings(**(values | {"models": models, "prompts": prompts, "system": system}))


def _whole(field: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidValueError(f"{_word(field)} must be a whole number from {low:,} to {high:,}.", field=field)


def _within(field: str, value: Any, low: float, high: float) -> None:
    if not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidValueError(f"{_word(field)} must be from {low:g} to {high:,.0f}.", field=field)


def _word(field: str) -> str:
    words = {"pause_s": "The pause in seconds", "cost_cap_usd": "The cost cap in USD"}
    return words.get(field, field.replace("_", " ").capitalize())


# --- the order --------------------------------------------------------------------------------------------------------


def plan(settings: ExperimentSettings) -> tuple[PlannedCall, ...]:
    """Every call in its order; the same seed gives the same plan."""
    rng = random.Random(settings.seed)
    warm_ups = [
        PlannedCall(number=0, model_id=model_id, prompt=settings.prompts[0], mode=mode, phase="warmup")
        for model_id in settings.models
        for _ in range(settings.warm_up)
        for mode in ORDERS[0]
    ]
    measured = [
        PlannedCall(
            number=0,
            model_id=model_id,
            prompt=prompt,
            mode=mode,
            phase="measure",
            pair=pair,
            repetition=repetition,
            order=order,
        )
        for pair, (model_id, repetition, prompt, modes) in enumerate(_pairs(settings, rng), start=1)
        for order, mode in enumerate(modes, start=1)
    ]
    return tuple(replace(call, number=number) for number, call in enumerate((*warm_ups, *measured), start=1))


def _pairs(settings: ExperimentSettings, rng: random.Random) -> Iterator[tuple[str, int, str, tuple[Mode, Mode]]]:
    """Model, repetition, prompt and order of every pair, round by round."""
    prompts = {model_id: _in_turn(settings.prompts, settings.pairs, rng) for model_id in settings.models}
    orders = {model_id: _balanced(settings.pairs, rng) for model_id in settings.models}
    for repetition in range(settings.pairs):
        for model_id in rng.sample(settings.models, len(settings.models)):
            yield model_id, repetition + 1, prompts[model_id][repetition], orders[model_id][repetition]


def _in_turn(prompts: Sequence[str], pairs: int, rng: random.Random) -> list[str]:
    """Each prompt as often as the others, give or take one, in a new order each time round."""
    rounds = -(-pairs // len(prompts))
    return [prompt for _ in range(rounds) for prompt in rng.sample(prompts, len(prompts))][:pairs]


def _balanced(pairs: int, rng: random.Random) -> list[tuple[Mode, Mode]]:
    """Both orders equally often within every block; of an odd number the last is drawn."""
    drawn: list[tuple[Mode, Mode]] = []
    while len(drawn) < pairs:
        size = min(BLOCK, pairs - len(drawn))
        block = [*ORDERS * (size // 2), *rng.sample(ORDERS, size % 2)]
        rng.shuffle(block)
        drawn += block
    return drawn


# --- what is sent -----------------------------------------------------------------------------------------------------


def request_of(call: PlannedCall, settings: ExperimentSettings, *, salt: str) -> GenerationRequest:
    """The request of a call. `salt` is different in every experiment, so that no nonce is ever used twice.

    The nonce stands at the very beginning of what the model reads: before the system prompt where there is one.
    Raises `UnknownModelError` for what is no model id.
    """
    nonce = f"[{hashlib.sha256(f'{salt} {call.number}'.encode()).hexdigest()[:12]}]\n" if settings.nonce else ""
    prompt = call.prompt
    if settings.length_locked:
        prompt += "\n\n" + OVERRUN.format(words=2 * settings.max_tokens)
    capabilities, api = _known(call.model_id)
    temperature = settings.temperature
    if temperature is None and capabilities.temperature is not None:
        temperature = capabilities.temperature.low
    return GenerationRequest(
        model_id=call.model_id,
        messages=(Message(role="user", text=prompt if settings.system else nonce + prompt),),
        system=nonce + settings.system if settings.system else None,
        inference=InferenceConfig(max_tokens=settings.max_tokens, temperature=temperature),
        api=api,
    )


def prompt_set(prompts: Sequence[str]) -> str:
    """Names a set of prompts, so that two experiments can be seen to have asked the same without showing what."""
    return hashlib.sha256("\n".join(sorted(prompts)).encode()).hexdigest()[:8]


def _known(model_id: str) -> tuple[Capabilities, Api]:
    found, api = resolve_or_converse(
        model_id,
        f"No family is known for {model_id}, and it does not name its vendor. Give a full model id, such as "
        "us.amazon.nova-micro-v1:0, or an ARN.",
    )
    return found.capabilities, api
