"""What comes with an event from a small button of the drawn parts: from a browser, and trusted in nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from app.runner import Runner

SPARE_EVENTS = 64


def most_events(runner: Runner) -> int:
    """Events under way at once: more than answers may be, so that the next one is told at once that the playground is
    busy, in place of waiting in Gradio's queue without a word. Gradio's own limits are 40, and 1 for each handler."""
    return runner.max_runs + SPARE_EVENTS


def data_of(event: gr.EventData) -> Mapping[str, Any]:
    """What was sent with the event; empty where that is no mapping."""
    return event._data if isinstance(event._data, Mapping) else {}


def whole_number(value: Any) -> int | None:
    """A place or an id; `None` for what is no whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
