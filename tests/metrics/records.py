"""Records for tests of the log and the tables."""

from __future__ import annotations

from typing import Any

from metrics.record import RunRecord


def record(run_id: str = "run-1", **given: Any) -> RunRecord:
    """A completed streamed run with what is required, and whatever is given."""
    mode = given.get("mode", "stream")
    required = {
        "status": "completed",
        "mode": mode,
        "started_at": "2026-11-22T07:15:00.000000Z",
        "backend": "aws",
        "request_model": "us.amazon.nova-lite-v1:0",
        "request_stream": mode == "stream",
    }
    return RunRecord(**{"run_id": run_id, **required, **given})
