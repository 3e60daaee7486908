"""An experiment at one moment, and what is kept of it beside its rows. No threads here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from app.experiment_cost import Spend
from app.experiment_plan import ExperimentSettings, PlannedCall, prompt_set
from app.records import client_versions
from metrics.record import RunRecord

State = Literal["running", "done", "stopped", "capped", "failed"]
"""`stopped`: by a person, or because the program ends. `capped`: the next pair might have passed the cost cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentUpdate:
    """An experiment at one moment. `done` of `total` calls have ended or were given up; `left_s` is `None` until the
    first one has ended. `now` is the call under way. `notices` are sentences about what went otherwise than planned,
    `problem` says why there is no result."""

    id: str
    settings: ExperimentSettings
    state: State
    started_at: str
    done: int
    total: int
    elapsed_s: float
    left_s: float | None
    now: PlannedCall | None
    records: tuple[RunRecord, ...]
    spend: Spend
    notices: tuple[str, ...] = ()
    problem: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state != "running"


def settings_of(update: ExperimentUpdate) -> dict[str, Any]:
    """What is stored and exported beside the rows: the settings, and how it went."""
    return {
        **update.settings.to_json(),
        "experiment_id": update.id,
        "prompt_set": prompt_set(update.settings.prompts),
        "state": update.state,
        "started_at": update.started_at,
        "elapsed_s": round(update.elapsed_s, 3),
        "calls_made": len(update.records),
        "calls_planned": update.total,
        "spent_usd": update.spend.usd,
        "possibly_billed_usd": update.spend.possibly_billed_usd,
        "notices": list(update.notices),
        "conditions": "single user, closed loop, from this machine, one call at a time, nothing tried again",
        "client": dict(client_versions()),
    }
