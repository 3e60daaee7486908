"""The beginning of an answer's body, for the sentence about an answer that is not Bedrock's: a sign-in page, a proxy's
complaint. botocore says only that it could not read it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

UNREAD_BODY = "UnreadBody"
"""Where in boto3's metadata the beginning of a body is kept that boto3 made nothing of."""
SHOWN_CHARS = 200
KEPT_BYTES = 4 * SHOWN_CHARS

_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what follows: a terminal obeys them."""


class AnswerHead:
    """The first bytes of one answer."""

    def __init__(self) -> None:
        self._kept = b""

    def take(self, data: bytes) -> None:
        """The next bytes of the body."""
        if len(self._kept) < KEPT_BYTES:
            self._kept += data[: KEPT_BYTES - len(self._kept)]

    def watch(self, frames: Any) -> None:
        """Takes what boto3's event stream reads, before it is looked at.

        The stream below it is private to botocore 1.44.5 (`tests/providers/test_bedrock.py` fails when that moves).
        """
        frames._raw_stream = _Watched(frames._raw_stream, self)

    def quote(self) -> str:
        """The first 200 characters in one line; empty for what is no text, as Bedrock's own frames are."""
        try:
            text = codecs.getincrementaldecoder("utf-8")().decode(self._kept)  # the last character may be cut
        except UnicodeDecodeError:
            return ""
        if _NO_TEXT.search(text):
            return ""
        return " ".join(text.split())[:SHOWN_CHARS]


class _Watched:
    """The part of urllib3's response that botocore's event stream and a cancelled call use."""

    def __init__(self, raw: Any, head: AnswerHead) -> None:
        self._raw = raw
        self._head = head
        self.close = raw.close
        self.shutdown = raw.shutdown

    def stream(self) -> Iterator[bytes]:
        for data in self._raw.stream():
            self._head.take(data)
            yield data
