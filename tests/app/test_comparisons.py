"""The board on which a page's comparison stands: what may happen when, and what is seen of it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from app.comparisons import Board, Choice, ComparisonBusy, Comparisons, PaneSettings
from app.fan_in import Entry, FanIn
from app.runner import Runner
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.local.launch import LocalEndpoint
from tests.app.test_fan_in import SLOW, SWIFT, entry
from tests.patience import until

TWO = (PaneSettings(model=SWIFT), PaneSettings(model=SLOW))


@pytest.fixture
def runner(run_log: RunLog, endpoint: LocalEndpoint) -> Iterator[Runner]:
    running = Runner(Backends("local", local_url=endpoint.url), run_log)
    yield running
    running.close()


def sent(board: Board, runner: Runner, *entries: Entry, pane: int | None = None) -> FanIn:
    runs = FanIn(runner, entries, comparison_id=board.standing().id)
    board.attach(runs, pane)
    runs.start()
    return runs


def test_from_the_question_to_the_last_answer(runner: Runner) -> None:
    board = Board("k")
    board.begin("Why?", TWO)
    assert board.busy
    assert board.standing().answers == (None, None)
    runs = sent(board, runner, entry(), entry())
    until(lambda: runs.ended)
    board.finish()
    standing = board.standing()
    assert not standing.open
    assert not board.busy
    assert [answer.state for answer in standing.answers if answer] == ["done", "done"]
    assert standing.skew_s is not None
    assert standing.again == frozenset()


def test_one_comparison_at_a_time(runner: Runner) -> None:
    board = Board("k")
    board.begin("Why?", TWO)
    with pytest.raises(ComparisonBusy, match="still being written"):
        board.begin("And?", TWO)
    with pytest.raises(ComparisonBusy):
        board.remove(0)
    runs = sent(board, runner, entry(), entry(SLOW))
    board.finish()
    until(lambda: runs.ended)
    board.begin("And?", TWO)


def test_a_stop_before_the_runs_are_there_stops_them(runner: Runner) -> None:
    board = Board("k")
    board.begin("Why?", TWO)
    board.stop()
    runs = sent(board, runner, entry(SLOW), entry(SLOW))
    until(lambda: runs.ended)
    assert {answer.state for answer in board.standing().answers if answer} == {"stopped"}


def test_runs_of_a_page_that_has_gone_are_stopped(runner: Runner) -> None:
    board = Board("k")
    board.begin("Why?", TWO)
    board.finish()
    runs = sent(board, runner, entry(SLOW), entry(SLOW))
    until(lambda: runs.ended)
    assert [answer.state for answer in runs.snapshot() if answer] == ["stopped", "stopped"]


def test_one_pane_is_stopped_by_itself(runner: Runner) -> None:
    board = Board("k")
    board.begin("Why?", TWO)
    runs = sent(board, runner, entry(SLOW), entry(max_tokens=20))
    board.stop(0)
    until(lambda: runs.ended)
    assert [answer.state for answer in board.standing().answers if answer] == ["stopped", "done"]
    board.stop(7)
    board.stop(-1)


def test_a_pane_is_asked_again_alone(runner: Runner, run_log: RunLog) -> None:
    board = Board("k")
    first = board.begin("Why?", (*TWO, *TWO[:1]))
    runs = sent(board, runner, entry("us.amazon.nova-lite-v1:0"), entry(), entry())
    until(lambda: runs.ended)
    assert board.standing().skew_s is not None
    board.finish()
    board.begin_again(0, PaneSettings(model=SWIFT))
    again = sent(board, runner, entry(), pane=0)
    until(lambda: again.ended)
    board.finish()
    standing = board.standing()
    assert standing.again == frozenset({0})
    assert standing.skew_s is None
    assert [answer.state for answer in standing.answers if answer] == ["done"] * 3
    assert standing.panes[0].model == SWIFT
    assert len(run_log.of_comparison(first.id or "")) == 3
    with pytest.raises(ValueError, match="not asked anything"):
        board.begin_again(5, PaneSettings(model=SWIFT))


def test_removing_a_pane_moves_the_others_up(runner: Runner) -> None:
    board = Board("k")
    board.begin("Why?", (*TWO, PaneSettings(model="third")))
    runs = sent(board, runner, entry(), entry(), entry(mode="sync"))
    until(lambda: runs.ended)
    board.finish()
    last = board.standing().answers[2]
    assert board.standing().skew_s is not None
    board.remove(1)
    standing = board.standing()
    assert standing.skew_s is None  # it was between answers of which one is gone
    assert [pane.model for pane in standing.panes] == [SWIFT, "third"]
    assert standing.answers[1] == last
    board.remove(9)
    assert len(board.standing().answers) == 2


def test_a_blind_race_is_shuffled_and_tells_names_after_the_first_vote() -> None:
    board = Board("k")
    panes = tuple(PaneSettings(model=str(number)) for number in range(6))
    standing = board.begin("Why?", panes, blind=True, rng=random.Random(1))
    assert sorted(pane.model for pane in standing.panes) == [pane.model for pane in panes]
    assert standing.panes != panes
    assert standing.hidden
    assert not board.choose(0)
    board.finish()
    assert board.choose(2)
    assert not board.choose("tie")
    assert board.standing().choice == 2
    assert not board.standing().hidden


def voted(choice: Choice) -> Board:
    """A blind race of four panes that is over, with a vote."""
    board = Board("k")
    board.begin("Why?", [PaneSettings(model=str(number)) for number in range(4)], blind=True)
    board.finish()
    assert board.choose(choice)
    return board


@pytest.mark.parametrize(
    ("choice", "removed", "left"), [(2, 0, 1), (2, 1, 1), (2, 3, 2), (2, 2, None), (2, 9, 2), ("tie", 0, "tie")]
)
def test_a_vote_stays_with_its_answer(choice: Choice, removed: int, left: Choice | None) -> None:
    board = voted(choice)
    chosen = board.standing().panes[choice] if isinstance(choice, int) else None
    board.remove(removed)
    standing = board.standing()
    assert standing.choice == left
    assert not standing.hidden
    if isinstance(standing.choice, int):
        assert standing.panes[standing.choice] == chosen


def test_letters_stay_with_their_answers_when_names_are_told() -> None:
    board = voted(2)
    assert board.standing().letters == ("A", "B", "C", "D")
    board.remove(1)
    board.begin_again(0, PaneSettings(model="other"))
    assert board.standing().letters == ("A", "C", "D")
    board.finish()
    board.begin("And?", TWO)
    assert board.standing().letters == ()


def test_a_vote_was_between_other_answers_than_those_of_a_pane_that_is_asked_again() -> None:
    board = voted(2)
    standing = board.begin_again(2, PaneSettings(model="other"))
    assert standing.choice is None
    assert not standing.hidden
    assert standing.panes[2].model == "other"


def test_a_blind_pane_that_is_asked_again_stays_blind() -> None:
    board = Board("k")
    board.begin("Why?", TWO, blind=True)
    board.finish()
    assert board.begin_again(0, PaneSettings(model="other")).hidden


def test_names_can_be_told_without_a_vote() -> None:
    board = Board("k")
    board.begin("Why?", TWO, blind=True)
    board.finish()
    board.reveal()
    assert not board.standing().hidden
    assert not board.choose(0)


def test_a_race_that_is_not_blind_takes_no_vote() -> None:
    board = Board("k")
    board.begin("Why?", TWO)
    board.finish()
    assert not board.choose(0)


def test_the_same_key_finds_the_same_board() -> None:
    boards = Comparisons()
    key = "a" * 32
    assert boards.open(key) is boards.open(key)
    assert boards.open("no key") is not boards.open("no key")
