"""What an experiment may cost before it starts, and the guard that keeps it under a cap. List prices; no network.

The most that a call can cost is its input, one token a byte until the service has reported how many tokens that prompt
really has, and as many output tokens as it may say. No estimate is in it. A call that was stopped or failed counts at
its most: whether it was billed is not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.experiment_plan import PlannedCall
from metrics.pricing import OWN_PREFIXES, Price, price
from metrics.record import RunRecord
from metrics.texts import without_nonce
from providers.errors import InvalidValueError
from providers.types import GenerationRequest

MARGIN_TOKENS = 32
"""More than a chat template adds around a prompt, and more than two nonces of 15 characters can differ in tokens."""
OUTSIDE_US = 1.25
"""Where only the price of the United States is known; other regions cost 5 to 24 % more."""

Pricing = Callable[..., Price]
"""`metrics.pricing.price`, or another with its keywords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """`usd` is `None` where a model has no known price; models of this machine cost nothing. `possibly_billed_usd` is
    the part that is not sure, because its calls were stopped or failed."""

    usd: float | None
    possibly_billed_usd: float = 0.0


@dataclass(slots=True)
class Meter:
    """Prices the calls of one experiment and adds up what they cost. `region_of` tells where a model is called."""

    region_of: Callable[[str], str | None]
    pricing: Pricing = price
    _reported: dict[tuple[str, ...], int] = field(default_factory=dict)
    _spent: float = 0.0
    _unsure: float = 0.0
    _known: bool = True
    _at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def most(self, request: GenerationRequest) -> float | None:
        """USD that this call costs at most; `None` without a known price, 0 on this machine."""
        most = self._reported.get(_asked(request)) or sum(
            len(text.encode("utf-8", "replace")) for text in _texts(request)
        )
        return self._price(request.model_id, most + MARGIN_TOKENS, request.inference.max_tokens or 0)

    def total(self, requests: Iterable[GenerationRequest]) -> float | None:
        """USD that all of these cost at most; `None` where one has no known price."""
        prices = [self.most(request) for request in requests]
        known = [usd for usd in prices if usd is not None]
        return sum(known) if len(known) == len(prices) else None

    def add(self, request: GenerationRequest, record: RunRecord | None) -> None:
        """Counts a call that has ended: what its reported tokens cost, or the most where they are not the whole."""
        if record is not None and record.input_tokens:
            asked = _asked(request)
            self._reported[asked] = max(record.input_tokens, self._reported.get(asked, 0))
        if record is not None and record.status == "completed" and record.output_tokens is not None:
            usd = self._price(request.model_id, record.input_tokens or 0, record.output_tokens, record)
        else:
            usd = self.most(request)
            self._unsure += usd or 0.0
        self._spent += usd or 0.0
        self._known = self._known and usd is not None

    @property
    def spend(self) -> Spend:
        """So far."""
        return Spend(usd=self._spent if self._known else None, possibly_billed_usd=self._unsure)

    def fits(self, requests: Iterable[GenerationRequest], cap_usd: float | None) -> bool:
        """Whether these calls can be made without passing the cap, whatever the model says."""
        if cap_usd is None:
            return True
        most = self.total(requests)
        return most is not None and self._known and self._spent + most <= cap_usd

    def _price(self, model_id: str, tokens_in: int, tokens_out: int, record: RunRecord | None = None) -> float | None:
        if model_id.startswith(OWN_PREFIXES):
            return 0.0
        found = self.pricing(
            model_id=model_id,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            cache_read_tokens=record.cache_read_tokens if record else None,
            cache_write_tokens=record.cache_write_tokens if record else None,
            region=self.region_of(model_id),
            at=self._at,
        )
        if found.usd is None:
            return None
        return found.usd * (OUTSIDE_US if found.source and found.source.endswith("US price") else 1.0)


def _texts(request: GenerationRequest) -> tuple[str, ...]:
    """All that the model reads."""
    return (request.system or "", *(message.text for message in request.messages))


def _asked(request: GenerationRequest) -> tuple[str, ...]:
    """The same for every call that asks a model the same."""
    return (request.model_id, *(without_nonce(text) for text in _texts(request)))


def most_of(calls: Sequence[tuple[PlannedCall, GenerationRequest]], meter: Meter) -> float | None:
    """USD that a whole plan costs at most. Calls that ask the same differ by their nonce only and are priced once."""
    alike = Counter((call.model_id, call.prompt) for call, _ in calls)
    one = {(call.model_id, call.prompt): request for call, request in calls}
    prices = [(count, meter.most(one[asked])) for asked, count in alike.items()]
    known = [count * usd for count, usd in prices if usd is not None]
    return sum(known) if len(known) == len(prices) else None


def check_cap(requests: Iterable[GenerationRequest], meter: Meter, cap_usd: float | None) -> None:
    """Raises `InvalidValueError` where a cap was asked for and a model has no known price: it could not be kept."""
    if cap_usd is None:
        return
    for request in requests:
        if meter.most(request) is None:
            raise InvalidValueError(
                f"No list price is known for {request.model_id}, so that a cost cap cannot be kept. Leave the cap "
                "out and limit pairs and max tokens instead.",
                field="cost_cap_usd",
            )
