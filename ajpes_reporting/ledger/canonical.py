"""One form for each value: what people and programs write in several ways, and nobody can misread.

A core system pads its columns, a spreadsheet writes 17.11.2026 or 150799.0. A text that could mean two
things, such as 11/12/2026 or 1.234, stays as it is, and `values` refuses it.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING
from unicodedata import normalize

from ajpes_reporting.domain.fields import ACCOUNT, ANY_ACCOUNT, Field, Type, plain_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Form = Callable[[str], str]

_REMEMBERED = 1 << 12  # many rows share their day

_AS_TEXT = re.compile('="([^"]*)"')  # of a spreadsheet: a text, whatever it looks like
_MINUS = ("-", "\u2212")
_WHOLE = re.compile(r"([+\-\u2212]?)([0-9]{1,18})(?:[.,]0)?")
_DASHED_ACCOUNT = re.compile("[0-9]{5}-[0-9]{10}")
_MIDNIGHT = r"(?:[T ]0?0:00(?::00(?:\.0+)?)?)?"
_YEAR_FIRST = r"(?P<y>[0-9]{4})(?P<s>[-/.])(?P<m>[0-9]{1,2})(?P=s)(?P<d>[0-9]{1,2})"
_DAY_FIRST = r"(?P<d>[0-9]{1,2})\.\ ?(?P<m>[0-9]{1,2})\.\ ?(?P<y>[0-9]{4})"
_DIGITS = "(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})"
_DAYS = [re.compile(form + _MIDNIGHT) for form in (_YEAR_FIRST, _DAY_FIRST, _DIGITS + r"(?:[.,]0)?")]
_TIME = (
    r"(?P<h>[0-9]{1,2})[:.](?P<min>[0-9]{2})(?:[:.](?P<sec>[0-9]{2})(?P<part>\.[0-9]{1,9})?)?"
    r"(?P<offset>\ ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?))?"
)
_MOMENTS = [
    re.compile(rf"{_YEAR_FIRST}(?:[T ]|,\ ){_TIME}"),
    re.compile(rf"{_DAY_FIRST}(?:[T ]|,\ ){_TIME}"),
    re.compile(
        rf"{_DIGITS}[T ]?(?P<h>[0-9]{{2}})(?P<min>[0-9]{{2}})(?P<sec>[0-9]{{2}})(?P<part>)(?P<offset>Z)?"
    ),
]
_AS_READ = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}")  # of what `values` reads itself
_MONTHS = [
    re.compile(form)
    for form in (
        "(?P<y>[0-9]{4})[-/.](?P<m>[0-9]{1,2})",
        r"(?P<m>[0-9]{1,2})[-/.]\ ?(?P<y>[0-9]{4})",
        "(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?:[.,]0)?",
    )
]


def canonical_texts(columns: Iterable[Field]) -> Callable[[Iterable[str]], tuple[str, ...]]:
    """Returns the function that brings the texts of these columns into their one form."""
    forms = [form_of(column) for column in columns]

    def canonical(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple([form(text) for form, text in zip(forms, texts, strict=True)])

    return canonical


def form_of(column: Field) -> Form:
    """Returns the function that brings a text of this column into its one form."""
    if column.type is Type.TEXT:
        return {ACCOUNT: account, ANY_ACCOUNT: any_account}.get(column.format, text)  # type: ignore[arg-type]
    return _FORMS[column.type]


def text(written: str) -> str:
    """A text without blanks round it, its letters composed (NFC); `="01"` of a spreadsheet is 01."""
    plain = written.strip()
    if not plain.isascii():
        plain = normalize("NFC", plain)
    if "=" in plain and (found := _AS_TEXT.fullmatch(plain)):
        return found[1].strip()
    return plain


def account(written: str) -> str:
    """An account of 15 digits, also where it is an IBAN, or has a hyphen or blanks."""
    plain = text(written)
    if len(plain) == len("010000100002123"):
        return plain
    if _DASHED_ACCOUNT.fullmatch(plain):
        return plain.replace("-", "")
    joined = plain_account(plain)
    return joined if len(joined) == len("010000100002123") and joined.isdigit() else plain


def any_account(written: str) -> str:
    """An account here or abroad, without the blanks within an IBAN."""
    plain = text(written)
    return plain if plain.isalnum() else "".join(plain.split())


def whole(written: str) -> str:
    """A whole number: 150799.0 is 150799."""
    if written.isdecimal() and written.isascii():
        return written
    plain = text(written)
    if found := _WHOLE.fullmatch(plain):
        return f"-{found[2]}" if found[1] in _MINUS else found[2]
    return plain


@lru_cache(maxsize=_REMEMBERED)
def day(written: str) -> str:
    """A date as YYYY-MM-DD: of 17.11.2026, 20261117 or 2026/11/17, also with midnight after it."""
    plain = text(written)
    return next((_iso(found) for form in _DAYS if (found := form.fullmatch(plain))), plain)


@lru_cache(maxsize=_REMEMBERED)
def month(written: str) -> str:
    """A month as YYYY-MM: of 202610, 10/2026, 10.2026, and of its first or last day."""
    plain = text(written)
    for form in _MONTHS:
        if found := form.fullmatch(plain):
            return f"{found['y']}-{found['m']:0>2}"
    try:
        on = date.fromisoformat(day(plain))
    except ValueError:
        return plain
    return f"{on:%Y-%m}" if on.day in (1, monthrange(on.year, on.month)[1]) else plain


def moment(written: str) -> str:
    """A date with its time of day as YYYY-MM-DDTHH:MM:SS, with the offset if there is one."""
    plain = text(written)
    if _AS_READ.match(plain):
        return plain
    for form in _MOMENTS:
        if found := form.fullmatch(plain):
            seconds, offset = found["sec"] or "00", (found["offset"] or "").strip()
            return f"{_iso(found)}T{found['h']:0>2}:{found['min']}:{seconds}{found['part'] or ''}{offset}"
    return plain


def _iso(found: re.Match[str]) -> str:
    return f"{found['y']}-{found['m']:0>2}-{found['d']:0>2}"


_FORMS: dict[Type, Form] = {
    Type.NUMBER: whole,
    Type.CENTS: whole,
    Type.DAY: day,
    Type.MONTH: month,
    Type.MOMENT: moment,
}
