"""How far off the progress estimate is, on answers of the local model that ended by themselves under a limit.

Answers are collected through the playground's own runner and kept in a run log, so that a second evaluation costs
nothing. Then each is replayed by its own time stamps: what the page would have shown at 5, 10, … 95 % of its time is
held against the truth. The estimator knows only the answers before it, as on the page. Beside it stand the share of
the limit (`estimate_completion_progress`, and the same with the true token count) and a constant 0.5.

    python -m benchmarks.progress [--answers 200] [--keep answers.db]

Collecting 200 answers takes about half an hour on two cores. Exits with 1 where the estimator does not beat both.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from app.records import RunLabels
from app.runner import Runner
from metrics.progress import LengthHistory, ProgressEstimator, estimate_completion_progress
from metrics.record import RunRecord
from metrics.run_log import RunLog
from providers.catalog import DEFAULT_LOCAL_MODEL
from providers.connect import Backends
from providers.types import GenerationRequest, InferenceConfig, Message

MAX_TOKENS = 1024
MOMENTS = [step / 20 for step in range(1, 20)]
LENGTHS_CHARS = (30, 100, 400, 1600)
ASKED = (
    "Explain in simple words {}.",
    "What is the difference between {}?",
    "Write a short story about {}.",
    "Give me five tips for {}.",
    "Write an email to a friend about {}.",
    "Answer in one sentence: what is the point of {}?",
    "Tell me about {}, with an example.",
    "List three good and three bad sides of {}.",
)
ABOUT = (
    "growing tomatoes on a balcony",
    "tea and coffee",
    "moving to a new town",
    "learning to swim as an adult",
    "keeping bees",
    "working at night",
    "a long walk in the rain",
    "solar and wind power",
    "baking bread at home",
    "a library without books",
    "reading maps",
    "trains and planes",
    "saving money for a journey",
    "a lighthouse in winter",
    "repairing an old bicycle",
    "playing chess with a child",
    "the sea and a lake",
    "living without a car",
    "a good night's sleep",
    "speaking in front of many people",
    "a garden in a desert",
    "writing letters by hand",
    "cooking for twenty guests",
    "watching birds",
    "an old radio",
    "the first day at school",
    "cats and dogs",
    "a market on a Saturday",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer that ended by itself: its text as it stood at each moment, and what the estimator said then."""

    record: RunRecord
    texts: tuple[str, ...]
    fractions: tuple[float, ...]
    ranges_at: tuple[tuple[float, float] | None, ...]


def collect(run_log: RunLog, wanted: int) -> None:
    """Asks the local model until `wanted` answers of the log ended by themselves."""
    backends = Backends("local")
    runner = Runner(backends, run_log)
    try:
        for prompt in prompts():
            done = len(ended(run_log))
            if done >= wanted:
                return
            request = GenerationRequest(
                model_id=DEFAULT_LOCAL_MODEL,
                messages=(Message(role="user", text=prompt),),
                inference=InferenceConfig(max_tokens=MAX_TOKENS, temperature=0.7),
            )
            runner.start(request, RunLabels(mode="stream")).join()
            print(f"\r{done} of {wanted} answers", end="", file=sys.stderr, flush=True)
    finally:
        print(file=sys.stderr)
        runner.close()
        backends.close()


def prompts() -> Iterator[str]:
    """Every way to ask about every subject, mixed, without end."""
    asked = [way.format(about) for about in ABOUT for way in ASKED]
    # A step that shares no factor with their number visits all of them.
    return itertools.cycle(asked[index * 61 % len(asked)] for index in range(len(asked)))


def ended(run_log: RunLog) -> list[RunRecord]:
    """The answers that ended by themselves, oldest first."""
    records = run_log.recent(100_000, model_id=DEFAULT_LOCAL_MODEL, mode="stream", status="completed", bulky=True)
    return [record for record in reversed(records) if "truncated" not in record.flags and record.response]


def replayed(records: Sequence[RunRecord]) -> list[Answer]:
    """Each answer with what the page would have shown of its progress, knowing those before it."""
    history, answers = LengthHistory(), []
    for record in records:
        answers.append(_replay(record, history))
        history.add(record.request_model, record.mode, record.system_prompt, len(record.response))
    return answers


