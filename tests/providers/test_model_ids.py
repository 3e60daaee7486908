"""Ids and ARNs, read as the service writes them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import InvalidValueError, UnknownModelError
from providers.model_ids import MAX_LENGTH, VENDORS, bare_id, parse_model_id

ARN = "arn:aws:bedrock:us-east-1:000000000000:"
TYPED = "abcdefghijkl"


@pytest.mark.parametrize(
    ("model_id", "geo", "vendor", "model"),
    [
        ("amazon.titan-text-express-v1", None, "amazon", "titan-text-express-v1"),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "us", "anthropic", "claude-3-7-sonnet-20250219-v1:0"),
        ("global.anthropic.claude-opus-5", "global", "anthropic", "claude-opus-5"),
        ("us-gov.anthropic.claude-sonnet-4-6", "us-gov", "anthropic", "claude-sonnet-4-6"),
        ("jp.anthropic.claude-opus-4-6-v1", "jp", "anthropic", "claude-opus-4-6-v1"),
        ("newplace.amazon.nova-lite-v1:0:300k", "newplace", "amazon", "nova-lite-v1:0:300k"),
        ("deepseek.v3.2", None, "deepseek", "v3.2"),
        ("us.openai.gpt-5.6-sol", "us", "openai", "gpt-5.6-sol"),
        ("moonshotai.kimi-k2.5", None, "moonshotai", "kimi-k2.5"),
        ("openai.gpt-oss-20b-1:0", None, "openai", "gpt-oss-20b-1:0"),
        ("local.smollm2-135m-instruct", None, "local", "smollm2-135m-instruct"),
    ],
)
def test_plain_ids(model_id: str, geo: str | None, vendor: str, model: str) -> None:
    parsed = parse_model_id(model_id)
    assert (parsed.geo, parsed.vendor, parsed.model) == (geo, vendor, model)
    assert parsed.bare == f"{vendor}.{model}"
    assert (parsed.raw, parsed.opaque, parsed.arn_kind) == (model_id, False, None)


@pytest.mark.parametrize(
    ("resource", "bare", "geo"),
    [
        ("foundation-model/meta.llama3-8b-instruct-v1:0", "meta.llama3-8b-instruct-v1:0", None),
        ("inference-profile/eu.amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0", "eu"),
        (f"custom-model/amazon.nova-lite-v1:0:300k/{TYPED}", "amazon.nova-lite-v1:0:300k", None),
    ],
)
def test_arns_that_name_the_model(resource: str, bare: str, geo: str | None) -> None:
    parsed = parse_model_id(ARN + resource)
    assert (parsed.bare, parsed.geo, parsed.opaque) == (bare, geo, False)
    assert (parsed.arn_kind, parsed.arn_region) == (resource.partition("/")[0], "us-east-1")
    assert parsed.raw == ARN + resource


@pytest.mark.parametrize(
    "resource",
    [
        f"application-inference-profile/{TYPED}",
        f"provisioned-model/{TYPED}",
        f"custom-model-deployment/{TYPED}",
        f"imported-model/{TYPED}",
        "prompt/ABCDEFGHIJ:1",
        f"prompt-router/{TYPED}",
        "default-prompt-router/anthropic.claude:1",
        "something-new/us.anthropic.claude-opus-5",
    ],
)
def test_arns_that_do_not(resource: str) -> None:
    parsed = parse_model_id(ARN + resource)
    assert parsed.opaque
    assert parsed.arn_kind == resource.partition("/")[0]


def test_other_partitions_empty_regions_and_marketplace_endpoints() -> None:
    assert parse_model_id("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/meta.llama3-8b").geo is None
    assert parse_model_id("arn:aws:bedrock:::foundation-model/meta.llama3-8b-instruct-v1:0").arn_region is None
    endpoint = parse_model_id("arn:aws:sagemaker:us-east-1:000000000000:endpoint/mine")
    assert (endpoint.opaque, endpoint.arn_kind) == (True, "endpoint")


def test_an_unknown_vendor_is_left_as_it_stands() -> None:
    parsed = parse_model_id("acme.super-1")
    assert (parsed.vendor, parsed.geo, parsed.bare, parsed.opaque) == (None, None, "acme.super-1", False)
    assert parse_model_id("amazon").vendor is None


def test_blanks_around_an_id_do_not_count() -> None:
    assert parse_model_id("  deepseek.v3.2\n").raw == "deepseek.v3.2"


@pytest.mark.parametrize(
    ("model_id", "complaint"),
    [
        ("", "required"),
        ("  ", "required"),
        ("a b", "one word"),
        ("amazon.nova\x00", "one word"),
        ("amazon.nova\r\nHost: x", "one word"),
        ("../../etc/passwd", "one word"),
        ("amazon/nova", "one word"),
        ("amazon.növa", "one word"),
        ("x" * (MAX_LENGTH + 1), "at most 2048"),
        ("arn:aws:bedrock", "ARN"),
        ("arn:aws:bedrock:us-east-1:0:foundation-model/", "ARN"),
    ],
)
def test_what_cannot_be_an_id(model_id: str, complaint: str) -> None:
    with pytest.raises(InvalidValueError, match=complaint) as caught:
        parse_model_id(model_id)
    assert caught.value.field == "model_id"


def test_an_id_must_be_text() -> None:
    with pytest.raises(InvalidValueError, match="text"):
        parse_model_id(7)  # type: ignore[arg-type]


def test_an_arn_of_another_service_is_no_model() -> None:
    with pytest.raises(UnknownModelError, match="s3"):
        parse_model_id("arn:aws:s3:us-east-1:000000000000:bucket/key")


@pytest.mark.parametrize(
    "model_id",
    [
        "amazon.titan-embed-text-v2:0",
        "amazon.titan-image-generator-v2:0",
        "us.amazon.nova-canvas-v1:0",
        "amazon.nova-reel-v1:1",
        "amazon.nova-2-sonic-v1:0",
        "cohere.embed-v4:0",
        "cohere.rerank-v3-5:0",
        "stability.sd3-5-large-v1:0",
        "arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-english-v3",
    ],
)
def test_models_without_text_are_refused_by_name(model_id: str) -> None:
    with pytest.raises(UnknownModelError, match="makes no text") as caught:
        parse_model_id(model_id)
    assert "embed" in str(caught.value) or model_id in str(caught.value)


words = st.from_regex(r"[a-z0-9][a-z0-9:-]{0,12}", fullmatch=True)


@given(geo=st.lists(words.filter(lambda word: word not in VENDORS), max_size=2), model=words)
def test_whatever_stands_before_a_known_vendor_is_dropped(geo: list[str], model: str) -> None:
    assert bare_id(".".join([*geo, "qwen", model])) == f"qwen.{model}"
    assert bare_id(bare_id(".".join([*geo, "qwen", model]))) == f"qwen.{model}"


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused_with_a_sentence(text: str) -> None:
    with contextlib.suppress(InvalidValueError, UnknownModelError):
        assert parse_model_id(text).raw == text.strip()
