"""What was deleted from the log is forgotten by everybody here who keeps answers in memory, too."""

from __future__ import annotations

from collections.abc import Callable, Collection

Forget = Callable[[Collection[str] | None], None]
"""Told the ids of runs that were deleted, or `None` for all. Runs that are under way stay. Comes from any thread."""


class Forgetting:
    """Tells of deleted runs to all who asked to be told."""

    def __init__(self, *forget: Forget) -> None:
        self._told = list(forget)

    def subscribe(self, forget: Forget) -> None:
        """From here on `forget` is told, too."""
        self._told.append(forget)

    def forget(self, run_ids: Collection[str] | None) -> None:
        """Call it when the log has deleted these runs, or with `None` when it was emptied."""
        for forget in self._told:
            forget(run_ids)


def is_gone(run_id: str, run_ids: Collection[str] | None) -> bool:
    """Whether a run that has ended is among the deleted ones."""
    return run_ids is None or run_id in run_ids
