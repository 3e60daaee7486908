"""Tab Compare: one event runs all panes and draws them; a few small ones stop, add, remove and vote.

As in the chat the streaming event yields the same few strings again and again, and what is compared never travels: the
page holds its key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from app.comparisons import Board, Choice, ComparisonBusy, PaneSettings, Standing
from app.fan_in import MAX_LANES, FanIn
from app.services import Services
from app.ui import compare_form, compare_view
from app.ui.asking import capabilities_of, check_prompt
from app.ui.chat import KEEP, PRIVATE, problem_of
from app.ui.compare_outputs import ARRANGED, Outputs, heads, refused
from app.ui.compare_report import report_outputs
from app.ui.compare_widgets import IN_TURN, CompareWidgets, first_models, place_compare
from app.ui.events import data_of, most_events, whole_number
from app.ui.markup import Labels
from app.ui.panel import Problem
from app.ui.settings_panel import choices, max_tokens_info, temperature_of
from metrics.experiment_log import Vote
from metrics.record import timestamp
from metrics.run_log import RunLogError
from providers.errors import ProviderError

log = logging.getLogger(__name__)

WITH_KEY = "(_, ...rest) => [window.playground.compare.key(), ...rest]"
ONCE_WITH_KEY = "async () => [await window.playground.compare.opened()]"
_DOWNLOAD = "(problem) => { if (!problem) window.playground.compare.download(); }"


def build_compare(services: Services, tab: gr.Tab, labels: Labels) -> Any:
    """Places the tab where it is called, and wires it. Gives the event that asks, for others to follow it."""
    widgets, comparing = place_compare(services), _Comparing(services, labels)
    drawn = [pane.stats for pane in widgets.panes] + [pane.output for pane in widgets.panes]
    drawn += [widgets.tabs, widgets.summary, widgets.state, widgets.problem]
    arranged = [widgets.count, *widgets.settings, *(pane.head for pane in widgets.panes), *drawn]
    form = [widgets.key, widgets.count, *widgets.settings]
    asked = gr.on(
        [widgets.run.click, widgets.prompt.submit, widgets.acts.retry],
        comparing.ask,
        [*form, widgets.prompt, widgets.order, widgets.blind],
        drawn,
        js=WITH_KEY,
        trigger_mode="once",
        concurrency_id="turn",
        concurrency_limit=most_events(services.runner),
        **PRIVATE,
    )
    quick: dict[str, Any] = {"queue": False, **PRIVATE}
    gr.on([widgets.stop.click, widgets.acts.stop], comparing.stop, [widgets.key], None, js=WITH_KEY, **quick)
    widgets.add.click(comparing.add, [*form, widgets.same], arranged, js=WITH_KEY, **quick)
    widgets.acts.delete(comparing.remove, form, arranged, js=WITH_KEY, **quick)
    widgets.acts.like(comparing.vote, form, arranged, js=WITH_KEY, **quick)
    gr.on([widgets.acts.undo, widgets.blind.input], comparing.reveal, form, arranged, js=WITH_KEY, **quick)
    served = {**quick, "postprocess": True}  # a path becomes a file that the browser may have
    widgets.acts.download(comparing.report, [widgets.key], [widgets.problem, widgets.file], js=WITH_KEY, **served).then(
        None, [widgets.problem], None, js=_DOWNLOAD
    )
    tab.select(comparing.restore, [widgets.key], arranged, js=ONCE_WITH_KEY, **quick)
    _wire_settings(widgets, comparing)
    return asked


def _wire_settings(widgets: CompareWidgets, comparing: _Comparing) -> None:
    """Settings follow the model; with *Same settings* on, what is typed in one pane is typed in all."""
    quick: dict[str, Any] = {"queue": False, **PRIVATE}
    for at, pane in enumerate(widgets.panes):
        followed = [pane.temperature, pane.max_tokens]
        pane.model.change(comparing.follow, [pane.model], followed, trigger_mode="always_last", **quick)
        for field in compare_form.SHARED:
            all_panes = [getattr(other, field) for other in widgets.panes]
            copy = f"(same, ...values) => same ? values.map(() => values[{at}]) : values"
            getattr(pane, field).input(None, [widgets.same, *all_panes], all_panes, js=copy)
    shared = [getattr(pane, field) for field in compare_form.SHARED for pane in widgets.panes]
    first = f"(same, ...all) => same ? all.map((_, at) => all[at - (at % {MAX_LANES})]) : all"
    widgets.same.input(None, [widgets.same, *shared], shared, js=first)
    gr.on(
        [widget.change for widget in (widgets.count, *widgets.settings)],
        comparing.heads,
        [widgets.count, *widgets.settings],
        [pane.head for pane in widgets.panes],
        trigger_mode="always_last",
        **quick,
    )


class _Comparing:
    """The handlers. Every value that reaches them comes from a browser."""

    def __init__(self, services: Services, labels: Labels) -> None:
        self._services = services
        self._labels = labels
        self._outputs = Outputs(services.run_log, labels)

    # --- asking -------------------------------------------------------------------------------------------------------

    async def ask(self, event: gr.EventData, key: Any, count: Any, *values: Any) -> AsyncGenerator[tuple[Any, ...]]:
        """One prompt in all panes, or again in one, from its check to the end of the last answer."""
        board = self._services.comparisons.open(key)
        *settings, prompt, order, blind = values
        pane = whole_number(data_of(event).get("pane"))
        panes = compare_form.read_panes(count, settings)
        try:
            if pane is None:
                check_prompt(prompt)
                board.begin(prompt, panes, in_turn=order == IN_TURN, blind=blind is True and len(panes) > 1)
            else:
                board.begin_again(pane, panes[min(pane, len(panes) - 1)])
            async with aclosing(self._answered(board, len(panes), pane)) as views:
                async for view in views:
                    yield view
        except ComparisonBusy as error:
            yield refused(Problem(sentence=str(error)))
        except (ProviderError, ValueError) as error:
            yield refused(problem_of(error))
        except Exception:  # the page's edge: nobody may be left in front of a page that waits
            log.exception("The page failed on a comparison")
            board.finish()
            yield refused(Problem(sentence="The playground itself failed. The log of the server says more."))

    async def _answered(self, board: Board, count: int, pane: int | None) -> AsyncGenerator[tuple[Any, ...]]:
        view = compare_view.CompareView(self._labels)
        try:
            # The first call of all starts the endpoint of this machine, which takes longer than a loop may wait.
            runs = await asyncio.to_thread(self._start, board, pane)
            async with aclosing(runs.updates()) as updates:
                async for _ in updates:
                    yield self._outputs.drawn(board.standing(), count, view)
        finally:
            board.finish()
        yield await asyncio.to_thread(self._outputs.drawn, board.standing(), count, view)

    def _start(self, board: Board, pane: int | None) -> FanIn:
        standing, runner = board.standing(), self._services.runner
        chosen = standing.panes if pane is None else standing.panes[pane : pane + 1]
        entries = [
            compare_form.entry(settings, standing.prompt, self._services.backends, runner.estimator)
            for settings in chosen
        ]
        runs = FanIn(runner, entries, comparison_id=standing.id, in_turn=standing.in_turn and pane is None)
        board.attach(runs, pane)
        runs.start()
        return runs

    def stop(self, event: gr.EventData, key: Any) -> None:
        """Stops one pane, or all; the event that asked shows the end by itself."""
        self._services.comparisons.open(key).stop(whole_number(data_of(event).get("pane")))

    def report(self, event: gr.EventData, key: Any) -> tuple[Any, Any]:
        """A file with the comparison, without prompt and answers where that is asked for; or why there is none."""
        texts = data_of(event).get("texts") is not False
        return report_outputs(self._services.comparisons.open(key).standing(), texts=texts)

    # --- arranging ----------------------------------------------------------------------------------------------------

    def add(self, key: Any, count: Any, *values: Any) -> tuple[Any, ...]:
        """One pane more, with a model that no other one has and the settings of the first."""
        *settings, _same = values
        panes = compare_form.read_panes(count, settings)
        board = self._services.comparisons.open(key)
        if len(panes) == MAX_LANES or board.standing().hidden:
            return self._outputs.arranged(board.standing(), panes)
        used = {pane.model for pane in panes}
        fresh = [model_id for model_id in first_models(self._services.backends) if model_id not in used]
        model = fresh[0] if fresh else panes[0].model
        first = {field: getattr(panes[0], field) for field in compare_form.SHARED}
        return self._outputs.arranged(board.standing(), (*panes, PaneSettings(model=model, **first)))

    def remove(self, event: gr.EventData, key: Any, count: Any, *values: Any) -> tuple[Any, ...]:
        """One pane less; those behind it move up. The last one stays."""
        panes = compare_form.read_panes(count, values)
        pane = whole_number(data_of(event).get("pane"))
        board = self._services.comparisons.open(key)
        if pane is None or len(panes) < 2 or not 0 <= pane < len(panes) or board.standing().hidden:
            return self._outputs.arranged(board.standing(), panes)
        try:
            board.remove(pane)
        except ComparisonBusy as error:
            return self._outputs.arranged(board.standing(), panes, problem=str(error))
        return self._outputs.arranged(board.standing(), (*panes[:pane], *panes[pane + 1 :]))

    async def restore(self, key: Any) -> tuple[Any, ...]:
        """The comparison of a page that was opened again. Answers that its former self was reading are stopped, and
        shown as far as they came. Without a key there is nothing to do: the page has it already."""
        if not key:
            return (KEEP,) * ARRANGED
        board = self._services.comparisons.open(key)
        board.finish()
        for _ in range(20):
            if not board.busy:
                break
            await asyncio.sleep(0.05)
        models = first_models(self._services.backends)
        usual = tuple(PaneSettings(model=model) for model in models[:2])
        panes = board.standing().panes
        if board.standing().hidden:  # widgets in the order of the answers would tell whose they are
            panes = tuple(sorted(panes, key=repr))
        arranged = await asyncio.to_thread(self._outputs.arranged, board.standing(), panes or usual, keep=not panes)
        offered = choices(self._services)
        size = len(compare_form.FIELDS)
        return tuple(
            gr.update(choices=offered, **({} if value == KEEP else {"value": value}))
            if 0 < at <= MAX_LANES * size and (at - 1) % size == 0
            else value
            for at, value in enumerate(arranged)
        )

    # --- voting -------------------------------------------------------------------------------------------------------

    def vote(self, event: gr.EventData, key: Any, count: Any, *values: Any) -> tuple[Any, ...]:
        """Keeps which answer was liked best, and tells the names."""
        board = self._services.comparisons.open(key)
        standing = board.standing()
        choice = _choice(data_of(event).get("choice"), standing)
        problem = ""
        if choice is not None and standing.id and board.choose(choice):
            update = None if choice == "tie" else standing.answers[choice]
            vote = Vote(
                comparison_id=standing.id,
                run_id=update.run_id if update else None,
                voted_at=timestamp(datetime.now(UTC)),
            )
            try:
                self._services.run_log.add_vote(vote)
            except RunLogError as error:
                problem = str(error)
        return self._outputs.arranged(board.standing(), self._revealed(board, count, values), problem=problem)

    def reveal(self, key: Any, count: Any, *values: Any) -> tuple[Any, ...]:
        """Tells the names without a vote."""
        board = self._services.comparisons.open(key)
        if not board.standing().hidden or board.busy:
            return (KEEP,) * ARRANGED
        board.reveal()
        return self._outputs.arranged(board.standing(), self._revealed(board, count, values))

    def _revealed(self, board: Board, count: Any, values: Sequence[Any]) -> tuple[PaneSettings, ...]:
        """The panes in the order in which their answers stand."""
        standing = board.standing()
        return compare_form.read_panes(count, values) if standing.hidden or not standing.panes else standing.panes

    # --- drawing ------------------------------------------------------------------------------------------------------

    def follow(self, model_id: Any) -> tuple[Any, Any]:
        """Temperature and max tokens for the model that was chosen."""
        facts = capabilities_of(model_id) if isinstance(model_id, str) and model_id.strip() else None
        temperature = temperature_of(facts)
        return (
            gr.update(interactive=temperature["interactive"], info=temperature["info"]),
            gr.update(info=max_tokens_info(facts)),
        )

    def heads(self, count: Any, *values: Any) -> tuple[str, ...]:
        """The tops of all panes, with what differs from the first one."""
        return heads(compare_form.read_panes(count, values))


def _choice(value: Any, standing: Standing) -> Choice | None:
    """A vote as the browser sent it; `None` for what is none."""
    if value == "tie":
        return "tie"
    pane = whole_number(value)
    return pane if pane is not None and 0 <= pane < len(standing.answers) and standing.answers[pane] else None
