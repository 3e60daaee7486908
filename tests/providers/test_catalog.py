"""The list that a person chooses from."""

from __future__ import annotations

from typing import Any

import pytest

from providers.catalog import DEFAULT_AWS_MODEL, DEFAULT_LOCAL_MODEL, account_models, aws_models, local_models
from providers.local.simulated import PROFILES
from providers.model_ids import parse_model_id
from providers.registry import resolve


def test_every_offered_model_is_of_a_family_and_alive() -> None:
    for info in aws_models():
        resolved = resolve(info.id)
        assert info.family == resolved.family.name
        assert resolved.capabilities.end_of_life is None, info.id
        assert (info.backend, info.simulated, info.streaming) == ("aws", False, True)


def test_ids_and_labels_are_offered_once() -> None:
    offered = [*aws_models(), *local_models()]
    assert len({info.id for info in offered}) == len({info.label for info in offered}) == len(offered)


def test_the_defaults_are_in_the_list() -> None:
    assert DEFAULT_AWS_MODEL in {info.id for info in aws_models()}
    assert local_models()[0].id == DEFAULT_LOCAL_MODEL


def test_models_without_on_demand_throughput_stand_with_a_prefix() -> None:
    needs_profile = ("anthropic.", "amazon.nova", "meta.llama", "deepseek.r1", "writer.", "openai.gpt-5", "xai.")
    for info in aws_models():
        parsed = parse_model_id(info.id)
        if parsed.bare.startswith(needs_profile):
            assert parsed.geo in ("us", "global"), info.id


def test_the_local_list_is_the_real_model_and_the_simulated_ones() -> None:
    real, *simulated = local_models()
    assert not real.simulated
    assert [info.id for info in simulated] == [profile.id for profile in PROFILES]
    assert all(info.simulated and info.label.startswith("Simulated") for info in simulated)
    assert {resolve(info.id).family.name for info in local_models()} == {"converse"}


# --- what an account answers ------------------------------------------------------------------------------------------


def summary(bare: str, *types: str, **more: Any) -> dict[str, Any]:
    return {"modelId": bare, "modelName": bare.partition(".")[2].title(), "inferenceTypesSupported": types} | more


def profile(profile_id: str, bare: str, **more: Any) -> dict[str, Any]:
    model = f"arn:aws:bedrock:::foundation-model/{bare}"  # the region may be empty
    return {
        "inferenceProfileId": profile_id,
        "inferenceProfileArn": f"arn:aws:bedrock:eu-west-1:000000000000:inference-profile/{profile_id}",
        "models": [{"modelArn": model}],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    } | more


def offered(summaries: list[dict[str, Any]], profiles: list[dict[str, Any]] | None = None) -> dict[str, str]:
    return {info.id: info.label for info in account_models(summaries, profiles or [], region="eu-west-1")}


@pytest.mark.parametrize(
    "left_out",
    [
        summary("amazon.nova-lite-v1:0", "ON_DEMAND", modelLifecycle={"status": "LEGACY"}),
        summary("stability.sd3-5-large-v1:0", "ON_DEMAND"),
        summary("amazon.rerank-v1:0", "ON_DEMAND"),
        summary("acme.painter-1", "ON_DEMAND", outputModalities=["IMAGE"]),
        summary("acme.listener-1", "ON_DEMAND", inputModalities=["SPEECH"]),
        summary("not an id", "ON_DEMAND"),
        {},
    ],
)
def test_what_cannot_be_called_for_text_is_left_out(left_out: dict[str, Any]) -> None:
    bare = left_out.get("modelId", "")
    found = offered([left_out, summary("zai.glm-5", "ON_DEMAND")], [profile(f"eu.{bare}", bare)])
    assert list(found) == ["zai.glm-5"]


def test_a_model_that_is_only_for_provisioned_throughput_is_left_out() -> None:
    assert offered([summary("amazon.nova-lite-v1:0:24k", "PROVISIONED")]) == {}


def test_a_profile_only_model_stands_with_its_profiles_and_their_scope() -> None:
    bare = "anthropic.claude-sonnet-4-6"
    ids = [f"eu.{bare}", f"jp.{bare}", f"global.{bare}", f"sa.{bare}", f"us.{bare}"]
    assert offered([summary(bare, "INFERENCE_PROFILE")], [profile(each, bare) for each in ids]) == {
        f"us.{bare}": "Claude Sonnet 4.6",
        f"eu.{bare}": "Claude Sonnet 4.6 (EU)",
        f"global.{bare}": "Claude Sonnet 4.6 (Global)",
        f"jp.{bare}": "Claude Sonnet 4.6 (Japan)",
        f"sa.{bare}": "Claude Sonnet 4.6 (SA)",
    }


def test_an_on_demand_model_stands_with_its_bare_id() -> None:
    bare = "zai.glm-5"
    assert offered([summary(bare, "ON_DEMAND")], [profile(f"eu.{bare}", bare)]) == {bare: "Glm-5"}


def test_the_order_is_that_of_the_built_in_list_wherever_the_region_is() -> None:
    bare_ids = ["zai.glm-5", "anthropic.claude-sonnet-4-6", "amazon.nova-micro-v1:0"]
    found = offered([summary(each) for each in bare_ids], [profile(f"eu.{each}", each) for each in bare_ids])
    assert list(found) == [f"eu.{each}" for each in reversed(bare_ids)]


def test_a_profile_whose_model_the_region_does_not_list_is_offered_where_it_is_known() -> None:
    known, unknown = "meta.llama4-scout-17b-instruct-v1:0", "acme.super-1"
    found = offered([summary("zai.glm-5")], [profile(f"us.{known}", known), profile(f"us.{unknown}", unknown)])
    assert found == {f"us.{known}": "Llama 4 Scout"}


def test_models_that_no_family_fits_are_offered_over_converse() -> None:
    found = account_models(
        [summary("acme.super-1", "ON_DEMAND"), summary("acme.super-2", responseStreamingSupported=False)],
        [profile("eu.acme.super-2", "acme.super-2")],
        region="eu-west-1",
    )
    assert [(info.id, info.family, info.streaming) for info in found] == [
        ("acme.super-1", "converse", True),
        ("eu.acme.super-2", "converse", False),
    ]


def test_labels_that_repeat_are_told_apart_by_the_id() -> None:
    found = offered(
        [summary("zai.glm-5", "ON_DEMAND", modelName="GLM"), summary("zai.glm-6", "ON_DEMAND", modelName="GLM")]
    )
    assert found == {"zai.glm-5": "GLM, zai.glm-5", "zai.glm-6": "GLM, zai.glm-6"}
