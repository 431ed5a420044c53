"""The day or month that a report is about, and the name of its file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, Protocol, Self

from ajpes_reporting.domain.calendar import LJUBLJANA, PLAUSIBLE_YEARS
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import Message, _

_DAY = re.compile("([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_MONTH = re.compile("([0-9]{4})-?([0-9]{2})")
_FILE_NAME = re.compile(r"([A-Z]+)_([0-9]{8}|[0-9]{6})_([0-9]{7})(?![0-9])", re.IGNORECASE)


class Period(Protocol):
    """A stretch of time that a report is about. Periods of one kind have an order."""

    @property
    def key(self) -> str:
        """The period as the journal and people write it: "2026-11-17" or "2026-10"."""
        ...

    @property
    def compact(self) -> str:
        """The period as file names write it: "20261117" or "202610"."""
        ...

    @property
    def spoken(self) -> Message:
        """The period as a sentence says it: "17 November 2026" or "October 2026"."""
        ...

    @property
    def first_day(self) -> date:
        """The first day of the period."""
        ...

    @property
    def last_day(self) -> date:
        """The last day of the period, included."""
        ...

    @property
    def end(self) -> datetime:
        """The first instant after the period, in Ljubljana."""
        ...

    def previous(self) -> Self:
        """Returns the period before this one."""
        ...

    def next(self) -> Self:
        """Returns the period after this one."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Day:
    """One day in Ljubljana, as NODURS reports it."""

    value: date

    @property
    def key(self) -> str:
        return self.value.isoformat()

    @property
    def compact(self) -> str:
        return self.key.replace("-", "")

    @property
    def spoken(self) -> Message:
        return Message("{day:date}", {"day": self.value})

    @property
    def first_day(self) -> date:
        return self.value

    @property
    def last_day(self) -> date:
        return self.value

    @property
    def end(self) -> datetime:
        return _end_of(self.value)

    def previous(self) -> Day:
        return Day(self.value - timedelta(days=1))

    def next(self) -> Day:
        return Day(self.value + timedelta(days=1))


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One month in Ljubljana, as SPAPP reports it. `month` is 1 to 12."""

    year: int
    month: int

    @property
    def key(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def compact(self) -> str:
        return f"{self.year:04d}{self.month:02d}"

    @property
    def spoken(self) -> Message:
        return Message("{month:month}", {"month": self.first_day})

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        return self.next().first_day - timedelta(days=1)

    @property
    def end(self) -> datetime:
        return _end_of(self.last_day)

    def previous(self) -> Month:
        return Month(self.year - 1, 12) if self.month == 1 else Month(self.year, self.month - 1)

    def next(self) -> Month:
        return Month(self.year + 1, 1) if self.month == 12 else Month(self.year, self.month + 1)


def parse_day(text: str) -> Day:
    """Returns the day written as "2026-11-17" or "20261117". Raises UsageError for anything else."""
    try:
        year, month, day = _numbers(_DAY, text)
        return Day(date(year, month, day))
    except ValueError:
        raise UsageError(
            _("{text:quoted} is not a day.", text=text),
            _("write the day as YYYY-MM-DD, such as 2026-11-17"),
        ) from None


def parse_month(text: str) -> Month:
    """Returns the month written as "202610" or "2026-10". Raises UsageError for anything else."""
    try:
        year, month = _numbers(_MONTH, text)
        return Month(year, date(year, month, 1).month)
    except ValueError:
        raise UsageError(
            _("{text:quoted} is not a month.", text=text), _("write the month as YYYYMM, such as 202610")
        ) from None


def file_name(report: str, period: Period, registration_number: str) -> str:
    """Returns the name of a report's file: NODURS_20261117_5860571.xml (sections 2.1 and 3.1).

    Of the registration number the name has the first 7 digits.
    """
    return f"{report.upper()}_{period.compact}_{registration_number[:7]}.xml"


class FileName(NamedTuple):
    """The parts of a report's file name: "NODURS", "20261117", and 7 digits of the registration number."""

    report: str
    period: str
    registration_number: str


def read_file_name(name: str) -> FileName | None:
    """Returns what a file name says of the report in it; None if it is not of that form.

    Whatever follows, such as the marks of a copy, does not count, nor does letter case.
    """
    match = _FILE_NAME.match(name)
    return match and FileName(match[1].upper(), match[2], match[3])


def _numbers(pattern: re.Pattern[str], text: str) -> list[int]:
    match = pattern.fullmatch(text)
    if not match or int(match[1]) not in PLAUSIBLE_YEARS:
        raise ValueError
    return [int(number) for number in match.groups()]


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), LJUBLJANA)
