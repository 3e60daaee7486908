"""Tab Runs: every run as a row, kept over restarts; filter, order, pages, pairs, details of a row, files.

The log filters, sorts and pages; a page of a hundred rows is all that travels. What is shown follows from the widgets
alone, so that nothing of it is kept on the server.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.services import Services
from app.ui.escaping import escape
from app.ui.files import fresh_file
from app.ui.present import many
from app.ui.replay import replay_html, why_not
from app.ui.run_details import details
from app.ui.runs_delete import DELETE, delete_all, delete_opened, told
from app.ui.runs_form import ANY, PAGE_ROWS, Asked, read_form, sort_choices, sorts
from app.ui.runs_widgets import FORMATS, RunsWidgets, place_runs
from metrics.exports import RUN_COLUMNS, Kind, Row, write_file
from metrics.record import RunRecord
from metrics.run_log import RunLogError
from metrics.tables import for_display, pairs_table, rows_of, runs_table

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

EMPTY = '<p class="note">No runs yet. Every question that you ask becomes a row here.</p>'
NOTHING_FITS = "Nothing fits. Take something out of the filter, or clear it."
HOW_TO_PAIR = "Ask in mode Both to make one."
_ABOVE, _BELOW = 12, 4
"""How many outputs show the table, and how many the open row."""
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False, "preprocess": False}


def build_runs(services: Services, tab: gr.Tab, asked: Any) -> None:
    """Places the tab where it is called. The table is read when the tab is opened, and after every answer."""
    w, runs = place_runs(), _Runs(services)
    below = [w.chosen, w.details, w.replay_run, w.replay]
    shown = [w.count, w.table, w.pager, w.previous, w.next, w.page, w.model, w.experiment, w.sort, w.clear]
    shown += [w.delete_all, w.told, *below]
    for trigger in (tab.select, asked.then):
        trigger(runs.read, [w.chosen, *w.form], shown, **PRIVATE)
    filters = [w.view, w.text, w.model, w.mode, w.status, w.backend, w.note, w.experiment]
    chosen = [w.model, w.mode, w.status, w.backend, w.note, w.experiment, w.sort]
    changed = [w.view.change, w.text.change, *(widget.input for widget in chosen)]
    gr.on(changed, runs.refilter, [w.chosen, *w.form], shown, trigger_mode="always_last", **PRIVATE)
    w.count.submit(runs.resort, [w.chosen, *w.form], shown, **PRIVATE)
    w.page.submit(runs.read, [w.chosen, *w.form], shown, **PRIVATE)
    w.previous.click(runs.previous, [w.chosen, *w.form], shown, **PRIVATE)
    w.next.click(runs.next, [w.chosen, *w.form], shown, **PRIVATE)
    w.clear.click(lambda: ["", *[ANY] * 6], None, filters[1:], **PRIVATE).then(
        runs.refilter, [w.chosen, *w.form], shown, **PRIVATE
    )
    w.table.select(runs.choose, [w.view], below, **PRIVATE)
    acted = w.details.submit(runs.act, [w.chosen, *w.form], shown, **PRIVATE)
    emptied = w.delete_all.submit(runs.delete_all, [w.chosen, *w.form], shown, **PRIVATE)
    for done in (acted, emptied):
        done.then(None, None, None, js="() => { window.playgroundRuns.deleted(); }")
    w.replay_run.click(runs.replay, [w.view, w.chosen], [w.replay], **PRIVATE)
    _wire_export(w, runs)


def _wire_export(w: RunsWidgets, runs: _Runs) -> None:
    """A file of the whole log takes seconds: the button says so meanwhile."""
    begin = "(...values) => { window.playgroundRuns.preparing(); return values; }"
    made = w.export.click(runs.export, [w.format, *w.form], [w.file, w.count], js=begin, **PRIVATE)
    made.then(None, None, None, js="() => { window.playgroundRuns.download(); }")


class _Runs:
    """The handlers. Each gives every output of its event; what the log cannot do is said where it was asked for."""

    def __init__(self, services: Services) -> None:
        self._log = services.run_log
        self._forgetting = services.forgetting

    def read(self, chosen: Any, *form: Any) -> tuple[Any, ...]:
        """The page that the widgets ask for."""
        return self._show(chosen, read_form(*form))

    def refilter(self, chosen: Any, *form: Any) -> tuple[Any, ...]:
        """The first page of what the filter lets through."""
        return self._show(chosen, replace(read_form(*form), page=1))

    def resort(self, event: gr.EventData, chosen: Any, *form: Any) -> tuple[Any, ...]:
        """By the column whose header was clicked."""
        return self._show(chosen, read_form(*form).sorted_by(str(event._data)))

    def previous(self, chosen: Any, *form: Any) -> tuple[Any, ...]:
        """One page back."""
        asked = read_form(*form)
        return self._show(chosen, replace(asked, page=max(1, asked.page - 1)))

    def next(self, chosen: Any, *form: Any) -> tuple[Any, ...]:
        """One page on."""
        asked = read_form(*form)
        return self._show(chosen, replace(asked, page=asked.page + 1))

    def choose(self, event: gr.SelectData, view: Any) -> tuple[Any, ...]:
        """The row that was clicked, opened."""
        row = event.row_value if isinstance(event.row_value, list) else []
        chosen = str(row[-1]) if row else ""
        try:
            records = self._records(view, chosen)
        except RunLogError as error:
            return _closed(_problem(error))
        if not records:
            return _closed()
        why = why_not(records[-1])
        note = f'<p class="note">{escape(why)}</p>' if why else ""
        return chosen, _opened(records), gr.Button(interactive=not why), note

    def act(self, event: gr.EventData, chosen: Any, *form: Any) -> tuple[Any, ...]:
        """The open row is closed, or deleted."""
        asked = read_form(*form)
        if event._data != DELETE:
            return (*[gr.skip()] * _ABOVE, *_closed())
        try:
            doomed = [record.run_id for record in self._records(asked.view, chosen)]
            deleted = self._log.delete(doomed)
        except RunLogError as error:
            return _not_deleted(error)
        self._forgetting.forget(doomed)
        return self._show(chosen, asked, told(deleted))

    def delete_all(self, chosen: Any, *form: Any) -> tuple[Any, ...]:
        """Every run of the log is deleted."""
        try:
            deleted = self._log.delete_all()
        except RunLogError as error:
            return _not_deleted(error)
        self._forgetting.forget(None)
        return self._show(chosen, replace(read_form(*form), page=1), told(deleted))

    def replay(self, view: Any, chosen: Any) -> str:
        """The chosen run as it came; of a pair the streamed one, beside which its wait without streaming is played."""
        try:
            return "".join(map(replay_html, self._records(view, chosen)[-1:]))
        except RunLogError as error:
            return _problem(error)

    def export(self, wanted: Any, *form: Any) -> tuple[Any, Any]:
        """A fresh file with all that the filter lets through, under the folder that Gradio serves."""
        asked, kind = read_form(*form), FORMATS.get(wanted, "csv") if isinstance(wanted, str) else "csv"
        try:
            path = fresh_file(f"{asked.view.lower()}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{kind}")
            rows, columns = self._all(asked)
            write_file(path, kind, rows, columns, of=asked.view.lower())
        except RunLogError as error:
            return gr.DownloadButton("File", value=None), _problem(error)
        except OSError as error:
            return (
                None,
                f'<p class="problem">The file could not be written: {escape(error.strerror or str(error))}.</p>',
            )
        return gr.DownloadButton(path.name, value=str(path)), gr.skip()

    def _all(self, asked: Asked) -> tuple[Iterable[Row], dict[str, Kind]]:
        if asked.view == "Runs":
            return self._log.rows(asked.wanted, asked.order), dict(RUN_COLUMNS)
        table = pairs_table(self._log.pair_page(asked.wanted, asked.order, limit=None).pairs)
        return rows_of(table), {str(name): str(kind) for name, kind in table.dtypes.items()}  # type: ignore[misc]  # one of the four

    def _show(self, chosen: Any, asked: Asked, said: str = "") -> tuple[Any, ...]:
        try:
            table, total = self._page(asked)
            pages = max(1, -(-total // PAGE_ROWS))
            if asked.page > pages:
                return self._show(chosen, replace(asked, page=pages), said)
            return (
                self._count(asked, total),
                as_cells(table),
                gr.Row(visible=pages > 1),
                gr.Button(interactive=asked.page > 1),
                gr.Button(interactive=asked.page < pages),
                gr.Number(asked.page, maximum=pages, label=f"Page of {pages:,}"),
                gr.Dropdown(choices=[ANY, *self._log.models()]),
                gr.Dropdown(choices=[ANY, *self._experiments()]),
                gr.Dropdown(choices=sort_choices(asked.view), value=asked.sort),
                gr.Button(visible=asked.filtered),
                delete_all(self._log.count()),
                said,
                *self._below(chosen, asked),
            )
        except RunLogError as error:
            return (_problem(error), *[gr.skip()] * (_ABOVE - 2), said, *[gr.skip()] * _BELOW)

    def _page(self, asked: Asked) -> tuple[pd.DataFrame, int]:
        offset = (asked.page - 1) * PAGE_ROWS
        if asked.view == "Pairs":
            pairs = self._log.pair_page(asked.wanted, asked.order, limit=PAGE_ROWS, offset=offset)
            return pairs_table(pairs.pairs), pairs.total
        page = self._log.page(asked.wanted, asked.order, limit=PAGE_ROWS, offset=offset)
        return runs_table(page.rows), page.total

    def _count(self, asked: Asked, total: int) -> str:
        """Which rows these are, of how many; and for the script the order that they are in."""
        of = self._log.count() if asked.filtered or not total else total
        if not of:
            return EMPTY
        words = _extent(asked, total, of)
        titles = escape("|".join(sorts(asked.view)))
        return f'<p class="note" data-sort="{escape(asked.sort)}" data-titles="{titles}">{words}</p>'

    def _experiments(self) -> list[tuple[str, str]]:
        found = self._log.experiments()
        return [(f"{one.started_at[:16].replace('T', ' ')} {one.note or one.id[:8]}"[:60], one.id) for one in found]

    def _below(self, chosen: Any, asked: Asked) -> tuple[Any, ...]:
        """The open row stays open while the filter lets it through."""
        if not isinstance(chosen, str) or not chosen:
            return (gr.skip(),) * _BELOW
        page = self._log.pair_page if asked.view == "Pairs" else self._log.page
        return (gr.skip(),) * _BELOW if page(asked.only(chosen), asked.order, limit=1).total else _closed()

    def _records(self, view: Any, chosen: Any) -> list[RunRecord]:
        if not isinstance(chosen, str) or not chosen:
            return []
        if view != "Pairs":
            found = [self._log.get(chosen)]
        else:
            asked = read_form("Pairs")
            pairs = self._log.pair_page(asked.only(chosen), asked.order, limit=1).pairs
            found = [self._log.get(str(run["bench.run_id"])) for pair in pairs for run in pair]
        return [record for record in found if record is not None]


def as_cells(table: pd.DataFrame) -> dict[str, Any]:
    """The table as Gradio shows it: values, and beside them what is to be read."""
    return {
        "headers": [str(name) for name in table.columns],
        "data": table.astype(object).where(table.notna(), None).to_numpy().tolist(),
        "metadata": {"display_value": for_display(table).to_numpy().tolist()},
    }


def _extent(asked: Asked, total: int, of: int) -> str:
    """`3 runs`, `1–100 of 48,212 runs`, `2 of 48,212 runs`, `101–200 of 1,234 that fit, of 48,212 runs`."""
    pairs = asked.view == "Pairs"
    first, last = (asked.page - 1) * PAGE_ROWS + 1, min(asked.page * PAGE_ROWS, total)
    several = f"{first:,}–{last:,} of " if total > PAGE_ROWS else ""
    if pairs:
        hint = NOTHING_FITS if asked.filtered and not total else "" if total > 1 else HOW_TO_PAIR
        return f"{several}{many(total, 'pair')} of a complete and a streamed run. {hint}".strip()
    if not asked.filtered:
        return f"{several}{many(total, 'run')}"
    if not total:
        return f"0 of {many(of, 'run')}. {NOTHING_FITS}"
    return f"{several}{total:,} that fit, of {many(of, 'run')}" if several else f"{total:,} of {many(of, 'run')}"


def _opened(records: list[RunRecord]) -> str:
    close = '<button type="button" class="close" data-close>Close</button>'
    delete = delete_opened(len(records))
    return f'<div class="chosen" data-runs="{len(records)}">{close}{"".join(map(details, records))}{delete}</div>'


def _closed(html: str = "") -> tuple[Any, ...]:
    return "", html, gr.Button(interactive=False), ""


def _not_deleted(error: RunLogError) -> tuple[Any, ...]:
    return (*[gr.skip()] * (_ABOVE - 1), _problem(error), *[gr.skip()] * _BELOW)


def _problem(error: RunLogError) -> str:
    return f'<p class="problem" role="alert">{escape(str(error))}</p>'
