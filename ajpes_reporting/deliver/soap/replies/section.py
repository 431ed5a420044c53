"""A part of a file that is read as if it were a file, so that large replies are never copied or held."""

from __future__ import annotations

import os
from io import RawIOBase
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES = 1 << 20
BLANKS = b" \t\r\n\0"
"""What may stand before and after a document without belonging to it."""


class Section(RawIOBase):
    """The bytes of `file` from `start` up to `end`; several may lie in one file."""

    def __init__(self, file: IO[bytes], start: int = 0, end: int | None = None) -> None:
        self._file = file
        self._start = start
        self._end = file.seek(0, os.SEEK_END) if end is None else max(start, end)
        self._next = start

    @property
    def size_bytes(self) -> int:
        return self._end - self._start

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from here, or all that are left."""
        left = self._end - self._next
        self._file.seek(self._next)
        block = self._file.read(left if size < 0 else min(size, left))
        self._next += len(block)
        return block

    def readinto(self, buffer: WriteableBuffer) -> int:
        """For those that read through a buffer of their own."""
        view = memoryview(buffer).cast("B")
        block = self.read(len(view))
        view[: len(block)] = block
        return len(block)

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes on reading at this offset, by default from its beginning."""
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._next, os.SEEK_END: self._end}[whence]
        self._next = base + offset
        return self._next - self._start

    def part(self, start: int, end: int) -> Section:
        """A part of it, by offsets from its beginning."""
        return Section(self._file, self._start + start, self._start + end)

    def head(self, size: int) -> bytes:
        """Returns the first bytes; reading goes on at the beginning."""
        self.seek(0)
        first = self.read(size)
        self.seek(0)
        return first

    def trimmed(self) -> Section:
        """Without the blanks and NULs round it."""
        return self._without_leading()._without_trailing()

    def _without_leading(self) -> Section:
        self.seek(0)
        passed = 0
        while block := self.read(BLOCK_BYTES):
            rest = block.lstrip(BLANKS)
            passed += len(block) - len(rest)
            if rest:
                break
        return self.part(passed, self.size_bytes)

    def _without_trailing(self) -> Section:
        end = self.size_bytes
        while end > 0:
            begin = max(0, end - BLOCK_BYTES)
            self.seek(begin)
            rest = self.read(end - begin).rstrip(BLANKS)
            end = begin + len(rest)
            if rest:
                break
        return self.part(0, end)
