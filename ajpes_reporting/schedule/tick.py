"""One tick: notes what has become due, and runs every period that is open, oldest first.

The calendar belongs to the table of due reports, not to whatever calls the tick: after downtime
the periods that were missed are still in it, each once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.calendar import LJUBLJANA, is_working_day
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import due, submissions
from ajpes_reporting.pipeline.collect import collect
from ajpes_reporting.pipeline.run import Result, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.desk import Desk
    from ajpes_reporting.reports.kind import ReportKind


@dataclass(frozen=True, slots=True)
class Times:
    """When, in Ljubljana, each kind of report is started, by its code; early enough to mend a refusal.

    A daily report starts on its day; a monthly one on the working day before it is due, when the
    month's figures are there.
    """

    start: dict[str, time]


def tick(desk: Desk, times: Times) -> Iterator[Result | AjpesReportingError]:
    """Runs what is due and open. A period that waits for a person or an answer is left alone.

    A period that fails is given out as its error, and does not keep the others from being run.
    """
    for kind in desk.kinds:
        _expect(desk, kind, times.start[kind.code])
    if _awaits_answer(desk):
        _look_for_answers(desk)
    for kind, period in list(_open(desk)):
        try:
            yield run(desk, kind, period)
        except AjpesReportingError as error:
            yield error


def _look_for_answers(desk: Desk) -> None:
    try:
        collect(desk)
    except AjpesReportingError:
        # The folders are out of reach now, or another run is at work. What is due goes its own way;
        # the next tick looks again.
        return


def _expect(desk: Desk, kind: ReportKind, start: time) -> None:
    """Fills the table up to now, from the newest period it knows."""
    now = desk.clock().astimezone(LJUBLJANA)
    with writing(desk.engine) as connection:
        newest = due.newest(connection, desk.provider, kind.code)
        for period in _begun(desk, kind, newest, now, start):
            deadline = kind.deadline(period, desk.extra_days_off)
            due.expect(connection, desk.provider, kind.code, period.key, deadline)


def _begun(desk: Desk, kind: ReportKind, newest: str | None, now: datetime, start: time) -> Iterator[Period]:
    """Periods after `newest` whose start has come; for a new installation only the current one."""
    current = kind.period(now.date())
    if kind.monthly:
        current = current.previous()
    period = _parsed(kind, newest).next() if newest else current
    while period.first_day <= current.first_day and _starts_at(desk, kind, period, start) <= now:
        yield period
        period = period.next()


def _starts_at(desk: Desk, kind: ReportKind, period: Period, start: time) -> datetime:
    day = period.first_day
    if kind.monthly:
        day = kind.deadline(period, desk.extra_days_off).date() - timedelta(days=1)
        while not is_working_day(day, desk.extra_days_off):
            day -= timedelta(days=1)
    return datetime.combine(day, start, LJUBLJANA)


def _open(desk: Desk) -> Iterator[tuple[ReportKind, Period]]:
    """Due and not settled. A day that was quiet stays open until it is due: an event may still come."""
    kinds = {kind.code: kind for kind in desk.kinds}
    with desk.engine.connect() as connection:
        for row in due.open_periods(connection, desk.provider, quiet_until=desk.clock()):
            latest = submissions.latest(connection, desk.provider, row.report, row.period)
            if latest is None or latest.state in (State.PREPARED, State.UNREACHABLE, State.SENDING):
                yield kinds[row.report], _parsed(kinds[row.report], row.period)


def _parsed(kind: ReportKind, key: str) -> Period:
    return kind.period(date.fromisoformat(f"{key}-01" if kind.monthly else key))


def _awaits_answer(desk: Desk) -> bool:
    with desk.engine.connect() as connection:
        waiting = frozenset({State.DELIVERED, State.UNKNOWN})
        return bool(submissions.in_states(connection, desk.provider, waiting))
