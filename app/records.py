"""From a run's ending to its one row: names, figures, price. Everything is derived here, once, from raw stamps."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from metrics.timing import Kind
from providers.connect import Backend
from providers.types import Completion

Status = Literal["completed", "interrupted", "cancelled", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLabels:
    """What a run belongs to. The caller fills in the first five; the runner knows the rest."""

    mode: Literal["stream", "sync"]
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    conversation_id: str | None = None
    pair_id: str | None = None
    order_in_pair: int | None = None
    backend: Backend = "local"
    simulated: bool = False
    cold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended: raw stamps of one clock (ns), the answer as far as it came, and the error if there was one."""

    status: Status
    completion: Completion
    chunks: tuple[tuple[int, Kind, int], ...]
    started_at: datetime
    sent_at_ns: int
    headers_at_ns: int | None
    ended_at_ns: int
    error: BaseException | None = None
    resends: int = 0
