"""A workbook of Excel (.xlsx): its header, then its rows in the order of the ledger's columns.

Excel keeps numbers and not what was typed, so an identifier that was typed as a number has lost its leading
zeros. What identifies something must stand in a text cell; dates and amounts may be Excel's own.
"""

from __future__ import annotations

import zipfile
import zlib
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ajpes_reporting.domain.errors import LedgerRefused, UsageError
from ajpes_reporting.domain.fields import Type
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.i18n.system import reason_of
from ajpes_reporting.ledger.kinds import named, recognise, require_columns
from ajpes_reporting.ledger.workbook import UnreadableWorkbookError, cells_without_value

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from ajpes_reporting.domain.fields import Field
    from ajpes_reporting.ledger.intake import Line
    from ajpes_reporting.ledger.kinds import Kind

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_AS_TEXT = _("format the column as text and type the value again, with its leading zeros")


def is_workbook(path: Path) -> bool:
    """Whether a file begins like a workbook of Excel, of today or of old."""
    try:
        if not path.is_file():  # to open a pipe would wait for somebody to write into it
            return False
        with path.open("rb") as file:
            return file.read(len(_ZIP)) in (_ZIP, _OLE)
    except OSError:
        return False


def kind_of(path: Path) -> Kind:
    """Returns the kind of facts in the workbook, by the header of its sheet.

    Raises UsageError if it cannot be read, LedgerRefused if its header is none of ours.
    """
    table = _sheet(path).rows
    return recognise(_header(next(table, [])), path.name)


def rows(path: Path, kind: Kind) -> Generator[Line | Finding, None, None]:
    """Yields the rows with their numbers in Excel; a finding in the place of one that has a wrong cell.

    Raises UsageError if the workbook cannot be read, LedgerRefused if it is of another kind by now.
    """
    sheet = _sheet(path)
    header = _header(next(sheet.rows, []))
    require_columns(header, kind, path.name)
    places = [header.index(name) if name in header else None for name in kind.columns]
    for number, row in enumerate(sheet.rows, sheet.first_row + 1):
        if all(cell in ("", None) for cell in row):
            continue
        texts: list[str] = []
        wrong: list[Finding] = []
        for field, place in zip(kind.fields, places, strict=True):
            cell = row[place] if place is not None and place < len(row) else ""
            text = _text(field, cell)
            if isinstance(text, Message):
                wrong.append(_finding(number, sheet.first_column + (place or 0), field, cell, text))
            else:
                texts.append(text)
        if wrong:
            yield from wrong
        else:
            yield number, texts


class _Sheet(NamedTuple):
    """A sheet: where it begins in Excel, counted from 1 and from 0, and its rows."""

    first_row: int
    first_column: int
    rows: Iterator[list[Any]]


class _Lost(NamedTuple):
    """A cell without a value: `error` is what Excel shows in it, "" for a formula that was not computed."""

    error: str


