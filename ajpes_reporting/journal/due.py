"""Due reports, and how each period ended. A day without changes is recorded only here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, update

from ajpes_reporting.database.tables import due_reports
from ajpes_reporting.journal import chain
from ajpes_reporting.journal.chain import NOTHING_TO_REPORT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

REPORTED_LATER = "reported_later"


def expect(connection: Connection, provider: str, report: str, period: str, deadline: datetime) -> None:
    """Notes that a report is due; does nothing if it is known already."""
    if find(connection, provider, report, period) is None:
        connection.execute(
            insert(due_reports).values(provider=provider, report=report, period=period, deadline=deadline)
        )


def find(connection: Connection, provider: str, report: str, period: str) -> Row[Any] | None:
    """Returns the row of one period; None if it is not known."""
    return connection.execute(select(due_reports).where(*_key(provider, report, period))).one_or_none()


def close(
    connection: Connection,
    provider: str,
    report: str,
    period: str,
    settled_as: str,
    submission: int | None,
    *,
    at: datetime,
) -> None:
    """Closes a period: accepted, or nothing to report."""
    connection.execute(
        update(due_reports)
        .where(*_key(provider, report, period))
        .values(settled_at=at, settled_as=settled_as, submission=submission)
    )


def close_as_quiet(connection: Connection, provider: str, report: str, period: str, *, at: datetime) -> None:
    """Records a day without changes, once."""
    known = find(connection, provider, report, period)
    if known is not None and known.settled_as is not None:
        return
    close(connection, provider, report, period, NOTHING_TO_REPORT, None, at=at)
    chain.append(
        connection,
        at=at,
        provider=provider,
        kind=NOTHING_TO_REPORT,
        body={"report": report, "period": period},
    )


def reopen_quiet(connection: Connection, provider: str, report: str, period: str) -> None:
    """A day that was quiet has something to report after all: it stays open until that is accepted."""
    connection.execute(
        update(due_reports)
        .where(*_key(provider, report, period), due_reports.c.settled_as == NOTHING_TO_REPORT)
        .values(settled_at=None, settled_as=None)
    )


def put_off(
    connection: Connection, provider: str, report: str, period: str, tries: int, until: datetime | None
) -> None:
    """Notes how often a period was tried in vain, and when it is tried again."""
    connection.execute(
        update(due_reports).where(*_key(provider, report, period)).values(tries=tries, next_try_at=until)
    )


def try_now(connection: Connection, provider: str) -> None:
    """Something has changed in the ledger: what was put off is tried at the next tick."""
    connection.execute(
        update(due_reports)
        .where(due_reports.c.provider == provider, due_reports.c.next_try_at.is_not(None))
        .values(next_try_at=None)
    )


def newest(connection: Connection, provider: str, report: str) -> str | None:
    """The newest period that is known for a kind of report."""
    return connection.execute(
        select(func.max(due_reports.c.period)).where(
            due_reports.c.provider == provider, due_reports.c.report == report
        )
    ).scalar()


def open_periods(
    connection: Connection, provider: str, quiet_until: datetime | None = None
) -> Sequence[Row[Any]]:
    """Periods that are expected and not closed, the most urgent first.

    With `quiet_until`, also those that were quiet so far and whose deadline comes after it.
    """
    is_open: ColumnElement[bool] = due_reports.c.settled_as.is_(None)
    if quiet_until is not None:
        may_still_change = due_reports.c.deadline > quiet_until
        is_open = or_(is_open, and_(due_reports.c.settled_as == NOTHING_TO_REPORT, may_still_change))
    return connection.execute(
        select(due_reports)
        .where(due_reports.c.provider == provider, is_open)
        .order_by(due_reports.c.deadline)
    ).all()


def _key(provider: str, report: str, period: str) -> tuple[Any, ...]:
    return (
        due_reports.c.provider == provider,
        due_reports.c.report == report,
        due_reports.c.period == period,
    )
