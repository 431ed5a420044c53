"""Standard input and output as the program was given them: closed, broken off, full, or in another encoding.

Whether anybody reads what is printed decides nothing: the work is done, and the exit code is that of
the work.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import traceback
from typing import TYPE_CHECKING, TextIO

from ajpes_reporting.cli.output import echo
from ajpes_reporting.i18n import _, verbatim
from ajpes_reporting.i18n.system import system_reason

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed import ReadableBuffer

_INPUT, _OUTPUT, _ERROR = 0, 1, 2


class Streams:
    """Takes the place of the streams Python made; made before anything else is opened."""

    def __init__(self) -> None:
        for number in (_INPUT, _OUTPUT, _ERROR):
            _open_if_closed(number)
        sys.stdin = sys.stdin or os.fdopen(_INPUT, closefd=False)
        self._output, self._error = _Outlet(_OUTPUT), _Outlet(_ERROR)
        sys.stdout = _text(self._output, sys.stdout)
        sys.stderr = _text(self._error, sys.stderr)
        sys.excepthook = _show_fault

    def tell_what_was_lost(self) -> None:
        """Says on stderr that the output was not written, unless its reader just went away (`| head`)."""
        failure = self._output.failure
        if failure is not None and failure.errno != errno.EPIPE:
            echo(
                _(
                    "The output could not be written: {reason}. The work is done; the exit code says what "
                    "it came to.",
                    reason=system_reason(failure),
                ),
                err=True,
            )


class _Outlet(io.RawIOBase):
    """A stream that takes everything; after the first failure nothing of it goes anywhere."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def write(self, block: ReadableBuffer, /) -> int:
        if self.failure is None:
            try:
                return self._write(block)
            except OSError as error:
                self.failure = error
        return len(memoryview(block))

    def _write(self, block: ReadableBuffer) -> int:
        while True:
            try:
                return os.write(self._number, block)
            except BlockingIOError:  # whoever started us shares a pipe that does not wait
                select.select([], [self._number], [])


def _open_if_closed(number: int) -> None:
    """Or the next file that is opened, such as the database, would be written to by every `print`."""
    try:
        os.fstat(number)
    except OSError:  # all below it are open, so it is the next that is given out
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _text(outlet: _Outlet, given: TextIO | None) -> io.TextIOWrapper:
    """In the encoding that Python chose; what it has no letter for is shown escaped."""
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=given.encoding if given else "utf-8",
        errors="backslashreplace",
        line_buffering=outlet.isatty() or outlet.fileno() == _ERROR,
    )


def _show_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of ours; its words may be a stranger's, and none of its lines looks like one of ours."""
    echo(_("The program failed."), err=True)
    for line in "".join(traceback.format_exception(kind, error, trace)).splitlines():
        echo(verbatim(line), err=True, indent=2)
