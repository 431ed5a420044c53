"""From text to values: dates, times, amounts and other numbers, as the ledger's input writes them.

The rules say which values are right; here they are only read.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.calendar import LJUBLJANA, PLAUSIBLE_YEARS
from ajpes_reporting.domain.fields import Field, Type, Violation
from ajpes_reporting.domain.findings import Severity
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

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
    """A text that is no value of its field.

    `what` is the second half of the rule's code; `message` tells what is wrong with the field of a label;
    `remedy` says what to write.
    """

    def __init__(self, what: str, message: Callable[[Message], Message], remedy: Message) -> None:
        super().__init__(what)
        self.what = what
        self.message = message
        self.remedy = remedy


def facts_of(columns: Sequence[Field]) -> Callable[[Iterable[str]], dict[str, Any]]:
    """Return what reads the texts of these columns: their values by the names under which facts have them.

    The value is None for an empty text that is not mandatory. It raises TextError for a text that is no
    value.
    """
    readers = [(column.name, _READ[column.type], column.mandatory) for column in columns]

    def facts(texts: Iterable[str]) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for (name, read, mandatory), text in zip(readers, texts, strict=True):
            if read is moment:
                said[name], said["recorded_as"] = moment(text)
            else:
                said[name] = read(text) if text or mandatory else None
        return said

    return facts


def unreadable(columns: Sequence[Field], texts: Iterable[str]) -> Iterator[Violation]:
    """Yield what is wrong with each text that is no value."""
    for column, text in zip(columns, texts, strict=True):
        try:
            if text or column.mandatory:
                _READ[column.type](text)
        except TextError as bad:
            message = bad.message(column.label)
            yield Violation(Severity.ERROR, column.name, bad.what, message, bad.remedy, column.location)


def cents(text: str) -> int:
    """An amount in whole cents. A decimal point is refused: it may be euros."""
    if _CENTS.fullmatch(text):
        return int(text)
    if decimal := _DECIMAL.fullmatch(text):
        sign, euros, rest = decimal.groups()
        whole = f"{sign}{int(euros + rest.ljust(2, '0'))}"
        raise TextError(
            "decimal",
            lambda field: _("{field} is {text}, but amounts are whole cents", field=field, text=text),
            _("write {cents}, if these are euros", cents=whole),
        )
    raise _bad(text, _("a number of cents"), "28843416")


def number(text: str) -> int:
    """A small whole number."""
    if _NUMBER.fullmatch(text):
        return int(text)
    raise _bad(text, _("a whole number"), "3")


@lru_cache(maxsize=1 << 12)  # many events share their day
def day(text: str) -> date:
    """A date, YYYY-MM-DD."""
    if not _DAY.fullmatch(text) or int(text[:4]) not in PLAUSIBLE_YEARS:
        raise _bad(text, _("a date"), "2026-11-17")
    try:
        return date.fromisoformat(text)
    except ValueError:  # such as the 31st of November
        raise _bad(text, _("a date"), "2026-11-17") from None


def month(text: str) -> str:
    """A month, YYYY-MM, as it is."""
    match = _MONTH.fullmatch(text)
    if match and int(match[1]) in PLAUSIBLE_YEARS:
        return text
    raise _bad(text, _("a month"), "2026-10")


def moment(text: str) -> tuple[datetime, str]:
    """A moment with its time zone, in UTC, and its text as a valid xs:dateTime.

    Without an offset it is meant in Ljubljana; of the hour that comes twice in autumn, the first.
    The text keeps what the bank wrote; only a blank becomes "T", and seconds and colons are added.
    """
    match = _MOMENT.fullmatch(text)
    if not match or int(text[:4]) not in PLAUSIBLE_YEARS:
        raise _bad(text, _("a time"), "2026-11-17T08:05:00")
    on, at, seconds, fraction, zulu, hours, minutes = match.groups()
    offset = zulu or (f"{hours}:{minutes or '00'}" if hours else "")
    written = f"{on}T{at}{seconds or ':00'}{fraction or ''}{offset}"
    try:
        meant = datetime.fromisoformat(written)
    except ValueError:
        raise _bad(text, _("a time"), "2026-11-17T08:05:00") from None
    if meant.tzinfo is None:
        meant = meant.replace(tzinfo=LJUBLJANA)
    return meant.astimezone(UTC), written


def _bad(text: str, wanted: Message, example: str) -> TextError:
    if not text.strip():
        remedy = _("write {wanted} such as {example}", wanted=wanted, example=example)
        return TextError("missing", lambda field: _("{field} is missing", field=field), remedy)
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    return TextError(
        "format",
        lambda field: _("{field} is {text:quoted}, not {wanted}", field=field, text=shown, wanted=wanted),
        _("write it like {example}", example=example),
    )


_READ: Mapping[Type, Callable[[str], Any]] = {
    Type.TEXT: str,
    Type.NUMBER: number,
    Type.CENTS: cents,
    Type.DAY: day,
    Type.MONTH: month,
    Type.MOMENT: moment,
}
