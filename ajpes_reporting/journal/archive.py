"""The exact bytes of everything sent and received, compressed, never overwritten.

Files lie under `archive/YYYY/MM/` with the name they had on the wire, a serial mark and `.zst`;
any zstd program reads them.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import logging
import os
import secrets
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zstandard

from ajpes_reporting.domain.errors import AjpesReportingError, Busy, ChecksRefused, UsageError
from ajpes_reporting.i18n import _
from ajpes_reporting.i18n.system import reason_of, system_reason
from ajpes_reporting.journal.sent_log import SentLog
from ajpes_reporting.private import make_folder, open_private, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

_log = logging.getLogger(__name__)

_BLOCK = 1 << 20
_PACKED_BLOCK = 1 << 16
# Of a stranger's file little is unpacked at once: four bytes may stand for 128 KiB. Reports pack to a tenth.
_STRANGERS_BLOCK = 1 << 9
_MOST_TIMES_AS_LARGE = 100
_LEAST_ALLOWED = 1 << 26
_LARGEST_WINDOW = 1 << 27


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the archive. `path` is relative to it; the hash and the size are of the plain bytes."""

    path: str
    size_bytes: int
    sha256: str


class Archive:
    """The archive below the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sent_log = SentLog(root)

    def store(self, source: Path, name: str, at: datetime) -> Stored:
        """Keeps a copy of `source`; it is on the disk when this returns.

        Raises `AjpesReportingError` if the disk does not take it; then nothing is kept.
        """
        digest, size = hashlib.sha256(), 0

        def seen() -> Iterator[bytes]:
            nonlocal size
            with source.open("rb") as plain:
                while block := plain.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
                    yield block

        target = self._keep(name, at, lambda partial: pack(seen(), partial))
        return Stored(target, size, digest.hexdigest())

    def take_over(self, packed: Path, size_bytes: int, sha256: str, name: str, at: datetime) -> Stored:
        """Moves a file in that `pack` has written; it is on the disk when this returns.

        The size and the hash are of its plain bytes. Raises `AjpesReportingError` if the disk does not
        take it.
        """
        return Stored(self._keep(name, at, packed.rename), size_bytes, sha256)

    def _keep(self, name: str, at: datetime, make: Callable[[Path], object]) -> str:
        folder = self.root / f"{at:%Y}" / f"{at:%m}"
        target = folder / f"{name}.{secrets.token_hex(4)}.zst"
        partial = target.with_suffix(".part")
        try:
            make_folder(folder)
            make(partial)
            sync(partial)
            partial.rename(target)
            sync(folder)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            raise AjpesReportingError(
                _(
                    "{name} could not be archived in {folder}: {reason}. It was not sent or applied.",
                    name=name,
                    folder=str(folder),
                    reason=system_reason(error),
                ),
                _("make room on the disk, or correct the folder's rights, then run again"),
            ) from error
        return target.relative_to(self.root).as_posix()

    def extract(self, path: str, target: Path) -> None:
        """Writes the plain bytes of an archived file into `target`. Raises `UsageError` if it is damaged."""
        with open_private(target, "wb") as out:
            for block in self.blocks(path):
                out.write(block)

    def blocks(self, path: str) -> Iterator[bytes]:
        """The plain bytes, block by block. Raises `UsageError` if the file is missing or damaged."""
        try:
            yield from _decompress(self.root / path)
        except (OSError, ValueError, zstandard.ZstdError) as error:
            raise UsageError(
                _(
                    "The archived file {path} cannot be read: {reason}.",
                    path=str(path),
                    reason=reason_of(error),
                ),
                _("restore the archive from a backup"),
            ) from None

    def recall(self, name: str) -> Iterator[Stored]:
        """The files that were kept under this name, the oldest first; a damaged one is left out.

        A `*` stands for any part of the name.
        """
        pattern = "*".join(map(glob.escape, name.split("*")))
        for path in sorted(self.root.glob(f"[0-9]*/[0-9]*/{pattern}.*.zst")):
            digest, size = hashlib.sha256(), 0
            relative = path.relative_to(self.root).as_posix()
            try:
                for block in self.blocks(relative):
                    digest.update(block)
                    size += len(block)
            except UsageError as error:
                _log.error("An answer was not taken in. %s", error.message)
                continue
            yield Stored(relative, size, digest.hexdigest())

    def intact(self, path: str, sha256: str) -> bool:
        """Whether the archived bytes still have this hash."""
        digest = hashlib.sha256()
        try:
            for block in self.blocks(path):
                digest.update(block)
        except UsageError:
            return False
        return digest.hexdigest() == sha256

    def has(self, path: str) -> bool:
        """Whether there is a file of this name, whatever is in it."""
        return (self.root / path).is_file()

    def remove(self, path: str) -> bool:
        """Removes a file whose time is over; tells whether it was there. See `pipeline.purge`.

        Raises `AjpesReportingError` if the disk does not allow it.
        """
        target = self.root / path
        try:
            target.unlink()
            sync(target.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise AjpesReportingError(
                _(
                    "The archived file {path} could not be removed: {reason}.",
                    path=str(target),
                    reason=system_reason(error),
                ),
                _("correct the rights of its folder, then purge again"),
            ) from error
        return True

    @contextmanager
    def nothing_removed(self) -> Iterator[None]:
        """While it lasts no file is removed. Raises `Busy` while files are being removed."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def removing(self) -> Iterator[None]:
        """While it lasts files may be removed. Raises `Busy` while somebody needs all of them."""
        with self._locked(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        make_folder(self.root)
        handle = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Busy(
                _(
                    "The files of {folder} are in use by a backup, or being purged. Nothing was done.",
                    folder=str(self.root),
                ),
                _("wait until that has ended, then try again"),
            ) from None
        finally:
            os.close(handle)


def pack(blocks: Iterable[bytes], target: Path) -> None:
    """Writes blocks into a packed file, as the archive keeps it."""
    packer = zstandard.ZstdCompressor(level=1, write_checksum=True)
    with open_private(target, "wb") as out, packer.stream_writer(out, closefd=False) as packed:
        for block in blocks:
            packed.write(block)


def is_packed(file: Path) -> bool:
    """Whether the file begins as a packed one does; not so if it cannot be read."""
    try:
        with file.open("rb") as packed:
            return packed.read(len(zstandard.FRAME_HEADER)) == zstandard.FRAME_HEADER
    except OSError:
        return False


def unpack(packed: Path, target: Path) -> None:
    """Writes the plain bytes of a packed file of any origin.

    Raises `ChecksRefused` if it is damaged, or unpacks to more than any report of its size would.
    """
    most = max(_LEAST_ALLOWED, packed.stat().st_size * _MOST_TIMES_AS_LARGE)
    written = 0
    try:
        with open_private(target, "wb") as out:
            for block in _decompress(packed, _STRANGERS_BLOCK):
                written += len(block)
                if written > most:
                    raise ChecksRefused(
                        _(
                            "{file} unpacks to more than any report would. Nothing of it was read.",
                            file=packed.name,
                        ),
                        _("do not use it; ask where it comes from"),
                    )
                out.write(block)
    except (OSError, ValueError, zstandard.ZstdError) as error:
        raise ChecksRefused(
            _("{file} cannot be unpacked: {reason}.", file=packed.name, reason=reason_of(error)),
            _("have the file fetched again; half a file ends like this"),
        ) from None


def _decompress(source: Path, block_bytes: int = _PACKED_BLOCK) -> Iterator[bytes]:
    """The plain bytes. Unlike zstandard's own reader it minds when the file is cut off."""
    unpacker = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj()
    with source.open("rb") as packed:
        while not unpacker.eof:
            if not (block := packed.read(block_bytes)):
                raise ValueError(_("the file is cut off"))
            yield unpacker.decompress(block)
        if unpacker.unused_data or packed.read(1):
            raise ValueError(_("something follows its end"))
