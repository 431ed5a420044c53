"""Tables as CSV for people's spreadsheets, which take some texts for formulas and identifiers for numbers."""

from __future__ import annotations

import csv
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.escaping import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TextIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")  # the last four: in full width


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], out: TextIO) -> int:
    """Writes rows under a header, in UTF-8 with commas; says how many. A column that a row lacks is empty.

    Texts stand in quotes, numbers do not. A text that a spreadsheet would take for a formula begins with an
    apostrophe, and what would act on a terminal is shown escaped.
    """
    table = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    table.writerow(columns)
    count = 0
    for row in rows:
        table.writerow([_cell(row.get(column)) for column in columns])
        count += 1
    return count


def _cell(value: object) -> str | int:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(LJUBLJANA).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    return f"'{shown(text)}" if text.startswith(_FORMULA) else shown(text)
