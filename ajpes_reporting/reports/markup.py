"""Small things that every report does with XML: text into markup, and answers' fields out of it.

The database puts the records of a report together, thousands at a time, and knows nothing of
escaping. So markup stands there hidden, as control characters, until a whole block is written.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, case, cast, func, literal

from ajpes_reporting.database.types import filled
from ajpes_reporting.domain.calendar import LJUBLJANA, PLAUSIBLE_YEARS
from ajpes_reporting.domain.money import Amounts, format_decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import ColumnElement

    from ajpes_reporting.xmlread import Record

# The same four characters of markup, as no value may hold them (XML 1.0, production 2).
_SHOWN, _HIDDEN = '<>"\n', "\x01\x02\x03\x04"
_HIDE = str.maketrans(_SHOWN, _HIDDEN)
_SHOW = bytes.maketrans(_HIDDEN.encode(), _SHOWN.encode())

# In an attribute a tab or a line end would come back as a blank, so they are written as numbers.
_ESCAPES = (
    (b"&", b"&amp;"), (b"<", b"&lt;"), (b">", b"&gt;"), (b'"', b"&quot;"),
    (b"\t", b"&#9;"), (b"\n", b"&#10;"), (b"\r", b"&#13;"),
)  # fmt: skip
_BLOCK_BYTES = 1 << 18
_LARGEST_BLOCK_BYTES = 1 << 20
_YEAR = re.compile("-?[0-9]+-")  # a schema also lets the year 12026 be, and the year -1
_END_OF_DAY = re.compile(r"T24:00:00(\.0+)?")
_LEAP_SECOND = re.compile("(T[0-9]{2}:[0-9]{2}):60")
_DAY_LENGTH = len("2026-11-17")
_LONG_AGO = datetime(PLAUSIBLE_YEARS.start, 1, 1, tzinfo=UTC)


def hide(markup: str) -> str:
    """Markup as it stands beside values until both are written; see `show`."""
    return markup.translate(_HIDE)


def show(text: bytes) -> bytes:
    """Values and hidden markup as XML: first all values are escaped at once, then the markup is shown.

    No value can pass for markup, since the ledger takes no control characters.
    """
    for character, reference in _ESCAPES:
        text = text.replace(character, reference)
    return text.translate(_SHOW)


def blocks(texts: Iterable[str | bytes]) -> Iterator[bytes]:
    """Values and hidden markup as XML, in blocks of about a quarter of a megabyte."""
    waiting: list[bytes] = []
    size = 0
    for text in texts:
        encoded = text.encode() if isinstance(text, str) else text
        waiting.append(encoded)
        size += len(encoded)
        if size >= _BLOCK_BYTES:
            yield from _cut(show(b"".join(waiting)))
            waiting.clear()
            size = 0
    yield from _cut(show(b"".join(waiting)))


def _cut(shown: bytes) -> Iterator[bytes]:
    """One obligation alone may be far longer than a block, and the validator takes 10 MB at once.

    Only markup holds line ends, so no record is torn.
    """
    start = 0
    while start < len(shown):
        end = shown.find(b"\n", start + _LARGEST_BLOCK_BYTES) + 1 or len(shown)
        yield shown[start:end]
        start = end


def attribute(name: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """In a query, an attribute with hidden markup; nothing where there is no value.

    It stands behind the value of another one: it brings that one's closing mark, and leaves its own to
    whatever follows.
    """
    return literal(hide(f'" {name}="')).concat(cast(value, Text))


def amount_column(cents: ColumnElement[int], amounts: Amounts) -> ColumnElement[Any]:
    """In a query, an amount as `amount_writer` writes it."""
    if amounts != "decimal":
        return cents
    euros, rest = func.abs(cents) // 100, cast(100 + func.abs(cents) % 100, Text)
    return filled("%s%s.%s", case((cents < 0, "-"), else_=""), euros, func.substr(rest, 2))


def amount_writer(amounts: Amounts) -> Callable[[int], str]:
    """Returns a writer of amounts: cents with a decimal point, or the whole number as it is.

    For "euros" the amounts must have been rounded already.
    """
    return format_decimal if amounts == "decimal" else str


def head(root: str, namespace: str) -> str:
    """The XML declaration and the opening tag, hidden."""
    return hide(f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{namespace}">\n')


def severity(row: Record) -> str:
    """Returns "error" or "warning"; a row that is not plainly a warning is an error."""
    return "warning" if row.attributes.get("vrsta") == "WRN" else "error"


def description(row: Record) -> str:
    """The text of `Opis`, all that a row holds, on one line."""
    return " ".join(row.text.split())


def read_count(text: str) -> int | None:
    """A number that its schema bounds, but for the zeros before it: Python reads no ten thousand digits.

    None where there is none.
    """
    return int(text.strip().lstrip("+-0") or "0") if text else None


def read_moment(text: str) -> datetime | None:
    """A time of preparation; without a zone it is Ljubljana's. None where there is none.

    Where only the day can be read, its beginning. A year that nobody can mean counts as long ago. So no
    report takes an answer for its own that may be older.
    """
    text = _as_the_last_second(text.strip())
    for moment in (text, text[:_DAY_LENGTH]):
        try:
            made = datetime.fromisoformat(moment)
        except ValueError:
            continue
        if made.year not in PLAUSIBLE_YEARS:
            return _LONG_AGO
        return made if made.tzinfo is not None else made.replace(tzinfo=LJUBLJANA)
    return _LONG_AGO if _YEAR.match(text) else None


def _as_the_last_second(text: str) -> str:
    """XML writes the end of a day as 24:00:00, and a leap second as :60; Python reads neither."""
    return _LEAP_SECOND.sub(r"\g<1>:59", _END_OF_DAY.sub("T23:59:59", text, count=1), count=1)
