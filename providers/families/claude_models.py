"""What is known of each Claude model. Data; the shape is in `claude.py`.

End of life: AWS's table of model life cycles in awslabs/startups (2026-07-17, and its pull request 10 of 2026-05-17);
where only that a model had ended could be read, the day on which that was reported.
"""

from __future__ import annotations

from dataclasses import replace

from providers.types import Capabilities, Range

OLDEST = Capabilities(
    prefill=True,
    temperature=Range(low=0.0, high=1.0, default=1.0),
    top_p=Range(low=0.0, high=1.0),
    context_tokens=200_000,
    source="Anthropic API reference and Bedrock user guide, Claude messages; read 2026-11-22",
)
_ONE_OF_TWO = replace(
    OLDEST,
    temperature_with_top_p=False,
    source="400 answers quoted in public issues (`temperature` and `top_p` cannot both be specified); read 2026-11-22",
)
_NO_PREFILL = replace(_ONE_OF_TWO, prefill=False)
_NO_SAMPLING = replace(
    _NO_PREFILL,
    temperature=None,
    top_p=None,
    context_tokens=1_000_000,
    max_output_tokens=127_999,  # 128000 itself is rejected
    source="400 answers quoted in public issues (`temperature` is deprecated for this model), and big-AGI's live "
    "probes of 2026-08-17; read 2026-11-22",
)

ROWS = {
    "anthropic.claude-3-opus": replace(OLDEST, max_output_tokens=4096, end_of_life="2026-04-08"),
    "anthropic.claude-3-sonnet": replace(OLDEST, max_output_tokens=4096, end_of_life="2026-07-30"),
    "anthropic.claude-3-haiku": replace(OLDEST, max_output_tokens=4096, end_of_life="2026-09-10"),
    "anthropic.claude-3-5-sonnet": replace(OLDEST, max_output_tokens=8192, end_of_life="2026-07-30"),
    "anthropic.claude-3-5-haiku": replace(OLDEST, max_output_tokens=8192, end_of_life="2026-06-19"),
    "anthropic.claude-3-7-": replace(OLDEST, max_output_tokens=127_999, end_of_life="2026-04-28"),
    "anthropic.claude-sonnet-4-2025": replace(OLDEST, max_output_tokens=64_000, end_of_life="2026-10-14"),
    "anthropic.claude-opus-4-2025": replace(OLDEST, max_output_tokens=32_000, end_of_life="2026-05-31"),
    "anthropic.claude-opus-4-1": replace(_ONE_OF_TWO, max_output_tokens=32_000, end_of_life="2027-01-08"),
    "anthropic.claude-sonnet-4-5": replace(_ONE_OF_TWO, max_output_tokens=64_000),
    "anthropic.claude-haiku-4-5": replace(_ONE_OF_TWO, max_output_tokens=64_000),
    "anthropic.claude-opus-4-5": replace(_ONE_OF_TWO, max_output_tokens=64_000),
    "anthropic.claude-sonnet-4-6": replace(_NO_PREFILL, max_output_tokens=64_000, context_tokens=1_000_000),
    "anthropic.claude-opus-4-6": replace(_NO_PREFILL, max_output_tokens=127_999, context_tokens=1_000_000),
    "anthropic.claude-v2": replace(OLDEST, max_output_tokens=4096, end_of_life="2025-07-21"),
    "anthropic.claude-": _NO_SAMPLING,
}
"""By the beginning of the bare id. The last row is for Opus 4.7, 4.8, all of Claude 5, and newer names."""
