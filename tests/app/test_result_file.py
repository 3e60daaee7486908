"""A result is written whole or not at all, and whether it can be is known before it costs anything."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from app import result_file


def test_checking_leaves_everything_as_it_was(tmp_path: Path) -> None:
    there = tmp_path / "there.json"
    there.write_text("before")
    result_file.check(there)
    result_file.check(tmp_path / "new.json")
    assert [path.name for path in tmp_path.iterdir()] == ["there.json"]
    assert there.read_text() == "before"


@pytest.mark.parametrize("name", ["/proc/foo.json", "/no/such/folder/foo.json", "/", "x" * 300])
def test_what_cannot_be_written_is_found_before(name: str) -> None:
    with pytest.raises(OSError, match=r"\w"):
        result_file.check(Path(name))


def test_a_file_is_written_with_its_rights_and_through_its_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    result_file.write(link, "half \ud83d of it")
    assert target.read_text("utf-8") == "half \ufffd of it"
    assert target.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "target.json"]


def test_what_fails_leaves_no_half_file(tmp_path: Path) -> None:
    target = tmp_path / "target.json"
    target.mkdir()
    (tmp_path / "gone").mkdir()
    with pytest.raises(OSError, match=r"\w"):
        result_file.write(tmp_path / "gone" / ".." / "nowhere" / "x.json", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gone", "target.json"]


def test_a_file_that_the_shell_holds_open_stays_the_same_file(tmp_path: Path) -> None:
    with (tmp_path / "redirected").open("w") as held:
        result_file.write(Path(f"/dev/fd/{held.fileno()}"), "text")
        assert os.fstat(held.fileno()).st_nlink == 1, "nothing took its place"
    assert (tmp_path / "redirected").read_text("utf-8") == "text"


def test_a_pipe_keeps_its_reader_and_gets_the_text(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text("utf-8")), daemon=True)
    reader.start()
    result_file.check(pipe)
    result_file.write(pipe, "text")
    reader.join(5)
    assert got == ["text"]
    assert pipe.is_fifo()
