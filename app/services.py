"""What every entry to the playground shares: one of each, made at start and handed to the page and the API."""

from __future__ import annotations

from dataclasses import dataclass

from app.conversations import Conversations
from app.runner import Runner
from metrics.run_log import RunLog
from providers.connect import Backends


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The runner, the backends it asks, the log it writes, and the conversations of the page."""

    runner: Runner
    backends: Backends
    run_log: RunLog
    conversations: Conversations
