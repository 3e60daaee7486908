"""What must not leave, and that nothing else is taken away."""

from __future__ import annotations

from typing import Any

import pytest

from app.redaction import cleaned, cleaned_settings, masked, told
from tests.app.reported import ACCOUNT, KEY, PROFILE, SETTINGS, a_streamed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (PROFILE, "arn:…:inference-profile/us.amazon.nova-lite-v1:0"),
        (f"arn:aws-us-gov:bedrock:us-gov-west-1:{ACCOUNT}:guardrail/abc", "arn:…:guardrail/abc"),
        ("https://name:word@proxy.test/x", "https://proxy.test/x"),
        ("cannot open /var/tmp/of/somebody/runs.db now", "cannot open [path] now"),
        ("cannot open C:\\Users\\somebody\\runs.db", "cannot open [path]"),
        ("aws_secret_access_key=test is wrong", "aws_secret_access_key=••• is wrong"),
        (f"account {ACCOUNT}", "account ••••••••••••"),
        ("us.amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1:0"),
        ("62 tok/s and/or 1/2 at https://bedrock.test/model", "62 tok/s and/or 1/2 at https://bedrock.test/model"),
        ("1234567890123 chunks", "1234567890123 chunks"),
    ],
)
def test_what_we_say(text: str, shown: str) -> None:
    assert told(text) == shown


def test_what_people_and_models_wrote_keeps_its_length() -> None:
    text = f"I am {ACCOUNT}, my key is {KEY}, my home is /var/tmp/mine/now."
    assert masked(text) == f"I am {'•' * 12}, my key is {'•' * 20}, my home is /var/tmp/mine/now."
    run = a_streamed("1", response=text, reasoning=text)
    assert (len(cleaned(run).response), len(cleaned(run).reasoning)) == (len(text), len(text))


def test_a_run_keeps_its_figures_and_loses_its_marks() -> None:
    given: dict[str, Any] = {
        "request_id": "r",
        "conversation": ({"role": "user", "text": ACCOUNT},),
        "server_address": "http://a:b@c.test",
    }
    run = a_streamed("1", error_message=f"{PROFILE} failed", **given)
    shown = cleaned(run)
    assert ACCOUNT not in repr(shown)
    assert (shown.request_id, shown.conversation, shown.server_address) == (None, (), "http://c.test")
    assert (shown.chunks, shown.duration_s, shown.run_id) == (run.chunks, run.duration_s, run.run_id)


def test_settings_all_the_way_down() -> None:
    shown = cleaned_settings(SETTINGS | {"client": {"x": {"y": [ACCOUNT, 3]}}})
    assert ACCOUNT not in repr(shown)
    assert KEY not in repr(shown)
    assert shown["client"] == {"x": {"y": ["••••••••••••", 3]}}
    assert shown["pairs"] == 10
