"""Writes `application/vnd.amazon.eventstream`, the binary framing of Bedrock's streams. Reading it is boto3's work.

    total length u32 | headers length u32 | CRC-32 of these 8 bytes u32 | headers | payload | CRC-32 of all before u32
    header: name length u8 | name | type u8, 7 for a string | value length u16 | value        (all big endian)

Source: "Event stream encoding" in the Amazon Transcribe and Amazon S3 developer guides, and botocore 1.44.5
(`eventstream.py`, and the unions of `data/bedrock-runtime/2023-09-30`). The tests hold it against botocore's decoder.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = struct.Struct(">II")
_CHECKSUM = struct.Struct(">I")
_STRING_TYPE = 7


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame with string headers. Raises `struct.error` for a name or value that does not fit its length field."""
    head = b"".join(_encode_header(name, value) for name, value in headers.items())
    total_length = _PRELUDE.size + _CHECKSUM.size + len(head) + len(payload) + _CHECKSUM.size
    prelude = _PRELUDE.pack(total_length, len(head))
    begin = b"".join((prelude, _CHECKSUM.pack(zlib.crc32(prelude)), head, payload))
    return begin + _CHECKSUM.pack(zlib.crc32(begin))


def event_frame(event_type: str, body: Mapping[str, Any], *, padding: str = "") -> bytes:
    """An event of ConverseStream. `padding` goes in as `p`: the service hides the length of the text with it."""
    headers = {":event-type": event_type, ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(headers, to_json({**body, "p": padding} if padding else body))


def chunk_frame(chunk: Any, *, padding: str = "") -> bytes:
    """One chunk of InvokeModelWithResponseStream: the family's JSON, in base64."""
    return event_frame("chunk", {"bytes": base64.b64encode(to_json(chunk)).decode()}, padding=padding)


def exception_frame(exception_type: str, message: str) -> bytes:
    """A failure that the service model lists, such as `throttlingException` (lower camel case); it ends the stream."""
    headers = {
        ":exception-type": exception_type,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return encode_frame(headers, to_json({"message": message}))


def error_frame(code: str, message: str) -> bytes:
    """A failure that the service model does not list; it ends the stream."""
    return encode_frame({":message-type": "error", ":error-code": code, ":error-message": message}, b"")


def to_json(body: Any) -> bytes:
    """JSON as the service writes it: compact, in UTF-8. A lone surrogate becomes a question mark."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _encode_header(name: str, value: str) -> bytes:
    name_bytes, value_bytes = name.encode(), value.encode()
    return struct.pack(
        f">B{len(name_bytes)}sBH{len(value_bytes)}s",
        len(name_bytes),
        name_bytes,
        _STRING_TYPE,
        len(value_bytes),
        value_bytes,
    )
