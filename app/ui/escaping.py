"""The one way by which text gets into the page's HTML."""

from __future__ import annotations

import html


def escape(text: str) -> str:
    """Text for between tags and for quoted attributes."""
    return html.escape(text, quote=True)
