"""A comparison as one file that opens offline."""

from __future__ import annotations

import tempfile
from pathlib import Path

import gradio as gr

from app.comparisons import Standing
from app.report import comparison_report


def write_report(standing: Standing, *, texts: bool) -> str | None:
    """The path of a fresh file under the folder that Gradio serves; `None` where nothing was sent. Without `texts` no
    prompt and no answer is in it. Raises `OSError`."""
    records = [update.record for update in standing.answers if update is not None and update.record is not None]
    if not records or standing.hidden:
        return None
    folder = Path(gr.utils.get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    when = records[0].started_at[:19].replace("-", "").replace(":", "")
    path = Path(tempfile.mkdtemp(prefix="export-", dir=folder)) / f"comparison-{when}Z.html"
    path.write_text(comparison_report(records, texts=texts), "utf-8", newline="")
    return str(path)
