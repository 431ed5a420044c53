"""Days, months and the names of files."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.periods import (
    Day,
    Month,
    Period,
    file_name,
    parse_day,
    parse_month,
)

days = st.dates(date(1900, 1, 2), date(2999, 12, 30)).map(Day)
months = st.builds(Month, st.integers(1901, 2998), st.integers(1, 12))


def test_a_day_is_written_in_three_ways() -> None:
    """Journal, file name and sentence each get their own writing, whatever the locale."""
    day = Day(date(2026, 11, 7))
    assert (day.key, day.compact, day.spoken) == ("2026-11-07", "20261107", "7 November 2026")


def test_a_month_is_written_in_three_ways() -> None:
    """Journal, file name and sentence each get their own writing, whatever the locale."""
    month = Month(2026, 3)
    assert (month.key, month.compact, month.spoken) == ("2026-03", "202603", "March 2026")


@given(st.one_of(days, months))
def test_next_and_previous_undo_each_other_and_leave_no_gap(period: Period) -> None:
    """No day and no month is reported twice or never."""
    assert period.next().previous() == period
    assert period.next().first_day == period.last_day + timedelta(days=1)
    assert period.end > datetime.combine(period.last_day, datetime.min.time(), UTC)


@given(days)
def test_a_written_day_is_read_again(day: Day) -> None:
    """What the journal or a file name says is the day that was meant."""
    assert parse_day(day.key) == parse_day(day.compact) == day


@given(months)
def test_a_written_month_is_read_again(month: Month) -> None:
    """What the journal or a file name says is the month that was meant."""
    assert parse_month(month.key) == parse_month(month.compact) == month


def test_periods_are_in_order_of_time() -> None:
    """What was missed is caught up in the order in which it happened."""
    assert Day(date(2026, 9, 30)) < Day(date(2026, 10, 1))
    assert sorted([Month(2027, 1), Month(2026, 12)]) == [Month(2026, 12), Month(2027, 1)]


@pytest.mark.parametrize(
    ("period", "end_in_utc"),
    [
        (Day(date(2026, 3, 29)), datetime(2026, 3, 29, 22, tzinfo=UTC)),  # clocks went forward that day
        (Day(date(2026, 10, 25)), datetime(2026, 10, 25, 23, tzinfo=UTC)),  # clocks went back that day
        (Month(2026, 2), datetime(2026, 2, 28, 23, tzinfo=UTC)),
        (Month(2028, 2), datetime(2028, 2, 29, 23, tzinfo=UTC)),
        (Month(2026, 12), datetime(2026, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_a_period_ends_at_midnight_in_ljubljana(period: Period, end_in_utc: datetime) -> None:
    """An event recorded just before midnight belongs to the day on the bank's own clock."""
    assert period.end == end_in_utc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "17.11.2026",
        "2026-11-31",
        "2026-13-01",
        "2026-W47-2",
        "0026-11-17",
        "2026-11-17\n",
        "\u0662\u0660\u0662\u06661117",
    ],
)
def test_what_is_no_day_is_refused_with_an_example(text: str) -> None:
    """The operator sees how to write it."""
    with pytest.raises(UsageError) as refused:
        parse_day(text)
    assert "is not a day" in refused.value.message
    assert "2026-11-17" in refused.value.remedy


@pytest.mark.parametrize(
    "text", ["", "October", "10/2026", "202613", "202600", "2026-1", "000000", "20261117"]
)
def test_what_is_no_month_is_refused_with_an_example(text: str) -> None:
    """The operator sees how to write it."""
    with pytest.raises(UsageError) as refused:
        parse_month(text)
    assert "is not a month" in refused.value.message
    assert "202610" in refused.value.remedy


def test_files_are_named_as_the_instruction_says() -> None:
    """The authority finds the report under the name it looks for (sections 2.1 and 3.1)."""
    assert file_name("nodurs", Day(date(2026, 11, 17)), "5860571000") == "NODURS_20261117_5860571.xml"
    assert file_name("spapp", Month(2026, 10), "5860571") == "SPAPP_202610_5860571.xml"
