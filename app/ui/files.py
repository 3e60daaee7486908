"""Files that a person takes home: each in a fresh folder below the one that Gradio serves."""

from __future__ import annotations

import tempfile
from pathlib import Path

import gradio as gr


def fresh_file(name: str) -> Path:
    """Where a new file of this name may be written. Raises `OSError`."""
    served = Path(gr.utils.get_upload_folder())
    served.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="export-", dir=served)) / name
