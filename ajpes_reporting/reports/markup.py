"""Small things that every report does with XML: text into markup, and answers' fields out of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from ajpes_reporting.domain.calendar import LJUBLJANA, PLAUSIBLE_YEARS
from ajpes_reporting.domain.money import Amounts, format_decimal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ajpes_reporting.xmlread import Element

# In an attribute a tab or a line end would come back as a blank, so they are written as numbers.
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)
_LONG_AGO = datetime(PLAUSIBLE_YEARS.start, 1, 1, tzinfo=UTC)
_UNSAFE = re.compile(r'[&<>"\t\n\r]')


def escape(text: str) -> str:
    """`text` for element content and for an attribute in double quotes."""
    return text.translate(_ESCAPES) if _UNSAFE.search(text) else text


escape_name = lru_cache(maxsize=65_536)(escape)
"""The same, for texts that come again and again."""


def amount_writer(amounts: Amounts) -> Callable[[int], str]:
    """How amounts are written: cents with a decimal point, or the whole number as it is.

    For "euros" the amounts must have been rounded already.
    """
    return format_decimal if amounts == "decimal" else str


def head(root: str, namespace: str) -> str:
    """The XML declaration and the opening tag."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{namespace}">\n'


def severity(row: Element) -> str:
    """ "error" or "warning"; what is not plainly a warning is an error."""
    return "warning" if row.get("vrsta") == "WRN" else "error"


def description(row: Element) -> str:
    """The text of `Opis`, the only element in a row, on one line."""
    return " ".join(" ".join([child.text or "" for child in row]).split())


def read_moment(text: str) -> datetime | None:
    """A time of preparation; without a zone it is Ljubljana's. None where it cannot be read.

    A year that nobody can mean counts as long ago, so that no report takes it for its answer.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.year not in PLAUSIBLE_YEARS:
        return _LONG_AGO
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=LJUBLJANA)
