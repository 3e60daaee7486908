"""What a run cost at list price, from tables inside this machine: no network.

Discounts, service tiers, batch and latency-optimised surcharges are not known here. An unknown price is `None` and is
shown as missing, never as 0.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

OVERRIDES = Path(__file__).with_name("price_overrides.toml")
OWN_PREFIXES = ("local.", "simulated.")
"""Ids of models that run here. The package matches parts of ids, so that it must not see those."""
_OUTSIDE_US = re.compile(r"(?:eu|apac|jp|au|ca|us-gov)\.")


@dataclass(frozen=True, slots=True)
class Price:
    """`usd` of one run, `source` of the rates, and `model`, the entry that they stand under."""

    usd: float | None = None
    source: str | None = None
    model: str | None = None


def price(
    *,
    model_id: str,
    input_tokens: int | None,
    output_tokens: int | None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    region: str | None = None,
    at: datetime | None = None,
) -> Price:
    """The list price of one run. `input_tokens` includes cached ones. Local models have none.

    The first call loads the price tables, which takes about a tenth of a second.
    """
    if input_tokens is None or output_tokens is None or model_id.startswith(OWN_PREFIXES):
        return Price()
    read, write = cache_read_tokens or 0, cache_write_tokens or 0
    counts = (max(input_tokens, read + write), output_tokens, read, write)
    for entry in overrides():
        if fnmatchcase(model_id, entry["match"]):
            return _by_override(entry, *counts)
    return _by_package(model_id, region, at, *counts)


def load() -> None:
    """Reads the price tables now, so that the end of the first run need not: it would hold up those that go on."""
    price(model_id="amazon.nova-micro-v1:0", input_tokens=0, output_tokens=0)


@cache
def overrides() -> list[dict[str, Any]]:
    """The entries of the overrides file."""
    entries: list[dict[str, Any]] = tomllib.loads(OVERRIDES.read_text("utf-8"))["price"]
    return entries


def _by_override(entry: dict[str, Any], tokens_in: int, tokens_out: int, read: int, write: int) -> Price:
    plain, cache_read = entry["input"], entry.get("cache_read", entry["input"])
    per_million = (
        (tokens_in - read - write) * plain
        + tokens_out * entry["output"]
        + read * cache_read
        + write * entry.get("cache_write", plain)
    )
    return Price(per_million / 1e6, entry["source"], entry["match"].lstrip("*"))


def _by_package(
    model_id: str, region: str | None, at: datetime | None, tokens_in: int, tokens_out: int, read: int, write: int
) -> Price:
    import genai_prices  # 0.1 s: only for those who ask

    usage = genai_prices.Usage(
        input_tokens=tokens_in, output_tokens=tokens_out, cache_read_tokens=read, cache_write_tokens=write
    )
    try:
        found = genai_prices.calc_price(usage, model_id, provider_id="aws", genai_request_timestamp=at)
    except (LookupError, ValueError):  # a model without a price, or counts that no service can mean
        return Price()
    source = f"genai-prices {genai_prices.__version__}"
    if _outside_us(model_id, region) and not found.model.id.startswith(("regional.", "global.")):
        source += ", US price"
    return Price(float(found.total_price), source, found.model.id)


def _outside_us(model_id: str, region: str | None) -> bool:
    """Whether the run was outside the United States' commercial regions; the package knows most models' price only
    there, and other regions cost 5 to 24 % more."""
    if region:
        return region.startswith("us-gov-") or not region.startswith("us-")
    return _OUTSIDE_US.match(model_id) is not None
