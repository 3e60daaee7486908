"""What operators see: every run counted and timed under the conventions' names, and no more than that."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from app.telemetry import MAX_MODELS, Telemetry
from tests.metrics.records import record

NOVA = {
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "aws.bedrock",
    "gen_ai_request_model": "amazon.nova-lite-v1:0",
}


def samples(telemetry: Telemetry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Value by name and labels, as a Prometheus server reads them."""
    families = text_string_to_metric_families(telemetry.exposition().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value for each in families for sample in each.samples
    }


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return samples(telemetry).get((name, frozenset(labels.items())))


def test_a_streamed_run_is_counted_timed_and_weighed() -> None:
    telemetry = Telemetry()
    telemetry.observe(
        record(
            duration_s=2.0,
            time_to_first_chunk_s=0.5,
            chunks=((500_000_000, "text", 4), (530_000_000, "text", 4), (600_000_000, "text", 4)),
            input_tokens=9,
            output_tokens=30,
            cost_usd=0.25,
        ),
        None,
    )
    duration = "gen_ai_client_operation_duration_seconds"
    assert value(telemetry, duration + "_sum", **NOVA, error_type="", gen_ai_request_stream="true") == 2.0
    first = "gen_ai_client_operation_time_to_first_chunk_seconds"
    assert value(telemetry, first + "_sum", **NOVA) == 0.5
    assert value(telemetry, first + "_bucket", **NOVA, le="0.32") == 0
    assert value(telemetry, first + "_bucket", **NOVA, le="0.64") == 1
    gaps = "gen_ai_client_operation_time_per_output_chunk_seconds"
    assert value(telemetry, gaps + "_count", **NOVA) == 2
    assert value(telemetry, "gen_ai_client_token_usage_sum", **NOVA, gen_ai_token_type="output") == 30
    assert value(telemetry, "playground_runs_total", status="completed", backend="aws", simulated="false") == 1
    assert value(telemetry, "playground_cost_usd_total") == 0.25


def test_what_a_run_does_not_have_is_not_counted_as_zero() -> None:
    telemetry = Telemetry()
    telemetry.observe(record(status="failed", error_type="ThrottledError", duration_s=0.1), "The disk is full.")
    duration = "gen_ai_client_operation_duration_seconds_count"
    assert value(telemetry, duration, **NOVA, error_type="ThrottledError", gen_ai_request_stream="true") == 1
    assert value(telemetry, "gen_ai_client_token_usage_count", **NOVA, gen_ai_token_type="output") is None
    assert value(telemetry, "gen_ai_client_operation_time_to_first_chunk_seconds_count", **NOVA) is None
    assert value(telemetry, "playground_unlogged_runs_total") == 1


def test_no_account_id_and_no_end_of_ids() -> None:
    telemetry = Telemetry()
    profile = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abcdefghijkl"
    telemetry.observe(record(request_model=profile, duration_s=1.0), None)
    for number in range(MAX_MODELS + 20):
        telemetry.observe(record(request_model=f"meta.llama{number}", duration_s=1.0), None)
    text = telemetry.exposition().decode()
    assert "111122223333" not in text
    models = {dict(labels).get("gen_ai_request_model") for _, labels in samples(telemetry)}
    assert len(models - {None}) <= MAX_MODELS + 1
    assert {"(application-inference-profile)", "other"} <= models


def test_runs_under_way_are_read_when_somebody_looks() -> None:
    telemetry = Telemetry()
    now = [3]
    telemetry.watch(lambda: now[0])
    assert value(telemetry, "playground_runs_under_way") == 3
    now[0] = 0
    assert value(telemetry, "playground_runs_under_way") == 0
