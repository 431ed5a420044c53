"""From text to values: dates, times, amounts and other numbers, as the ledger's input writes them.

The rules say which values are right; here they are only read.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.calendar import LJUBLJANA, PLAUSIBLE_YEARS
from ajpes_reporting.domain.fields import NAME, Field, Type, Violation
from ajpes_reporting.domain.findings import Severity
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_CENTS = re.compile("-?[0-9]{1,18}")  # what 64 bits hold; how many digits are allowed, the rules say
_EUROS = re.compile(
    r"(?P<sign>[-+\u2212]?)"
    r"(?P<euros>[0-9]{1,18}|[0-9]{1,3}(?:(?P<group>[.,'\u2019\s])[0-9]{3})+)"
    r"(?:(?!(?P=group))[.,](?P<rest>[0-9]{1,2}))?(?P<behind>-?)",
)
_UNGROUPED = re.compile(
    r"(?P<sign>[-+\u2212]?)(?P<euros>[0-9]{1,18})(?:[.,](?P<rest>[0-9]{1,2}))?(?P<behind>-?)"
)
_WITH_CURRENCY = re.compile(r"(?:€|EUR)\s?|\s?(?:€|EUR)", re.IGNORECASE)
_SHORTENED = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?[Ee]\+?[0-9]{1,3}")
_SLASHED = re.compile("[0-9]{1,2}[/-][0-9]{1,2}[/-][0-9]{2,4}(?:[T ,].*)?")
_SHORT_YEAR = re.compile(r"[0-9]{1,2}\. ?[0-9]{1,2}\. ?[0-9]{2}(?:[T ,].*)?")
_DAYS_SINCE_1900 = re.compile("[1-9][0-9]{4}(?:[.,][0-9]+)?")
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
    readers = [(column.name, _reader(column), column.mandatory) for column in columns]

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
                _reader(column)(text)
        except TextError as bad:
            message = bad.message(column.label)
            yield Violation(Severity.ERROR, column.name, bad.what, message, bad.remedy, column.location)


def text(written: str) -> str:
    """A text. A number that a spreadsheet has shortened is refused: digits of it are lost."""
    if "+" in written and _SHORTENED.fullmatch(written):
        raise _shortened(written, _("give the column the format Text, then type or export it again"))
    return written


def name(written: str) -> str:
    """A name. Letters that were read in the wrong encoding on the way here are refused."""
    if not written.isascii():
        shown = written[:_MOST_SHOWN]
        if meant := _FIRST_BYTES.search(shown) and _unscrambled(shown):
            raise TextError(
                "encoding",
                lambda field: _("{field} is {text}, letters in a wrong encoding", field=field, text=shown),
                _("export the file again as UTF-8; “{name}” may be meant", name=meant),
            )
        if "\ufffd" in written:
            raise TextError(
                "encoding",
                lambda field: _("{field} is {text}, of which a letter was lost", field=field, text=shown),
                _("export the file again as UTF-8, and compare it with its source"),
            )
    return written


_MOST_SHOWN = 140


def _unscrambled(written: str) -> str | None:
    """Returns the name whose UTF-8 was read as a code page of Windows; None if that is not so."""
    for encoding in ("cp1250", "cp1252", "latin-1"):
        try:
            meant = written.encode(encoding).decode()
        except UnicodeError:
            continue
        if meant != written and all(letter <= "\u017f" or letter in _PUNCTUATION for letter in meant):
            return meant
    return None


_FIRST_BYTES = re.compile("[\u00c2-\u00c5\u0102\u0139\u00e2]")  # of letters in UTF-8, in these code pages
_PUNCTUATION = "\u2013\u2014\u2018\u2019\u201a\u201c\u201d\u201e\u2026\u20ac"


def cents(text: str) -> int:
    """An amount in whole cents. A decimal point is refused: it may be euros."""
    if _CENTS.fullmatch(text):
        return int(text)
    if _SHORTENED.fullmatch(text):
        remedy = _("give the column the format of a number without decimals, then export it again")
        raise _shortened(text, remedy)
    amount, in_brackets = text, text[:1] == "(" and text[-1:] == ")"
    if in_brackets:
        amount = text[1:-1]
    bare = _WITH_CURRENCY.sub("", amount, count=1).strip()
    found = _UNGROUPED.fullmatch(bare) or _EUROS.fullmatch(bare)
    if not found:
        raise _bad(text, _("a number of cents"), "28843416")
    whole, rest = "".join(filter(str.isdecimal, found["euros"])), found["rest"]
    sign = "-" if in_brackets or found["sign"] in ("-", "\u2212") or found["behind"] else ""
    if rest is None and bare == amount and not whole == found["euros"]:
        raise TextError(
            "grouped",
            lambda field: _("{field} is {text}; separators are not read in amounts", field=field, text=text),
            _(
                "write {cents}, if these are cents, or {euros}, if these are euros",
                cents=f"{sign}{int(whole)}",
                euros=f"{sign}{int(whole) * 100}",
            ),
        )
    if rest is None and bare == amount:
        raise TextError(
            "sign",
            lambda field: _("{field} is {text}; a minus stands before the number", field=field, text=text),
            _("write {cents}", cents=f"{sign}{int(whole)}"),
        )
    raise TextError(
        "decimal",
        lambda field: _("{field} is {text}, but amounts are whole cents", field=field, text=text),
        _("write {cents}, if these are euros", cents=f"{sign}{int(whole + (rest or '').ljust(2, '0'))}"),
    )


def _shortened(text: str, remedy: Message) -> TextError:
    return TextError(
        "shortened",
        lambda field: _(
            "{field} is {text}, as a spreadsheet shortens a long number; digits are lost",
            field=field,
            text=text,
        ),
        remedy,
    )


def number(text: str) -> int:
    """A small whole number."""
    if _NUMBER.fullmatch(text):
        return int(text)
    raise _bad(text, _("a whole number"), "3")


@lru_cache(maxsize=1 << 12)  # many events share their day
def day(text: str) -> date:
    """A date, YYYY-MM-DD."""
    if not _DAY.fullmatch(text) or int(text[:4]) not in PLAUSIBLE_YEARS:
        raise _no_day(text) or _bad(text, _("a date"), "2026-11-17")
    try:
        return date.fromisoformat(text)
    except ValueError:  # such as the 31st of November
        raise _bad(text, _("a date"), "2026-11-17") from None


def _no_day(text: str, example: str = "2026-11-17") -> TextError | None:
    """Returns the error about a date that may mean more than one day, None for any other text."""
    remedy = _("write it like {example}", example=example)
    if _SLASHED.fullmatch(text):
        return TextError(
            "ambiguous",
            lambda field: _(
                "{field} is {text}, in which day and month cannot be told apart", field=field, text=text
            ),
            remedy,
        )
    if _SHORT_YEAR.fullmatch(text):
        return TextError(
            "short-year",
            lambda field: _("{field} is {text}, whose year has two digits", field=field, text=text),
            remedy,
        )
    if _DAYS_SINCE_1900.fullmatch(text):
        meant = date(1899, 12, 30) + timedelta(days=int(text[:5]))
        return TextError(
            "serial",
            lambda field: _(
                "{field} is {text}, the number by which a spreadsheet knows {day:date}",
                field=field,
                text=text,
                day=meant,
            ),
            _("give the column the format of a date, then export it again"),
        )
    return None


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
        example = "2026-11-17T08:05:00"
        raise _no_day(text, example) or _bad(text, _("a time"), example)
    on, at, seconds, fraction, zulu, hours, minutes = match.groups()
    offset = zulu or (f"{hours}:{minutes or '00'}" if hours else "")
    written = f"{on}T{at}{seconds or ':00'}{fraction or ''}{offset}"
    try:
        meant = datetime.fromisoformat(written)
    except ValueError:
        raise _bad(text, _("a time"), "2026-11-17T08:05:00") from None
    if meant.tzinfo is None:
        meant = meant.replace(tzinfo=LJUBLJANA)
        if meant.astimezone(UTC).astimezone(LJUBLJANA).replace(fold=0) != meant:
            raise _left_out(written)
    return meant.astimezone(UTC), written


def _left_out(written: str) -> TextError:
    return TextError(
        "gap",
        lambda field: _(
            "{field} is {text}, in the hour that the clock leaves out in spring", field=field, text=written
        ),
        _("write it with its offset, such as {example}", example=f"{written}+01:00"),
    )


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


def _reader(column: Field) -> Callable[[str], Any]:
    return name if column.format is NAME else _READ[column.type]


_READ: Mapping[Type, Callable[[str], Any]] = {
    Type.TEXT: text,
    Type.NUMBER: number,
    Type.CENTS: cents,
    Type.DAY: day,
    Type.MONTH: month,
    Type.MOMENT: moment,
}
