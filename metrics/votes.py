"""Whether people prefer the answer that came first: votes on comparisons, held against their times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from metrics.experiment_log import Vote
from metrics.record import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """In `faster` of `votes` decided votes the answer was preferred whose first text came soonest. Ties are apart."""

    faster: int
    votes: int
    ties: int


def preference(votes: Iterable[Vote], runs: Mapping[str, Sequence[RunRecord]]) -> Preference:
    """What the votes say; `runs` holds the rows of each comparison by its id.

    A vote counts where at least two answers were completed and one of them was there first (time to visible); where
    the two soonest took the same time, none was. Votes for a run that is no longer in the log are left out, as are
    races between simulated and real models.
    """
    faster = decided = ties = 0
    for vote in votes:
        completed = [run for run in runs.get(vote.comparison_id, ()) if run.status == "completed"]
        raced = [(run.time_to_visible_s, run) for run in completed if run.time_to_visible_s is not None]
        raced.sort(key=lambda timed: timed[0])
        if len(raced) < 2 or raced[0][0] == raced[1][0] or len({run.simulated for _, run in raced}) > 1:
            continue
        if vote.run_id is None:
            ties += 1
        elif vote.run_id in {run.run_id for _, run in raced}:
            decided += 1
            faster += vote.run_id == raced[0][1].run_id
    return Preference(faster=faster, votes=decided, ties=ties)
