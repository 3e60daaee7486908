"""Whether an experiment that ends by the width of its interval claims too much: made-up experiments without an effect,
of at most 60 pairs, looked at after every ten pairs as `app.experiment` does.

    python -m benchmarks.early_ending [--experiments 500]

Prints, for some widths, how many pairs it took on average and the share of experiments that claimed something. Takes
about three minutes. Exits with 1 where that share lies above 7 %.
"""

from __future__ import annotations

import argparse
import sys

from app.experiment_plan import BLOCK
from app.experiment_result import precision
from benchmarks.verdict import WRONG_TO, experiment
from metrics.comparison import verdict_of

MOST_PAIRS = 60
WIDTHS = (0.25, 0.4, 0.6)


def ended(seed: int, narrow: float) -> tuple[int, bool]:
    """How many pairs one experiment took, and whether it claimed anything."""
    runs = experiment("nothing", MOST_PAIRS, seed)
    pairs = BLOCK
    while pairs < MOST_PAIRS and precision(runs[: 2 * pairs], "made.up") > narrow:
        pairs += BLOCK
    effect = verdict_of(runs[: 2 * pairs]).effect("time_to_visible")
    return pairs, effect is not None and effect.reading in ("less", "more")


def main() -> int:
    """Prints the table and gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=500, metavar="N")
    experiments = parser.parse_args().experiments
    worst = 0.0
    for narrow in WIDTHS:
        found = [ended(seed, narrow) for seed in range(experiments)]
        wrong = sum(claimed for _, claimed in found) / experiments
        worst = max(worst, wrong)
        print(
            f"until within {narrow:.0%}: {sum(pairs for pairs, _ in found) / experiments:.1f} pairs, {wrong:.1%} wrong"
        )
    return int(worst > WRONG_TO)


if __name__ == "__main__":
    sys.exit(main())
