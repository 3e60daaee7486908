"""Which models a person is offered: a short list of current ones, as data. Any other id can be typed.

The built-in list is what this project knows, not what an account may call. Models past their end of life are not in it.
What an account answers is merged here, too (`account_models`); asking it is `account.py`.
Source: ids and on-demand rules of the Bedrock user guide and of public price tables (litellm's model_prices, 2026-08;
models.dev), read 2026-11-22. Models without on-demand throughput stand here with a geographic prefix: their bare id
is refused by the service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from providers.errors import InvalidValueError, UnknownModelError
from providers.local.simulated import PROFILES
from providers.model_ids import bare_id, parse_model_id
from providers.registry import Resolved, resolve
from providers.types import ModelInfo

DEFAULT_AWS_MODEL = "us.amazon.nova-micro-v1:0"
DEFAULT_LOCAL_MODEL = "local.smollm2-135m-instruct"

_AWS: tuple[tuple[str, str], ...] = (
    ("us.amazon.nova-micro-v1:0", "Nova Micro"),
    ("us.amazon.nova-lite-v1:0", "Nova Lite"),
    ("us.amazon.nova-pro-v1:0", "Nova Pro"),
    ("us.amazon.nova-2-lite-v1:0", "Nova 2 Lite"),
    ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "Claude Haiku 4.5"),
    ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude Sonnet 4.5"),
    ("us.anthropic.claude-sonnet-4-6", "Claude Sonnet 4.6"),
    ("global.anthropic.claude-sonnet-5", "Claude Sonnet 5"),
    ("us.anthropic.claude-opus-4-8", "Claude Opus 4.8"),
    ("global.anthropic.claude-opus-5", "Claude Opus 5"),
    ("us.meta.llama4-maverick-17b-instruct-v1:0", "Llama 4 Maverick"),
    ("us.meta.llama4-scout-17b-instruct-v1:0", "Llama 4 Scout"),
    ("us.meta.llama3-3-70b-instruct-v1:0", "Llama 3.3 70B"),
    ("us.meta.llama3-1-8b-instruct-v1:0", "Llama 3.1 8B"),
    ("mistral.mistral-large-3-675b-instruct", "Mistral Large 3"),
    ("mistral.ministral-3-8b-instruct", "Ministral 3 8B"),
    ("us.deepseek.r1-v1:0", "DeepSeek R1"),
    ("deepseek.v3.2", "DeepSeek V3.2"),
    ("openai.gpt-oss-120b-1:0", "gpt-oss 120B"),
    ("openai.gpt-oss-20b-1:0", "gpt-oss 20B"),
    ("us.openai.gpt-5.6-luna", "GPT-5.6 luna"),
    ("qwen.qwen3-32b-v1:0", "Qwen3 32B"),
    ("qwen.qwen3-235b-a22b-2507-v1:0", "Qwen3 235B"),
    ("us.writer.palmyra-x5-v1:0", "Palmyra X5"),
    ("moonshotai.kimi-k2.5", "Kimi K2.5"),
    ("minimax.minimax-m2.5", "MiniMax M2.5"),
    ("zai.glm-4.7-flash", "GLM 4.7 Flash"),
    ("google.gemma-3-27b-it", "Gemma 3 27B"),
    ("nvidia.nemotron-nano-3-30b", "Nemotron Nano 3 30B"),
    ("us.xai.grok-4.6", "Grok 4.6"),
)


def aws_models() -> tuple[ModelInfo, ...]:
    """The built-in list for Bedrock, quick and cheap ones first."""
    found = []
    for model_id, label in _AWS:
        resolved = resolve(model_id)
        found.append(
            ModelInfo(
                id=model_id,
                label=label,
                family=resolved.family.name,
                backend="aws",
                streaming=resolved.capabilities.streaming,
            )
        )
    return tuple(found)


def local_models() -> tuple[ModelInfo, ...]:
    """What the endpoint on this machine serves: one small real model, and the simulated ones."""
    real = ModelInfo(id=DEFAULT_LOCAL_MODEL, label="SmolLM2 135M (on this machine)", family="converse", backend="local")
    simulated = (
        ModelInfo(
            id=profile.id,
            label=profile.label,
            family="converse",
            backend="local",
            simulated=True,
        )
        for profile in PROFILES
    )
    return (real, *simulated)


# --- what an account answers ------------------------------------------------------------------------------------------

Summary = Mapping[str, Any]

APPLICATION = "APPLICATION"
"""The type of inference profiles that an account made for itself."""

_LABELS = dict(_AWS)
_BY_BARE = {bare_id(model_id): (rank, label) for rank, (model_id, label) in enumerate(_AWS)}

_SCOPES = {
    "apac": "Asia Pacific",
    "au": "Australia",
    "ca": "Canada",
    "eu": "EU",
    "global": "Global",
    "jp": "Japan",
    "us": "US",
    "us-gov": "US Gov",
}
_HOMES = (("us-gov-", "us-gov"), ("us-", "us"), ("eu-", "eu"), ("ap-", "apac"))


def account_models(summaries: Iterable[Summary], profiles: Sequence[Summary], *, region: str) -> tuple[ModelInfo, ...]:
    """The text models that an account can call, in the order of the built-in list, then by name.

    `summaries` and `profiles` are what ListFoundationModels and ListInferenceProfiles answer (botocore 1.44.5 service
    model; the service also sends the inference type INFERENCE_PROFILE, which the model does not list). A model with
    on-demand throughput stands with its bare id, any other with the ids of its profiles. Profiles that the account
    made, or that the built-in list names, are offered in both cases. Models that the service calls legacy are left
    out. An id that fits no family is offered over Converse, which needs none.
    """
    known = {str(each.get("modelId")): each for each in summaries}
    living = {bare: each for bare, each in known.items() if _is_current_text(each)}
    on_demand = {bare for bare, each in living.items() if "ON_DEMAND" in each.get("inferenceTypesSupported", ())}
    offered = [_from_profile(each, known, living, on_demand) for each in profiles if each.get("status") == "ACTIVE"]
    named = {bare_id(info.id) for info in offered if info is not None and info.id in _LABELS}
    for bare in on_demand:
        label = _name(bare, living)
        offered.append(_offer(bare, f"{label} ({region})" if bare in named else label, living[bare]))
    found = sorted((info for info in offered if info is not None), key=_order)
    repeated = Counter(info.label for info in found)
    return tuple(
        replace(each, label=f"{each.label}, {each.id}") if repeated[each.label] > 1 else each for each in found
    )


def model_of(profile: Summary) -> str | None:
    """The ARN of the model that an inference profile routes to; over its regions it is always the same one."""
    models: Sequence[Summary] = profile.get("models") or ({},)
    return models[0].get("modelArn")


def _is_current_text(summary: Summary) -> bool:
    return (
        "TEXT" in summary.get("outputModalities", ("TEXT",))
        and "TEXT" in summary.get("inputModalities", ("TEXT",))
        and summary.get("modelLifecycle", {}).get("status", "ACTIVE") == "ACTIVE"
    )


def _from_profile(
    profile: Summary, known: Mapping[str, Summary], living: Mapping[str, Summary], on_demand: set[str]
) -> ModelInfo | None:
    arn, model = str(profile.get("inferenceProfileArn")), model_of(profile)
    resolved = _resolved(model or "")
    if resolved is None:
        return None
    bare = resolved.bare
    if bare not in living and (bare in known or (resolved.family.name == "converse" and bare not in _BY_BARE)):
        return None  # legacy, no text, or a model that neither the region nor this project knows
    if profile.get("type") == APPLICATION:
        return _offer(
            arn, f"{profile.get('inferenceProfileName')} ({_name(bare, living)})", living.get(bare, {}), model
        )
    own_id = str(profile.get("inferenceProfileId"))
    if bare in on_demand and own_id not in _LABELS:
        return None
    geo = own_id.removesuffix(bare).rstrip(".")
    label = _LABELS.get(own_id) or f"{_name(bare, living)} ({_SCOPES.get(geo, geo.upper())})"
    return _offer(own_id, label, living.get(bare, {}))


def _name(bare: str, living: Mapping[str, Summary]) -> str:
    if bare in _BY_BARE:
        return _BY_BARE[bare][1]
    return str(living.get(bare, {}).get("modelName") or bare.partition(".")[2] or bare)


def _offer(model_id: str, label: str, summary: Summary, underlying: str | None = None) -> ModelInfo | None:
    resolved = _resolved(model_id, underlying)
    if resolved is None:
        return None
    streaming = resolved.capabilities.streaming and summary.get("responseStreamingSupported", True)
    return ModelInfo(id=model_id, label=label, family=resolved.family.name, backend="aws", streaming=streaming)


def _resolved(model_id: str, underlying: str | None = None) -> Resolved | None:
    """How `model_id` is called; `None` for a model that makes no text."""
    try:
        return resolve(model_id, underlying=underlying)
    except UnknownModelError:
        try:
            return resolve(model_id, api="converse")
        except UnknownModelError:
            return None
    except InvalidValueError:
        return None


def _order(info: ModelInfo) -> tuple[Any, ...]:
    model = parse_model_id(info.id)
    rank = _BY_BARE.get(model.bare, (len(_BY_BARE),))[0]
    return model.opaque, rank, info.id not in _LABELS, info.label.casefold(), info.id


def profile_for(model_id: str, region: str, offered: Iterable[ModelInfo]) -> str | None:
    """The inference profile through which `region` calls a model that has no on-demand throughput.

    One that is offered and belongs to the region or is global; else, where only the profile of another geography is
    known, the id that it has by the rule of names. `None` where no profile is known.
    """
    bare = bare_id(model_id)
    parsed = [parse_model_id(info.id) for info in offered if info.backend == "aws"]
    profiles = {model.geo: model.raw for model in parsed if model.geo and model.bare == bare}
    home = next((geo for beginning, geo in _HOMES if region.startswith(beginning)), "")
    if not profiles:
        return None
    return profiles.get(home) or profiles.get("global") or (f"{home}.{bare}" if home else None)
