"""An experiment as a file: JSON, CSV, or a report that opens offline."""

from __future__ import annotations

import json
from collections.abc import Sequence

from app.experiment_result import document, rows
from app.report import experiment_report
from app.ui.files import fresh_file
from metrics.experiment_log import StoredExperiment
from metrics.exports import to_csv
from metrics.record import RunRecord


def write_export(stored: StoredExperiment, records: Sequence[RunRecord], kind: str, *, texts: bool) -> str:
    """The path of a fresh file under the folder that Gradio serves. Without `texts` no prompt and no answer is in
    it. Raises `OSError`."""
    match kind:
        case "CSV":
            suffix, content = "csv", to_csv(rows(records, texts=texts))
        case "Report":
            suffix, content = "html", experiment_report(records, stored.settings, texts=texts)
        case _:
            suffix, content = "json", json.dumps(document(stored.settings, records, texts=texts), ensure_ascii=False)
    when = stored.started_at[:19].replace("-", "").replace(":", "")
    path = fresh_file(f"experiment-{when}Z.{suffix}")
    path.write_text(content, "utf-8", newline="")
    return str(path)
