"""Reads JSON of any origin as a stream, safely."""

from __future__ import annotations

import re
from typing import Protocol

from ajpes_reporting.i18n import _

# Where Python refuses to make a number of so many digits (4,300 by default, 640 at least), ijson 3.6 takes
# the refusal for a result, and the whole process down with it.
_MOST_DIGITS = 600
_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % _MOST_DIGITS)


class LongNumber(ValueError):
    """A document holds more digits in a row than any number of ours has."""

    def __init__(self) -> None:
        self.reason = _("the JSON holds a number of {digits} digits or more", digits=_MOST_DIGITS)
        super().__init__(self.reason)


class Source(Protocol):
    """A document as a stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Returns at most `size` bytes, all that are left if it is negative, and none at the end."""
        ...


class Guarded:
    """A source for ijson. Reading raises `LongNumber` before ijson would see a number that brings it down."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._end = b""

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes of the source, none at its end. Raises `LongNumber`."""
        block = self._source.read(size)
        if _LONG_NUMBER.search(self._end + block):
            raise LongNumber
        self._end = (self._end + block)[1 - _MOST_DIGITS :]
        return block
