"""One model against another, or one way of asking it, on the same prompts: which answers sooner?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from metrics.effect import METRICS, Effect, effects_of, make_effect
from metrics.pairs import APART, asked, counted_runs, measured, mixed
from metrics.phrases import aside, headline, labelled
from metrics.record import Mode, RunRecord
from metrics.stats import LEVEL, Interval, hodges_lehmann_shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Two models, or two settings, on the same prompts. The effects are b minus a: positive where a takes less, and
    their ratios a divided by b.

    `n` counts the pairs of answers to the same prompt. Where the prompts differ `paired` is false, and `n` is the
    number of runs of the smaller side. `unmatched` counts runs without a partner, which are left out of pairs.
    """

    sentence: str
    names: tuple[str, str]
    n: int
    paired: bool
    unmatched: int
    effects: tuple[Effect, ...]
    simulated: bool
    level: float = LEVEL

    def to_json(self) -> dict[str, Any]:
        """As it stands in exports."""
        return asdict(self) | {"effects": [effect.to_json() for effect in self.effects]}


def between(
    records_a: Iterable[RunRecord],
    records_b: Iterable[RunRecord],
    *,
    names: tuple[str, str] | None = None,
    mode: Mode = "stream",
) -> Contrast:
    """Which of two answers sooner. The k-th answer of a to a prompt is held against the k-th of b to the same prompt;
    where fewer than half of the smaller side's runs have a partner, all are compared without pairs.

    `names` are said in the sentence, by default the model ids. Give each side runs of one model alone.
    """
    records_a, records_b = list(records_a), list(records_b)
    by_question_a, by_question_b = _numbered(records_a, mode), _numbered(records_b, mode)
    runs_a, runs_b = [*by_question_a.values()], [*by_question_b.values()]
    names = names or _names(records_a, records_b)
    both = [(by_question_b[key], run) for key, run in by_question_a.items() if key in by_question_b]
    paired = 2 * len(both) >= min(len(runs_a), len(runs_b)) > 0
    apart = mixed(runs_a, runs_b)
    effects = () if apart else effects_of(both) if paired else _unpaired(runs_b, runs_a)
    simulated = bool(effects) and runs_a[0].simulated
    silent = [name for name, runs in zip(names, (runs_a, runs_b), strict=True) if not runs]
    said = APART if apart else _words(effects, names, paired)
    if silent:
        said = f"Nothing to compare: no run {' and none '.join(f'of {name}' for name in silent)} counts."
    return Contrast(
        sentence=labelled("Simulated" if simulated else "", said),
        names=names,
        n=effects[0].n if effects else 0,
        paired=paired,
        unmatched=len(runs_a) + len(runs_b) - 2 * len(both),
        effects=effects,
        simulated=simulated,
    )


def _words(effects: tuple[Effect, ...], names: tuple[str, str], paired: bool) -> str:
    by_metric = {effect.metric: effect for effect in effects}
    first = by_metric.get("time_to_visible")
    if first is None:
        return "Nothing to compare: no two runs have a time to first text."
    whose = f"from {names[0]} than from {names[1]}"
    said = [headline(first, whose, "pairs" if paired else "runs on either side")]
    if first.reading != "too few":
        said += [aside(by_metric[metric]) for metric in ("duration", "cost") if metric in by_metric]
    note = "" if paired else " The prompts differ, so that runs are compared without pairs."
    return f"{'; '.join(said)}.{note}"


def _numbered(records: Sequence[RunRecord], mode: Mode) -> dict[Hashable, RunRecord]:
    """The runs that count, by what was asked and which time it was. Runs that do not count are numbered, too, so that
    a failure does not shift the others."""
    counted = {run.run_id for run in counted_runs(records, mode)}
    times: Counter[Hashable] = Counter()
    found: dict[Hashable, RunRecord] = {}
    for run in measured(records):
        if run.mode == mode:
            question = asked(run)
            times[question] += 1
            if run.run_id in counted:
                found[question, times[question]] = run
    return found


def _names(records_a: Iterable[RunRecord], records_b: Iterable[RunRecord]) -> tuple[str, str]:
    a, b = (" and ".join(dict.fromkeys(run.request_model for run in side)) for side in (records_a, records_b))
    return (a, b) if a != b and a and b else ("the first", "the second")


def _unpaired(firsts: Sequence[RunRecord], seconds: Sequence[RunRecord]) -> tuple[Effect, ...]:
    """Effects between runs that are no pairs. The plain median is the same estimate once more, without an interval."""
    found = []
    for metric, (_, value_of) in METRICS.items():
        first = [value for run in firsts if (value := value_of(run)) is not None]
        second = [value for run in seconds if (value := value_of(run)) is not None]
        if not first or not second:
            continue
        change, ratio = hodges_lehmann_shift(first, second), None
        if min(*first, *second) > 0:
            ratio = hodges_lehmann_shift([math.log(value) for value in second], [math.log(value) for value in first])
        plain = Interval(estimate=change.estimate, low=None, high=None)
        found.append(make_effect(metric, min(len(first), len(second)), change, ratio, plain))
    return tuple(found)
