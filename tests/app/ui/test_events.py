"""What a browser sends is taken for what it should be, or for nothing."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from app.ui.events import data_of, whole_number


def test_what_is_no_mapping_is_nothing() -> None:
    assert data_of(gr.EventData(None, {"pane": 1})) == {"pane": 1}
    assert data_of(gr.EventData(None, ["pane"])) == {}
    assert data_of(gr.EventData(None, None)) == {}


@pytest.mark.parametrize(("value", "number"), [(0, 0), (-1, -1), (True, None), (1.0, None), ("1", None), (None, None)])
def test_only_a_whole_number_is_one(value: Any, number: int | None) -> None:
    assert whole_number(value) == number
