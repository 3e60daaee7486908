"""List prices against sums by hand."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from metrics.pricing import Price, overrides, price

AT = datetime(2026, 11, 22, tzinfo=UTC)
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def test_listed_model() -> None:
    """1.10 and 5.50 USD per million tokens, the geographic profile's price."""
    found = price(model_id=HAIKU, input_tokens=10_000, output_tokens=2_000, region="us-west-2", at=AT)
    assert found.usd == pytest.approx(0.011 + 0.011)
    assert found.source is not None
    assert found.source.startswith("genai-prices 0.")
    assert "US" not in found.source
    assert found.model is not None
    assert "claude-haiku-4-5" in found.model


def test_arn_of_a_profile_costs_as_its_model() -> None:
    arn = f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/{HAIKU}"
    counts = {"input_tokens": 100, "output_tokens": 100, "at": AT}
    assert price(model_id=arn, **counts).usd == price(model_id=HAIKU, **counts).usd  # type: ignore[arg-type]


def test_cached_tokens_are_inside_the_input() -> None:
    """100 plain at 1.10, 800 read at 0.11, 100 written at 1.375, 10 out at 5.50 per million."""
    found = price(
        model_id=HAIKU, input_tokens=1000, output_tokens=10, cache_read_tokens=800, cache_write_tokens=100, at=AT
    )
    assert found.usd == pytest.approx((110 + 88 + 137.5 + 55) / 1e6)


def test_more_cached_than_input_is_no_crash() -> None:
    assert price(model_id=HAIKU, input_tokens=10, output_tokens=10, cache_read_tokens=800, at=AT).usd is not None


@pytest.mark.parametrize(
    "model_id",
    [
        "local.smollm2-135m-instruct",
        "simulated.steady",
        "local.amazon.nova-lite-v1:0",
        "simulated.amazon.nova-lite-v1:0",
        "made-up",
        "",
        "arn:aws:bedrock:us-west-2:000000000000:application-inference-profile/abcdef123456",
    ],
)
def test_unknown_price_is_missing_not_zero(model_id: str) -> None:
    assert price(model_id=model_id, input_tokens=10, output_tokens=10, at=AT) == Price(None, None, None)


@pytest.mark.parametrize(("tokens_in", "tokens_out"), [(None, 10), (10, None), (None, None)])
def test_unknown_counts_have_no_price(tokens_in: int | None, tokens_out: int | None) -> None:
    assert price(model_id=HAIKU, input_tokens=tokens_in, output_tokens=tokens_out).usd is None


@pytest.mark.parametrize(
    ("model_id", "region", "note"),
    [
        ("eu.amazon.nova-lite-v1:0", None, True),
        ("eu.amazon.nova-lite-v1:0", "eu-west-1", True),
        ("amazon.nova-lite-v1:0", "us-gov-west-1", True),
        ("amazon.nova-lite-v1:0", "us-east-1", False),
        ("us.amazon.nova-lite-v1:0", None, False),
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "eu-west-1", False),
    ],
)
def test_says_where_the_price_of_another_region_stands_in(model_id: str, region: str | None, note: bool) -> None:
    found = price(model_id=model_id, input_tokens=10, output_tokens=10, region=region, at=AT)
    assert ("US price" in (found.source or "")) is note


def test_override() -> None:
    found = price(model_id="deepseek.v3.2", input_tokens=1_000_000, output_tokens=1_000_000, cache_read_tokens=10)
    assert found == Price(pytest.approx(0.62 + 1.85), "litellm price table, 2026-08-06", "deepseek.v3.2*")  # type: ignore[arg-type]


def test_every_override_fills_a_gap_of_the_package() -> None:
    """An entry that the package has learned in the meantime should go."""
    import genai_prices

    for entry in overrides():
        model_id = entry["match"].replace("*", "")
        assert fnmatchcase(model_id, entry["match"])
        assert 0 < entry["input"] <= entry["output"]
        with pytest.raises(LookupError):
            genai_prices.calc_price(genai_prices.Usage(input_tokens=1, output_tokens=1), model_id, provider_id="aws")


def test_price_tables_load_only_when_asked() -> None:
    code = "import sys, metrics.pricing; assert 'genai_prices' not in sys.modules and 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_tables_can_be_read_before_they_are_needed() -> None:
    code = "import sys; from metrics import pricing; pricing.load(); sys.exit('genai_prices' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
