"""Fixtures for everything that talks to a wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.bedrock import BedrockProvider
from providers.clients import local_client
from providers.types import GenerationRequest, InferenceConfig, Message
from tests.wire import WireServer, wire_server


@pytest.fixture
def wire() -> Iterator[WireServer]:
    """A server that follows a script."""
    with wire_server() as server:
        yield server


@pytest.fixture
def provider(wire: WireServer) -> BedrockProvider:
    """Our provider over real boto3, pointed at `wire`."""
    return BedrockProvider(local_client(wire.url))


def ask(
    model_id: str = "us.amazon.nova-lite-v1:0", text: str = "Hi", api: str = "converse", **config: object
) -> GenerationRequest:
    """A request; over Converse unless told otherwise."""
    return GenerationRequest(
        model_id=model_id,
        messages=(Message(role="user", text=text),),
        inference=InferenceConfig(**config),  # type: ignore[arg-type]  # tests name the fields
        api=api,  # type: ignore[arg-type]
    )
