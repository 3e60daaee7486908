"""What is kept of texts: all, their fingerprints, nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from metrics.contrast import between
from metrics.experiment_log import StoredExperiment
from metrics.pairs import asked
from metrics.record import RunRecord
from metrics.run_log import Order, RunFilter, RunLog
from metrics.silences import reader_of, text_arrivals
from metrics.texts import FINGERPRINT, Texts, fingerprint, reduced, reduced_settings, reduced_text, texts_of
from tests.metrics.experiments import experiment
from tests.metrics.leftovers import leftovers
from tests.metrics.records import record

MARKER = "heliotropeandceladon"
TALKATIVE: dict[str, Any] = {
    "prompt": f"Say {MARKER}.",
    "system_prompt": f"You love {MARKER}",
    "conversation": ({"role": "user", "text": MARKER}, {"role": "assistant", "text": f"What of {MARKER}?"}),
    "response": f"Yes: {MARKER}",
    "reasoning": f"They want {MARKER}",
    "stop_sequences": (MARKER,),
    "error_message": f"Malformed input: {MARKER}",
    "usage_raw": {"inputTokens": 7, "echo": MARKER, "more": {"words": [MARKER], "cached": 2}},
    "chunks": ((500_000_000, "reasoning", 9), (900_000_000, "text", 25)),
}
SETTINGS: dict[str, Any] = {
    "models": ["us.amazon.nova-lite-v1:0"],
    "prompts": [MARKER, f"Tell me of {MARKER}"],
    "system": MARKER,
    "notices": [f"A pair was left out: {MARKER}"],
    "pairs": 20,
    "seed": 7,
    "prompt_set": "12345678",
    "conditions": "single user",
    "of_a_later_version": {"first": [MARKER]},
}
REDUCING: tuple[Texts, ...] = ("hash", "off")


def talkative(run_id: str = "run-1", **given: Any) -> RunRecord:
    """A run with a word in every text that it has."""
    return record(run_id, **{**TALKATIVE, **given})


@pytest.fixture(params=REDUCING)
def texts(request: pytest.FixtureRequest) -> Texts:
    kept: Texts = request.param
    return kept


@pytest.fixture
def quiet(log_url: str, texts: Texts) -> Iterator[RunLog]:
    """A log that keeps no texts."""
    with RunLog(log_url, texts=texts) as opened:
        yield opened


# --- a row ------------------------------------------------------------------------------------------------------------


def test_no_text_is_left_of_a_row_and_every_figure_is(texts: Texts) -> None:
    before, after = talkative(), reduced(talkative(), texts)
    assert MARKER not in repr(after)
    assert texts_of(after) == texts
    changed = {f.name for f in fields(RunRecord) if getattr(before, f.name) != getattr(after, f.name)}
    assert changed == {*TALKATIVE, "flags"} - {"chunks"}
    assert after.usage_raw == {"inputTokens": 7, "more": {"cached": 2}}
    assert after.error_message is not None
    assert "not kept" in after.error_message


def test_equal_texts_have_equal_fingerprints() -> None:
    first, second, other = (
        reduced(talkative(run_id, prompt=prompt), "hash")
        for run_id, prompt in (("a", "The sea?"), ("b", "The sea?"), ("c", "The sea"))
    )
    assert first.prompt == second.prompt == FINGERPRINT + hashlib.sha256(b"The sea?").hexdigest()
    assert first.prompt != other.prompt
    assert [turn["role"] for turn in first.conversation] == ["user", "assistant"]


@pytest.mark.parametrize("texts", ["full", "hash"])
@pytest.mark.parametrize("name", ["prompt", "system_prompt"])
def test_calls_of_an_experiment_that_ask_the_same_are_known_as_such(texts: Texts, name: str) -> None:
    """Each of them begins with characters of its own."""
    calls = [f"[{nonce}]\nThe sea?" for nonce in ("0123456789ab", "ba9876543210")] + ["The sea?", "[note]\nThe sea?"]
    first, second, plain, other = (
        asked(reduced(record(f"run-{n}", **{"prompt": "Hi", name: text}), texts)) for n, text in enumerate(calls)
    )
    assert first == second == plain != other


def test_what_was_empty_stays_empty(texts: Texts) -> None:
    after = reduced(record(response="", prompt="Hi"), texts)
    assert (after.response, after.reasoning, after.system_prompt, after.error_message) == ("", "", None, None)


def test_a_row_is_reduced_once_and_never_restored() -> None:
    hashed, off = reduced(talkative(), "hash"), reduced(talkative(), "off")
    assert reduced(hashed, "hash") is hashed
    assert reduced(off, "hash") is off
    assert reduced(off, "off") is off
    assert reduced(hashed, "full") is hashed
    assert texts_of(reduced(hashed, "off")) == "off"
    assert FINGERPRINT not in repr(reduced(hashed, "off"))
    assert reduced(talkative(), "full") == talkative()


def test_settings_keep_their_numbers_and_the_lengths_of_their_lists(texts: Texts) -> None:
    after = reduced_settings(SETTINGS, texts)
    assert MARKER not in repr(after)
    assert len(after["prompts"]) == 2
    assert (after["models"], after["pairs"], after["conditions"]) == (SETTINGS["models"], 20, "single user")
    assert after["texts"] == texts
    assert reduced_settings(after, texts) == after
    assert after["prompt_set"] == ("" if texts == "off" else "12345678")
    assert reduced_settings(SETTINGS, "full") == SETTINGS


def test_a_fingerprint_is_not_taken_of_a_fingerprint() -> None:
    note = reduced_text("a note", "hash")
    assert note == fingerprint("a note")
    assert reduced_text(note, "hash") == note
    assert reduced_text(note, "off") == ""


# --- the log ----------------------------------------------------------------------------------------------------------


def test_no_text_comes_into_the_log(quiet: RunLog, texts: Texts) -> None:
    """S24: rows, their words, runs that have not ended and experiments, in every byte of SQLite's files."""
    quiet.keep_open([talkative("open"), talkative("run-1")])
    quiet.add(talkative())
    quiet.save_experiment(StoredExperiment(id="e", started_at="2026-11-22", settings=SETTINGS, note=f"On {MARKER}"))
    found = leftovers(quiet)
    assert MARKER.encode() not in found
    assert MARKER[4:].encode() not in found, "the index keeps beginnings of words apart"
    assert b"nova-lite" in found, "nothing was written at all"
    assert quiet.page(RunFilter(text=MARKER), Order()).total == 0
    stored = quiet.get("run-1")
    assert stored is not None
    assert texts_of(stored) == texts
    assert stored.chunks == TALKATIVE["chunks"]


