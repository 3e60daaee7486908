"""Experiments as they are found in the run log, drawn: verdict, plots and pairs. Reads and draws; no gradio here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from app.ui import latency_view, present
from app.ui.latency_form import Promise
from app.ui.latency_result import Outcome, folded, verdict_html
from app.ui.markup import Labels
from app.ui.plots import drawing
from metrics.charts import distribution, paired_lines
from metrics.contrast import between
from metrics.experiment_log import StoredExperiment
from metrics.figures import promise
from metrics.pairs import pairs_of
from metrics.record import RunRecord
from metrics.run_log import RunLog
from metrics.sessions import against
from metrics.svg import Chart

LISTED = 100
BASELINES = 3
"""So many of the newest baselines are compared with."""
PLOTTED_MODELS = 4
CONTRASTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An experiment as HTML, part by part."""

    progress: str
    verdict: str
    plot: str
    table: str
    pinned: bool


class Shelf:
    """The experiments of a log. Every method raises `RunLogError`."""

    def __init__(self, run_log: RunLog, labels: Labels) -> None:
        self._log = run_log
        self._labels = labels

    def listed(self) -> list[tuple[str, str]]:
        """Label and id of each experiment, the newest first."""
        return [(self._label(stored), stored.id) for stored in self._log.experiments(LISTED)]

    def stored(self, experiment_id: str) -> StoredExperiment | None:
        """The experiment of this id."""
        return self._log.experiment(experiment_id)

    def records(self, experiment_id: str) -> list[RunRecord]:
        """Its runs, oldest first, chunks included."""
        return list(self._log.of_experiment(experiment_id, bulky=True))

    def turn_pin(self, experiment_id: str) -> None:
        """Makes a baseline of it, or takes that back."""
        stored = self.stored(experiment_id)
        if stored is not None:
            self._log.pin(experiment_id, pinned=not stored.pinned)

    def found(self, experiment_id: str, promised: Promise) -> Shown | None:
        """The experiment, drawn; `None` where there is none of this id."""
        stored = self.stored(experiment_id)
        if stored is None:
            return None
        records = list(self._log.of_experiment(experiment_id))
        more = [*self._promises(records, promised), *self._contrasts(records), *self._baselines(stored, records)]
        outcome = Outcome(settings=stored.settings, records=records, more=more, pinned=stored.pinned)
        return Shown(
            progress=latency_view.shelved(stored.settings),
            verdict=verdict_html(outcome, self._labels),
            plot=self._plots(records),
            table=latency_view.pair_rows(records, self._labels),
            pinned=stored.pinned,
        )

    def _label(self, stored: StoredExperiment) -> str:
        told = stored.settings
        models = [self._labels(model_id) for model_id in told.get("models", ())]
        named = models[0] if len(models) == 1 else present.many(len(models), "model")
        when = stored.started_at[:19].replace("T", " ")  # to the second: the list tells its lines apart by their words
        pinned = " · baseline" if stored.pinned else ""
        return f"{when} · {named} · {present.many(told.get('pairs', 0), 'pair')}{pinned}"

    # --- sentences beside the verdict ---------------------------------------------------------------------------------

    def _promises(self, records: Sequence[RunRecord], promised: Promise) -> Iterator[str]:
        if promised.first_s is None and promised.total_s is None:
            return
        models = models_of(records)
        for model_id in models:
            said = promise(records, promised.first_s, promised.total_s, model_id=model_id).sentence
            yield f"{self._labels(model_id)}: {said}" if len(models) > 1 else said

    def _contrasts(self, records: Sequence[RunRecord]) -> Iterator[str]:
        """Each model against each other one."""
        for a, b in islice(combinations(models_of(records), 2), CONTRASTS):
            runs = ([record for record in records if record.request_model == model_id] for model_id in (a, b))
            yield between(*runs, names=(self._labels(a), self._labels(b))).sentence

    def _baselines(self, stored: StoredExperiment, records: Sequence[RunRecord]) -> Iterator[str]:
        pinned = (each for each in self._log.experiments(LISTED) if each.pinned and each.id != stored.id)
        earlier = (each for each in pinned if each.started_at < stored.started_at)
        for baseline in islice(earlier, BASELINES):
            before = list(self._log.of_experiment(baseline.id))
            shared = [model_id for model_id in models_of(records) if model_id in models_of(before)]
            for model_id in shared:
                said = against(before, records, model_id=model_id).sentence
                yield f"Against the baseline: {said}" if len(shared) == 1 else f"{self._labels(model_id)}: {said}"

    # --- plots --------------------------------------------------------------------------------------------------------

    def _plots(self, records: Sequence[RunRecord]) -> str:
        models = models_of(records)
        drawn = []
        for model_id in models[:PLOTTED_MODELS]:
            pairs = pairs_of(records, model_id).counted
            if pairs:
                times = [(pair.complete.time_to_visible_s, pair.streamed.time_to_visible_s) for pair in pairs]
                complete, streamed = (
                    [value for value in side if value is not None] for side in zip(*times, strict=True)
                )
                charts = paired_lines(pairs), distribution(complete, streamed)
                name = self._labels(model_id)
                drawn.append((name, "".join(drawing(chart, _titled(chart, name, models)) for chart in charts)))
        if not drawn:
            return latency_view.no_plot("There is nothing to plot: no pair counts.")
        shown = drawn[0][1] if len(models) == 1 else "".join(folded(f"Plots of {name}", html) for name, html in drawn)
        return f'<section class="plots" role="group" aria-label="Plots">{shown}</section>'


def _titled(chart: Chart, name: str, models: Sequence[str]) -> str:
    return f"{name}: {chart.title}" if len(models) > 1 else ""


def models_of(records: Sequence[RunRecord]) -> list[str]:
    """The models of the measured runs, in the order in which they were first asked."""
    return list(dict.fromkeys(record.request_model for record in records if record.phase == "measure"))
