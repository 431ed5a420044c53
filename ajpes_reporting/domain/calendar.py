"""Working days and deadlines of the reports, in Ljubljana's time (section 5).

Working days follow the Slovenian calendar of work-free days; where TARGET, the calendar of the
banks, reaches its fourth working day earlier, the earlier day counts.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import count, islice
from typing import TYPE_CHECKING

from ajpes_reporting.i18n.formats import LJUBLJANA as LJUBLJANA

if TYPE_CHECKING:
    from collections.abc import Callable

PLAUSIBLE_YEARS = range(1900, 3000)
"""Years that a person can mean. Others are slips of the keyboard, and some break time arithmetic."""

_DUE_HOUR = time(18)
_SATURDAY = 5
_NO_DAYS: frozenset[date] = frozenset()


def is_working_day(day: date, extra_days_off: frozenset[date] = _NO_DAYS) -> bool:
    """Whether people work on this day in Slovenia.

    National holidays that are no work-free days, such as 8 June, are working days.
    """
    return _works(day, _work_free_days, extra_days_off)


def fourth_working_day(year: int, month: int, extra_days_off: frozenset[date] = _NO_DAYS) -> date:
    """Returns the fourth working day of the month: Slovenia's or TARGET's, whichever is earlier."""
    return min(
        _nth_working_day(4, year, month, days_off, extra_days_off)
        for days_off in (_work_free_days, _target_closing_days)
    )


def nodurs_deadline(day: date) -> datetime:
    """Returns the deadline of NODURS for a day: 18:00 of that day."""
    return datetime.combine(day, _DUE_HOUR, LJUBLJANA)


def spapp_deadline(month: date, extra_days_off: frozenset[date] = _NO_DAYS) -> datetime:
    """Returns the deadline of SPAPP for a month: the fourth working day of the next month, at 18:00.

    The instruction names the day and no hour ("najkasneje vsak četrti delovni dan"). AJPES
    processes on that day, and 18:00 is the hour that it names for NODURS: the safe reading. `month` is
    the month's first day.
    """
    due = month + timedelta(days=31)  # some day of the next month
    return datetime.combine(fourth_working_day(due.year, due.month, extra_days_off), _DUE_HOUR, LJUBLJANA)


def _nth_working_day(
    n: int,
    year: int,
    month: int,
    days_off: Callable[[int], frozenset[date]],
    extra_days_off: frozenset[date],
) -> date:
    first = date(year, month, 1)
    days = (first + timedelta(days=number) for number in count())
    working_days = (day for day in days if _works(day, days_off, extra_days_off))
    return next(islice(working_days, n - 1, None))


def _works(day: date, days_off: Callable[[int], frozenset[date]], extra_days_off: frozenset[date]) -> bool:
    return day.weekday() < _SATURDAY and day not in extra_days_off and day not in days_off(day.year)


@lru_cache(maxsize=64)
def _work_free_days(year: int) -> frozenset[date]:
    import holidays  # here, because it is slow to load and most commands need no calendar

    return frozenset(holidays.country_holidays("SI", years=year))


@lru_cache(maxsize=64)
def _target_closing_days(year: int) -> frozenset[date]:
    import holidays  # here, because it is slow to load and most commands need no calendar

    return frozenset(holidays.financial_holidays("XECB", years=year))
