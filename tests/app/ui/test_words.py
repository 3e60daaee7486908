"""Every ending and every flag has its word, and only one."""

from __future__ import annotations

from typing import get_args

from app.live import ENDED
from app.ui.present import MAIN_STATES
from app.ui.words import ENDINGS, FLAGS, flag_words
from metrics.record import RunStatus
from metrics.timing import Flag


def test_every_ending_and_every_flag_has_a_word() -> None:
    assert set(ENDINGS) == set(get_args(RunStatus))
    assert set(FLAGS) == set(get_args(Flag))


def test_an_ending_is_called_as_the_line_of_state_calls_it() -> None:
    assert {MAIN_STATES[state] for state in ENDED} | {"cut off"} == set(ENDINGS.values())


def test_a_flag_of_a_later_version_is_told_as_it_is() -> None:
    assert flag_words(("cold", "quite_new")) == ["first call", "quite new"]
