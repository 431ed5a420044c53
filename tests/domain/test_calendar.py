"""Working days and deadlines; the days are read off a wall calendar."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest

from ajpes_reporting.domain.calendar import (
    fourth_working_day,
    is_working_day,
    nodurs_deadline,
    spapp_deadline,
)


@pytest.mark.parametrize(
    ("month", "day"),
    # Slovenia's days, but for January: 2 January is work-free in Slovenia, not in TARGET.
    # In April, Good Friday makes TARGET's the later one (8 April), so Slovenia's counts.
    [(1, 7), (2, 5), (3, 5), (4, 7), (5, 7), (6, 4), (7, 6), (8, 6), (9, 4), (10, 6), (11, 5), (12, 4)],
)
def test_fourth_working_day_is_the_earlier_of_both_calendars(month: int, day: int) -> None:
    """The bank is never late, whichever calendar the authority means."""
    assert fourth_working_day(2026, month) == date(2026, month, day)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2012, 1, 2), False),  # a Monday
        (date(2013, 1, 2), True),
        (date(2014, 1, 2), True),
        (date(2015, 1, 2), True),
        (date(2017, 1, 2), False),  # a Monday, work-free again
        (date(2026, 1, 2), False),
    ],
)
def test_second_of_january_was_a_working_day_from_2013_to_2016(day: date, works: bool) -> None:
    """Whoever looks into old months sees the deadlines that held then."""
    assert is_working_day(day) is works


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 6, 8),  # Primož Trubar Day
        date(2026, 8, 17),  # union of Prekmurje with the mother nation
        date(2026, 9, 15),  # return of Primorska
        date(2026, 9, 23),  # Slovenian sports day
        date(2026, 11, 23),  # Rudolf Maister Day
        date(2026, 4, 3),  # Good Friday
        date(2026, 12, 24),
    ],
)
def test_holidays_that_are_not_work_free_are_working_days(day: date) -> None:
    """A national holiday on which everybody works moves no deadline."""
    assert is_working_day(day)


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 1, 1), date(2027, 2, 8), date(2026, 4, 6), date(2026, 4, 27), date(2026, 5, 1),
        date(2025, 5, 2), date(2026, 6, 25), date(2025, 8, 15), date(2025, 10, 31), date(2027, 11, 1),
        date(2026, 12, 25), date(2025, 12, 26), date(2023, 8, 14), date(2026, 11, 21), date(2026, 11, 22),
    ],
)  # fmt: skip
def test_work_free_days_and_weekends_are_no_working_days(day: date) -> None:
    """The operator is not called in on a day when nobody works (14 August 2023: day of solidarity)."""
    assert not is_working_day(day)


def test_a_day_off_of_the_bank_moves_the_fourth_working_day() -> None:
    """A day that only becomes work-free by decree can be configured."""
    day_off = frozenset({date(2026, 11, 4)})
    assert not is_working_day(date(2026, 11, 4), day_off)
    assert fourth_working_day(2026, 11, day_off) == date(2026, 11, 6)


@pytest.mark.parametrize(
    ("day", "in_utc"),
    [
        (date(2026, 3, 28), datetime(2026, 3, 28, 17, tzinfo=UTC)),  # the last day of winter time
        (date(2026, 3, 29), datetime(2026, 3, 29, 16, tzinfo=UTC)),
        (date(2026, 10, 24), datetime(2026, 10, 24, 16, tzinfo=UTC)),  # the last day of summer time
        (date(2026, 10, 25), datetime(2026, 10, 25, 17, tzinfo=UTC)),
    ],
)
def test_nodurs_is_due_at_six_in_the_evening_of_ljubljana(day: date, in_utc: datetime) -> None:
    """A server in another zone, or a change of the clocks, makes nobody an hour late."""
    assert nodurs_deadline(day) == in_utc
    assert nodurs_deadline(day).hour == 18


@pytest.mark.parametrize(
    ("month", "due"),
    [
        (date(2026, 10, 1), datetime(2026, 11, 5, 17, tzinfo=UTC)),
        (date(2026, 7, 1), datetime(2026, 8, 6, 16, tzinfo=UTC)),
        (date(2025, 12, 1), datetime(2026, 1, 7, 17, tzinfo=UTC)),
        (date(2026, 12, 1), datetime(2027, 1, 7, 17, tzinfo=UTC)),  # 4, 5, 6, 7 January in both calendars
    ],
)
def test_spapp_is_due_on_the_fourth_working_day_of_the_next_month(month: date, due: datetime) -> None:
    """The monthly report is not forgotten over the turn of the year."""
    assert spapp_deadline(month) == due


def test_extra_days_off_move_the_spapp_deadline() -> None:
    """The deadline that is shown is the one that holds."""
    moved = spapp_deadline(date(2026, 10, 1), frozenset({date(2026, 11, 4)}))
    assert moved - spapp_deadline(date(2026, 10, 1)) == timedelta(days=1)


def test_calendars_are_loaded_only_when_asked() -> None:
    """Whoever runs a quick command does not wait for the holidays of the world."""
    code = "import sys, ajpes_reporting.domain.calendar; print('holidays' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
