"""Experiments and votes beside the runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from metrics.experiment_log import StoredExperiment, Vote
from metrics.run_log import RunLog, RunLogError
from tests.metrics.records import record


def experiment(second: int = 0, **given: Any) -> StoredExperiment:
    started_at = f"2026-11-22T07:15:{second:02}.000000Z"
    return StoredExperiment(**{"id": f"e{second}", "started_at": started_at, "settings": {"pairs": 20}} | given)


def vote(comparison: str = "c", run_id: str | None = "run-1", second: int = 0) -> Vote:
    return Vote(comparison_id=comparison, run_id=run_id, voted_at=f"2026-11-22T07:15:{second:02}.000000Z")


def test_an_experiment_comes_back_as_it_was(log: RunLog) -> None:
    kept = experiment(settings={"seed": 2**53, "prompt": "é", "models": ["a", None]}, pinned=True, note="baseline")
    log.save_experiment(kept)
    assert log.experiment("e0") == kept
    assert log.experiment("nothing") is None


def test_saving_again_replaces_it(log: RunLog) -> None:
    log.save_experiment(experiment())
    log.save_experiment(experiment(note="said later"))
    assert [found.note for found in log.experiments()] == ["said later"]


def test_experiments_newest_first(log: RunLog) -> None:
    for second in (2, 9, 5):
        log.save_experiment(experiment(second))
    assert [found.id for found in log.experiments()] == ["e9", "e5", "e2"]
    assert [found.id for found in log.experiments(1)] == ["e9"]


def test_pinning(log: RunLog) -> None:
    log.save_experiment(experiment())
    assert log.pin("e0")
    assert log.experiment("e0") == experiment(pinned=True)
    assert log.pin("e0", pinned=False)
    assert log.experiment("e0") == experiment()
    assert not log.pin("nothing")


def test_one_experiment_saved_by_many_threads(log: RunLog) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(log.save_experiment, [experiment(note=str(n)) for n in range(16)]))
    assert len(log.experiments()) == 1


def test_runs_of_an_experiment_and_of_a_comparison_oldest_first(log: RunLog) -> None:
    for second in (3, 1, 2):
        started_at = f"2026-11-22T07:15:0{second}.000000Z"
        given = {"experiment_id": "e", "comparison_id": "c", "chunks": ((1, "text", 2),)}
        log.add(record(f"run-{second}", started_at=started_at, **given))
    log.add(record("apart"))
    for runs_of in (log.of_experiment, log.of_comparison):
        name = "e" if runs_of == log.of_experiment else "c"
        assert [found.run_id for found in runs_of(name)] == ["run-1", "run-2", "run-3"]
        assert runs_of(name)[0].chunks is None
        assert runs_of(name, bulky=True)[0].chunks == ((1, "text", 2),)
        assert runs_of("nothing") == []


def test_runs_of_several_comparisons_at_once(log: RunLog) -> None:
    for number, name in enumerate(("c", "d", "c", "e")):
        log.add(record(f"run-{number}", comparison_id=name, prompt="Why?", response="Because.", time_to_visible_s=0.5))
    log.add(record("apart"))
    found = log.of_comparisons(["c", "e", "nothing"])
    assert {name: [run.run_id for run in runs] for name, runs in found.items()} == {
        "c": ["run-0", "run-2"],
        "e": ["run-3"],
    }
    assert found["e"][0].time_to_visible_s == 0.5
    assert not found["e"][0].prompt + found["e"][0].response
    assert log.of_comparisons([]) == {}


def test_the_first_vote_of_a_comparison_stands(log: RunLog) -> None:
    assert log.add_vote(vote(second=2))
    assert not log.add_vote(vote(run_id="run-2", second=3))
    assert log.add_vote(vote("tie", None, second=1))
    assert log.votes() == [vote("tie", None, second=1), vote(second=2)]


def test_what_cannot_be_written_is_a_sentence(log: RunLog) -> None:
    with pytest.raises(RunLogError, match="could not be written"):
        log.save_experiment(experiment(settings={"oops": object()}))
