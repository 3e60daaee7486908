"""Deleting runs, as it is asked for and told in tab Runs. Pure; `metrics/deletion.py` does it."""

from __future__ import annotations

from app.ui.escaping import escape
from app.ui.present import many
from metrics.deletion import Deleted

DELETE = "delete"
"""What the button of the opened row says to the server; whatever else is said closes the row."""


def delete_opened(runs: int) -> str:
    """The button below an opened row of so many runs, which asks once more."""
    which, them = ("this run", "it") if runs == 1 else (f"these {runs} runs", "them")
    what = f"Prompt, answer and figures of {which} are deleted for good."
    return _question(f"Delete {which}", what, f"Delete {them}", f"Keep {them}", "data-delete")


def delete_all(runs: int) -> str:
    """The button for the whole log, which names how many runs that are; nothing where there are none."""
    if not runs:
        return ""
    what = (
        f"{many(runs, 'run')} with their prompts and answers, all experiments and all votes are deleted for good, "
        "whatever the filter shows. Runs that are under way go on."
    )
    return _question("Delete all runs", what, f"Delete {many(runs, 'run')}", "Keep them", "data-delete-all")


def told(deleted: Deleted) -> str:
    """What was deleted, and what is left to be said of it."""
    if not deleted.runs:
        return _status("Nothing was deleted: it is not in the log any more.")
    return _status(f"{many(deleted.runs, 'run')} deleted.") + (
        f'<p class="problem" role="alert">{escape(deleted.left)}</p>' if deleted.left else ""
    )


def _question(title: str, what: str, yes: str, no: str, act: str) -> str:
    return (
        f'<details class="forget"><summary>{escape(title)}</summary><div><p>{escape(what)}</p>'
        f'<button type="button" class="danger" {act}>{escape(yes)}</button>'
        f'<button type="button" data-keep>{escape(no)}</button></div></details>'
    )


def _status(sentence: str) -> str:
    return f'<p class="note" role="status">{escape(sentence)}</p>'
