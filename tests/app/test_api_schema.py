"""What the OpenAPI description promises, tried with whatever fits it and whatever does not (Schemathesis)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
SWIFT = "simulated.swift"
OPERATIONS = (
    ("/healthz", "get"),
    ("/metrics", "get"),
    ("/api/models", "get"),
    ("/api/generate", "post"),
    ("/api/generate", "get"),
    ("/api/generate/stream", "post"),
    ("/api/runs", "get"),
    ("/api/runs/{run_id}", "get"),
)
WITH_INPUT = OPERATIONS[3:7]


def hasten(asked: Any) -> Any:
    """The quickest model in place of the default one, and a short answer: what is asked for stays what it is."""
    if isinstance(asked, dict):
        asked.setdefault("model_id", SWIFT)
        asked["model_id"] = asked["model_id"] or SWIFT
        if isinstance(asked.get("max_tokens", 0), int | None):
            asked["max_tokens"] = min(asked.get("max_tokens") or 3, 3)
    return asked


@pytest.mark.parametrize(
    ("operation", "mode"),
    [(each, GenerationMode.POSITIVE) for each in OPERATIONS] + [(each, GenerationMode.NEGATIVE) for each in WITH_INPUT],
)
def test_nothing_breaks_it_and_nothing_comes_that_is_not_described(
    here: str, operation: tuple[str, str], mode: GenerationMode
) -> None:
    path, method = operation
    described = schemathesis.openapi.from_url(here + "/openapi.json")[path][method]

    @given(case=described.as_strategy(generation_mode=mode))
    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check(case: Any) -> None:
        case.body = hasten(case.body)
        if operation == ("/api/generate", "get"):
            case.query = hasten(case.query)
        case.call_and_validate(checks=CHECKS, timeout=20)

    check()


def test_every_operation_is_tried(here: str) -> None:
    paths = httpx.get(here + "/openapi.json", trust_env=False).json()["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == set(OPERATIONS)
