"""From the widgets of the panes to what each of them asks, and what differs between them. Pure: nothing is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.comparisons import PaneSettings
from app.conversations import Conversation
from app.fan_in import MAX_LANES, Entry
from app.ui.asking import Form, make_request
from metrics.tokens import TokenEstimator
from providers.connect import Backends
from providers.errors import InvalidValueError, ProviderError

FIELDS = ("model", "mode", "temperature", "max_tokens", "system", "region", "profile")
SHARED = FIELDS[1:]
"""Everything but the model: what the switch *Same settings* keeps equal."""


def read_panes(count: Any, values: Sequence[Any]) -> tuple[PaneSettings, ...]:
    """The panes that are shown, from the values of all widgets, pane by pane in the order of `FIELDS`."""
    shown = read_count(count)
    size = len(FIELDS)
    return tuple(
        PaneSettings(**dict(zip(FIELDS, values[at * size : (at + 1) * size], strict=True))) for at in range(shown)
    )


def read_count(count: Any) -> int:
    """How many panes are shown: 1 to 6, whatever the browser says."""
    return int(min(MAX_LANES, max(1, count))) if isinstance(count, int | float) and count == count else 2


def entry(pane: PaneSettings, prompt: str, backends: Backends, estimator: TokenEstimator) -> Entry:
    """What `pane` asks, and where. What it cannot ask is told by its refusal."""
    model_id = pane.model.strip() if isinstance(pane.model, str) else ""
    try:
        values = (prompt, model_id, pane.temperature, pane.max_tokens, None, pane.system, pane.mode)
        form = Form.read(values)
        if form.mode == "both":
            raise InvalidValueError("mode must be Stream or Complete here.", field="mode")
        request, notices = make_request(form, Conversation("compare"), estimator)
        region, profile = _named(pane.region, "region"), _named(pane.profile, "profile")
        place = backends.at(region=region, profile=profile) if region or profile else None
        return Entry(model_id=model_id, mode=form.mode, request=request, providers=place, notices=notices)
    except (ProviderError, ValueError) as error:
        return Entry(model_id=model_id, mode="sync" if pane.mode == "Complete" else "stream", refusal=error)


def _named(value: Any, field: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidValueError(f"{field} must be text.", field=field)
    return (value or "").strip() or None


def differences(panes: Sequence[PaneSettings]) -> tuple[tuple[str, ...], ...]:
    """For each pane in words what is not as in the first one. The models are not told here: they head the panes."""
    return tuple(_unlike(pane, panes[0]) for pane in panes)


def _unlike(pane: PaneSettings, first: PaneSettings) -> tuple[str, ...]:
    words = {
        "mode": "complete" if pane.mode == "Complete" else "streamed",
        "temperature": f"temperature {_value(pane.temperature)}",
        "max_tokens": f"max {_value(pane.max_tokens)} tokens",
        "system": "other system prompt" if _value(pane.system, "") else "no system prompt",
        "region": f"region {_value(pane.region)}",
        "profile": f"profile {_value(pane.profile)}",
    }
    return tuple(
        said for name, said in words.items() if _value(getattr(pane, name), "") != _value(getattr(first, name), "")
    )


def _value(value: Any, nothing: str = "default") -> str:
    """A value as it is told: `0.7`, `512`, `default`."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return nothing
    return f"{value:g}" if isinstance(value, int | float) else str(value).strip()