def test_texts_are_in_a_log_that_was_not_told_otherwise(log: RunLog) -> None:
    """That the test above can see them."""
    log.keep_open([talkative("open")])
    log.add(talkative())
    assert leftovers(log).count(MARKER.encode()) > 4


def test_a_run_that_a_crash_left_keeps_no_texts_either(log_url: str, log: RunLog) -> None:
    """Written ahead by a process that kept them, found by one that does not."""
    log._open_runs.keep([talkative()], writer="elsewhere/1/gone", now_s=0.0)
    with RunLog(log_url, texts="off") as later:
        assert later.recover() == 1
        assert texts_of(later.recent()[0]) == "off"
        assert MARKER.encode() not in leftovers(later)


def test_equal_prompts_are_found_by_their_fingerprint(log_url: str) -> None:
    with RunLog(log_url, texts="hash") as log:
        for run_id, prompt in (("a", "The sea?"), ("b", "The sea?"), ("c", "The lake?")):
            log.add(record(run_id, prompt=prompt))
        found = log.page(RunFilter(text=fingerprint("The sea?")), Order())
        assert {row["bench.run_id"] for row in found.rows} == {"a", "b"}


# --- what reads it ----------------------------------------------------------------------------------------------------


def test_lengths_are_not_learnt_from_texts_that_were_not_kept(quiet: RunLog, log_url: str) -> None:
    quiet.add(talkative("without"))
    with RunLog(log_url) as full:
        full.add(record("with", response="Deep."))
    assert [chars for *_, chars, _ in quiet.finished_lengths()] == [5]


def test_no_reader_and_no_length_is_made_up(texts: Texts) -> None:
    streamed, complete = talkative(duration_s=2.0), talkative(mode="sync", duration_s=2.0, chunks=())
    assert reader_of(streamed) is not None
    assert reader_of(reduced(streamed, texts)) is None
    assert len(text_arrivals(complete)) == 1
    assert text_arrivals(reduced(complete, texts)) == ()
    assert text_arrivals(reduced(streamed, texts)) == text_arrivals(streamed)


def test_pairs_of_an_experiment_with_a_nonce_are_still_pairs_of_the_same_question() -> None:
    """As an experiment asks by default."""
    a = [replace(run, prompt=f"[{number:012x}]\nHi") for number, run in enumerate(experiment([1.0] * 8))]
    b = [replace(run, run_id=f"b-{run.run_id}", request_model="b", prompt=f"[{0xB:011x}b]\nHi") for run in a]
    assert between([reduced(run, "hash") for run in a], [reduced(run, "hash") for run in b]).paired


def test_questions_that_were_not_kept_are_not_taken_for_the_same() -> None:
    a = experiment([1.0] * 8, request_model="a", prompt="Hi")
    b = [replace(run, request_model="b", run_id=f"b-{run.run_id}") for run in a]
    assert between(a, b).paired
    assert between([reduced(run, "hash") for run in a], [reduced(run, "hash") for run in b]).paired
    assert not between([reduced(run, "off") for run in a], [reduced(run, "off") for run in b]).paired
