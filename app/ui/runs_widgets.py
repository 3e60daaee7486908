"""The widgets of tab Runs: the filter above, the table with its pages, and the chosen row below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.ui.runs_form import ANY, BACKENDS, MODES, NEWEST, NOTES, STATUSES, sort_choices
from metrics.exports import Format

_SORTABLE = "window.playgroundRuns.table(element, (title) => trigger('submit', title));"
_CLOSABLE = "window.playgroundRuns.details(element, (act) => trigger('submit', act));"
_DELETABLE = "window.playgroundRuns.deleting(element, () => trigger('submit'));"
FORMATS: Mapping[str, Format] = {"CSV": "csv", "JSON": "json", "Parquet": "parquet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsWidgets:
    """What events read and write. `count` also tells which header was clicked, `details` that it was closed or
    is to be deleted, `delete_all` that all are; `told` says what was deleted. `chosen` keeps the id of the open row."""

    view: gr.Radio
    text: gr.Textbox
    model: gr.Dropdown
    mode: gr.Dropdown
    status: gr.Dropdown
    backend: gr.Dropdown
    note: gr.Dropdown
    experiment: gr.Dropdown
    sort: gr.Dropdown
    page: gr.Number
    clear: gr.Button
    format: gr.Dropdown
    export: gr.Button
    file: gr.DownloadButton
    count: gr.HTML
    table: gr.Dataframe
    pager: gr.Row
    previous: gr.Button
    next: gr.Button
    told: gr.HTML
    chosen: gr.Textbox
    details: gr.HTML
    replay_run: gr.Button
    replay: gr.HTML
    delete_all: gr.HTML

    @property
    def form(self) -> list[Any]:
        """What `runs_form.read_form` reads, in its order."""
        chosen = [self.view, self.text, self.model, self.mode, self.status, self.backend, self.note, self.experiment]
        return [*chosen, self.sort, self.page]


def place_runs() -> RunsWidgets:
    """Places them where it is called."""
    form = _place_filter()
    count = gr.HTML("", elem_id="runs-count", apply_default_css=False, js_on_load=_SORTABLE)
    table = gr.Dataframe(
        interactive=False, elem_id="runs-table", label="Runs", show_label=False, max_height=560, buttons=[]
    )
    with gr.Row(elem_id="runs-pager", visible=False) as pager:
        previous = gr.Button("Previous", elem_id="runs-previous", min_width=90, scale=0, size="sm")
        page = gr.Number(1, label="Page", minimum=1, precision=0, elem_id="runs-page", min_width=110, scale=0)
        following = gr.Button("Next", elem_id="runs-next", min_width=90, scale=0, size="sm")
    told = gr.HTML("", elem_id="runs-told", apply_default_css=False)
    chosen = gr.Textbox(visible="hidden", elem_id="runs-chosen", label="Chosen row")
    details = gr.HTML("", elem_id="run-details", apply_default_css=False, js_on_load=_CLOSABLE)
    replay_run = gr.Button("Replay", elem_id="replay-run", interactive=False, min_width=110, scale=0)
    replay = gr.HTML("", elem_id="replay", apply_default_css=False)
    delete_all = gr.HTML("", elem_id="runs-delete", apply_default_css=False, js_on_load=_DELETABLE)
    return RunsWidgets(
        **form,
        page=page,
        count=count,
        table=table,
        pager=pager,
        previous=previous,
        next=following,
        told=told,
        chosen=chosen,
        details=details,
        replay_run=replay_run,
        replay=replay,
        delete_all=delete_all,
    )


def _place_filter() -> dict[str, Any]:
    with gr.Row(elem_id="runs-filter", equal_height=True):
        view = gr.Radio(
            ["Runs", "Pairs"], value="Runs", label="View", elem_id="runs-view", elem_classes="segmented", min_width=150
        )
        text = gr.Textbox(
            label="Search",
            placeholder="model, prompt or answer",
            max_lines=1,
            elem_id="runs-text",
            min_width=160,
        )
        found = {
            "view": view,
            "text": text,
            "model": _choice("Model", [], 160),
            "mode": _choice("Mode", MODES, 110),
            "status": _choice("Status", STATUSES, 120),
            "backend": _choice("Backend", BACKENDS, 110),
            "note": _choice("Note", NOTES, 120),
            "experiment": _choice("Experiment", [], 140),
            "sort": gr.Dropdown(sort_choices("Runs"), value=NEWEST, label="Sort", elem_id="runs-sort", min_width=150),
            "clear": gr.Button("Clear", elem_id="runs-clear", min_width=70, scale=0, visible=False),
        }
        found["format"] = gr.Dropdown(
            list(FORMATS), value="CSV", label="Export as", elem_id="runs-format", min_width=90
        )
        found["export"] = gr.Button("Export", elem_id="runs-export", min_width=90, scale=0)
    found["file"] = gr.DownloadButton("File", visible="hidden", elem_id="runs-file")
    return found


def _choice(label: str, choices: Any, min_width: int) -> gr.Dropdown:
    return gr.Dropdown([ANY, *choices], value=ANY, label=label, elem_id=f"runs-{label.lower()}", min_width=min_width)
