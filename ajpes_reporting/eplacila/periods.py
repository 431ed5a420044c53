"""Periods of statements as UJP takes them (section 6.5.5): at most 365 days, as local midnights."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_DAYS = 365
"""Counting both ends. Midnights so far apart are 364 days from each other, an hour more or less."""


def split(first: date, last: date) -> Iterator[tuple[date, date]]:
    """Yield the days from `first` to `last`, both included, in periods that one question may ask for."""
    while first <= last:
        end = first + min(last - first, timedelta(LONGEST_DAYS - 1))
        yield first, end
        if end == last:
            return  # the calendar may end there, too
        first = end + timedelta(1)


def require_days(first: date, last: date) -> None:
    """Raise `UsageError` for a period that ends before it begins."""
    if first > last:
        raise UsageError(
            _("The period from {first:date} to {last:date} ends before it begins.", first=first, last=last),
            _("name the earlier day first"),
        )


def epoch(day: date) -> int:
    """Return a day as UJP's own example writes it: 1546297200, midnight in Ljubljana, is 1 January 2019."""
    return int(datetime.combine(day, time(), LJUBLJANA).timestamp())
