"""The calendar from 2020 to 2035, lived through with outages: no period missed, none done twice.

What is expected is computed here, from the law's list of work-free days, the days on which TARGET
is closed, and the rule of summer time, and shares nothing with the program.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path

import pytest
from dateutil.easter import easter
from sqlalchemy import Engine, select

from ajpes_reporting.database.engine import snapshot, writing
from ajpes_reporting.database.tables import due_reports
from ajpes_reporting.domain.calendar import LJUBLJANA, nodurs_deadline, spapp_deadline
from ajpes_reporting.journal import due
from ajpes_reporting.pipeline.context import Context
from ajpes_reporting.schedule.provider_schedule import Job, ProviderSchedule
from ajpes_reporting.schedule.retries import Retries
from ajpes_reporting.schedule.tick import tick
from ajpes_reporting.wiring import open_context
from ajpes_reporting.workspace import make_workspace

YEARS = range(2020, 2036)
STARTS = {"NODURS": time(16), "SPAPP": time(9)}
ONE_DAY = timedelta(days=1)
BANK = "5860571000"

# Zakon o praznikih in dela prostih dnevih v Republiki Sloveniji, Articles 1 and 2: month and day.
# Easter and Pentecost move; 14 August 2023 was the day of solidarity after the floods.
WORK_FREE = {(1, 1), (1, 2), (2, 8), (4, 27), (5, 1), (5, 2), (6, 25), (8, 15), (10, 31), (11, 1), (12, 25),
             (12, 26)}  # fmt: skip
SOLIDARITY = date(2023, 8, 14)
TARGET_CLOSED = {(1, 1), (5, 1), (12, 25), (12, 26)}  # and Good Friday, and Easter Monday

# Fourth working days as a wall calendar has them. In January 2026 TARGET is a day earlier (7).
ON_THE_WALL_2026 = [7, 5, 5, 7, 7, 4, 6, 6, 4, 6, 5, 4]


# --- The independent calendar ---


def works_in_slovenia(day: date) -> bool:
    moving = (easter(day.year), easter(day.year) + ONE_DAY, easter(day.year) + 49 * ONE_DAY)
    is_free = (day.month, day.day) in WORK_FREE or day in moving or day == SOLIDARITY
    return day.weekday() < 5 and not is_free


def target_is_open(day: date) -> bool:
    moving = (easter(day.year) - 2 * ONE_DAY, easter(day.year) + ONE_DAY)
    return day.weekday() < 5 and (day.month, day.day) not in TARGET_CLOSED and day not in moving


def fourth(year: int, month: int) -> date:
    """The fourth working day, of the calendar that has it earlier."""
    days = [date(year, month, number) for number in range(1, 29)]
    return min(
        next(islice((day for day in days if works(day)), 3, None))
        for works in (works_in_slovenia, target_is_open)
    )


def in_ljubljana(day: date, hour: int) -> datetime:
    """An hour of the day as an instant: summer time is from the last Sunday of March to that of October."""
    summer = _last_sunday(day.year, 3) <= day < _last_sunday(day.year, 10)
    return datetime(day.year, day.month, day.day, hour - (2 if summer else 1), tzinfo=UTC)


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def expected(first: datetime, last: datetime) -> dict[tuple[str, str], datetime]:
    """Every period whose start has come by `last`, from the one that was current at `first`: its deadline."""
    periods = {}
    today = day = first.astimezone(LJUBLJANA).date()
    while in_ljubljana(day, 16) <= last:
        periods["NODURS", day.isoformat()] = in_ljubljana(day, 18)
        day += ONE_DAY
    month = (today.replace(day=1) - ONE_DAY).replace(day=1)
    if in_ljubljana(_due_day(month), 18) < first:  # others have reported it
        month = _next(month)
    while _month_begins(month) <= last:
        periods["SPAPP", f"{month:%Y-%m}"] = in_ljubljana(_due_day(month), 18)
        month = _next(month)
    return periods


def begins(job: Job) -> datetime:
    """When a job may be done at the earliest."""
    if job.report == "SPAPP":
        return _month_begins(date.fromisoformat(f"{job.period}-01"))
    return in_ljubljana(date.fromisoformat(job.period), 16)


def _due_day(month: date) -> date:
    following = _next(month)
    return fourth(following.year, following.month)


def _month_begins(month: date) -> datetime:
    day = _due_day(month) - ONE_DAY
    while not works_in_slovenia(day):
        day -= ONE_DAY
    return in_ljubljana(day, 9)


def _next(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


# --- Deadlines ---


def test_the_independent_calendar_is_the_one_on_the_wall() -> None:
    """The witness is checked too, against days that were read off by a person."""
    assert [fourth(2026, month).day for month in range(1, 13)] == ON_THE_WALL_2026


@pytest.mark.parametrize("year", YEARS)
def test_every_month_is_due_on_the_right_day(year: int) -> None:
    """SPAPP of each month of sixteen years: the fourth working day of the next, at 18:00."""
    for month in range(1, 13):
        right = in_ljubljana(_due_day(date(year, month, 1)), 18)
        assert spapp_deadline(date(year, month, 1)) == right, f"{year}-{month:02d}"


@pytest.mark.parametrize("year", YEARS)
def test_every_day_is_due_at_six(year: int) -> None:
    """NODURS of each day of sixteen years, both changes of the clocks among them."""
    day = date(year, 1, 1)
    while day.year == year:
        assert nodurs_deadline(day) == in_ljubljana(day, 18), day
        day += ONE_DAY


# --- Histories ---


@dataclass
class Life:
    """A machine that is up now and then, and what was done on it."""

    context: Context
    dice: random.Random
    now: datetime

    def __post_init__(self) -> None:
        self.accepted: Counter[tuple[str, str]] = Counter()
        context = replace(self.context, clock=lambda: self.now)
        self.duty = ProviderSchedule(context, STARTS, Retries(), timedelta(minutes=5))

    def tick(self, *, may_fail: bool = True) -> None:
        def dispatch(_duty: ProviderSchedule, job: Job) -> None:
            self._settle(job, may_fail)

        for _duty, done in tick([self.duty], dispatch):
            raise AssertionError(done)

    def _settle(self, job: Job, may_fail: bool) -> None:
        """Accepted mostly; sometimes a quiet day; sometimes it fails and is tried at a later tick."""
        assert self.now >= begins(job), f"{job} was done at {self.now}"
        chance = self.dice.random() if may_fail else 1.0
        if chance < 0.1:
            return
        with writing(self.context.engine) as connection:
            if chance < 0.2 and job.report == "NODURS":
                due.close_as_quiet(connection, BANK, job.report, job.period, at=self.now)
                return
            due.close(connection, BANK, job.report, job.period, "accepted", None, at=self.now)
        self.accepted[job.report, job.period] += 1

    def pause(self) -> timedelta:
        """From minutes to five weeks, as often short as long."""
        return timedelta(minutes=5 * 10 ** self.dice.uniform(0, 4))


@pytest.fixture
def context(engine: Engine, tmp_path: Path) -> Context:
    """The context of a real workspace, over a database with empty tables; nothing is delivered."""
    made = open_context(make_workspace(tmp_path / "bank"))
    made.engine.dispose()
    return replace(made, engine=engine)


def live(context: Context, dice: random.Random, first: datetime, last: datetime) -> Life:
    life = Life(context, dice, first)
    while life.now < last:
        life.tick()
        life.now += life.pause()
    life.now = last
    life.tick(may_fail=False)
    return life


def noted(context: Context) -> dict[tuple[str, str], tuple[datetime, str | None]]:
    with snapshot(context.engine) as connection:
        found = connection.execute(select(due_reports)).all()
    table = {(row.report, row.period): (row.deadline, row.settled_as) for row in found}
    assert len(table) == len(found)
    return table


def proves(context: Context, dice: random.Random, first: datetime, last: datetime) -> int:
    """Lives from `first` to `last`; gives the number of periods, each noted, done and settled once."""
    right = expected(first, last)
    life = live(context, dice, first, last)
    table = noted(context)
    assert {key: deadline for key, (deadline, _as) in table.items()} == right
    assert [key for key, (_deadline, settled_as) in table.items() if settled_as is None] == []
    assert max(life.accepted.values()) == 1
    quiet = {key for key, (_deadline, settled_as) in table.items() if settled_as == "nothing_to_report"}
    assert set(life.accepted) | quiet == set(right)
    return len(right)


def test_random_histories_miss_nothing_and_double_nothing(
    context: Context, dice: random.Random, full: bool
) -> None:
    """Sixteen years of outages; without --full a year and a half of them, from any moment on."""
    days = (YEARS.stop - YEARS.start) * 365 if full else 550
    earliest = datetime(YEARS.start, 1, 1, tzinfo=UTC)
    latest = datetime(YEARS.stop, 1, 1, tzinfo=UTC) - timedelta(days=days)
    first = earliest + dice.random() * (latest - earliest)
    periods = proves(context, dice, first, first + timedelta(days=days))
    print(f"{periods} periods from {first:%Y-%m-%d} on, each once")  # noqa: T201


def test_a_first_day_on_which_the_machine_goes_down_is_not_missed(
    context: Context, dice: random.Random
) -> None:
    """The schedule is started in the morning; the machine is off from noon until the next day."""
    life = Life(context, dice, in_ljubljana(date(2026, 11, 17), 10))
    life.tick()
    life.now = in_ljubljana(date(2026, 11, 18), 10)
    life.tick(may_fail=False)
    assert life.accepted == {("NODURS", "2026-11-17"): 1}


def test_a_day_that_a_clerk_runs_does_not_hide_those_before_it(context: Context, dice: random.Random) -> None:
    """The schedule was off for three days; a clerk runs the third by hand before it is back."""
    life = Life(context, dice, in_ljubljana(date(2026, 11, 17), 17))
    life.tick(may_fail=False)
    with writing(context.engine) as connection:
        due.expect(connection, BANK, "NODURS", "2026-11-20", in_ljubljana(date(2026, 11, 20), 18))
    life.now = in_ljubljana(date(2026, 11, 20), 17)
    life.tick(may_fail=False)
    done = sorted(period for report, period in life.accepted if report == "NODURS")
    assert done == ["2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"]


@pytest.mark.parametrize("change", [date(2026, 3, 29), date(2026, 10, 25)], ids=["spring", "autumn"])
def test_every_quarter_of_an_hour_round_a_change_of_the_clocks(
    context: Context, dice: random.Random, change: date
) -> None:
    """The hour that is skipped, and the one that comes twice, make no day and lose none."""
    first = in_ljubljana(change - 2 * ONE_DAY, 17)
    life = Life(context, dice, first)
    while life.now < first + 4 * ONE_DAY:
        life.tick()
        life.now += timedelta(minutes=15)
    life.tick(may_fail=False)
    assert {key: deadline for key, (deadline, _as) in noted(context).items()} == expected(first, life.now)
    assert max(life.accepted.values()) == 1
