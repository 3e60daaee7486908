"""What streaming changes: from the runs of an experiment to a verdict in a sentence, with the numbers behind it.

Runs that something happened to are left out pair by pair (`metrics.pairs`); the estimates are those of
`metrics.stats`; a difference is claimed where its interval leaves out 0. docs/experiments.md says how good that is.
Figures by name, promises, and comparisons of sessions and models are to be had here, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from metrics.contrast import Contrast, between
from metrics.effect import Effect, Metric, effects_of
from metrics.figures import FigureName, Promise, TooFewRunsError, figure, parse_figure, promise
from metrics.pairs import Pair, Pairs, VoidedPair, left_out, listed, measured, pairs_of
from metrics.phrases import aside, headline, labelled
from metrics.record import RunRecord
from metrics.sessions import Shift, against
from metrics.stats import LEVEL, Percentiles, percentiles

__all__ = [
    "Contrast",
    "Effect",
    "FigureName",
    "Pair",
    "Pairs",
    "Promise",
    "Shift",
    "TooFewRunsError",
    "Verdict",
    "VoidedPair",
    "against",
    "between",
    "figure",
    "pairs_of",
    "parse_figure",
    "promise",
    "verdict_of",
    "verdicts_of",
]

WITH = "with streaming"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the paired runs say. `estimate`, `low` and `high` are seconds, complete minus streamed time to first text.

    `n` counts the pairs behind that, `voided` the pairs left out by reason. `model_id` is `None` where several models
    are pooled. `percentiles` are of the counted pairs' runs, by `time_to_visible.stream` and so on, in seconds. Under
    eight pairs there is an estimate (the median) but no interval; without any pair there is none.
    """

    sentence: str
    estimate: float | None
    low: float | None
    high: float | None
    n: int
    models: tuple[str, ...]
    simulated: bool
    voided: Mapping[str, int]
    effects: tuple[Effect, ...]
    percentiles: Mapping[str, Percentiles]
    level: float = LEVEL

    @property
    def model_id(self) -> str | None:
        """The model, where it is one."""
        return self.models[0] if len(self.models) == 1 else None

    @property
    def left_out(self) -> str:
        """`2 pairs left out: 1 failed, 1 tried again`; empty where none is."""
        return left_out(self.voided)

    def effect(self, metric: Metric) -> Effect | None:
        """The effect on one metric, where the runs have it."""
        return next((effect for effect in self.effects if effect.metric == metric), None)

    def to_json(self) -> dict[str, Any]:
        """As it stands in exports."""
        return {
            "sentence": self.sentence,
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "n": self.n,
            "model_id": self.model_id,
            "models": list(self.models),
            "simulated": self.simulated,
            "voided": dict(self.voided),
            "effects": [effect.to_json() for effect in self.effects],
            "percentiles": {name: asdict(values) for name, values in self.percentiles.items()},
        }


def verdict_of(records: Iterable[RunRecord], model_id: str | None = None) -> Verdict:
    """The verdict over the pairs of one experiment: of `model_id`, or of all models pooled.

    Pooling is sound, because the two members of a pair always have the same model, but it says little of any of them;
    `verdicts_of` takes them one by one.
    """
    rows = measured(records, model_id)
    pairs = pairs_of(rows)
    effects = effects_of((pair.complete, pair.streamed) for pair in pairs.counted)
    first = next((effect for effect in effects if effect.metric == "time_to_visible"), None)
    models = tuple(dict.fromkeys(row.request_model for row in rows if row.pair_id is not None))
    return Verdict(
        sentence=_sentence(effects, pairs, len(models)),
        estimate=first.estimate if first else None,
        low=first.low if first else None,
        high=first.high if first else None,
        n=first.n if first else 0,
        models=models,
        simulated=pairs.simulated,
        voided=pairs.reasons,
        effects=effects,
        percentiles=_percentiles(pairs.counted),
    )


def verdicts_of(records: Iterable[RunRecord]) -> tuple[Verdict, ...]:
    """One verdict for each model, in the order in which they were first asked."""
    rows = [row for row in measured(records) if row.pair_id is not None]
    return tuple(verdict_of(rows, model_id) for model_id in dict.fromkeys(row.request_model for row in rows))


def _sentence(effects: tuple[Effect, ...], pairs: Pairs, models: int) -> str:
    by_metric = {effect.metric: effect for effect in effects}
    first, total = by_metric.get("time_to_visible"), by_metric.get("duration")
    if first is None:
        said = f"No pair of runs to compare{f' ({listed(pairs.reasons)})' if pairs.voided else ''}"
    else:
        said = headline(first, WITH)
    if first is not None and total is not None and first.reading != "too few":
        said += f"; {aside(total, WITH)}"
    if first is not None and models > 1:
        heard = len({pair.streamed.request_model for pair in pairs.counted})
        said = labelled(f"Over {f'{heard} of ' if heard < models else ''}{models} models", said)
    return f"{labelled('Simulated' if pairs.simulated else '', said)}."


def _percentiles(pairs: Iterable[Pair]) -> dict[str, Percentiles]:
    found: dict[str, list[float]] = {}
    for pair in pairs:
        for mode, row in (("stream", pair.streamed), ("sync", pair.complete)):
            for metric, value in (("time_to_visible", row.time_to_visible_s), ("duration", row.duration_s)):
                if value is not None:
                    found.setdefault(f"{metric}.{mode}", []).append(value)
    return {name: percentiles(values) for name, values in found.items()}
