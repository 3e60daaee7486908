"""Tab Latency: the paired experiment. One event starts it, or finds it again, and follows it to its end.

The experiment belongs to the server. A page that is closed or loaded again while it runs loses nothing: opening the tab
finds it. What is shown is read from the run log, so that an earlier experiment opens in the same way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.experiment import Experiment, most_usd
from app.experiments import ExperimentBusy
from app.services import Services
from app.ui import latency_view
from app.ui.escaping import escape
from app.ui.latency_export import write_export
from app.ui.latency_form import WIDGETS, Promise, read_promise, read_settings, spend_line
from app.ui.latency_shelf import Shelf
from app.ui.latency_widgets import LatencyWidgets, place_latency
from app.ui.markup import Labels
from app.ui.settings_panel import choices
from metrics.run_log import RunLogError
from providers.errors import ConfigurationError, InvalidValueError, ProviderError, UnknownModelError

log = logging.getLogger(__name__)

MAX_TOKENS = {"aws": 256, "local": 64}
"""What stands on the form at first. The small model of this machine says 64 tokens in about two seconds, so that the
experiment as it stands takes about two minutes."""
KEEP = gr.skip()
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "preprocess": False}
QUICK: dict[str, Any] = {**PRIVATE, "queue": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What an event shows. `None` leaves a widget as it is."""

    problem: str | None = None
    progress: str | None = None
    verdict: str | None = None
    plot: str | None = None
    table: str | None = None
    shown: str | None = None
    spend: str | None = None
    running: bool | None = None
    earlier: tuple[list[tuple[str, str]], str] | None = None
    pinned: bool | None = None

    def outputs(self) -> tuple[Any, ...]:
        """In the order of `_shown`."""
        plain = (self.problem, self.progress, self.verdict, self.plot, self.table, self.shown, self.spend)
        values = [KEEP if value is None else value for value in plain]
        run = KEEP if self.running is None else gr.update(interactive=not self.running)
        stop = KEEP if self.running is None else gr.update(interactive=self.running)
        return (*values, run, stop, self._earlier(), self._pin())

    def _earlier(self) -> Any:
        if self.earlier is not None:
            listed, chosen = self.earlier
            known = chosen if chosen in {value for _, value in listed} else None
            return gr.update(choices=listed, value=known, interactive=not self.running)
        return KEEP if self.running is None else gr.update(interactive=not self.running)

    def _pin(self) -> Any:
        if self.pinned is None:
            return gr.update(interactive=False) if self.running else KEEP
        return gr.update(value="Unpin baseline" if self.pinned else "Pin as baseline", interactive=True)


def _shown(widgets: LatencyWidgets) -> list[Any]:
    texts = (widgets.problem, widgets.progress, widgets.verdict, widgets.plot, widgets.table)
    return [*texts, widgets.shown, widgets.spend, widgets.run, widgets.stop, widgets.earlier, widgets.pin]


def build_latency(services: Services, tab: gr.Tab, labels: Labels) -> None:
    """Places the tab where it is called, and wires it."""
    limit = MAX_TOKENS[services.backends.status.backend]
    widgets = place_latency(choices(services), services.backends.default_model(), max_tokens=limit)
    handlers, shown = _Latency(services, labels), _shown(widgets)
    judged = [widgets.shown, widgets.starts, widgets.done]
    gr.on(
        [widgets.run.click, tab.select],
        handlers.watch,
        [*judged, *widgets.form],
        shown,
        trigger_mode="once",
        concurrency_id="experiment",
        concurrency_limit=32,
        **PRIVATE,
    )
    tab.select(lambda: gr.update(choices=choices(services)), None, [widgets.form[0]], **QUICK)
    widgets.stop.click(handlers.stop, None, None, **QUICK)
    changes = [widget.change for widget in widgets.form]
    gr.on(changes, handlers.spend, [*widgets.form], [widgets.spend], trigger_mode="always_last", **QUICK)
    # A choice is told twice, the second time when the list loses the focus.
    widgets.earlier.input(handlers.open, [widgets.earlier, *judged], shown, trigger_mode="always_last", **QUICK)
    gr.on(
        [widgets.starts.change, widgets.done.change],
        handlers.judge,
        judged,
        shown,
        trigger_mode="always_last",
        **QUICK,
    )
    widgets.pin.click(handlers.pin, judged, shown, **QUICK)
    exported = widgets.export.click(
        handlers.export, [widgets.shown, widgets.kind, widgets.texts], [widgets.problem, widgets.file], **QUICK
    )
    exported.then(None, [widgets.problem], None, js=_DOWNLOAD)


