"""The log of this process: one handler on standard error, whose every line is fit to be read and handed on.

Keys, tokens, account ids and home folders are taken out, and control characters are shown instead of obeyed, so that
no text from outside can forge a line or drive a terminal. Both happen in the formatter: a traceback becomes text only
there. What boto3 and its parts write below WARNING is never taken, because it holds prompts and credentials.
"""

from __future__ import annotations

import logging
import re
import sys
import textwrap
from types import TracebackType
from typing import TextIO

from providers.errors import redact

SILENT_BELOW_WARNING = ("boto3", "botocore", "urllib3", "s3transfer", "httpx", "httpcore", "alembic")
"""At DEBUG botocore 1.44.5 writes prompts, the access key and the session token (measured 2026-11-22)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class SafeFormatter(logging.Formatter):
    """A line for each record. A traceback follows indented, so that none of its lines can pass for a record."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The record's one line."""
        return _CONTROL.sub(_shown, redact(super().formatMessage(record)))

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """The traceback."""
        return _lines(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        """The stack of a call that asked for it."""
        return _lines(super().formatStack(stack_info))


def configure(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Makes this the one handler of the process. `stream` is standard error unless it is given."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(SafeFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in SILENT_BELOW_WARNING:
        logging.getLogger(name).setLevel(logging.WARNING)


def _lines(text: str) -> str:
    return textwrap.indent(_CONTROL_IN_LINES.sub(_shown, redact(text)), "    ", lambda _: True)


def _shown(found: re.Match[str]) -> str:
    """A control character as Python writes it."""
    return found[0].encode("unicode_escape").decode()
