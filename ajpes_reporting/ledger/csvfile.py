"""A CSV file, read as a stream: its header, then its rows in the order of the ledger's columns.

Facts cannot be taken back, so a file that may have been cut off is refused: one whose last line
has no end, or has too few values.
"""

from __future__ import annotations

import csv
import io
import re
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
from ajpes_reporting.ledger.kinds import KINDS, named, recognise, require_columns

if TYPE_CHECKING:
    from _csv import Reader
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from ajpes_reporting.ledger.intake import Line
    from ajpes_reporting.ledger.kinds import Kind

_BLOCK_BYTES = 1 << 18
_LONGEST_LINE = 4 << 20  # in bytes; the fields of a row have less than a thousand characters together
_UTF_8 = "utf-8-sig"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_MARK = "\ufeff"  # of UTF-8; some programs write it twice
_SEPARATORS = (";", "\t", "|", ",")
_DECLARED = re.compile(r'"?sep=([;,|\t])"?', re.IGNORECASE)  # what Excel puts before the header, or asks for
_WORD = re.compile(r"[^\W\d_]+")
_NAMES = frozenset(column for kind in KINDS for column in kind.columns)
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
            header, _reader, _skipped = _opened(lines)
            return recognise(named(header), path.name)
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
            header, reader, skipped = _opened(lines)
            names = named(header)
            require_columns(names, kind, path.name)
            yield from _rows(reader, names, kind, skipped)
        except _UnreadableError as unreadable:
            yield unreadable.finding


def _rows(
    reader: Reader, names: list[str], kind: Kind, skipped: int
) -> Generator[Line | Finding, None, None]:
    absent = len(names)  # where an empty text is added for the columns that the file leaves out
    places = (names.index(column) if column in names else absent for column in kind.columns)
    pick = itemgetter(*places)
    line = reader.line_num + skipped + 1
    try:
        for row in reader:
            if len(row) == absent and row[0].strip():
                row.append("")
                yield line, pick(row)
            elif not any(map(str.strip, row)):
                pass  # a spreadsheet leaves empty rows behind
            elif len(row) == absent:
                yield line, pick([*row, ""])
            elif len(row) > absent and not any(map(str.strip, row[absent:])):
                yield line, pick([*row[:absent], ""])
            else:
                yield _wrong_width(line, len(row), absent)
            line = reader.line_num + skipped + 1
    except csv.Error as error:
        raise _UnreadableError(_not_csv(error, reader.line_num + skipped)) from None


def _opened(lines: Iterator[str]) -> tuple[list[str], Reader, int]:
    """Returns the header, the reader of the rows after it, and the number of lines before the header."""
    first, skipped = next(lines, "").lstrip(_MARK), 0
    declared = _DECLARED.fullmatch(first.rstrip("\r\n"))
    if declared:
        first, skipped = next(lines, ""), 1
    while first and not first.strip():
        first, skipped = next(lines, ""), skipped + 1
    separator = declared[1] if declared else _separator(first)
    reader = csv.reader(chain((first,), lines), delimiter=separator, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise _UnreadableError(_not_csv(error, reader.line_num + skipped)) from None
    if any("\0" in name for name in header):
        raise _UnreadableError(
            _finding(skipped + 1, _("the file holds NUL characters, as UTF-16 does"), _AS_UTF_8)
        )
    return header, reader, skipped


def _separator(header: str) -> str:
    """Returns what separates most names that are known here; of equals, the first that is there at all."""

    def known(separator: str) -> int:
        return len(_NAMES.intersection(named(header.replace('"', "").split(separator))))

    return max(_SEPARATORS, key=lambda separator: (known(separator), separator in header))


def _lines(path: Path) -> Generator[str, None, None]:
    try:
        _require_file(path)
        encoding = _encoding(path)
        line, number = "\n", 0
        with _open(path, encoding) as stream:
            try:
                for number, line in enumerate(stream, 1):  # noqa: B007 - the last ones count
                    yield line
            except UnicodeError:  # of UTF-16 a whole letter may be missing at the end
                raise _UnreadableError(
                    _not_utf8(path) if encoding == _UTF_8 else _cut_off(number + 1)
                ) from None
        if line[-1] not in "\r\n":
            raise _UnreadableError(_cut_off(number))
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


def _encoding(path: Path) -> str:
    """Returns the encoding by the mark that the file begins with: what has one cannot be misread."""
    with path.open("rb") as stream:
        begins = stream.read(4)
    if begins in _UTF_32:
        raise _UnreadableError(_finding(1, _("the file is UTF-32"), _AS_UTF_8))
    return "utf-16" if begins.startswith(_UTF_16) else _UTF_8


def _open(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_InLargeBlocks(io.FileIO(path)), encoding=encoding, newline="")


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


def _not_csv(error: csv.Error, line: int) -> Finding:
    limit = csv.field_size_limit()
    if f"({limit})" in str(error):
        message = _(
            "a value has more than {most:count} characters, or a quotation mark is not closed", most=limit
        )
    else:
        message = _("the file is not CSV ({reason})", reason=csv_reason(str(error)))
    remedy = _("close every quotation mark, and double those within a value")
    return _finding(line, message, remedy)


def _wrong_byte(number: int, line: bytes, place: int) -> Finding:
    message = _(
        "byte {byte} at place {place} of the line is not UTF-8",
        byte=f"0x{line[place]:02X}",
        place=place + 1,
    )
    word = _as_windows_1250(line, place)
    if not word:
        return _finding(number, message, _AS_UTF_8)
    remedy = _(
        "save the file as UTF-8 (in a spreadsheet: “CSV UTF-8”); in Windows-1250 the place reads “{word}”",
        word=word,
    )
    return _finding(number, message, remedy)


def _as_windows_1250(line: bytes, place: int) -> str:
    """Returns the word at a place in Windows-1250, "" if there is no word."""
    start = max(0, place - 40)
    text, at = line[start : place + 40].decode("cp1250", "replace"), place - start
    word = next((found[0] for found in _WORD.finditer(text) if found.start() <= at < found.end()), "")
    return word if len(word) > 1 else ""


def _cut_off(last_line: int) -> Finding:
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
