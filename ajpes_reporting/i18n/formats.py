"""Numbers, amounts, dates and times as people write them, in English and in Slovene.

Slovene follows the norm of the Slovene orthography: 30. 11. 2026, 17.40, 1.234,56 EUR. Babel's locale
data would write 17:40, which the norm rejects.
"""

from __future__ import annotations

import datetime as dt
import string
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LJUBLJANA = ZoneInfo("Europe/Ljubljana")
"""The time zone in which people here read a clock."""

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MONTHS_SL = (
    "januar", "februar", "marec", "april", "maj", "junij",
    "julij", "avgust", "september", "oktober", "november", "december",
)  # fmt: skip
_PARSE = string.Formatter().parse


class Formats:
    """The English forms of values; a subclass has those of another language."""

    conjunctions: Mapping[str, str] = {"and": "and", "or": "or"}
    by_hand = "hand"

    def count(self, number: int) -> str:
        """12345 as "12,345"."""
        return f"{number:,}"

    def eur(self, cents: int) -> str:
        """123456 as "1,234.56 EUR"."""
        euros, rest = divmod(abs(cents), 100)
        return f"{'-' if cents < 0 else ''}{self.count(euros)}.{rest:02d} EUR"

    def date(self, day: dt.date) -> str:
        """17 November 2026."""
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def month(self, day: dt.date) -> str:
        """November 2026."""
        return f"{_MONTHS[day.month - 1]} {day.year}"

    def day(self, day: dt.date) -> str:
        """2026-11-17, as tables have it."""
        return day.isoformat()

    def period(self, key: str) -> str:
        """A day or a month as the journal writes it: 2026-11-17, 2026-10."""
        return key

    def written(self, text: str) -> str:
        """A moment as it was written in the ledger or in the record: 2026-11-17T08:05:00."""
        return text

    def way(self, name: str) -> str:
        """A way in prose: soap as "SOAP"; an answer may have come by hand."""
        return self.by_hand if name == "hand" else name.upper()

    def quoted(self, text: str) -> str:
        """A text that somebody typed or sent, as 'it stands'."""
        return repr(text)

    def foreign(self, text: str) -> str:
        """The English words of a library or of a server, in the middle of a sentence of ours."""
        return text

    def tenths(self, number: int) -> str:
        """123 as "12.3"."""
        return f"{number // 10}.{number % 10}"

    def second(self, at: dt.datetime) -> str:
        """2026-11-17 18:00:05, in the time of Ljubljana."""
        return f"{at.astimezone(LJUBLJANA):%Y-%m-%d %H:%M:%S}"

    def moment(self, at: dt.datetime) -> str:
        """2026-11-17 18:00, in the time of Ljubljana."""
        return f"{at.astimezone(LJUBLJANA):%Y-%m-%d %H:%M}"

    def clock(self, at: dt.datetime) -> str:
        """18:00, in the time of Ljubljana."""
        return f"{at.astimezone(LJUBLJANA):%H:%M}"

    def listing(self, items: Sequence[str], conjunction: str = "") -> str:
        """`a, b`, or `a, b and c` with a conjunction before the last one."""
        word = self.conjunctions.get(conjunction)
        if word is None or len(items) < 2:
            return ", ".join(items)
        return f"{', '.join(items[:-1])} {word} {items[-1]}"

    def fill(self, template: str, values: Mapping[str, Any], told: Callable[[Any], str]) -> str:
        """The template with its values, each as its format says.

        `told` renders a value that stands as it is. Raises KeyError for a value that is not given,
        and ValueError for a format that does not exist.
        """
        filled = []
        for text, name, spec, conversion in _PARSE(template):
            filled.append(text)
            if name is not None:
                if conversion:
                    raise ValueError(f"a message has no conversions: {template!r}")
                filled.append(self._written(values[name], spec or "", told))
        return "".join(filled)

    def _written(self, value: Any, spec: str, told: Callable[[Any], str]) -> str:
        if isinstance(value, tuple | list):
            return self.listing([told(item) for item in value], spec)
        match spec:
            case "":
                return told(value)
            case "count":
                return self.count(value)
            case "eur":
                return self.eur(value)
            case "date":
                return self.date(value)
            case "month":
                return self.month(value)
            case "day":
                return self.day(value)
            case "period":
                return self.period(value)
            case "written":
                return self.written(value)
            case "way":
                return self.way(value)
            case "quoted":
                return self.quoted(value)
            case "foreign":  # a message is ours, whoever gave the reason for it
                return self.foreign(value) if type(value) is str else told(value)
            case "tenths":
                return self.tenths(value)
            case "second":
                return self.second(value)
            case "moment":
                return self.moment(value)
            case "clock":
                return self.clock(value)
        raise ValueError(f"there is no format {spec!r}")


class SloveneFormats(Formats):
    """The Slovene forms of values.

    Blanks stay blanks, so that a terminal's text can be searched; a page keeps dates and amounts on one line
    by its style.
    """

    conjunctions: Mapping[str, str] = {"and": "in", "or": "ali"}
    by_hand = "ročno"

    def count(self, number: int) -> str:
        """12345 as "12.345"."""
        return f"{number:,}".replace(",", ".")

    def eur(self, cents: int) -> str:
        """123456 as "1.234,56 EUR"."""
        euros, rest = divmod(abs(cents), 100)
        return f"{'-' if cents < 0 else ''}{self.count(euros)},{rest:02d} EUR"

    def date(self, day: dt.date) -> str:
        """17. 11. 2026: without letters it fits every case."""
        return f"{day.day}. {day.month}. {day.year}"

    def day(self, day: dt.date) -> str:
        """17. 11. 2026."""
        return self.date(day)

    def period(self, key: str) -> str:
        """17. 11. 2026, or oktober 2026; what is neither a day nor a month stays as it is."""
        try:
            first = dt.date.fromisoformat(key if len(key) > 7 else f"{key}-01")
        except ValueError:
            return key
        return self.date(first) if len(key) > 7 else self.month(first)

    def written(self, text: str) -> str:
        """17. 11. 2026 ob 8.05.00, on the clock it was written by; what is no moment stays as it is."""
        try:
            at = dt.datetime.fromisoformat(text)
        except ValueError:
            return text
        return f"{self.date(at)} ob {at.hour}.{at.minute:02d}.{at.second:02d}"

    def quoted(self, text: str) -> str:
        """A text that somebody typed or sent, as »it stands«."""
        return f"»{repr(text)[1:-1]}«"

    def foreign(self, text: str) -> str:
        """English words in a Slovene sentence: »in quotation marks«."""
        return f"»{text}«"

    def tenths(self, number: int) -> str:
        """123 as "12,3"."""
        return f"{number // 10},{number % 10}"

    def second(self, at: dt.datetime) -> str:
        """17. 11. 2026 ob 18.00.05, in the time of Ljubljana."""
        return f"{self.moment(at)}.{at.second:02d}"

    def month(self, day: dt.date) -> str:
        """The month by its name: "november 2026"."""
        return f"{_MONTHS_SL[day.month - 1]} {day.year}"

    def moment(self, at: dt.datetime) -> str:
        """17. 11. 2026 ob 18.00, in the time of Ljubljana."""
        return f"{self.date(at.astimezone(LJUBLJANA))} ob {self.clock(at)}"

    def clock(self, at: dt.datetime) -> str:
        """18.00, in the time of Ljubljana."""
        local = at.astimezone(LJUBLJANA)
        return f"{local.hour}.{local.minute:02d}"


FORMATS: Mapping[str, Formats] = {"en": Formats(), "sl": SloveneFormats()}
"""By the language's code (ISO 639-1)."""
