"""A file for a result that costs something: known to be writable before, and written as a whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from providers.validation import clean_text


def check(path: Path) -> None:
    """Finds out whether `path` can be written, and leaves everything as it was. Raises `OSError`."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if _takes_all(path):  # opening a pipe would wait for its reader, and closing it would send the reader away
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return
    if path.exists():
        path.open("ab").close()
    part = _part(path)
    part.open("wb").close()
    part.unlink()


def write(path: Path, text: str) -> None:
    """Puts `text` into `path`, in UTF-8 and with split characters mended. A file is there whole, or as it was before.

    Raises `OSError`.
    """
    said = clean_text(text).encode()
    if _takes_all(path):
        path.write_bytes(said)
        return
    target, part = path.resolve(), _part(path)
    try:
        part.write_bytes(said)
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _takes_all(path: Path) -> bool:
    """A pipe or a device, which nothing may take the place of. /dev/stdout may be a file that the shell holds open."""
    return path.exists() and (not path.is_file() or path.is_relative_to("/dev"))


def _part(path: Path) -> Path:
    """Beside the file itself, because only within a file system one file takes the place of another at once."""
    target = path.resolve()
    return target.with_name(f".{os.getpid()}.{target.name[:80]}.part")
