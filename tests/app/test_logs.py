"""The log: nothing in it that opens anything, no line that something from outside has forged, no talk of boto3."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import logs
from providers.errors import redact
from tests.wire import WireServer, stop_frames, stream, text_frames

KEY = "AK" + "IA" + "X" * 16
SECRETS = {
    "access key": KEY,
    "session key": "AS" + "IA" + "Y" * 16,
    "credential": f"Credential={'Z' * 20}/20261122/us-west-2/bedrock/aws4_request",
    "signature": f"Signature={'0f' * 32}",
    "token header": f"X-Amz-Security-Token: {'t' * 40}",
    "token field": f"'X-Amz-Security-Token': '{'t' * 40}'",
    "Bedrock key": "ABSK" + "Q" * 24,
    "short Bedrock key": "bedrock-api-" + "key-" + "Q" * 24,
    "bearer": "Bearer " + "b" * 24,
    "secret": "aws_secret_access_key = " + "s" * 24,
    "session token": "aws_session_token=" + "s" * 24,
    "account": "arn:aws:iam::" + "1" * 12 + ":role/reader",
    "login": "postgresql://ana:" + "hunter" * 2 + "@db/runs",
    "home": "/" + "home/ana/keys",
    "home of a Mac": "/" + "Users/ana/keys",
    "home of root": "/" + "root/keys",
}
HIDDEN = ("X" * 16, "Y" * 16, "Z" * 20, "0f" * 32, "t" * 40, "Q" * 24, "b" * 24, "s" * 24, "1" * 12, "hunter", "ana")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the log writes; afterwards it is as it was."""
    root, kept = logging.getLogger(), logging.getLogger().handlers[:]
    level, stream = root.level, io.StringIO()
    logs.configure(logging.DEBUG, stream)
    yield stream
    root.handlers[:] = kept
    root.setLevel(level)


def broken(words: str) -> None:
    raise ValueError(words)


@pytest.mark.parametrize("kind", SECRETS)
def test_no_secret_is_written_in_a_message_an_argument_or_a_traceback(kind: str, written: io.StringIO) -> None:
    log = logging.getLogger("app.somewhere")
    log.warning(f"It says {SECRETS[kind]} here.")
    log.warning("It says %r, %s", SECRETS[kind], {"of": SECRETS[kind]})
    try:
        broken(f"Invalid header value: {SECRETS[kind]}")
    except ValueError:
        log.exception("It broke")
    told = written.getvalue()
    assert told.count("It says") == 2
    assert "ValueError" in told
    assert [part for part in HIDDEN if part in told] == []


@given(before=st.text(max_size=20), kind=st.sampled_from(sorted(SECRETS)), after=st.text(max_size=20))
def test_no_words_around_a_secret_save_it(before: str, kind: str, after: str) -> None:
    told = redact(f"{before} {SECRETS[kind]} {after}")
    secret = next((part for part in HIDDEN if part in SECRETS[kind]), "/root/")
    assert secret not in told or secret in before + after


@pytest.mark.parametrize("plain", ["AsiaPacificRegional", "root cause", "/rooted/tree", "a home of 12345678901 things"])
def test_what_only_looks_like_one_stays(plain: str) -> None:
    assert redact(plain) == plain


def test_no_text_from_outside_makes_a_line_of_its_own(written: io.StringIO) -> None:
    forged = "x\r\n2026-11-22 10:00:00,000 INFO app.server: all is well\x1b[2J\x00\u2028\u202e"
    logging.getLogger("app.somewhere").warning("A model named %s", forged)
    try:
        broken(forged)
    except ValueError:
        logging.getLogger("app.somewhere").exception("It broke")
    told = written.getvalue()
    assert [line for line in told.split("\n") if line.startswith("2026-11-22 10:00")] == []
    assert r"x\r\n2026-11-22 10:00:00,000 INFO app.server: all is well\x1b[2J\x00\u2028\u202e" in told
    assert not set(told) & set("\r\x1b\x00\u2028\u202e")


def test_boto3_says_nothing_of_what_it_sends(written: io.StringIO, wire_url: str) -> None:
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-west-2",
        endpoint_url=wire_url,
        aws_access_key_id=KEY,
        aws_secret_access_key="test",
        aws_session_token="a session token",
    )
    logging.getLogger().setLevel(logging.DEBUG)
    answer = client.converse_stream(
        modelId="amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [{"text": "heliotrope"}]}]
    )
    assert len(list(answer["stream"])) > 2
    told = written.getvalue()
    assert "heliotrope" not in told
    assert "session token" not in told
    assert KEY not in told


@pytest.fixture
def wire_url(wire: WireServer) -> str:
    wire.reply_with(stream([*text_frames("Hi"), *stop_frames()]))
    return wire.url
