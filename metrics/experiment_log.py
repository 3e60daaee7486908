"""What is kept beside the runs: experiments with their settings, and votes on comparisons.

`RunLog` is the way in (`run_log.save_experiment`, `run_log.add_vote`, …); its methods hand on to `ExperimentLog`, which
shares its database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from metrics.database import Database, translate_errors
from metrics.record import clean_text, plain
from metrics.run_table import experiments, votes
from metrics.texts import Texts, reduced_settings, reduced_text


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExperiment:
    """An experiment apart from its runs. `started_at` is written as `record.timestamp` does; `settings` is whatever
    JSON can hold."""

    id: str
    started_at: str
    settings: Mapping[str, Any]
    pinned: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """Which run of a comparison somebody liked best; no run: a tie. `voted_at` as `record.timestamp` writes it."""

    comparison_id: str
    run_id: str | None
    voted_at: str


def reduced_experiment(experiment: StoredExperiment, texts: Texts) -> StoredExperiment:
    """The experiment as it is to be kept."""
    note = reduced_text(experiment.note, texts)
    return replace(experiment, settings=reduced_settings(experiment.settings, texts), note=note)


class ExperimentLog:
    """Experiments and votes in an open database. Every method raises `RunLogError`."""

    def __init__(self, database: Database, texts: Texts = "full") -> None:
        self._database = database
        self._texts = texts

    def save(self, experiment: StoredExperiment) -> None:
        """Writes it, or writes it anew."""
        experiment = reduced_experiment(experiment, self._texts)
        values = {name: plain(getattr(experiment, name)) for name in experiments.c.keys()}  # noqa: SIM118  # a collection of columns
        with translate_errors("written"):
            if self._update(experiment.id, values):
                return
            try:
                with self._database.writing() as connection:
                    connection.execute(sa.insert(experiments).values(values))
            except IntegrityError:  # somebody else was quicker
                if not self._update(experiment.id, values):
                    raise

    def pin(self, experiment_id: str, *, pinned: bool) -> bool:
        """Marks an experiment to be kept in view. False where there is none of this id."""
        with translate_errors("written"):
            return self._update(experiment_id, {"pinned": pinned})

    def find(self, experiment_id: str) -> StoredExperiment | None:
        """The experiment of this id."""
        found = self._experiments(sa.select(experiments).where(experiments.c.id == clean_text(experiment_id)))
        return found[0] if found else None

    def newest(self, limit: int) -> list[StoredExperiment]:
        """The newest experiments, newest first."""
        order = experiments.c.started_at.desc(), experiments.c.id.desc()
        return self._experiments(sa.select(experiments).order_by(*order).limit(limit))

    def add_vote(self, vote: Vote) -> bool:
        """Writes a vote. False where the comparison has one: the first stands."""
        values = {name: plain(getattr(vote, name)) for name in votes.c.keys()}  # noqa: SIM118  # a collection of columns
        with translate_errors("written"):
            try:
                with self._database.writing() as connection:
                    connection.execute(sa.insert(votes).values(values))
            except IntegrityError:
                if values["comparison_id"] in {known.comparison_id for known in self.votes()}:
                    return False
                raise
        return True

    def votes(self) -> list[Vote]:
        """All votes, oldest first."""
        with self._database.reading() as connection:
            found = connection.execute(sa.select(votes).order_by(votes.c.voted_at, votes.c.comparison_id))
            return [Vote(**row) for row in found.mappings()]

    def _update(self, experiment_id: str, values: Mapping[str, Any]) -> bool:
        query = sa.update(experiments).where(experiments.c.id == clean_text(experiment_id)).values(values)
        with self._database.writing() as connection:
            return connection.execute(query).rowcount == 1

    def _experiments(self, query: sa.Select[*tuple[Any, ...]]) -> list[StoredExperiment]:
        with self._database.reading() as connection:
            return [StoredExperiment(**row) for row in connection.execute(query).mappings()]
