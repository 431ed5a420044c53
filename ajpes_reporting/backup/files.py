"""Files that are hard to lose: written beside their name, flushed to the disk, then renamed."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from ajpes_reporting.private import open_private, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PART = ".part"
_BLOCK = 1 << 20


def sha256_of_bytes(content: bytes) -> str:
    """The hash, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_of(path: Path) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_durably(target: Path, content: bytes) -> None:
    """Puts a file in place, readable by its owner only, as a whole or not at all."""
    put_in_place(target, lambda part: _write(part, content))


def copy_durably(source: Path, target: Path) -> str:
    """Copies a file; gives the hash of what was copied."""
    digest = hashlib.sha256()
    put_in_place(target, lambda part: _copy(source, part, digest))
    return digest.hexdigest()


def put_in_place(target: Path, write: Callable[[Path], None]) -> None:
    """Has `write` fill a file beside `target`, and gives it that name once it is on the disk."""
    part = target.with_name(target.name + PART)
    try:
        part.unlink(missing_ok=True)  # a killed writer's
        open_private(part, "xb").close()
        write(part)
        sync(part)
        part.rename(target)
        sync(target.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _write(part: Path, content: bytes) -> None:
    part.write_bytes(content)


def _copy(source: Path, part: Path, digest: hashlib._Hash) -> None:
    with source.open("rb") as file, part.open("wb") as out:
        while block := file.read(_BLOCK):
            digest.update(block)
            out.write(block)
