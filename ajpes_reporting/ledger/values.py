"""From text to values: dates, times, amounts and other numbers, as the ledger's input writes them.

What a value may be is a matter of the rules; here it is only read.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache

from ajpes_reporting.domain.calendar import LJUBLJANA, PLAUSIBLE_YEARS

_CENTS = re.compile("-?[0-9]{1,18}")  # what 64 bits hold; how many digits are allowed, the rules say
_DECIMAL = re.compile(r"(-?)0*([0-9]{1,15})[.,]([0-9]{1,2})")
_NUMBER = re.compile("-?[0-9]{1,9}")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH = re.compile("([0-9]{4})-(?:0[1-9]|1[0-2])")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(?(3)(\.[0-9]{1,9})?)"
    r"(?:(Z)|([+-](?:0[0-9]|1[0-3]))(?::?([0-5][0-9]))?)?"
)


class TextError(ValueError):
    """A text that does not say what its field wants: what is wrong, and what to write."""

    def __init__(self, what: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.what = what
        self.message = message
        self.remedy = remedy


def cents(text: str) -> int:
    """An amount in whole cents. A decimal point is refused: it may be euros."""
    if _CENTS.fullmatch(text):
        return int(text)
    if decimal := _DECIMAL.fullmatch(text):
        sign, euros, rest = decimal.groups()
        whole = f"{sign}{int(euros + rest.ljust(2, '0'))}"
        raise TextError(
            "decimal", f"is {text}, but amounts are whole cents", f"write {whole}, if these are euros"
        )
    raise _bad(text, "a number of cents", "28843416")


def number(text: str) -> int:
    """A small whole number."""
    if _NUMBER.fullmatch(text):
        return int(text)
    raise _bad(text, "a whole number", "3")


def optional_number(text: str) -> int | None:
    """A small whole number, or None for an empty text."""
    return number(text) if text else None


@lru_cache(maxsize=1 << 12)  # many events share their day
def day(text: str) -> date:
    """A date, YYYY-MM-DD."""
    if not _DAY.fullmatch(text) or int(text[:4]) not in PLAUSIBLE_YEARS:
        raise _bad(text, "a date", "2026-11-17")
    try:
        return date.fromisoformat(text)
    except ValueError:  # such as the 31st of November
        raise _bad(text, "a date", "2026-11-17") from None


def optional_day(text: str) -> date | None:
    """A date, or None for an empty text."""
    return day(text) if text else None


def month(text: str) -> str:
    """A month, YYYY-MM, as it is."""
    match = _MONTH.fullmatch(text)
    if match and int(match[1]) in PLAUSIBLE_YEARS:
        return text
    raise _bad(text, "a month", "2026-10")


def moment(text: str) -> tuple[datetime, str]:
    """A moment with its time zone, in UTC, and its text as a valid xs:dateTime.

    Without an offset it is meant in Ljubljana; of the hour that comes twice in autumn, the first.
    The text keeps what the bank wrote; only a blank becomes "T", and seconds and colons are added.
    """
    match = _MOMENT.fullmatch(text)
    if not match or int(text[:4]) not in PLAUSIBLE_YEARS:
        raise _bad(text, "a time", "2026-11-17T08:05:00")
    on, at, seconds, fraction, zulu, hours, minutes = match.groups()
    offset = zulu or (f"{hours}:{minutes or '00'}" if hours else "")
    written = f"{on}T{at}{seconds or ':00'}{fraction or ''}{offset}"
    try:
        meant = datetime.fromisoformat(written)
    except ValueError:
        raise _bad(text, "a time", "2026-11-17T08:05:00") from None
    if meant.tzinfo is None:
        meant = meant.replace(tzinfo=LJUBLJANA)
    return meant.astimezone(UTC), written


def _bad(text: str, wanted: str, example: str) -> TextError:
    if not text.strip():
        return TextError("missing", "is missing", f"write {wanted} such as {example}")
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    return TextError("format", f"is {shown!r}, not {wanted}", f"write it like {example}")
