"""One tick: notes what has become due, and has every period done that is open, oldest first.

The calendar belongs to the table of due reports, not to whatever calls the tick: after downtime
the periods that were missed are still in it, each once. An engine calls `tick`, and `do` for each
job; it may do that in one process or on several machines.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.deliver.connection_pool import kept_connections
from ajpes_reporting.domain.calendar import LJUBLJANA, is_working_day
from ajpes_reporting.domain.errors import AjpesReportingError, Busy, Replaced
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import chores, due, submissions
from ajpes_reporting.pipeline.collect import collect
from ajpes_reporting.pipeline.run import Ending, Result, run
from ajpes_reporting.schedule.provider_schedule import Chore, Job, ProviderSchedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

TICK = "tick"
"""The chore that a tick itself is: when one got through last, for monitoring."""

Done = Result | Exception
"""What became of a job. Whatever it failed of is given out, and told with its traceback if nobody
foresaw it: one job, one bank, must not keep others from being reported in time."""

_WAITS_FOR_A_PERSON = frozenset(
    {Ending.CHECKS_REFUSED, Ending.HELD, Ending.MUST_BE_SETTLED, Ending.NEEDS_CORRECTION}
)
_MAY_BE_TRIED = frozenset({State.PREPARED, State.UNREACHABLE, State.SENDING})


def tick(
    duties: Sequence[ProviderSchedule], dispatch: Callable[[ProviderSchedule, Job], Done | None]
) -> Iterator[tuple[ProviderSchedule, Done]]:
    """Has everything done that is due and open, for each provider; then the chores.

    `dispatch` has a job done: at once, or later by somebody else, and then there is nothing to
    tell yet. One provider that fails does not keep the others from being served.
    """
    for duty in duties:
        try:
            for done in _serve(duty, dispatch):
                yield duty, done
        except Exception as error:
            yield duty, error


def do(duty: ProviderSchedule, job: Job) -> Done:
    """Runs one job, and notes when to try again if it did not succeed."""
    kind = duty.context.kind(job.report)
    try:
        result: Done = run(duty.context, kind, kind.parse_period(job.period))
    except Exception as error:
        result = error
    _put_off(duty, kind, job, result)
    return result


def _serve(
    duty: ProviderSchedule, dispatch: Callable[[ProviderSchedule, Job], Done | None]
) -> Iterator[Done]:
    note_due(duty)
    with kept_connections():
        if _awaits_answer(duty.context):
            look = Chore("answers", duty.answers_every, lambda: _look_for_answers(duty.context))
            yield from _do_chore(duty, look)
        for job in open_jobs(duty):
            if (done := dispatch(duty, job)) is not None:
                yield done
    for chore in duty.chores:
        yield from _do_chore(duty, chore)
    with writing(duty.context.engine) as connection:
        chores.note_done(connection, duty.context.provider, TICK, at=duty.context.clock())


def note_due(duty: ProviderSchedule) -> None:
    """Fills the table of due reports up to now, from where the schedule left it."""
    now = duty.context.clock().astimezone(LJUBLJANA)
    for kind in _owed(duty):
        with writing(duty.context.engine) as connection:
            noted = _noted_until(connection, duty, kind, now)
            for period in _begun(duty, kind, noted, now):
                deadline = kind.deadline(period, duty.context.extra_days_off)
                due.expect(connection, duty.context.provider, kind.code, period.key, deadline)
                noted = period
            _remember(connection, duty, kind, noted, now)


def open_jobs(duty: ProviderSchedule) -> list[Job]:
    """Returns the jobs that are due, not settled, and to be tried now, the oldest deadline first.

    A day that was quiet stays open until it is due: an event may still come. What was refused
    waits for a correction; what was delivered, for its answer.
    """
    context, now = duty.context, duty.context.clock()
    jobs = []
    may_be_tried = _MAY_BE_TRIED | ({State.UNKNOWN} if context.resend_after_unknown else set())
    with context.engine.connect() as connection:
        for row in due.open_periods(connection, context.provider, quiet_until=now):
            if row.report not in duty.starts or _is_put_off(duty, row.next_try_at, now):
                continue
            latest = submissions.latest(connection, context.provider, row.report, row.period)
            if latest is None or latest.state in may_be_tried:
                jobs.append(Job(context.provider, row.report, row.period))
    return jobs


def _is_put_off(duty: ProviderSchedule, until: datetime | None, now: datetime) -> bool:
    """Not by more than the longest pause: a clock that was ahead must not silence a report for long."""
    return until is not None and now < until <= now + timedelta(seconds=duty.retries.longest_seconds)


def _owed(duty: ProviderSchedule) -> Iterator[ReportKind]:
    return (kind for kind in duty.context.kinds if kind.code in duty.starts)


def _noted_until(connection: Connection, duty: ProviderSchedule, kind: ReportKind, now: datetime) -> Period:
    """The last period that the schedule needs not look at again.

    It keeps its own mark: a period that was run by hand says nothing about the days before it. A new
    installation begins with the current period, also if that has not started at the first tick; but a
    month that was due before it came was reported by others.
    """
    provider = duty.context.provider
    mark = chores.note(connection, provider, _mark(kind)) or due.newest(connection, provider, kind.code)
    if mark:
        return kind.parse_period(mark)
    current = _current(kind, now)
    is_over = kind.monthly and kind.deadline(current, duty.context.extra_days_off) < now
    return current if is_over else current.previous()


def _remember(
    connection: Connection, duty: ProviderSchedule, kind: ReportKind, noted: Period, now: datetime
) -> None:
    provider = duty.context.provider
    if chores.note(connection, provider, _mark(kind)) != noted.key:
        chores.note_done(connection, provider, _mark(kind), at=now, note=noted.key)


def _mark(kind: ReportKind) -> str:
    return f"{kind.code} is noted as due until"


def _begun(duty: ProviderSchedule, kind: ReportKind, noted: Period, now: datetime) -> Iterator[Period]:
    """The periods after the one that was noted last whose start has come."""
    current = _current(kind, now)
    period = noted.next()
    while period.first_day <= current.first_day and _starts_at(duty, kind, period) <= now:
        yield period
        period = period.next()


def _current(kind: ReportKind, now: datetime) -> Period:
    """The day that it is; for a monthly report, the month that is over."""
    period = kind.period(now.date())
    return period.previous() if kind.monthly else period


def _starts_at(duty: ProviderSchedule, kind: ReportKind, period: Period) -> datetime:
    day, days_off = period.first_day, duty.context.extra_days_off
    if kind.monthly:
        day = kind.deadline(period, days_off).date() - timedelta(days=1)
        while not is_working_day(day, days_off):
            day -= timedelta(days=1)
    return datetime.combine(day, duty.starts[kind.code], LJUBLJANA)


def _put_off(duty: ProviderSchedule, kind: ReportKind, job: Job, done: Done) -> None:
    if isinstance(done, Busy) and not isinstance(done, Replaced):
        return  # nothing was tried
    context, retries, now = duty.context, duty.retries, duty.context.clock()
    with writing(context.engine) as connection:
        row = due.find(connection, job.provider, job.report, job.period)
        if row is None:
            return
        tries = row.tries
        if isinstance(done, Exception) or _state(done) is State.UNREACHABLE:
            tries += 1
            again = retries.after_failure(tries, now, row.deadline)
        elif done.ending in _WAITS_FOR_A_PERSON or _state(done) is State.UNKNOWN:
            again = retries.after_hold(now, row.deadline)
        elif done.ending is Ending.NOTHING_TO_REPORT:
            again = retries.after_quiet(now, row.deadline)
        else:
            return
        due.put_off(connection, job.provider, job.report, job.period, tries, again)


def _state(result: Result) -> State | None:
    return result.submission.state if result.submission else None


def _awaits_answer(context: Context) -> bool:
    with context.engine.connect() as connection:
        waiting = frozenset({State.DELIVERED, State.UNKNOWN})
        return bool(submissions.in_states(connection, context.provider, waiting))


def _look_for_answers(context: Context) -> None:
    """If the folders are out of reach, what is due goes its own way all the same."""
    try:
        collect(context)
    except Busy:
        return  # another run is at work, and looks for itself
    except AjpesReportingError as error:
        _log.warning("Answers could not be fetched: %s", error.message)


def _do_chore(duty: ProviderSchedule, chore: Chore) -> Iterator[Done]:
    now = duty.context.clock()
    with duty.context.engine.connect() as connection:
        last = chores.last_done(connection, duty.context.provider, chore.name)
    if last is not None and last <= now < last + chore.every:
        return
    try:
        chore.do()
    except Exception as error:
        yield error
        return
    with writing(duty.context.engine) as connection:
        chores.note_done(connection, duty.context.provider, chore.name, at=now)
