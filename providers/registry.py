"""Which family speaks for a model. Pure: nothing here asks an account.

Adding a family is one file in `families/` and one line in `FAMILIES`; see docs/adding-a-model-family.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from providers.base import ModelFamily
from providers.errors import InvalidValueError, UnknownModelError
from providers.families.claude import Claude
from providers.families.claude_text import ClaudeText
from providers.families.cohere import Cohere
from providers.families.cohere_r import CohereR
from providers.families.converse import Converse, over_converse
from providers.families.deepseek import DeepSeek, DeepSeekChat
from providers.families.jamba import Jamba
from providers.families.jurassic import Jurassic
from providers.families.llama import Llama
from providers.families.mistral import Mistral, MistralChat
from providers.families.nova import Nova
from providers.families.openai import OpenAi
from providers.families.titan import Titan
from providers.families.writer import Writer
from providers.model_ids import CONVERSE_ONLY_KINDS, ParsedModelId, parse_model_id
from providers.types import Api, Capabilities, GenerationRequest

CONVERSE = Converse()

FAMILIES: tuple[ModelFamily, ...] = (
    Claude(),
    ClaudeText(),
    Nova(),
    Titan(),
    Llama(),
    Mistral(),
    Cohere(),
    CohereR(),
    Jamba(),
    Jurassic(),
    DeepSeek(),
    OpenAi(),
    Writer(),
    CONVERSE,
)
"""Every wire shape. The order does not matter: the longest prefix decides."""

VARIANTS: tuple[ModelFamily, ...] = (
    DeepSeekChat(),
    MistralChat(),
)
"""Second shapes under the word of a family; the id decides between the two."""

ALL_SHAPES = FAMILIES + VARIANTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The family that speaks for a model, and what is known of the model.

    `bare` is the id that the facts belong to: without geographic prefix, and the underlying model's where the id that
    was given is opaque.
    """

    family: ModelFamily
    model: ParsedModelId
    bare: str
    capabilities: Capabilities

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """`family.encode`, told the bare id: templates differ from model to model. A system prompt stands in front of
        the first turn where the model has no other place for it."""
        if not self.capabilities.system_prompt:
            request = _system_in_front(request)
        return self.family.encode(replace(request, model_id=self.bare), stream=stream)


def _system_in_front(request: GenerationRequest) -> GenerationRequest:
    if request.system is None:
        return request
    first = request.messages[0]
    joined = replace(first, text=f"{request.system}\n\n{first.text}")
    return replace(request, system=None, messages=(joined, *request.messages[1:]))


def resolve(
    model_id: str,
    *,
    family: str | None = None,
    api: Api = "auto",
    underlying: str | None = None,
) -> Resolved:
    """The family for `model_id`, which may be an ARN.

    `family` overrides what the id says. `underlying` is the id or ARN of the model behind an opaque ARN, where the
    account told it. With `api="auto"` an ARN that tells no model goes through Converse, which needs no family; it is
    never guessed to be one of the invoke families. `api="converse"` keeps what is known of the model itself.

    Raises `UnknownModelError` where no family fits, `InvalidValueError` for an unknown word in `family` or `api`.
    """
    model = parse_model_id(model_id)
    known = _known(model, underlying)
    own = family_named(family, known.bare) if family else _own_family(known)
    if api not in ("auto", "invoke", "converse"):
        raise InvalidValueError(f"api must be auto, invoke or converse; you gave {api!r}.", field="api")
    if api == "converse" or (own is None and api == "auto" and model.opaque):
        facts = (own or CONVERSE).capabilities(known.bare)
        if own is not None and own.api == "invoke":
            facts = over_converse(facts, known.bare)
        return Resolved(family=CONVERSE, model=model, bare=known.bare, capabilities=facts)
    if own is None:
        raise UnknownModelError(_no_family(model))
    if api == "invoke" and own.api == "converse":
        raise UnknownModelError(
            f"{model.raw} has no InvokeModel shape that is known here. Name one with family= ({_words()}), "
            'or leave api at "auto".'
        )
    return Resolved(family=own, model=model, bare=known.bare, capabilities=own.capabilities(known.bare))


def resolve_or_converse(model_id: str, otherwise: str) -> tuple[Resolved, Api]:
    """`resolve`, and how the model is asked: an id with a vendor that nobody here knows goes over Converse, which needs
    no knowledge of the vendor. Raises `UnknownModelError` with the sentence `otherwise` where the id names none."""
    try:
        return resolve(model_id), "auto"
    except UnknownModelError as error:
        if "." not in model_id or parse_model_id(model_id).opaque:
            raise UnknownModelError(otherwise) from error
        return resolve(model_id, api="converse"), "converse"


def family_named(word: str, bare: str = "") -> ModelFamily:
    """The family with this name, or that variant of it whose prefix `bare` has.

    Raises `InvalidValueError` that lists the names.
    """
    for family in FAMILIES:
        if family.name == word:
            return family_by_prefix(bare, [each for each in ALL_SHAPES if each.name == word]) or family
    raise InvalidValueError(f"family must be one of {_words()}; you gave {word!r}.", field="family")


def family_by_prefix(bare: str, families: Sequence[ModelFamily] = ALL_SHAPES) -> ModelFamily | None:
    """The family with the longest prefix of a bare model id."""
    matches = [(len(prefix), family) for family in families for prefix in family.prefixes if bare.startswith(prefix)]
    return max(matches, key=lambda match: match[0])[1] if matches else None


def _known(model: ParsedModelId, underlying: str | None) -> ParsedModelId:
    if not model.opaque or not underlying or model.arn_kind in CONVERSE_ONLY_KINDS:
        return model
    behind = parse_model_id(underlying)
    return model if behind.opaque else behind


def _own_family(known: ParsedModelId) -> ModelFamily | None:
    return None if known.opaque or known.vendor is None else family_by_prefix(known.bare)


def _no_family(model: ParsedModelId) -> str:
    what = "Its ARN does not tell the model" if model.opaque else "Its name fits none of the known families"
    return f'No family is known for {model.raw}. {what}; name one with family= ({_words()}), or use api="converse".'


def _words() -> str:
    return ", ".join(sorted(family.name for family in FAMILIES if family.api == "invoke"))
