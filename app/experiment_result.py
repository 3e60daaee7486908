"""What an experiment amounts to: the document that is exported, and its verdict as lines of a table. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metrics.comparison import Verdict, pairs_of, verdict_of, verdicts_of
from metrics.effect import METRICS, Effect
from metrics.phrases import amounts, percent, spread
from metrics.record import RunRecord

DASH = "–"
NAMES = {
    "time_to_visible": "First text",
    "duration": "Total time",
    "duration_per_token": "Time per output token",
    "cost": "Cost",
}
_TEXTS = ("bench.prompt", "bench.response", "bench.reasoning", "bench.system_prompt", "bench.conversation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One metric of one model in words: the medians of both ways of asking, and the difference with its interval,
    complete minus streamed."""

    model_id: str
    metric: str
    complete: str
    streamed: str
    difference: str
    interval: str


def document(settings: Mapping[str, Any], records: Sequence[RunRecord], *, texts: bool = True) -> dict[str, Any]:
    """Settings, rows and verdict, in plain JSON values; without `texts` no prompt and no answer is in it. With several
    models `verdict` pools them, and `verdicts` has each."""
    each = verdicts_in_order(settings, records)
    whole = each[0] if len(each) == 1 else verdict_of(records)
    shown = dict(settings) if texts else {name: value for name, value in settings.items() if name not in _ASKED}
    found = {"settings": shown, "runs": rows(records, texts=texts), "verdict": whole.to_json()}
    return found | ({"verdicts": [verdict.to_json() for verdict in each]} if len(each) > 1 else {})


def verdicts_in_order(settings: Mapping[str, Any], records: Sequence[RunRecord]) -> list[Verdict]:
    """A verdict for each model, in the order in which the models were chosen."""
    chosen = list(settings.get("models", ()))
    return sorted(
        verdicts_of(records), key=lambda verdict: chosen.index(verdict.model_id) if verdict.model_id in chosen else 0
    )


_ASKED = ("prompts", "system")


def rows(records: Sequence[RunRecord], *, texts: bool = True) -> list[dict[str, Any]]:
    """The runs by column names, on request without what was said."""
    found = [record.to_row() for record in records]
    return found if texts else [{name: None if name in _TEXTS else row[name] for name in row} for row in found]


def lines(records: Sequence[RunRecord], verdict: Verdict) -> list[Line]:
    """The table of one model's verdict."""
    counted = pairs_of(records, verdict.model_id).counted
    found = []
    for effect in verdict.effects:
        unit, value_of = METRICS[effect.metric]
        pairs = [(value_of(pair.complete), value_of(pair.streamed)) for pair in counted]
        known = [(first, second) for first, second in pairs if first is not None and second is not None]
        complete, streamed = (statistics.median(values) for values in zip(*known, strict=True))
        found.append(
            Line(
                model_id=verdict.model_id or "",
                metric=NAMES[effect.metric],
                complete=amounts([complete], unit)[0],
                streamed=amounts([streamed], unit)[0],
                difference=_difference(effect),
                interval=_interval(effect),
            )
        )
    return found


def _values(effect: Effect) -> list[float]:
    return [value for value in (effect.estimate, effect.low, effect.high) if value is not None]


def _difference(effect: Effect) -> str:
    return amounts(_values(effect), effect.unit)[0]


def _interval(effect: Effect) -> str:
    return spread(_values(effect), effect.unit) if effect.low is not None else DASH


def precision(records: Sequence[RunRecord], model_id: str) -> float:
    """How wide the interval of the ratio of times to first text is, as a share of the ratio; infinite without one."""
    effect = verdict_of(records, model_id).effect("time_to_visible")
    if effect is None or effect.ratio is None or effect.ratio_low is None or effect.ratio_high is None:
        return math.inf
    return (effect.ratio_high - effect.ratio_low) / effect.ratio


def as_text(found: Sequence[Line], level: float) -> str:
    """The lines as a table of plain text."""
    heads = ("", "complete, median", "streamed, median", "difference", f"{percent(level)} interval")
    cells = [heads, *((line.metric, line.complete, line.streamed, line.difference, line.interval) for line in found)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