def _sheet(path: Path) -> _Sheet:
    """The sheet with a header of ours, or else the first with anything in it."""
    from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

    _refuse_what_is_of_old(path)
    try:
        without_value = cells_without_value(path)
        book = CalamineWorkbook.from_path(str(path))
        places = {
            one.name: place
            for place, one in enumerate(book.sheets_metadata)
            if one.visible == SheetVisibleEnum.Visible
        }
        sheets = [book.get_sheet_by_name(name) for name in places]
        filled = [sheet for sheet in sheets if sheet.height]
        if not filled:
            raise LedgerRefused(
                _("{file} was not read: it has no sheet with anything in it.", file=path.name),
                _("put the rows into its first sheet, under a header"),
            )
        known = [sheet for sheet in filled if _is_ours(sheet)]
        if len(known) > 1:
            raise LedgerRefused(
                _(
                    "{file} was not read: several of its sheets hold facts: {sheets}.",
                    file=path.name,
                    sheets=[sheet.name for sheet in known],
                ),
                _("save each of these sheets as a file of its own"),
            )
        chosen = known[0] if known else filled[0]
        row, column = chosen.start or (0, 0)
        place = places[chosen.name]
        lost = without_value[place] if place < len(without_value) else {}
        sheet = _Sheet(row + 1, column, iter(chosen.to_python(skip_empty_area=True)))
        return sheet._replace(rows=_with_lost(sheet, lost)) if lost else sheet
    except UnreadableWorkbookError as unreadable:
        raise _unreadable(path, unreadable.reason) from None
    except (CalamineError, OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(path, reason_of(error)) from None


def _with_lost(sheet: _Sheet, lost: Mapping[str, str]) -> Iterator[list[Any]]:
    """Yields the rows with what their cells have lost, which the reader gives as empty."""
    for number, row in enumerate(sheet.rows, sheet.first_row):
        names = (
            f"{_column(place)}{number}" for place in range(sheet.first_column, len(row) + sheet.first_column)
        )
        yield [_Lost(lost[name]) if name in lost else cell for name, cell in zip(names, row, strict=True)]


def _is_ours(sheet: Any) -> bool:
    try:
        recognise(_header(next(iter(sheet.to_python(skip_empty_area=True, nrows=1)), [])), sheet.name)
    except LedgerRefused:
        return False
    return True


def _refuse_what_is_of_old(path: Path) -> None:
    try:
        with path.open("rb") as file:
            is_of_old = file.read(len(_OLE)) == _OLE
    except OSError as error:
        raise _unreadable(path, reason_of(error)) from None
    if is_of_old:
        raise UsageError(
            _("{file} is an old workbook (.xls), or one with a password.", file=path.name),
            _("save it as .xlsx without a password, or as “CSV UTF-8”"),
        )


def _unreadable(path: Path, reason: Message) -> UsageError:
    return UsageError(
        _("{file} cannot be read as a workbook: {reason}.", file=path.name, reason=reason),
        _("save it once more as .xlsx, or as “CSV UTF-8”"),
    )


def _header(cells: Sequence[Any]) -> list[str]:
    return named([str(cell) for cell in cells])


def _text(field: Field, cell: Any) -> str | Message:
    """The text of a cell as a file would have it, or why it cannot be taken for one."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    if isinstance(cell, _Lost):
        if cell.error:
            return _("{field} is the error {error}", field=field.label, error=cell.error)
        return _("{field} is a formula that was never computed", field=field.label)
    if isinstance(cell, bool | time | timedelta):
        return _("{field} is no text, number or date", field=field.label)
    if field.type is Type.TEXT:
        return _("{field} is the number {number}, not a text", field=field.label, number=_plain(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if field.type is not Type.MOMENT and _is_midnight(cell) else _iso(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if field.type in (Type.DAY, Type.MOMENT):
        return _("{field} is the number {number}, not a date", field=field.label, number=_plain(cell))
    return _plain(cell)


def _plain(cell: Any) -> str:
    """A number, or a date, as a person would write it: 150799.0 is 150799."""
    if isinstance(cell, date):
        return cell.isoformat()
    return str(int(cell)) if float(cell).is_integer() else str(cell)


def _is_midnight(moment: datetime) -> bool:
    return moment.time() == time()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _finding(row: int, place: int, field: Field, cell: Any, message: Message) -> Finding:
    if isinstance(cell, _Lost):
        remedy = _("correct the formula, or type the value, and save the workbook in Excel")
    elif field.type in (Type.DAY, Type.MOMENT):
        remedy = _("format the column as a date and type the value again")
    else:
        remedy = _AS_TEXT
    record = _("cell {cell}", cell=f"{_column(place)}{row}")
    return Finding(Severity.ERROR, record, field.name, "cell.type", message, remedy, line=row)


def _column(place: int) -> str:
    """The letters of a column in Excel: A, B, … Z, AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
