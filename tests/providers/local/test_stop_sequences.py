"""Stop sequences over any cut of the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from providers.local.stop_sequences import StopScanner

FEW_LETTERS = st.text("ab\n", max_size=20)


def scan(pieces: list[str], sequences: list[str]) -> tuple[str, str | None]:
    scanner, out = StopScanner(sequences), ""
    for piece in pieces:
        out += scanner.feed(piece)
        if scanner.found is not None:
            return out, scanner.found
    return out + scanner.rest(), None


@given(st.lists(FEW_LETTERS, max_size=8), st.lists(st.text("ab\n", max_size=4), max_size=3))
def test_the_cut_of_the_text_does_not_matter(pieces: list[str], sequences: list[str]) -> None:
    letters = [letter for piece in pieces for letter in piece]
    out, found = scan(letters, sequences)
    text = "".join(pieces)
    ends = [text.find(sequence) for sequence in sequences if sequence and sequence in text]
    if not ends:
        assert (out, found) == (text, None)
    else:
        # Letter by letter the sequence that is complete first wins; the text before it holds none.
        assert found is not None
        assert text.startswith(out + found)
        assert not any(sequence in out for sequence in sequences if sequence)


@given(FEW_LETTERS, st.text("ab\n", min_size=1, max_size=4))
def test_one_piece_is_cut_at_the_first_occurrence(text: str, sequence: str) -> None:
    out, found = scan([text], [sequence])
    assert out == text.partition(sequence)[0]
    assert found == (sequence if sequence in text else None)


def test_only_what_could_become_a_stop_sequence_is_held_back() -> None:
    scanner = StopScanner(["\n\nHuman:"])
    assert scanner.feed("Yes.\n") == "Yes."
    assert scanner.feed("\nHum") == ""
    assert scanner.feed("ans") == "\n\nHumans"
    assert scanner.found is None


def test_without_stop_sequences_text_passes_through() -> None:
    scanner = StopScanner(())
    assert scanner.feed("abc") == "abc"
    assert scanner.rest() == ""


def test_an_empty_stop_sequence_is_none_at_all() -> None:
    assert scan(["abc"], [""]) == ("abc", None)
