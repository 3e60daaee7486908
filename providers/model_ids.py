"""Reads model ids: geographic prefix, vendor, model, and the ARN around them. Strings only, no account, no network.

    [geo "."] vendor "." model [ "-v" N ] [":" revision [":" context]]    us.anthropic.claude-sonnet-4-5-20250929-v1:0
    arn:<partition>:bedrock:<region>:<account or empty>:<kind>/<id>

Which vendors there are: the model table of the Bedrock user guide and the provider names that the service lists
(read 2026-11-22). ARN kinds: the pattern of `modelId` in botocore 1.44.5, data/bedrock-runtime/2023-09-30.
Geographic prefixes are not listed here on purpose: new ones appear, so whatever stands before a known vendor is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from providers.errors import InvalidValueError, UnknownModelError

MAX_LENGTH = 2048
_WORD = re.compile(r"[A-Za-z0-9._:/-]+")

OWN_VENDORS = frozenset({"local", "simulated"})
"""Vendors of this project: the model that runs on this machine, and the scripted ones."""

VENDORS = OWN_VENDORS | {
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "luma",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "moonshotai",
    "nvidia",
    "openai",
    "qwen",
    "stability",
    "twelvelabs",
    "writer",
    "xai",
    "zai",
}

_NO_TEXT = (
    "amazon.nova-2-multimodal-embeddings",
    "amazon.nova-2-sonic",
    "amazon.nova-canvas",
    "amazon.nova-reel",
    "amazon.nova-sonic",
    "amazon.rerank",
    "amazon.titan-e1t",
    "amazon.titan-embed",
    "amazon.titan-image",
    "cohere.embed",
    "cohere.rerank",
    "luma.",
    "stability.",
    "twelvelabs.",
)
"""Beginnings of bare ids of models that answer with images, video, speech, vectors or scores.
Source: supported models of the Bedrock user guide, read 2026-11-22."""

_NAMED_KINDS = frozenset({"foundation-model", "inference-profile", "custom-model"})
"""ARN kinds whose resource names the model."""

CONVERSE_ONLY_KINDS = frozenset({"prompt", "prompt-router", "default-prompt-router"})
"""ARN kinds that stand for no one model and are called through Converse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedModelId:
    """What a model id says by itself.

    `raw` is the id without surrounding blanks: what is sent. `bare` is `vendor.model` with its version tail, without
    geographic prefix and ARN; where the vendor is not known (`vendor` is `None`) it is the id as it stands. `opaque`
    ids are ARNs that do not tell which model answers.
    """

    raw: str
    bare: str
    model: str
    geo: str | None = None
    vendor: str | None = None
    arn_kind: str | None = None
    arn_region: str | None = None
    opaque: bool = False

    @property
    def is_own(self) -> bool:
        """Whether the model belongs to this project and not to Bedrock."""
        return self.vendor in OWN_VENDORS


def parse_model_id(model_id: str) -> ParsedModelId:
    """The parts of `model_id`, which may be an ARN. An unknown vendor is no error here.

    Raises `InvalidValueError` for something that cannot be an id, `UnknownModelError` for a model that makes no text
    and for an ARN of another service.
    """
    raw = _checked(model_id)
    parsed = _parse_arn(raw) if raw.startswith("arn:") else _parse_plain(raw, raw)
    if not parsed.opaque and parsed.bare.startswith(_NO_TEXT):
        raise UnknownModelError(f"{raw} makes no text; choose a text model such as us.amazon.nova-micro-v1:0.")
    return parsed


def bare_id(model_id: str) -> str:
    """`parse_model_id(model_id).bare`, for code that only compares beginnings."""
    return parse_model_id(model_id).bare


def _checked(model_id: str) -> str:
    if not isinstance(model_id, str):
        raise InvalidValueError("model_id must be text, the id or ARN of a model.", field="model_id")
    raw = model_id.strip()
    if not raw:
        raise InvalidValueError("model_id is required: give the id or ARN of a model.", field="model_id")
    if len(raw) > MAX_LENGTH:
        raise InvalidValueError(
            f"model_id must have at most {MAX_LENGTH} characters; this one has {len(raw)}.", field="model_id"
        )
    if not _WORD.fullmatch(raw) or ".." in raw or ("/" in raw and not raw.startswith("arn:")):
        shown = raw[:80].encode("ascii", "backslashreplace").decode()
        raise InvalidValueError(
            f"model_id must be one word of letters, digits and . : / - _ ; {shown!r} is not.", field="model_id"
        )
    return raw


def _parse_plain(
    text: str, raw: str, *, kind: str | None = None, region: str | None = None, opaque: bool = False
) -> ParsedModelId:
    tokens = text.split(".")
    for position, token in enumerate(tokens[:-1]):
        if token in VENDORS:
            return ParsedModelId(
                raw=raw,
                bare=".".join(tokens[position:]),
                model=".".join(tokens[position + 1 :]),
                geo=".".join(tokens[:position]) or None,
                vendor=token,
                arn_kind=kind,
                arn_region=region,
                opaque=opaque,
            )
    return ParsedModelId(raw=raw, bare=text, model=text, arn_kind=kind, arn_region=region, opaque=opaque)


def _parse_arn(raw: str) -> ParsedModelId:
    parts = raw.split(":", 5)
    if len(parts) < 6 or "/" not in parts[5] or not parts[5].partition("/")[2]:
        raise InvalidValueError(
            "model_id begins like an ARN but is not one: arn:aws:bedrock:<region>:<account>:<kind>/<id>.",
            field="model_id",
        )
    service, region, resource = parts[2], parts[3] or None, parts[5]
    kind, _, rest = resource.partition("/")
    if service == "sagemaker" and kind == "endpoint":
        return ParsedModelId(raw=raw, bare=raw, model=rest, arn_kind=kind, arn_region=region, opaque=True)
    if service != "bedrock":
        raise UnknownModelError(f"{raw} is an ARN of {service or 'no service'}, not of a Bedrock model.")
    if kind in _NAMED_KINDS:
        named = rest.partition("/")[0] if kind == "custom-model" else rest
        return _parse_plain(named, raw, kind=kind, region=region)
    if kind == "default-prompt-router":
        return _parse_plain(rest, raw, kind=kind, region=region, opaque=True)
    return ParsedModelId(raw=raw, bare=raw, model=rest, arn_kind=kind, arn_region=region, opaque=True)
