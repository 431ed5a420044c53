"""A CSV file, read as a stream: its header, then its rows in the order of the ledger's columns.

Facts cannot be taken back, so a file that may have been cut off is refused: one whose last line
has no end, or has too few values.
"""

from __future__ import annotations

import csv
import io
import os
import stat
from contextlib import closing
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

from ajpes_reporting.domain.errors import LedgerRefused, UsageError
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.i18n import Message, _, _n, sentences
from ajpes_reporting.i18n.libraries import csv_reason
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.ledger.kinds import recognise, require_columns

if TYPE_CHECKING:
    from _csv import Reader
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from ajpes_reporting.ledger.intake import Line
    from ajpes_reporting.ledger.kinds import Kind

_BLOCK_BYTES = 1 << 18
_LONGEST_LINE = 4 << 20  # in bytes; the fields of a row have less than a thousand characters together
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_MARK = "\ufeff"  # of UTF-8; some programs write it twice
_AS_UTF_8 = _("save the file as UTF-8 (in a spreadsheet: “CSV UTF-8”)")


class _UnreadableError(ValueError):
    """The file ends being text; `finding` says where and how."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def kind_of(path: Path) -> Kind:
    """The kind of facts in the file, by its header.

    Raises UsageError if the file cannot be read, LedgerRefused if its header is none of ours.
    """
    with closing(_lines(path)) as lines:
        try:
            return recognise(_header(_csv(lines)), path.name)
        except _UnreadableError as unreadable:
            finding = unreadable.finding
            message = _("{file} was not read: 1 error.", file=path.name)
            raise LedgerRefused(message, sentences([finding.remedy]), [finding]) from None


def rows(path: Path, kind: Kind) -> Generator[Line | Finding, None, None]:
    """The rows with their lines; a finding in the place of what is not a row.

    Raises UsageError if the file cannot be read, LedgerRefused if it is of another kind by now.
    """
    with closing(_lines(path)) as lines:
        try:
            reader = _csv(lines)
            header = _header(reader)
            require_columns(header, kind, path.name)
            yield from _rows(reader, header, kind)
        except _UnreadableError as unreadable:
            yield unreadable.finding


def _rows(reader: Reader, header: list[str], kind: Kind) -> Generator[Line | Finding, None, None]:
    absent = len(header)  # where an empty text is added for the columns that the file leaves out
    places = (header.index(column) if column in header else absent for column in kind.columns)
    pick = itemgetter(*places)
    line = reader.line_num + 1
    try:
        for row in reader:
            if len(row) == absent:
                row.append("")
                yield line, pick(row)
            elif row:
                yield _wrong_width(line, len(row), absent)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _UnreadableError(_not_csv(error, reader)) from None


def _csv(lines: Iterator[str]) -> Reader:
    first = next(lines, "").lstrip(_MARK)
    delimiter = ";" if ";" in first else ","
    return csv.reader(chain((first,), lines), delimiter=delimiter, strict=True)


def _header(reader: Reader) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise _UnreadableError(_not_csv(error, reader)) from None
    if any("\0" in name for name in header):
        raise _UnreadableError(_finding(1, _("the file holds NUL characters, as UTF-16 does"), _AS_UTF_8))
    return header


def _lines(path: Path) -> Generator[str, None, None]:
    try:
        _require_file(path)
        with _open(path) as stream:
            try:
                yield from stream
            except UnicodeDecodeError:
                raise _UnreadableError(_not_utf8(path)) from None
        if not _ends_with_a_line(path):
            raise _UnreadableError(_cut_off(path))
    except OSError as error:
        message = _("{path} cannot be read: {reason}.", path=str(path), reason=system_reason(error))
        raise UsageError(message, _("check the path")) from error


def _require_file(path: Path) -> None:
    """Refuses a pipe or a device: the file is read more than once, and to its end."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        message = _("{path} cannot be read: it is a folder.", path=str(path))
        raise UsageError(message, _("name the files in it"))
    if not stat.S_ISREG(mode):
        raise UsageError(
            _("{path} cannot be read: it is a pipe or a device.", path=str(path)),
            _("save what comes from it as a file"),
        )


def _open(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(_InLargeBlocks(io.FileIO(path)), encoding="utf-8-sig", newline="")


class _InLargeBlocks(io.BufferedReader):
    """A file read in large blocks, so that other threads get their turn.

    With each look into the file the interpreter is let go for a moment, too short for another thread to wake
    up and take it. Every 8 KiB, as text is read elsewhere, a thread that waits would hardly get it.

    A line without an end is not read on until memory is full.
    """

    _lines = _bytes_of_line = 0

    def read1(self, _size: int = -1, /) -> bytes:
        block = super().read1(_BLOCK_BYTES)
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._bytes_of_line = len(block) + (self._bytes_of_line if end < 0 else -end)
        if self._bytes_of_line > _LONGEST_LINE:
            raise _UnreadableError(_too_long(self._lines + 1))
        self._lines += block.count(b"\n")
        return block


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as stream:
        if not stream.seek(0, os.SEEK_END):
            return True  # there is nothing that could be cut off
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) in b"\r\n"


def _not_utf8(path: Path) -> Finding:
    """A second, slower look that finds the place."""
    with path.open("rb") as stream:
        lines = iter(lambda: stream.readline(_LONGEST_LINE), b"")
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return _wrong_byte(number, line, error.start)
    return _finding(1, _("the file was changed while it was read"), _("import it when it is whole"))


def _too_long(line: int) -> Finding:
    return _finding(
        line,
        _("the line has more than {most:count} bytes", most=_LONGEST_LINE),
        _("export it again; every row has a line of its own"),
    )


def _not_csv(error: csv.Error, reader: Reader) -> Finding:
    limit = csv.field_size_limit()
    if f"({limit})" in str(error):
        message = _(
            "a value has more than {most:count} characters, or a quotation mark is not closed", most=limit
        )
    else:
        message = _("the file is not CSV ({reason})", reason=csv_reason(str(error)))
    remedy = _("close every quotation mark, and double those within a value")
    return _finding(reader.line_num, message, remedy)


def _wrong_byte(number: int, line: bytes, place: int) -> Finding:
    if number == 1 and line.startswith(_UTF_16):
        message = _("the file is UTF-16, not UTF-8")
    else:
        message = _(
            "byte {byte} at place {place} of the line is not UTF-8",
            byte=f"0x{line[place]:02X}",
            place=place + 1,
        )
    return _finding(number, message, _AS_UTF_8)


def _cut_off(path: Path) -> Finding:
    with _open(path) as stream:
        last_line = sum(1 for _ in stream)
    return _finding(
        last_line,
        _("the file ends in the middle of a line and may have been cut off"),
        _("export it again; if it is whole, add a line break at its end"),
    )


def _wrong_width(line: int, values: int, columns: int) -> Finding:
    remedy = (
        _("put a value that contains the separator between quotation marks")
        if values > columns
        else _("export the file again, it may have been cut off")
    )
    message = _n(
        "the row has {count} value, but the header names {columns} columns",
        "the row has {count} values, but the header names {columns} columns",
        values,
        columns=columns,
    )
    return _finding(line, message, remedy)


def _finding(line: int, message: Message, remedy: Message) -> Finding:
    return Finding(Severity.ERROR, _("the file"), "", "file.format", message, remedy, line=line)
