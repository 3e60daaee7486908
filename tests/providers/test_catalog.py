"""The list that a person chooses from."""

from __future__ import annotations

from providers.catalog import DEFAULT_AWS_MODEL, DEFAULT_LOCAL_MODEL, aws_models, local_models
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
