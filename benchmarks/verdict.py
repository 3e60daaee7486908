"""How often the verdict is wrong: made-up experiments with a known truth, put through the code that judges real ones.

The order of the calls is that of `app.experiment_plan`, the verdict that of `metrics.comparison`. A call takes 6 s
times log-normal noise (sigma 0.2); one in twenty is an outlier, 1.8 to 4 times as long; and the endpoint drifts by a
random walk of 4 % a call. Five truths:

nothing      streaming changes nothing: whatever is claimed of the first text is claimed wrongly
order        nothing either, but the second call of each pair is 15 % faster, as with a warm cache
seconds      the first text comes exactly 3 s sooner: does the interval of the difference hold 3 s?
ratio        the first text comes after a fifth of the time: does the interval of the ratio hold 0.2? The total time is
             the same, so that whatever is claimed of it is claimed wrongly
slight       the first text comes after four fifths of the time: how often is that seen?

Then two sessions without a difference are held against each other, with no drift, with 1 % and with 4 % a call.

    python -m benchmarks.verdict [--experiments 1000] [--pairs 8 10 15 20 30 50] [--seed 0]

A thousand experiments of each kind and size take about two minutes. Exits with 1 where at 20 pairs the share of wrong
claims lies outside 3.5 to 7 % in the first world, or above 7 % in the second. There it should be lower: each pair is
judged as if its order had been drawn by itself, while the balance takes the effect of the order out.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.experiment_plan import ExperimentSettings, plan
from metrics.comparison import against, verdict_of
from metrics.effect import Effect
from metrics.record import Mode, RunRecord

BASE_S = 6.0
SIGMA = 0.2
OUTLIERS = 0.05
OUTLIER_FROM, OUTLIER_TO = 1.8, 4.0
DRIFT = 0.04
SECOND_FASTER = 0.85
SOONER_S = 3.0
RATIO = 0.2
SLIGHT = 0.8
JUDGED_AT = 20
WRONG_FROM, WRONG_TO = 0.035, 0.07


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A truth: what streaming makes of the time of an answer, what being second in a pair does, and how much the
    endpoint changes from call to call (the standard deviation of the logarithm's step)."""

    first_text_s: Callable[[float], float] = lambda total_s: total_s
    second: float = 1.0
    drift: float = DRIFT


WORLDS = {
    "nothing": World(),
    "order": World(second=SECOND_FASTER),
    "seconds": World(first_text_s=lambda total_s: total_s - SOONER_S),
    "ratio": World(first_text_s=lambda total_s: total_s * RATIO),
    "slight": World(first_text_s=lambda total_s: total_s * SLIGHT),
}
SESSIONS = {f"drift {drift:.0%}": World(drift=drift) for drift in (0.0, 0.01, DRIFT)}
TEMPLATE = RunRecord(
    run_id="",
    status="completed",
    mode="sync",
    started_at="",
    backend="local",
    request_model="made.up",
    request_stream=False,
    phase="measure",
)


def experiment(name: str, pairs: int, seed: int) -> list[RunRecord]:
    """The runs of one experiment in the world of that name. Each world and size has noise of its own."""
    world, rng = (WORLDS | SESSIONS)[name], random.Random(f"{name} {pairs} {seed}")
    settings = ExperimentSettings(models=("made.up",), prompts=("A prompt",), pairs=pairs, seed=seed, warm_up=0)
    drift, runs = 0.0, []
    for call in plan(settings):
        drift += rng.gauss(0, world.drift)
        total_s = BASE_S * math.exp(drift + rng.gauss(0, SIGMA))
        if rng.random() < OUTLIERS:
            total_s *= rng.uniform(OUTLIER_FROM, OUTLIER_TO)
        if call.order == 2:
            total_s *= world.second
        visible_s = total_s if call.mode == "sync" else world.first_text_s(total_s)
        runs.append(_run(call.number, call.pair, call.mode, visible_s, total_s))
    return runs


