"""A comparison as one file that opens offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from app.comparisons import Standing
from app.report import comparison_report
from app.ui.chat import KEEP
from app.ui.files import fresh_file
from app.ui.panel import Problem, problem_line

NOTHING = "There is nothing to save yet: run the comparison first."
HIDDEN = "A report would tell the names: vote first, or show them."


def report_outputs(standing: Standing, *, texts: bool) -> tuple[Any, Any]:
    """What the event puts out: a problem, empty where there is none, and the button of the file. It bears a name that
    no other file had, by which the browser sees that it is the new one."""
    try:
        path = write_report(standing, texts=texts)
    except OSError as error:
        why = f"The report could not be written: {error.strerror or error}. Check the disk, then save it again."
        return problem_line(Problem(sentence=why)), KEEP
    if path is None:
        return problem_line(Problem(sentence=HIDDEN if standing.hidden else NOTHING)), KEEP
    return "", gr.DownloadButton("/".join(Path(path).parts[-2:]), value=path)


def write_report(standing: Standing, *, texts: bool) -> str | None:
    """The path of a fresh file under the folder that Gradio serves; `None` where nothing was sent. Without `texts` no
    prompt and no answer is in it. Raises `OSError`."""
    records = [update.record for update in standing.answers if update is not None and update.record is not None]
    if not records or standing.hidden:
        return None
    when = records[0].started_at[:19].replace("-", "").replace(":", "")
    path = fresh_file(f"comparison-{when}Z.html")
    path.write_text(comparison_report(records, texts=texts), "utf-8", newline="")
    return str(path)
