"""What the HTTP API takes and gives, as OpenAPI describes it: bodies, answers, and every status that may come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field

from app.idempotency import HEADER, MAX_CHARS
from providers.types import Api


class MessageBody(BaseModel):
    """One turn."""

    model_config = ConfigDict(extra="forbid", strict=True)
    role: Literal["user", "assistant", "system"]
    content: str


class GenerateBody(BaseModel):
    """What to ask. Either `prompt`, or `messages` that end with the user's turn, or both."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"prompt": "Why is the sky blue?", "max_tokens": 200, "stream": False}]},
    )
    prompt: str | None = Field(None, description="The next user turn.")
    messages: list[MessageBody] | None = Field(None, description="Earlier turns.")
    model_id: str | None = Field(None, description="Any id or ARN; the default model where it is left out.")
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = 500
    top_p: float | None = None
    stop_sequences: list[str] = []
    stream: bool = False
    resume: Literal["auto", "off"] = "auto"
    family: str | None = Field(None, description="The wire shape of an id that does not tell its model.")
    api: Api = Field("auto", description="`converse` asks any model without knowing its family.")


class GenerateQuery(BaseModel):
    """The same in a query string, for one question without earlier turns."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = ""
    model_id: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = 500
    top_p: float | None = None
    stop_sequences: list[str] = []
    stream: bool = True
    resume: Literal["auto", "off"] = "auto"
    family: str | None = None
    api: Api = "auto"

    def body(self) -> GenerateBody:
        """As a body says it."""
        return GenerateBody(messages=None, **self.model_dump())


class RunsQuery(BaseModel):
    """Which rows of the log, and how."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, ge=1, le=1000)
    model_id: str | None = None
    mode: Literal["stream", "sync"] | None = None
    status: Literal["completed", "interrupted", "cancelled", "failed"] | None = None
    format: Literal["json", "csv"] = "json"


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=HEADER,
        description=(
            "Any word of your own, a UUID for example. The same key with the same body never asks the model again: it "
            "gets the run that it began. Remembered for a day by this process, for each login."
        ),
        # Checked where the keys are, whose sentence says more than a pattern does.
        json_schema_extra={"minLength": 1, "maxLength": MAX_CHARS, "pattern": "^[!-~]+$"},
    ),
]


class Health(BaseModel):
    """Whether the server is up, and who answers."""

    status: Literal["ok"]
    backend: Literal["aws", "local"]
    region: str | None
    version: str


class ModelAnswer(BaseModel):
    """One model that can be chosen."""

    id: str
    label: str
    family: str
    backend: Literal["aws", "local"]
    streaming: bool
    simulated: bool


class ModelsAnswer(BaseModel):
    """What can be chosen, and what is taken where nothing is."""

    models: list[ModelAnswer]
    default: str


class UsageAnswer(BaseModel):
    """Tokens as the service reported them; null where it did not."""

    input_tokens: int | None
    output_tokens: int | None


class CompleteAnswer(BaseModel):
    """A complete answer. `latency` is in seconds; `metrics` are described in docs/metrics.md."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "text": "Because air scatters blue light more than red.",
                    "model_id": "us.amazon.nova-lite-v1:0",
                    "latency": 0.84,
                    "usage": {"input_tokens": 6, "output_tokens": 11},
                    "stop_reason": "end_turn",
                    "metrics": {"duration_s": 0.84, "output_tokens_per_s": 13.1, "cost_usd": 0.000003},
                    "run_id": "5f0c",
                }
            ]
        }
    )
    text: str
    model_id: str
    latency: float
    usage: UsageAnswer
    stop_reason: str | None
    metrics: dict[str, float | int | None]
    run_id: str


class RunsAnswer(BaseModel):
    """Rows of the run log, newest first, by the columns of docs/metrics.md."""

    runs: list[dict[str, Any]]


class ErrorAnswer(BaseModel):
    """Every refusal and failure. `error` is a sentence that says what happened and what to do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"error": "Prompt is required.", "type": "InvalidValueError", "request_id": None}]
        }
    )
    error: str
    type: str
    request_id: str | None


EVENTS: dict[str, Any] = {
    "schema": {
        "type": "object",
        "description": "One event. `data` is JSON; unnamed events carry text or the ending, the others are named.",
        "required": ["data", "id"],
        "properties": {
            "data": {"type": "string"},
            "event": {"type": "string", "enum": ["message", "status", "progress", "reset"]},
            "id": {"type": "string"},
            "retry": {"type": "integer"},
        },
    },
    "examples": {
        "text": {"value": {"id": "5f0c:0:1", "data": '{"text": "Because "}'}},
        "progress": {
            "value": {
                "event": "progress",
                "id": "5f0c:0:1",
                "data": '{"rate": null, "tokens": 1, "fraction": 0.01, "eta_s": null}',
            }
        },
        "ending": {"value": {"id": "5f0c:0:end", "data": '{"done": true, "latency": 0.84, "stop_reason": "end_turn"}'}},
    },
}

_MEANINGS: Mapping[int, str] = {
    400: "Bad input; the sentence names the field.",
    403: "The account may not call this model, AWS is not set up, or the request came from another site.",
    404: "There is no such model, run or page.",
    405: "This path is not asked in this way.",
    409: "Something else was asked with this `Idempotency-Key`, or its answer was stopped.",
    413: "The request is larger than 1 MB.",
    429: "Throttled by the service, or a quota is used up; `Retry-After` says for how long.",
    502: "The service failed or broke off.",
    503: "Too many answers are under way, or the run log cannot be read; `Retry-After` says for how long.",
    504: "The model took too long.",
}


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The description of these statuses, for a route."""
    return {status: {"model": ErrorAnswer, "description": _MEANINGS[status]} for status in statuses}


ASKING: dict[int | str, dict[str, Any]] = {
    200: {
        "model": CompleteAnswer,
        "description": "The complete answer, or with `stream` the events of docs/http-api.md.",
        "content": {"text/event-stream": EVENTS},
    },
    204: {"description": "`Last-Event-ID` names an ending: there is nothing more to come."},
    **failures(400, 403, 404, 413, 429, 502, 503, 504),
}
ASKING_ONCE = ASKING | failures(409)
EVENTS_ONLY: dict[int | str, dict[str, Any]] = ASKING_ONCE | {
    200: {"description": "The events of docs/http-api.md.", "content": {"text/event-stream": EVENTS}}
}
LOG_AS_CSV: dict[int | str, dict[str, Any]] = {
    200: {"model": RunsAnswer, "description": "The rows.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}
AS_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}
