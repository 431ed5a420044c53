"""The state of a provider: what is wrong, due, late, waiting or refused now, and the newest submissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.alarms.watch import standing
from ajpes_reporting.domain.findings import Severity
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import Message, _, _n
from ajpes_reporting.journal import answers, due, submissions
from ajpes_reporting.journal.chain import NOTHING_TO_REPORT
from ajpes_reporting.ledger.reported import moved_months
from ajpes_reporting.queries.document import untold
from ajpes_reporting.queries.submissions import to_do
from ajpes_reporting.queries.words import deadline_in_words
from ajpes_reporting.reports.spapp import SPAPP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Connection, Row

    from ajpes_reporting.alarms.alarm import Severity as AlarmSeverity
    from ajpes_reporting.config import AlarmsSection
    from ajpes_reporting.ledger.reported import Difference, MovedMonth
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind
    from ajpes_reporting.reports.left_out import LeftOut

_MOST = 20

_SETTLED = {
    NOTHING_TO_REPORT: _("nothing to report"),
    due.REPORTED_LATER: _("reported later"),
} | {state.value: state.label for state in State}


@dataclass(frozen=True, slots=True)
class StandingAlarm:
    """An alarm that stands, and since when."""

    key: str
    severity: AlarmSeverity
    since: datetime
    text: Message
    remedy: Message


@dataclass(frozen=True, slots=True)
class DueReport:
    """A report that is due, or the current one of its kind: how it stands, and how much time is left.

    `due` says how much time is left, or how late the report is; once it is settled, when it was due.
    """

    report: str
    period: str
    deadline: datetime
    standing: Message
    due: Message


@dataclass(frozen=True, slots=True)
class NextDue:
    """The next report of a kind that will be due: its deadline is ahead, and it is not settled yet."""

    report: str
    period: str
    deadline: datetime
    due: Message


@dataclass(frozen=True, slots=True)
class RecentSubmission:
    """A submission in brief, and what a person does about it."""

    id: int
    report: str
    period: str
    state: State
    records: int
    prepared_at: datetime
    sha256: str
    superseded_by: int | None
    to_do: Message


@dataclass(frozen=True, slots=True)
class AnswerInBrief:
    """An answer that was kept and not applied, and why."""

    id: int
    name: str
    status: str
    note: Message


@dataclass(frozen=True, slots=True)
class Today:
    """The state of one provider now. `left_out` is what a run would leave out at this moment, by report.

    `next_due` has one report of each kind, also when everything is settled.
    """

    provider: str
    alarms: tuple[StandingAlarm, ...]
    due: tuple[DueReport, ...]
    submissions: tuple[RecentSubmission, ...]
    moved: tuple[Difference, ...]
    answers_set_aside: tuple[AnswerInBrief, ...]
    left_out: Mapping[str, LeftOut]
    next_due: tuple[NextDue, ...]
    moved_months: tuple[MovedMonth, ...] = untold()


def today(context: Context, alarms: AlarmsSection) -> Today:
    """Returns how the provider of a context stands; `alarms` are the settings that say what is wrong."""
    amounts = context.report_settings[SPAPP.code].amounts
    sent_log = context.archive.sent_log
    with context.engine.connect() as connection:
        found = standing(connection, context.provider, alarms, context.clock(), sent_log, amounts)
        moved = tuple(moved_months(connection, context.provider, amounts))
        newest = submissions.recent(connection, context.provider, _MOST)
        aside = answers.set_aside_answers(connection, context.provider, _MOST)
        return Today(
            provider=context.provider,
            alarms=tuple(
                StandingAlarm(
                    item.alarm.key, item.alarm.severity, item.since, item.alarm.text, item.alarm.remedy
                )
                for item in found
            ),
            due=_due(connection, context),
            submissions=tuple(_recent(connection, item, moved) for item in newest),
            moved=tuple(item for month in moved for item in month.shown),
            answers_set_aside=tuple(
                AnswerInBrief(row.id, row.remote_name, row.status, row.note) for row in aside
            ),
            left_out=_left_out(connection, context),
            next_due=tuple(_next_due(connection, context, kind) for kind in context.kinds),
            moved_months=moved,
        )


def _recent(
    connection: Connection, item: submissions.Submission, moved: tuple[MovedMonth, ...]
) -> RecentSubmission:
    findings = submissions.findings_of(connection, item.id)
    is_refused_by_us = any(row.severity == Severity.ERROR for row in findings)
    has_moved = any(month.submission == item.id for month in moved)
    return RecentSubmission(
        item.id,
        item.report,
        item.period,
        item.state,
        item.record_count,
        item.prepared_at,
        item.sha256,
        item.superseded_by,
        to_do(item, is_refused_by_us=is_refused_by_us, has_moved=has_moved),
    )


def _left_out(connection: Connection, context: Context) -> dict[str, LeftOut]:
    """Returns what a run at this moment would leave out, by report."""
    now = context.clock()
    found = {
        kind.code: kind.left_out(connection, context.provider, now, now)
        for kind in context.kinds
        if kind.left_out
    }
    return {code: item for code, item in found.items() if item}


def _due(connection: Connection, context: Context) -> tuple[DueReport, ...]:
    """Returns the current period of each report, and every older one that is still open."""
    wanted = {
        (row.report, row.period, row.deadline) for row in due.open_periods(connection, context.provider)
    }
    for kind in context.kinds:
        period = kind.current_period(context.clock())
        noted = due.find(connection, context.provider, kind.code, period.key)
        # What stands in the table needs no calendar of holidays, which is slow to load.
        deadline = noted.deadline if noted else kind.deadline(period, context.extra_days_off)
        wanted.add((kind.code, period.key, deadline))
    by_deadline = sorted(wanted, key=lambda item: item[2])
    return tuple(_due_report(connection, context, *item) for item in by_deadline)


def _next_due(connection: Connection, context: Context, kind: ReportKind) -> NextDue:
    """Returns the first period from the current one on that is not settled and whose deadline is ahead."""
    now = context.clock()
    period = kind.current_period(now)
    while True:
        noted = due.find(connection, context.provider, kind.code, period.key)
        if noted is None or not noted.settled_as:
            deadline = noted.deadline if noted else kind.deadline(period, context.extra_days_off)
            if deadline >= now:
                return NextDue(kind.code, period.key, deadline, deadline_in_words(deadline, now))
        period = period.next()


def _due_report(
    connection: Connection, context: Context, report: str, period: str, deadline: datetime
) -> DueReport:
    known = due.find(connection, context.provider, report, period)
    if known is not None and known.settled_as:
        standing = _SETTLED.get(known.settled_as, Message(known.settled_as, {}))
        was_due = Message("{at:moment}", {"at": deadline})
        return DueReport(report, period, deadline, standing, was_due)
    standing = _open(connection, context, report, period, deadline, known)
    return DueReport(report, period, deadline, standing, deadline_in_words(deadline, context.clock()))


def _open(
    connection: Connection,
    context: Context,
    report: str,
    period: str,
    deadline: datetime,
    known: Row[Any] | None,
) -> Message:
    """Returns the standing of a period that is not settled; `known` is its row of the calendar."""
    now = context.clock()
    latest = submissions.latest(connection, context.provider, report, period)
    stands = latest.state.label if latest else _("not sent yet")
    if latest is not None and latest.is_held:
        stands = _("held")
    if known is None and now > deadline:
        return stands if latest else _("due before we came; run it if nobody has reported it")
    if now > deadline:
        stands = _("{standing}, late", standing=stands)
    waits = latest is None or latest.state is State.UNREACHABLE  # others wait for a person, or an answer
    if known is None or not (waits and known.tries and known.next_try_at and known.next_try_at > now):
        return stands
    return _n(
        "{standing}; tried {count} time, again at {again:clock}",
        "{standing}; tried {count} times, again at {again:clock}",
        known.tries,
        standing=stands,
        again=known.next_try_at,
    )
