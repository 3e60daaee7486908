"""One model against another on the same prompts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from metrics.contrast import between
from metrics.record import RunRecord
from tests.metrics.experiments import run

PROMPTS = ("Tell me of the sea.", "Count to ten.")


def answers(model: str, gain_s: float = 0.0, *, number: int = 16, **given: Any) -> list[RunRecord]:
    """Streamed answers to two prompts in turn, of which the second takes far longer."""
    return [
        run(
            k,
            "stream",
            (1.0 if k % 2 else 5.0) + 0.01 * k - gain_s,
            8.0,
            **{"pair_id": None, "request_model": model, "prompt": PROMPTS[k % 2], "run_id": f"{model}-{k}", **given},
        )
        for k in range(number)
    ]


def test_the_same_prompts_are_held_against_each_other() -> None:
    found = between(answers("a", 0.3), answers("b"))
    assert found.sentence == (
        "First text 0.30 s sooner from a than from b, 95 % interval 0.30 to 0.30 s, n = 16; "
        "total time: no practical difference (0 to 0 ms); cost: no practical difference ($0.00 to $0.00)."
    )
    assert (found.n, found.paired, found.unmatched) == (16, True, 0)
    assert found.effects[0].estimate == pytest.approx(0.3)
    assert (found.effects[0].ratio or 2) < 1


def test_exchanging_the_models_mirrors_the_effects() -> None:
    here, there = between(answers("a", 0.3), answers("b")), between(answers("b"), answers("a", 0.3))
    assert [effect.estimate for effect in here.effects] == pytest.approx([-e.estimate for e in there.effects])
    assert "0.30 s later from b than from a" in there.sentence


def test_a_failure_does_not_shift_the_others() -> None:
    rows = answers("a", 0.3)
    found = between([replace(rows[0], status="failed"), *rows[1:]], answers("b"))
    assert (found.n, found.unmatched) == (15, 1)
    assert [found.effects[0].low, found.effects[0].high] == pytest.approx([0.3, 0.3])


def test_characters_against_caches_do_not_make_another_prompt() -> None:
    rows = [replace(row, prompt=f"[{number:012x}]\n{row.prompt}") for number, row in enumerate(answers("b"))]
    assert between(answers("a", 0.3), rows).paired


def test_other_prompts_are_compared_without_pairs() -> None:
    found = between(answers("a", 0.3), answers("b", prompt="Another."))
    assert (found.paired, found.n, found.unmatched) == (False, 16, 32)
    assert found.sentence.endswith("The prompts differ, so that runs are compared without pairs.")
    assert found.effects[0].median_low is None


def test_sides_have_names() -> None:
    assert "from cold than from warm" in between(answers("a", 0.3), answers("a"), names=("cold", "warm")).sentence
    assert between(answers("a"), answers("a")).names == ("the first", "the second")


def test_few_answers_give_no_claim() -> None:
    found = between(answers("a", 0.3, number=4), answers("b"))
    assert "not enough runs to tell" in found.sentence
    assert found.sentence.endswith("n = 4; an interval needs 8 pairs.")
    assert (found.n, found.unmatched) == (4, 12)


def test_few_answers_to_other_prompts_do_not_speak_of_pairs() -> None:
    found = between(answers("a", 0.3, number=4), answers("b", prompt="Another."))
    assert not found.paired
    assert "n = 4; an interval needs 8 runs on either side. The prompts differ" in found.sentence


@pytest.mark.parametrize(("others", "paired"), [(8, True), (9, False)])
def test_half_of_the_smaller_side_needs_partners(others: int, paired: bool) -> None:
    rows = [replace(row, prompt="Another.") if k < others else row for k, row in enumerate(answers("a"))]
    assert between(rows, answers("b", number=60)).paired is paired


def test_without_runs_or_across_kinds_nothing_is_compared() -> None:
    failed = answers("a", status="failed")
    assert between(failed, answers("b")).sentence == "Nothing to compare: no run of a counts."
    assert between([], []).sentence == "Nothing to compare: no run of the first and none of the second counts."
    assert between(answers("a", simulated=True), answers("b")).effects == ()
    assert between(answers("a", simulated=True), answers("b")).sentence.startswith("Simulated runs and real ones")
    both = between(answers("a", simulated=True), answers("b", simulated=True))
    assert both.simulated
    assert both.sentence.startswith("Simulated: first text")
    assert both.to_json()["effects"][0]["reading"] == "no practical difference"
