"""Makes files and folders that only their owner can read, from the first byte on, whatever the umask.

Ledger, reports and answers hold names and account numbers. A file that is made wide and narrowed
afterwards was open in between, and stays open to whoever has opened it; so each is made narrow.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal, TextIO, overload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILE, _FOLDER = 0o600, 0o700
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH

UMASK = _OTHERS
"""The umask of our processes, so that libraries keep the rule, too."""


@overload
def open_private(path: Path, mode: Literal["wb", "xb"]) -> BinaryIO: ...
@overload
def open_private(path: Path, mode: Literal["w", "x"], **text: Any) -> TextIO: ...
def open_private(path: Path, mode: str, **text: Any) -> IO[Any]:
    """Opens a file for writing, as `open` does; an existing file is closed to others first."""
    return open(path, mode, opener=_open_narrow, **text)


def make_file(path: Path) -> None:
    """Makes an empty file if there is none, without opening it: closing it would cost SQLite its locks."""
    with suppress(FileExistsError):
        os.mknod(os.path.realpath(path), _FILE | stat.S_IFREG)


def make_folder(path: Path) -> None:
    """Makes a folder, with those above it, if there is none; an existing folder is left as it is."""
    if not path.is_dir():
        make_folder(path.parent)
        with suppress(FileExistsError):  # another process was quicker
            path.mkdir(mode=_FOLDER)


def sync(path: Path) -> None:
    """Flushes a file, or the names in a folder, to the disk: a power cut can take neither afterwards."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def close_to_others(path: Path) -> None:
    """Closes a file or folder that an older version made to everybody but its owner."""
    with suppress(FileNotFoundError, PermissionError):  # `doctor` tells of what is not ours to close
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)


def open_to_others(place: Path) -> Iterator[Path]:
    """Yields the files at or below a place that others may read; in a closed folder they can read none."""
    with suppress(OSError):  # gone, or not ours to look into
        mode = place.lstat().st_mode
        if not place.parent.stat().st_mode & _OTHERS_ENTER:
            return
        if stat.S_ISREG(mode) and mode & _OTHERS_READ:
            yield place
        elif stat.S_ISDIR(mode):
            for inside in sorted(place.iterdir()):
                yield from open_to_others(inside)


def _open_narrow(path: str, flags: int) -> int:
    number = os.open(path, flags & ~os.O_TRUNC, _FILE)
    try:
        mode = os.fstat(number).st_mode
        if stat.S_ISREG(mode):
            if mode & _OTHERS:
                os.fchmod(number, _FILE)  # another's file cannot be closed to others, and stays as it is
            if flags & os.O_TRUNC:
                os.ftruncate(number, 0)
    except BaseException:
        os.close(number)
        raise
    return number
