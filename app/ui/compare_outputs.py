"""What the events of tab Compare put out, in the order of their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.comparisons import PaneSettings, Standing
from app.fan_in import MAX_LANES
from app.ui import compare_form, compare_table, compare_view, panel
from app.ui.chat import KEEP
from app.ui.markup import Labels
from app.ui.panel import Problem
from metrics.run_log import RunLog, RunLogError
from metrics.votes import Preference, preference

FIELDS = len(compare_form.FIELDS)
DRAWN = 2 * MAX_LANES + 4
ARRANGED = 1 + MAX_LANES * (FIELDS + 1) + DRAWN
"""How many outputs there are: of the event that asks, and of those that move panes."""
VOTES_READ = 200
"""Votes that the sentence about them looks at."""


class Outputs:
    """Draws comparisons. After a vote the log is asked what people voted: what has a vote is not drawn on an event
    loop."""

    def __init__(self, run_log: RunLog, labels: Labels) -> None:
        self._run_log = run_log
        self._labels = labels

    def drawn(self, standing: Standing, count: int, view: compare_view.CompareView) -> tuple[Any, ...]:
        """Figures and answers of all panes, tabs, summary, state, and no problem. `count` panes are shown."""
        stats, answers = view.panes(standing)
        return (
            *stats,
            *answers,
            compare_view.tabs(standing, count, self._labels),
            compare_table.summary(standing, self._labels, self._tally(standing)),
            compare_view.state_line(standing, count, self._labels),
            "",
        )

    def arranged(
        self, standing: Standing, panes: Sequence[PaneSettings], *, problem: str = "", keep: bool = False
    ) -> tuple[Any, ...]:
        """How many panes there are, all their widgets and heads, and all that is drawn. `keep` leaves the widgets as
        they are."""
        widgets: list[Any] = [getattr(pane, field) for pane in panes for field in compare_form.FIELDS]
        widgets = [] if keep else widgets
        *drawn, _ = self.drawn(standing, len(panes), compare_view.CompareView(self._labels))
        return (
            len(panes),
            *widgets,
            *[KEEP] * (MAX_LANES * FIELDS - len(widgets)),
            *heads(panes),
            *drawn,
            panel.problem_line(Problem(sentence=problem)) if problem else "",
        )

    def _tally(self, standing: Standing) -> Preference | None:
        if standing.choice is None or standing.open:
            return None
        try:
            votes = self._run_log.votes()[-VOTES_READ:]
            runs = self._run_log.of_comparisons(vote.comparison_id for vote in votes)
        except RunLogError:
            return None
        return preference(votes, runs)


def heads(panes: Sequence[PaneSettings]) -> tuple[str, ...]:
    """The tops of all panes, with what differs from the first one."""
    unlike = compare_form.differences(panes)
    return tuple(compare_view.head(at, unlike[at] if at < len(unlike) else ()) for at in range(MAX_LANES))


def refused(problem: Problem) -> tuple[Any, ...]:
    """Nothing was sent: only the sentence that says why."""
    return (*(KEEP,) * (DRAWN - 1), panel.problem_line(problem))
