"""Tab Runs: every run as a row, kept over restarts; filter, pairs, details of a row, CSV."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.services import Services
from app.ui.escaping import escape
from app.ui.present import many
from app.ui.run_details import details
from metrics.run_log import RunLogError
from metrics.tables import filter_rows, for_display, pairs_table, rows_of, runs_table, to_csv

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SHOWN = 500
"""How many runs are looked through; older ones are in the CSV of the API."""
ANY = "Any"
MODES = {"Stream": "stream", "Complete": "sync"}
STATUSES = ("completed", "cancelled", "interrupted", "failed")
EMPTY = '<p class="note">No runs yet. Every question that you ask becomes a row here.</p>'
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False, "preprocess": False}


def build_runs(services: Services, tab: gr.Tab, asked: Any) -> None:
    """Places the tab where it is called. The table is read when the tab is opened, and after every answer."""
    with gr.Row(elem_id="runs-filter", equal_height=True):
        view = gr.Radio(
            ["Runs", "Pairs"], value="Runs", label="View", elem_id="runs-view", elem_classes="segmented", min_width=150
        )
        text = gr.Textbox(
            label="Search", placeholder="model, prompt or answer", max_lines=1, elem_id="runs-text", min_width=160
        )
        model = gr.Dropdown([ANY], value=ANY, label="Model", elem_id="runs-model", min_width=160)
        mode = gr.Dropdown([ANY, *MODES], value=ANY, label="Mode", elem_id="runs-mode", min_width=110)
        status = gr.Dropdown([ANY, *STATUSES], value=ANY, label="Status", elem_id="runs-status", min_width=120)
        export = gr.Button("Export CSV", elem_id="runs-export", min_width=110, scale=0)
    count = gr.HTML("", elem_id="runs-count", apply_default_css=False)
    table = gr.Dataframe(
        interactive=False, elem_id="runs-table", label="Runs", show_label=False, max_height=560, buttons=[]
    )
    chosen = gr.HTML("", elem_id="run-details", apply_default_css=False)
    file = gr.DownloadButton("CSV", visible="hidden", elem_id="runs-file")

    runs = _Runs(services)
    fields = [view, text, model, mode, status]
    shown = [table, count, model]
    for trigger in (tab.select, asked.then):
        trigger(runs.read, fields, shown, **PRIVATE)
    gr.on(
        [view.change, text.change, model.input, mode.input, status.input],
        runs.read,
        fields,
        shown,
        trigger_mode="always_last",
        **PRIVATE,
    )
    table.select(runs.details, None, [chosen], **PRIVATE)
    export.click(runs.export, fields, [file], **PRIVATE).then(
        None, None, None, js="() => { window.playground.download('runs-file'); }"
    )


class _Runs:
    """The handlers. The log is small enough to be filtered here; one reading serves table and filter choices."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def read(self, view: str, text: str, model: str, mode: str, status: str) -> tuple[Any, Any, Any]:
        """Table, a line about it, and the models to choose from."""
        try:
            records = self._services.run_log.recent(SHOWN)
        except RunLogError as error:
            return gr.skip(), f'<p class="problem">{escape(str(error))}</p>', gr.skip()
        rows = [record.to_row() for record in records]
        models = sorted({record.request_model for record in records})
        fitting = _filtered(rows, view, text, model, mode, status)
        table = _table(fitting, view)
        choices = gr.update(choices=[ANY, *models])
        return as_cells(table), _count(len(table), len(rows), view), choices

    def details(self, event: gr.SelectData) -> str:
        """The run of the row that was clicked."""
        row = event.row_value if isinstance(event.row_value, list) else []
        run_id = str(row[-1]) if row else ""
        try:
            record = self._services.run_log.get(run_id)
        except RunLogError as error:
            return f'<p class="problem">{escape(str(error))}</p>'
        return details(record) if record else ""

    def export(self, view: str, text: str, model: str, mode: str, status: str) -> str:
        """A fresh file with what the filter lets through, under the folder that Gradio serves."""
        rows = [record.to_row() for record in self._services.run_log.recent(10_000)]
        fitting = _filtered(rows, view, text, model, mode, status)
        csv = to_csv(rows_of(pairs_table(fitting))) if view == "Pairs" else to_csv(fitting)
        folder = Path(tempfile.mkdtemp(prefix="export-", dir=_cache()))
        path = folder / f"runs-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.csv"
        path.write_text(csv, "utf-8", newline="")
        return str(path)


def as_cells(table: pd.DataFrame) -> dict[str, Any]:
    """The table as Gradio shows it: numbers, so that columns sort as such, and beside them what is to be read."""
    return {
        "headers": [str(name) for name in table.columns],
        "data": table.astype(object).where(table.notna(), None).to_numpy().tolist(),
        "metadata": {"display_value": for_display(table).to_numpy().tolist()},
    }


def _cache() -> Path:
    folder = Path(gr.utils.get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _filtered(rows: Sequence[Any], view: str, text: str, model: str, mode: str, status: str) -> list[Any]:
    pairs = view == "Pairs"
    return filter_rows(
        rows,
        model_id=None if model == ANY else model,
        mode=None if pairs else MODES.get(mode),
        status=None if pairs or status not in STATUSES else status,
        text=(text or "").strip() or None,
    )


def _table(rows: Sequence[Any], view: str) -> pd.DataFrame:
    return pairs_table(rows) if view == "Pairs" else runs_table(rows)


def _count(shown: int, of: int, view: str) -> str:
    if not of:
        return EMPTY
    if view == "Pairs":
        words = f"{many(shown, 'pair')} of a complete and a streamed run. Ask in mode Both to make one."
    else:
        words = many(of, "run") if shown == of < SHOWN else f"{shown:,} of the newest {many(of, 'run')}"
    return f'<p class="note">{words}</p>'