def _run(number: int, pair: int, mode: Mode, visible_s: float, total_s: float) -> RunRecord:
    return replace(
        TEMPLATE,
        run_id=str(number),
        pair_id=str(pair),
        mode=mode,
        request_stream=mode == "stream",
        started_at=f"2026-11-22T{number // 60:02}:{number % 60:02}:00.000000Z",
        duration_s=total_s,
        time_to_visible_s=visible_s,
    )


def effects(name: str, pairs: int, experiments: int, seed: int) -> list[tuple[Effect, Effect]]:
    """Effects on the first text and on the total time, as the verdicts on so many experiments hold them."""
    found = []
    for number in range(seed * experiments, (seed + 1) * experiments):
        verdict = verdict_of(experiment(name, pairs, number))
        first, total = verdict.effect("time_to_visible"), verdict.effect("duration")
        assert first is not None
        assert total is not None
        found.append((first, total))
    return found


def share(hits: Sequence[bool]) -> float:
    """The share of those that are true."""
    return sum(hits) / len(hits)


def claims(found: Sequence[Effect]) -> float:
    """The share that claims a difference."""
    return share([effect.reading in ("less", "more") for effect in found])


def holds(low: float | None, high: float | None, truth: float) -> bool:
    """Whether an interval holds the truth, but for rounding."""
    return low is not None and high is not None and low - 1e-9 <= truth <= high + 1e-9


def row(pairs: int, experiments: int, seed: int) -> list[float]:
    """One line of the table, in shares of 1."""
    by_world = {name: effects(name, pairs, experiments, seed) for name in WORLDS}
    nothing, order, slight = (claims([first for first, _ in by_world[name]]) for name in ("nothing", "order", "slight"))
    sooner = [first for first, _ in by_world["seconds"]]
    ratio = [first for first, _ in by_world["ratio"]]
    return [
        nothing,
        order,
        claims([total for _, total in by_world["ratio"]]),
        share([holds(effect.low, effect.high, SOONER_S) for effect in sooner]),
        share([holds(effect.median_low, effect.median_high, SOONER_S) for effect in sooner]),
        share([holds(effect.ratio_low, effect.ratio_high, RATIO) for effect in ratio]),
        slight,
    ]


def told_apart(name: str, experiments: int, seed: int) -> float:
    """The share of two sessions of 20 pairs of the same world that `against` claims a difference of."""
    shifts = [
        against(experiment(name, JUDGED_AT, 2 * number), experiment(name, JUDGED_AT, 2 * number + 1))
        for number in range(seed * experiments, (seed + 1) * experiments)
    ]
    return share([not holds(shift.low, shift.high, 1.0) for shift in shifts])


def main(arguments: list[str]) -> int:
    """Prints the table; 1 when the verdict at 20 pairs is wrong too often, or too timid."""
    parser = argparse.ArgumentParser(description="How often the verdict of an experiment is wrong.")
    parser.add_argument("--experiments", type=int, default=1000, help="of each kind")
    parser.add_argument("--pairs", type=int, nargs="+", default=[8, 10, 15, 20, 30, 50])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    print(f"{given.experiments} experiments of each kind; per cent")
    print("        wrongly claimed                      interval holds the truth            20 % sooner")
    print("pairs   nothing   order     total            seconds   (bootstrap)   ratio       seen")
    good = True
    for pairs in given.pairs:
        figures = row(pairs, given.experiments, given.seed)
        nothing, order, total, seconds, bootstrap, ratio, power = (100 * figure for figure in figures)
        print(
            f"{pairs:5}   {nothing:5.1f}     {order:5.1f}     {total:5.1f}            {seconds:5.1f}     "
            f"{bootstrap:5.1f}         {ratio:5.1f}       {power:5.1f}",
            flush=True,
        )
        inside = WRONG_FROM <= figures[0] <= WRONG_TO and figures[1] <= WRONG_TO
        good = good and (inside or pairs != JUDGED_AT)
    print("two sessions of 20 pairs without a difference, told apart wrongly:")
    print("   ".join(f"{name}: {100 * told_apart(name, given.experiments, given.seed):.1f}" for name in SESSIONS))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
