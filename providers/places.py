"""Where models are answered: a backend, and for AWS a region and a profile. No boto3 here."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from providers.base import Provider
from providers.errors import ConfigurationError
from providers.model_ids import parse_model_id

Backend = Literal["aws", "local"]
MAX_PLACES = 16
"""Regions and profiles beside the first one whose clients are kept: each is some megabytes."""
AGAIN_AFTER_S = 5.0
"""For so long a place that could not be made is not tried again."""
_LOGIN = re.compile(r"^([^/?#]*//)?[^/?#]*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatus:
    """Which backend answers, and why: shown on screen and in the log. `reason` is a phrase for people.

    A login in `endpoint_url` (`http://user:secret@host`) is left out: only the client is told of it.
    """

    backend: Backend
    reason: str
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None

    def __post_init__(self) -> None:
        """Nothing that is shown or written may hold the login, so that it ends here."""
        if self.endpoint_url is not None:
            object.__setattr__(self, "endpoint_url", _LOGIN.sub(r"\1", self.endpoint_url))


class Served(Protocol):
    """What finds the provider of a model, and tells where it is served."""

    def provider_for(self, model_id: str) -> Provider: ...

    def status_of(self, model_id: str) -> BackendStatus: ...


class Place:
    """The backends of this process as they are seen from one region and profile. Models of this machine are where they
    were; `aws` is `None` without AWS."""

    def __init__(self, backends: Served, status: BackendStatus, aws: Provider | None) -> None:
        self._backends = backends
        self._status = status
        self._aws = aws

    def status_of(self, model_id: str) -> BackendStatus:
        """Where `model_id` is served. Raises `UnknownModelError` for what is no model id at all."""
        return self._backends.status_of(model_id) if parse_model_id(model_id).is_own else self._status

    def provider_for(self, model_id: str) -> Provider:
        """The provider that serves `model_id`. Raises `UnknownModelError`, `ConfigurationError`."""
        if self._aws is None or parse_model_id(model_id).is_own:
            return self._backends.provider_for(model_id)
        return self._aws


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    place: Place | None = None
    problem: str = ""
    failed_at_s: float = 0.0


class Places:
    """Makes each place once and keeps the last ones. Looking for credentials may run a program that takes long: only
    those who want the same place wait for it, and all of them are told when it fails. Threads may share it."""

    def __init__(
        self, make: Callable[[str | None, str | None], Place], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: dict[tuple[str | None, str | None], _Slot] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def at(self, region: str | None, profile: str | None) -> Place:
        """The place, which is made where it is not there yet. Raises `ConfigurationError`, for some seconds without
        another look."""
        with self._lock:
            slot = self._slots.setdefault((region, profile), _Slot())
            if len(self._slots) > MAX_PLACES:
                del self._slots[next(iter(self._slots))]
        with slot.lock:
            if slot.place is not None:
                return slot.place
            if slot.problem and self._clock() - slot.failed_at_s < AGAIN_AFTER_S:
                raise ConfigurationError(slot.problem)
            try:
                slot.place = self._make(region, profile)
            except ConfigurationError as error:
                slot.problem, slot.failed_at_s = str(error), self._clock()
                raise
            return slot.place
