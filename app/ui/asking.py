"""From what stands in the widgets to the request that is sent. Pure: nothing is called here.

The values come as the browser sent them and are trusted in nothing; what a model takes is checked once, by
`providers.validation`, when the call is prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.conversations import Conversation, TurnMode
from metrics.tokens import TokenEstimator
from providers.errors import InvalidValueError, UnknownModelError
from providers.model_ids import parse_model_id
from providers.registry import FAMILIES, resolve, resolve_or_converse
from providers.types import Api, Capabilities, GenerationRequest, InferenceConfig, Message
from providers.validation import clean_text, is_blank

MAX_PROMPT_CHARS = 100_000
TOKENS_PER_MESSAGE = 5
"""What a template adds around each message, about."""
AUTOMATIC = "auto"
CONVERSE = "converse"
SHAPES = (AUTOMATIC, *sorted(family.name for family in FAMILIES))
"""What an id that does not tell its model can be asked as: by itself, or in the shape of a family; Converse is one."""
MODES: dict[str, TurnMode] = {"Stream": "stream", "Complete": "sync", "Both": "both"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The widgets' values. `None` for a number leaves it to the model. `shape` is one of `SHAPES`."""

    prompt: str
    model_id: str
    temperature: Any = None
    max_tokens: Any = None
    top_p: Any = None
    system: str | None = None
    mode: TurnMode = "stream"
    shape: str = AUTOMATIC

    @classmethod
    def read(cls, values: Sequence[Any], *, prompt: str | None = None, shape: Any = AUTOMATIC) -> Form:
        """From the values of prompt, model, temperature, max tokens, top-p, system prompt and mode, in this order.
        `prompt` takes the place of the one in the box. Raises `InvalidValueError`."""
        box, model_id, temperature, max_tokens, top_p, system, mode = values
        for field, value in (("prompt", box), ("model", model_id), ("system", system)):
            if value is not None and not isinstance(value, str):
                raise InvalidValueError(f"{field} must be text.", field=field)
        return cls(
            prompt=clean_text(box or "" if prompt is None else prompt).strip("\n"),
            model_id=(model_id or "").strip(),
            temperature=temperature,
            max_tokens=max_tokens,
            top_p=read_number(top_p),
            system=system or None,
            mode=read_mode(mode),
            shape=shape if shape in SHAPES else AUTOMATIC,
        )


def read_mode(word: Any) -> TurnMode:
    """The mode behind a word of the widget. Raises `InvalidValueError`."""
    mode = MODES.get(word) if isinstance(word, str) else None
    if mode is None:
        raise InvalidValueError(f"mode must be one of {', '.join(MODES)}.", field="mode")
    return mode


def read_number(value: Any) -> Any:
    """A number from a text box: `None` where it is empty; text that is no number stays text, to be refused later."""
    if not isinstance(value, str):
        return value
    text = value.strip().replace(",", ".")
    try:
        return float(text) if text else None
    except ValueError:
        return value


def known_model(model_id: str, shape: str = AUTOMATIC) -> tuple[Capabilities, Api]:
    """What is known of a model, and over which API it is asked. An id with a vendor that nobody here knows is asked
    over Converse, which needs no knowledge of the vendor. Raises `UnknownModelError`."""
    if shape == CONVERSE:
        return resolve(model_id, api="converse").capabilities, "converse"
    if shape != AUTOMATIC:
        return resolve(model_id, family=shape).capabilities, "auto"
    found, api = resolve_or_converse(
        model_id,
        f"{model_id} is no model that is known here. Choose one from the list, type the full id or ARN of a model on "
        "Bedrock, or say under Model how it is to be asked.",
    )
    return found.capabilities, api


def capabilities_of(model_id: str, shape: str = AUTOMATIC) -> Capabilities | None:
    """What is known of a model; `None` for an id that names no model."""
    try:
        return known_model(model_id.strip(), shape)[0]
    except (UnknownModelError, InvalidValueError):
        return None


