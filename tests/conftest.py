"""What all tests share: an environment without AWS, and one local endpoint with its boto3 client."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, settings

from providers.local.launch import LocalEndpoint

# How long an example takes says nothing on a machine that others use, too.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end: without this each full garbage collection looks through all
    of it, for seconds in the middle of some test or other."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_aws_environment() -> Iterator[None]:
    """Whatever the developer's shell says about AWS, the tests start without it. Files under ~/.aws count, too."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


@pytest.fixture(scope="session")
def endpoint() -> Iterator[LocalEndpoint]:
    """The local endpoint on a free port; its model is loaded by the first test that asks it."""
    with LocalEndpoint() as running:
        yield running


@pytest.fixture(scope="session")
def runtime_client(endpoint: LocalEndpoint) -> Any:
    """A plain boto3 client of the endpoint, as any program would make one."""
    return make_client(endpoint.url)


def make_client(url: str) -> Any:
    """A bedrock-runtime client with placeholder keys and without retries."""
    return boto3.client(
        "bedrock-runtime",
        region_name="us-west-2",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(signature_version="v4", proxies={}, retries={"total_max_attempts": 1}),
    )
