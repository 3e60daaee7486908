"""From the form of tab Latency to the settings of an experiment, and what it will cost in words. Pure.

The values come as the browser sent them and are trusted in nothing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.experiment_plan import MAX_PAUSE_S, ExperimentSettings, checked
from app.ui import present
from app.ui.asking import MAX_PROMPT_CHARS, read_number
from providers.errors import InvalidValueError

FIELDS = (
    *("models", "prompts", "pairs", "max_tokens", "cost_cap_usd", "seed", "temperature", "system"),
    *("pause_s", "warm_up", "narrower_than", "nonce", "length_locked"),
)
"""In the order of the form's inputs."""
WIDGETS = {
    "models": "experiment-models",
    "model": "experiment-models",
    "prompts": "experiment-prompts",
    "prompt": "experiment-prompts",
    "messages": "experiment-prompts",
    "pairs": "experiment-pairs",
    "max_tokens": "experiment-max-tokens",
    "cost_cap_usd": "experiment-cap",
    "seed": "experiment-seed",
    "temperature": "experiment-temperature",
    "system": "experiment-system",
    "pause_s": "experiment-pause",
    "warm_up": "experiment-warm-up",
    "narrower_than": "experiment-narrower",
    "promise": "experiment-starts",
}
"""Field of an error -> element that it is shown at."""
MAX_CHARS = 20 * MAX_PROMPT_CHARS


def read_settings(values: Sequence[Any]) -> ExperimentSettings:
    """From the values of `FIELDS`. An empty seed is drawn, an empty temperature left to the model's lowest. Raises
    `InvalidValueError` with the field."""
    told = dict(zip(FIELDS, values, strict=True))
    seed = _number(told, "seed")
    return checked(
        ExperimentSettings(
            models=_models(told["models"]),
            prompts=_prompts(told["prompts"]),
            pairs=_whole(told, "pairs"),
            max_tokens=_whole(told, "max_tokens"),
            seed=random.SystemRandom().randrange(1_000_000) if seed is None else _whole(told, "seed"),
            temperature=_number(told, "temperature"),
            system=_text(told, "system") or None,
            pause_s=_pause(told),
            warm_up=_whole(told, "warm_up"),
            nonce=told["nonce"] is not False,
            length_locked=told["length_locked"] is True,
            cost_cap_usd=_number(told, "cost_cap_usd"),
            narrower_than=_percent(told, "narrower_than"),
        )
    )


def _models(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(model, str) for model in value):
        raise InvalidValueError("Choose at least one model.", field="models")
    return tuple(value)


def _prompts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, str) or len(value) > MAX_CHARS:
        raise InvalidValueError("Write at least one prompt, each on a line of its own.", field="prompts")
    return tuple(value.splitlines())


def _text(told: dict[str, Any], field: str) -> str:
    value = told[field] or ""
    if not isinstance(value, str):
        raise InvalidValueError("The system prompt must be text.", field=field)
    return value


def _number(told: dict[str, Any], field: str) -> float | None:
    """A number, or `None` where the box is empty."""
    value = read_number(told[field])
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
        names = {"cost_cap_usd": "The cost cap", "pause_s": "The pause", "narrower_than": "The interval to end at"}
        name = names.get(field, field.replace("_", " ").capitalize())
        raise InvalidValueError(f"{name} must be a number.", field=field)
    return value


def _percent(told: dict[str, Any], field: str) -> float | None:
    value = _number(told, field)
    return None if value is None else value / 100


def _whole(told: dict[str, Any], field: str) -> int:
    """A whole number as `checked` wants it; anything else is left for it to refuse."""
    value = _number(told, field)
    if value is None:
        raise InvalidValueError(f"{field.replace('_', ' ').capitalize()} must be a whole number.", field=field)
    return int(value) if float(value).is_integer() else value  # type: ignore[return-value]


def _pause(told: dict[str, Any]) -> float:
    pause_s = _number(told, "pause_s")
    if pause_s is None:
        raise InvalidValueError(f"The pause must be from 0 to {MAX_PAUSE_S:g} s.", field="pause_s")
    return pause_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A promise to check: the first text within `first_s`, the end within `total_s`; `None` promises nothing."""

    first_s: float | None
    total_s: float | None


def read_promise(first: Any, total: Any) -> Promise:
    """From the two boxes. Raises `InvalidValueError`."""
    told = {"promise": first}, {"promise": total}
    first_s, total_s = (_number(each, "promise") for each in told)
    for value in (first_s, total_s):
        if value is not None and not 0 < value <= 3600:
            raise InvalidValueError("A promise is a time from 0 to 3,600 s.", field="promise")
    return Promise(first_s=first_s, total_s=total_s)


def spend_line(settings: ExperimentSettings, most_usd: float | None) -> str:
    """What stands beside the button: the most that it can cost, and how that comes about."""
    calls = f"{present.many(settings.calls, 'call')} of at most {present.many(settings.max_tokens, 'token')}"
    if most_usd == 0:
        return f"Costs nothing: {calls}, on this machine."
    if most_usd is None:
        return f"At most {present.DASH}: {calls}, and no list price is known for a model. A cost cap cannot be kept."
    if settings.cost_cap_usd is not None and settings.cost_cap_usd < most_usd:
        cap = present.money(settings.cost_cap_usd)
        return f"At most {cap}: it stops before the cap. All {calls} might cost {present.money(most_usd)}."
    return f"At most {present.money(most_usd)} at list price: {calls}."
