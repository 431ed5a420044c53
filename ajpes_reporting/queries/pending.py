"""The next report of each kind, as a run would find the ledger now."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from ajpes_reporting.database.engine import rehearsing
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.journal import submissions
from ajpes_reporting.ledger.reported import moved_months, stream_differences
from ajpes_reporting.pipeline.build import request_for
from ajpes_reporting.queries.obligations import stream_pending_obligations
from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.reports.nodurs.select import left_out
from ajpes_reporting.reports.spapp import SPAPP
from ajpes_reporting.reports.spapp.select import reported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.ledger.reported import Difference, MovedMonth
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.queries.obligations import PendingObligation
    from ajpes_reporting.reports.kind import ReportKind, Request
    from ajpes_reporting.reports.left_out import LeftOut


@dataclass(frozen=True, slots=True)
class NextReport:
    """The next report of any kind in brief: its period and deadline, its records, its totals as written."""

    period: Period
    has_ended: bool
    deadline: datetime
    record_count: int
    totals: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NextNodurs:
    """The next daily report: of which day, with what was recorded until when, and what it leaves out."""

    period: Period
    cutoff: datetime
    left_out: LeftOut
    _connection: Connection
    _request: Request

    def obligations(self) -> Iterator[PendingObligation]:
        """Every obligation with something new for AJPES, also one that is left out; read anew each time."""
        return stream_pending_obligations(self._connection, self._request)


@dataclass(frozen=True, slots=True)
class NextSpapp:
    """The next monthly report in brief, and the accepted months whose figures have moved.

    `silent` accounts have no figures of the month. `totals` are written as in the report, by its attributes.
    """

    period: Period
    has_ended: bool
    deadline: datetime
    accounts: int
    silent: int
    totals: Mapping[str, str]
    moved: tuple[MovedMonth, ...]
    _connection: Connection
    _context: Context

    def differences(self) -> Iterator[Difference]:
        """Every account that AJPES has with other figures than the ledger; read anew each time."""
        amounts = self._context.report_settings[SPAPP.code].amounts
        return stream_differences(self._connection, self._context.provider, amounts)


@dataclass(frozen=True, slots=True)
class Pending:
    """Asks about the next reports, as the ledger stands at one moment."""

    connection: Connection
    context: Context

    def brief(self, kind: ReportKind) -> NextReport:
        """Returns the next report of a kind. A period that is not over is summed up as far as it goes."""
        period = self._next_period(kind)
        self.context.refresh_ledger(self.connection, kind, period.key)
        request = request_for(self.context, kind, period)
        selection = kind.select(self.connection, request)
        return NextReport(
            period,
            request.prepared_at >= period.end,
            kind.deadline(period, self.context.extra_days_off),
            selection.record_count,
            selection.totals,
        )

    def nodurs(self, day: Period | None = None) -> NextNodurs:
        """Returns the next daily report, or that of a day."""
        period = day or self._next_period(NODURS)
        self.context.refresh_ledger(self.connection, NODURS, period.key)
        request = request_for(self.context, NODURS, period)
        kept = left_out(self.connection, request.provider, request.cutoff, request.prepared_at)
        return NextNodurs(period, request.cutoff, kept, self.connection, request)

    def spapp(self) -> NextSpapp:
        """Returns the next monthly report. A month that is not over is summed up as far as it goes."""
        context, connection = self.context, self.connection
        period = self._next_period(SPAPP)
        context.refresh_ledger(connection, SPAPP, period.key)
        request = request_for(context, SPAPP, period)
        selection = SPAPP.select(connection, request)
        silent = connection.scalar(select(func.count()).select_from(reported).where(reported.c.silent))
        return NextSpapp(
            period=period,
            has_ended=request.prepared_at >= period.end,
            deadline=SPAPP.deadline(period, context.extra_days_off),
            accounts=selection.record_count,
            silent=silent or 0,
            totals=selection.totals,
            moved=tuple(moved_months(connection, context.provider, request.settings.amounts)),
            _connection=connection,
            _context=context,
        )

    def _next_period(self, kind: ReportKind) -> Period:
        """The current day or the last month, or the one after it if that was accepted already."""
        current = kind.period(self.context.clock().astimezone(LJUBLJANA).date())
        period = current.previous() if kind.monthly else current
        latest = submissions.latest(self.connection, self.context.provider, kind.code, period.key)
        return period.next() if latest is not None and latest.state.is_accepted else period


@contextmanager
def pending(context: Context) -> Iterator[Pending]:
    """Opens the ledger as a run would find it now; whatever was brought up to date is undone in the end.

    Other writers wait meanwhile: read, and show it to nobody slow before the end.
    """
    with rehearsing(context.engine) as connection:
        yield Pending(connection, context)
