"""Where models are answered: a backend, and for AWS a region and a profile. No boto3 here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from providers.base import Provider
from providers.model_ids import parse_model_id

Backend = Literal["aws", "local"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatus:
    """Which backend answers, and why: shown on screen and in the log. `reason` is a phrase for people."""

    backend: Backend
    reason: str
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None


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