def _replay(record: RunRecord, history: LengthHistory) -> Answer:
    fit = history.fit(record.request_model, record.mode, record.system_prompt)
    chunks = [(at_ns, chars) for at_ns, kind, chars in record.chunks or () if kind == "text"]
    ends = list(accumulate(chars for _, chars in chunks))
    first_ns, last_ns = chunks[0][0], chunks[-1][0]
    # The page knows the limit in characters by what a token has had so far; the whole answer's share stands for it.
    limit_chars = MAX_TOKENS * len(record.response) / (record.output_tokens or 1)

    def shown(positions: Sequence[int]) -> Iterator[tuple[str, float, tuple[float, float]]]:
        estimator, read = ProgressEstimator(record.prompt, fit, limit_chars=limit_chars), 0
        for position in positions:
            estimator.add(record.response[read:position])
            read = position
            seen = estimator.estimate()
            yield record.response[:position], seen.fraction or 0.0, (seen.low or 0.0, seen.high or 1.0)

    at = [first_ns + moment * (last_ns - first_ns) for moment in MOMENTS]
    positions = [max(end for (t, _), end in zip(chunks, ends, strict=True) if t <= limit) for limit in at]
    moments = list(shown(positions))
    by_length = [
        next(iter([seen[2] for seen in shown([length])]), None) if length < len(record.response) else None
        for length in LENGTHS_CHARS
    ]
    return Answer(
        record=record,
        texts=tuple(text for text, _, _ in moments),
        fractions=tuple(fraction for _, fraction, _ in moments),
        ranges_at=tuple(by_length),
    )


def error_of(answers: Sequence[Answer], guess: Callable[[Answer, int], float], thirds: slice = slice(None)) -> float:
    """Mean over answers of the time average of |shown - true|."""
    steps = range(len(MOMENTS))[thirds]
    return statistics.mean(
        statistics.mean(abs(guess(answer, step) - MOMENTS[step]) for step in steps) for answer in answers
    )


def limit_share(answer: Answer, step: int) -> float:
    """Words of the text so far against the limit: what the plain function says."""
    return estimate_completion_progress(answer.record.prompt, answer.texts[step], MAX_TOKENS)


def token_share(answer: Answer, step: int) -> float:
    """Tokens so far against the limit, from the reported count."""
    share = len(answer.texts[step]) / len(answer.record.response)
    return min(1.0, share * (answer.record.output_tokens or 0) / MAX_TOKENS)


def coverage(answers: Sequence[Answer], index: int) -> tuple[int, float | None]:
    """Of how many answers longer than this the range was shown, and how often the truth lay within it."""
    inside = [
        seen[0] <= LENGTHS_CHARS[index] / len(answer.record.response) <= seen[1]
        for answer in answers
        if (seen := answer.ranges_at[index]) is not None
    ]
    return len(inside), statistics.mean(inside) if inside else None


def report(answers: Sequence[Answer]) -> bool:
    """Prints the figures; whether the estimator beats both."""
    lengths = sorted(len(answer.record.response) for answer in answers)
    print(f"{len(answers)} answers of {DEFAULT_LOCAL_MODEL} that ended by themselves under {MAX_TOKENS} tokens")
    print(f"length in characters: {lengths[0]} to {lengths[-1]}, median {statistics.median(lengths):.0f}")
    guesses: dict[str, Callable[[Answer, int], float]] = {
        "the estimator": lambda answer, step: answer.fractions[step],
        "words / max_tokens": limit_share,
        "tokens / max_tokens": token_share,
        "constant 0.5": lambda _answer, _step: 0.5,
    }
    thirds = (slice(0, 6), slice(6, 13), slice(13, 19))
    print(f"{'mean absolute error':<22}   all   first  middle  last third")
    for name, guess in guesses.items():
        parts = "   ".join(f"{error_of(answers, guess, third):.3f}" for third in thirds)
        print(f"{name:<22}  {error_of(answers, guess):.3f}  {parts}")
    for index, length in enumerate(LENGTHS_CHARS):
        seen, share = coverage(answers, index)
        if share is not None:
            print(f"range at {length} characters held the truth in {share:.0%} of {seen} answers (80 % are meant)")
    best = error_of(answers, guesses["the estimator"])
    return best < min(error_of(answers, guess) for name, guess in guesses.items() if name != "the estimator")


def main(arguments: list[str]) -> int:
    """Collects what is missing, prints the figures; 1 where the estimator is not the best."""
    parser = argparse.ArgumentParser(description="How far off the progress estimate is.")
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="a file for the answers, to be used again")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, RunLog(f"sqlite:///{given.keep or Path(folder) / 'a.db'}") as run_log:
        collect(run_log, given.answers)
        records = ended(run_log)[: given.answers]
    better = report(replayed(records))
    print("the estimator is the best of them" if better else "the estimator is not the best of them")
    return 0 if better else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
