"""What the service says becomes our tree, and a sentence with the step to take."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.exceptions import ClientError

from providers import errors
from providers.catalog import aws_models, profile_for
from providers.service_errors import BY_CODE, error_from_service
from providers.types import ModelInfo

OPERATIONS = ("InvokeModel", "InvokeModelWithResponseStream", "Converse", "ConverseStream")
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"


def refused(code: str, message: str, status: int, model_id: str, region: str | None = "us-west-2") -> Exception:
    told = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return error_from_service(model_id, ClientError(told, "Converse"), region=region, offered=aws_models)


def test_every_exception_of_the_service_model_is_in_the_table() -> None:
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    listed = {shape.name for name in OPERATIONS for shape in service.operation_model(name).error_shapes}
    assert len(listed) == 11  # botocore 1.44.5
    assert listed <= set(BY_CODE)


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_the_spelling_of_a_stream_means_the_same(code: str) -> None:
    at_the_call = refused(code, "So.", 400, "amazon.nova-lite-v1:0")
    inside = refused(code[0].lower() + code[1:], "So.", 400, "amazon.nova-lite-v1:0")
    assert type(at_the_call) is type(inside)


def test_no_access_says_where_to_ask_for_it() -> None:
    error = refused("AccessDeniedException", "You don't have access to the model.", 403, f"us.{HAIKU}", "eu-west-1")
    assert isinstance(error, errors.AccessDeniedError)
    for words in (f"us.{HAIKU}", "You don't have access", "Bedrock console of eu-west-1", "bedrock:InvokeModel"):
        assert words in str(error)


def test_credentials_that_are_no_good_are_told_apart_from_access() -> None:
    error = refused("ExpiredTokenException", "The security token is expired", 403, f"us.{HAIKU}")
    assert isinstance(error, errors.AccessDeniedError)
    assert "expired. Sign in again" in str(error)
    assert "console" not in str(error)


def test_the_form_of_anthropic_is_a_matter_of_access() -> None:
    said = "Model use case details have not been submitted for this account. Fill out the form."
    error = refused("ResourceNotFoundException", said, 404, f"us.{HAIKU}")
    assert isinstance(error, errors.AccessDeniedError)
    assert "Bedrock console of us-west-2" in str(error)


def test_an_account_id_is_no_part_of_a_sentence() -> None:
    said = "User: arn:aws:sts::000000000000:assumed-role/some/one may not: arn:aws-us-gov:bedrock:x:000000000000:y/z"
    error = refused("AccessDeniedException", said, 403, f"us.{HAIKU}")
    assert "000000000000" not in str(error)
    assert "arn:aws:sts::…:assumed-role/some/one" in str(error)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Account 111122223333 is suspended.", "Account … is suspended."),
        ("Accounts (111122223333,444455556666)", "Accounts (…,…)"),
        ("bucket logs-111122223333-us-east-1", "bucket logs-…-us-east-1"),
        ("arn:aws:iam::111122223333", "arn:aws:iam::…"),
        ("role_111122223333_x of iam.111122223333", "role_…_x of iam.…"),
        ("account 111122223333.", "account …."),
        ("1111222233334 ms, 11112222333 ms, 0.111122223333 s", "1111222233334 ms, 11112222333 ms, 0.111122223333 s"),
    ],
)
def test_an_account_id_is_removed_outside_arns_too(said: str, shown: str) -> None:
    assert errors.redact(said) == shown


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "0"}, 0),
        ({"x-amz-retry-after": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "-1"}, None),
        ({"x-amz-retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"x-amz-retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
def test_only_a_wait_that_can_be_waited_is_taken(headers: dict[str, str], wait_s: float | None) -> None:
    told = {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPHeaders": headers}}
    assert error_from_service(HAIKU, ClientError(told, "Converse")).retry_after_s == wait_s


@pytest.mark.parametrize("apostrophe", ["’", "'"])
@pytest.mark.parametrize(
    ("model_id", "region", "step"),
    [
        (HAIKU, "us-east-1", f"Use us.{HAIKU}."),
        (HAIKU, "eu-central-1", f"Use eu.{HAIKU}."),
        (HAIKU, "ap-south-1", f"Use apac.{HAIKU}."),
        ("anthropic.claude-opus-5", "eu-central-1", "Use global.anthropic.claude-opus-5."),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}", "us-east-1", f"Use us.{HAIKU}."),
        ("anthropic.claude-nobody-knows", "us-east-1", "Cross-region inference"),
        (HAIKU, "sa-east-1", "Cross-region inference"),
    ],
)
def test_a_model_without_on_demand_throughput_names_the_profile(
    apostrophe: str, model_id: str, region: str, step: str
) -> None:
    said = (
        f"Invocation of model ID {model_id} with on-demand throughput isn{apostrophe}t supported. Retry your request "
        "with the ID or ARN of an inference profile that contains this model."
    )
    error = refused("ValidationException", said, 400, model_id, region)
    assert type(error) is errors.InvalidRequestError
    assert "only through an inference profile" in str(error)
    assert step in str(error)


def test_a_profile_that_is_offered_wins_over_one_that_is_derived() -> None:
    def offer(model_id: str) -> ModelInfo:
        return ModelInfo(id=model_id, label="", family="claude", backend="aws")

    assert profile_for(HAIKU, "ap-south-1", [offer(f"global.{HAIKU}"), offer(f"us.{HAIKU}")]) == f"global.{HAIKU}"
    assert profile_for(HAIKU, "ap-south-1", [offer(f"global.{HAIKU}"), offer(f"apac.{HAIKU}")]) == f"apac.{HAIKU}"
    assert profile_for(HAIKU, "ap-south-1", [offer(HAIKU)]) is None
