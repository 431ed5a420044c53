"""Tables as files for people's spreadsheets: CSV and XLSX, with identifiers as text and without formulas."""

from __future__ import annotations

import csv
import functools
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.files import hand_out, refuse_no_plain_file
from ajpes_reporting.cli.output import echo, echo_file
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.escaping import shown
from ajpes_reporting.i18n import _, _n
from ajpes_reporting.private import open_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TextIO

    from ajpes_reporting.cli.session import Session

_STANDARD_OUTPUT = Path("-")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")  # the last four: in full width
_MOST_XLSX_ROWS = 1_048_575  # of a sheet, below its header
_MOST_EXACT = 10**15  # Excel keeps fifteen digits of a number
_COLUMN_WIDTH = 18  # in letters


@dataclass(slots=True)
class TableFile:
    """The file in which a person wants a table, as `--csv` or `--xlsx` names it.

    It is made in a working folder first, so that the ledger is not kept waiting for whoever reads it.
    """

    target: Path
    is_xlsx: bool
    made: Path | None = None
    count: int = 0

    @property
    def option(self) -> str:
        """The option by which a person names another file."""
        return "--xlsx" if self.is_xlsx else "--csv"

    @property
    def is_on_standard_output(self) -> bool:
        """Whether the table is all that standard output takes."""
        return self.target == _STANDARD_OUTPUT

    def write(self, folder: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
        """Makes the file in `folder`: a header, then the rows. A column that a row lacks is empty.

        Raises `UsageError` if a sheet does not hold so many rows.
        """
        self.made = folder / ("table.xlsx" if self.is_xlsx else "table.csv")
        if self.is_xlsx:
            self.count = _write_xlsx(columns, rows, self.made)
        else:
            with open_private(self.made, "w", encoding="utf-8", newline="") as out:
                self.count = write_csv(columns, rows, out)

    def hand_out(self, session: Session) -> None:
        """Puts the file in its place, or on standard output, and says so."""
        if self.made is None:
            return
        if self.is_on_standard_output:
            echo_file(self.made)
            return
        hand_out(self.made, self.target, self.option)
        if not session.as_json:
            echo(
                _n(
                    "{file}: {count:count} row. Nothing was sent.",
                    "{file}: {count:count} rows. Nothing was sent.",
                    self.count,
                    file=str(self.target),
                )
            )


def file_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `--csv` and `--xlsx`, with parameters for `table_file`."""
    csv_option = click.option(
        "--csv",
        "csv_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write it as a table to a file; -: to standard output.",
    )
    xlsx_option = click.option(
        "--xlsx",
        "xlsx_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write it as a table for Excel.",
    )
    return csv_option(xlsx_option(function))


def table_file(
    session: Session, csv_file: Path | None, xlsx_file: Path | None, *, overwrite: bool
) -> TableFile | None:
    """Returns the table that the options ask for, or None.

    Raises `UsageError` if it has no place to go.
    """
    if csv_file is not None and xlsx_file is not None:
        raise UsageError(_("--csv and --xlsx name two tables."), _("name one of them"))
    target = csv_file or xlsx_file
    if target is None:
        return None
    table = TableFile(target, is_xlsx=xlsx_file is not None)
    _refuse(table, overwrite=overwrite, as_json=session.as_json)
    return table


def table_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `--csv`, `--xlsx` and `--overwrite`, and a parameter `table`: a `TableFile` or None."""

    @file_options
    @click.option("--overwrite", is_flag=True, help="Replace the file of --csv or --xlsx if it is there.")
    @functools.wraps(function)
    def wrapped(
        session: Session,
        *args: Any,
        csv_file: Path | None,
        xlsx_file: Path | None,
        overwrite: bool,
        **kwargs: Any,
    ) -> Any:
        table = table_file(session, csv_file, xlsx_file, overwrite=overwrite)
        return function(session, *args, table=table, **kwargs)

    return wrapped


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], out: TextIO) -> int:
    """Writes rows under a header, in UTF-8 with commas; says how many. A column that a row lacks is empty.

    Texts stand in quotes, numbers do not. A text that a spreadsheet would take for a formula begins with an
    apostrophe, and what would act on a terminal is shown escaped.
    """
    table = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    table.writerow(columns)
    count = 0
    for row in rows:
        table.writerow([_csv_cell(row.get(column)) for column in columns])
        count += 1
    return count


def _refuse(table: TableFile, *, overwrite: bool, as_json: bool) -> None:
    """Raises `UsageError` before anything is asked, if the table has no place to go."""
    if table.is_on_standard_output:
        if table.is_xlsx:
            raise UsageError(
                _("A table for Excel is no text for standard output."), _("name a file with --xlsx")
            )
        if as_json:
            raise UsageError(
                _("Standard output takes one document: the table or JSON."), _("name a file with --csv")
            )
        return
    refuse_no_plain_file(table.target, table.option)
    if table.target.exists() and not overwrite:
        raise UsageError(
            _("{file} is there already; it was left as it is.", file=str(table.target)),
            _("name another file with {option}, or replace it with --overwrite", option=table.option),
        )


def _csv_cell(value: object) -> str | int:
    value = _plain(value)
    if isinstance(value, int):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(value: object) -> str | int | date | datetime:
    """A value as a table has it: a moment in Ljubljana, a text in which nothing acts."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(LJUBLJANA)
    return value if isinstance(value, int | date) else shown(str(value))


def _write_xlsx(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], target: Path) -> int:
    """Texts stay texts, whatever they look like; numbers, days and moments are Excel's own."""
    from xlsxwriter import Workbook
    from xlsxwriter.exceptions import FileCreateError

    open_private(target, "wb").close()
    options = {
        "constant_memory": True,
        "tmpdir": str(target.parent),
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    try:
        with Workbook(str(target), options) as book:
            sheet = book.add_worksheet()
            heading = book.add_format({"bold": True})
            formats = {
                date: book.add_format({"num_format": "yyyy-mm-dd"}),
                datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
                int: book.add_format({"num_format": "0"}),
            }
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, max(0, len(columns) - 1), _COLUMN_WIDTH)
            sheet.write_row(0, 0, columns, heading)
            count = 0
            for count, row in enumerate(rows, 1):
                if count > _MOST_XLSX_ROWS:
                    raise UsageError(
                        _(
                            "A sheet of Excel holds {most:count} rows, and there are more.",
                            most=_MOST_XLSX_ROWS,
                        ),
                        _("have the table written with --csv"),
                    )
                for place, column in enumerate(columns):
                    _write_cell(sheet, count, place, _plain(row.get(column)), formats)
    except FileCreateError as error:  # a full disk, told by a class that is none of the system's errors
        with suppress(OSError):
            sheet._opt_close()  # the file of its rows, which a book that failed leaves open
        raise error.args[0] from None
    return count


def _write_cell(sheet: Any, row: int, place: int, value: object, formats: Mapping[type, Any]) -> None:
    if isinstance(value, datetime):
        sheet.write_datetime(row, place, value.replace(tzinfo=None), formats[datetime])
    elif isinstance(value, date):
        sheet.write_datetime(row, place, value, formats[date])
    elif isinstance(value, int) and abs(value) < _MOST_EXACT:
        sheet.write_number(row, place, value, formats[int])
    elif value != "":
        sheet.write_string(row, place, str(value))