def tells_its_model(model_id: str) -> bool:
    """Whether an id says by itself which family speaks for it. The ARN of an application profile, a custom or an
    imported model does not, nor does the name of a vendor that is not known here."""
    try:
        return not parse_model_id(model_id.strip()).opaque and resolve(model_id.strip()) is not None
    except UnknownModelError:
        return False


def make_request(
    form: Form, conversation: Conversation, estimator: TokenEstimator, *, replacing: int | None = None
) -> tuple[GenerationRequest, tuple[str, ...]]:
    """The request for `form` after what was said before turn `replacing` (or everything), and sentences about it.

    Raises `InvalidValueError` and `UnknownModelError`, whose sentences say what to change.
    """
    _check_form(form)
    capabilities, api = known_model(form.model_id, form.shape)
    earlier = conversation.messages_before(replacing)
    fitting = _that_fit(form, earlier, capabilities, estimator)
    notices = _left_out(len(earlier) - len(fitting), len(earlier), form.model_id, capabilities)
    turns = [message for pair in fitting for message in pair]
    request = GenerationRequest(
        model_id=form.model_id,
        messages=(*turns, Message(role="user", text=form.prompt)),
        system=form.system,
        inference=InferenceConfig(
            # A model that refuses it shows the slider switched off: nothing is sent, and nothing is warned about.
            temperature=form.temperature if capabilities.temperature else None,
            top_p=form.top_p if capabilities.top_p else None,
            max_tokens=form.max_tokens,
        ),
        api=api,
        family=None if form.shape in (AUTOMATIC, CONVERSE) else form.shape,
    )
    if api == "converse" and form.shape == AUTOMATIC:
        notices = (f"{form.model_id} is not known here; it is asked over Converse.", *notices)
    return request, notices


def check_prompt(prompt: Any) -> None:
    """Raises `InvalidValueError` for a prompt that no model could be asked."""
    if not isinstance(prompt, str) or is_blank(prompt):
        raise InvalidValueError("Prompt is required: write what the model should answer.", field="prompt")
    if len(prompt) > MAX_PROMPT_CHARS:
        raise InvalidValueError(
            f"The prompt has {len(prompt):,} characters; at most {MAX_PROMPT_CHARS:,} can be sent. Shorten it.",
            field="prompt",
        )


def _check_form(form: Form) -> None:
    check_prompt(form.prompt)
    if not form.model_id:
        raise InvalidValueError("Choose a model, or type the id or ARN of one.", field="model")


def _that_fit(
    form: Form,
    earlier: Sequence[tuple[Message, Message]],
    capabilities: Capabilities,
    estimator: TokenEstimator,
) -> Sequence[tuple[Message, Message]]:
    """The newest turns that fit into the model's context beside the prompt, with room for an answer."""
    if not capabilities.multi_turn:
        return ()
    context = capabilities.context_tokens
    if context is None:
        return earlier

    def tokens(*texts: str) -> int:
        return sum(estimator.estimate(text, form.model_id) + TOKENS_PER_MESSAGE for text in texts)

    asked = tokens(form.system or "", form.prompt)
    if asked >= context:
        raise InvalidValueError(
            f"The prompt is too long: with the system prompt it has about {asked:,} tokens, and {form.model_id} takes "
            f"{context:,} together with its answer. Shorten it, or choose a model with a longer context.",
            field="prompt",
        )
    wanted = form.max_tokens if isinstance(form.max_tokens, int) else 512
    room = context - asked - min(max(wanted, 0), context // 2)
    kept = len(earlier)
    for question, answer in reversed(earlier):
        room -= tokens(question.text, answer.text)
        if room < 0:
            break
        kept -= 1
    return earlier[kept:]


def _left_out(left_out: int, earlier: int, model_id: str, capabilities: Capabilities) -> tuple[str, ...]:
    if not left_out:
        return ()
    if not capabilities.multi_turn:
        return (f"{model_id} takes one question at a time: what was said before was left out.",)
    what = "Everything said before was" if left_out == earlier else f"The oldest {left_out} of {earlier} turns were"
    return (f"{what} left out, because the conversation is longer than {model_id} can read.",)