_DOWNLOAD = "(problem) => { if (!problem) window.playground.download('experiment-file'); }"


class _Latency:
    """The handlers. Every value that reaches them comes from a browser."""

    def __init__(self, services: Services, labels: Labels) -> None:
        self._services = services
        self._labels = labels
        self._shelf = Shelf(services.run_log, labels)

    # --- running ------------------------------------------------------------------------------------------------------

    async def watch(
        self, event: gr.EventData, shown: Any, starts: Any, done: Any, *values: Any
    ) -> AsyncGenerator[tuple[Any, ...]]:
        """From the button: starts one. From the tab: finds the one that is running, or shows the last one."""
        asked = getattr(event.target, "elem_id", "") == "experiment-run"
        problem = ""
        if asked:
            problem = await asyncio.to_thread(self._guarded, lambda: self._begin(values, starts, done))
        current = self._services.experiments.current
        running = current is not None and not current.snapshot().ended
        if current is None or (not running and (problem or (shown and not asked))):
            view = View(problem=problem) if asked else await asyncio.to_thread(self._opened, shown, values)
            yield view.outputs()
            return
        async with aclosing(self._followed(current, problem, starts, done, values)) as views:
            async for view in views:
                yield view.outputs()

    def _opened(self, shown: Any, values: tuple[Any, ...]) -> View:
        """The tab as it is when nothing runs."""
        listed = self._listed(shown if isinstance(shown, str) else "")
        return View(spend=self.spend(*values), running=False, earlier=listed)

    def _begin(self, values: tuple[Any, ...], starts: Any, done: Any) -> str:
        read_promise(starts, done)
        experiment = Experiment(self._services, read_settings(values))
        self._services.experiments.begin(experiment)
        return ""

    async def _followed(
        self, experiment: Experiment, problem: str, starts: Any, done: Any, values: tuple[Any, ...]
    ) -> AsyncGenerator[View]:
        rows, first = -1, True
        async with aclosing(experiment.updates()) as updates:
            async for update in updates:
                if update.ended:
                    break
                table = None
                if len(update.records) != rows:
                    rows = len(update.records)
                    table = latency_view.pair_rows(update.records, self._labels, live=True)
                if first:
                    spend = await asyncio.to_thread(self.spend, *values)
                    waiting = latency_view.no_plot("The plots come with the verdict.")
                    yield View(problem=problem, verdict=latency_view.running(), plot=waiting, spend=spend, running=True)
                yield View(progress=latency_view.progress(update), table=table)
                first = False
        await asyncio.to_thread(experiment.join)
        last = experiment.snapshot()
        ended = await asyncio.to_thread(self._result, experiment.id, starts, done)
        said = latency_view.problem(last.problem) or ended.problem or problem
        yield View(
            problem=said,
            progress=latency_view.progress(last),
            verdict=ended.verdict,
            plot=ended.plot,
            table=ended.table,
            shown=experiment.id,
            running=False,
            earlier=ended.earlier,
            pinned=ended.pinned,
        )

    def stop(self) -> None:
        """Stops what is running; the event that follows it shows the end by itself."""
        current = self._services.experiments.current
        if current is not None:
            current.cancel()

    def spend(self, *values: Any) -> str:
        """The line beside the button, for the form as it is now."""
        try:
            settings = read_settings(values)
            line = spend_line(settings, most_usd(self._services, settings))
        except (ProviderError, ValueError) as error:
            return f'<p class="note">{escape(str(error))}</p>'
        return f'<p class="spend">{escape(line)}</p>'

    # --- results ------------------------------------------------------------------------------------------------------

    def open(self, experiment_id: Any, shown: Any, starts: Any, done: Any) -> tuple[Any, ...]:
        """An earlier experiment, unless it stands there already."""
        current = self._services.experiments.current
        running = current is not None and not current.snapshot().ended
        if running or experiment_id == shown or not isinstance(experiment_id, str):
            return View().outputs()
        return self._result(experiment_id, starts, done).outputs()

    def judge(self, shown: Any, starts: Any, done: Any) -> tuple[Any, ...]:
        """The result that is shown, with another promise."""
        view = self._result(shown, starts, done) if isinstance(shown, str) and shown else View()
        return View(problem=view.problem, verdict=view.verdict).outputs()

    def pin(self, shown: Any, starts: Any, done: Any) -> tuple[Any, ...]:
        """Makes the experiment a baseline that later ones are held against, or takes that back."""

        def turn() -> str:
            self._shelf.turn_pin(shown if isinstance(shown, str) else "")
            return ""

        problem = self._guarded(turn)
        view = self._result(shown, starts, done) if isinstance(shown, str) and not problem else View(problem=problem)
        return View(problem=view.problem, verdict=view.verdict, earlier=view.earlier, pinned=view.pinned).outputs()

    def export(self, shown: Any, kind: Any, texts: Any) -> tuple[Any, Any]:
        """A fresh file of the experiment that is shown."""
        path = ""

        def write() -> str:
            nonlocal path
            stored = self._shelf.stored(shown) if isinstance(shown, str) else None
            if stored is None:
                return "There is nothing to export yet: run an experiment, or open an earlier one."
            path = write_export(stored, self._shelf.records(stored.id), str(kind), texts=texts is not False)
            return ""

        problem = self._guarded(write)
        return problem, path or KEEP

    def _result(self, experiment_id: str, starts: Any, done: Any) -> View:
        view = View()

        def read() -> str:
            nonlocal view
            view = self._shelf_view(experiment_id, read_promise(starts, done))
            return ""

        problem = self._guarded(read)
        return View(problem=problem) if problem else view

    def _shelf_view(self, experiment_id: str, promised: Promise) -> View:
        found = self._shelf.found(experiment_id, promised)
        if found is None:
            return View(problem=latency_view.problem("This experiment is not in the run log."))
        return View(
            problem="",
            progress=found.progress,
            verdict=found.verdict,
            plot=found.plot,
            table=found.table,
            shown=experiment_id,
            running=False,
            earlier=self._listed(experiment_id),
            pinned=found.pinned,
        )

    def _listed(self, chosen: str) -> tuple[list[tuple[str, str]], str] | None:
        try:
            return self._shelf.listed(), chosen
        except RunLogError:
            return None

    def _guarded(self, act: Callable[[], str]) -> str:
        """Does something that may be refused; the HTML of the sentence that says why, empty where it was not."""
        try:
            return latency_view.problem(act())
        except InvalidValueError as error:
            return latency_view.problem(str(error), WIDGETS.get(error.field, "experiment-models"))
        except (UnknownModelError, ConfigurationError) as error:
            return latency_view.problem(str(error), "experiment-models")
        except (ProviderError, ValueError, RunLogError, ExperimentBusy, OSError) as error:
            return latency_view.problem(str(error))
        except Exception:  # the page's edge: nobody may be left in front of a page that waits
            log.exception("The page failed on an experiment")
            return latency_view.problem("The playground itself failed. The log of the server says more.")
