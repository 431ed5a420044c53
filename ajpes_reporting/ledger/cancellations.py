"""Cancellations among the events that come in: each names an event that there is, and only once.

The database finds what each of them names; what is right there, the rules of the domain say
(section 2.2, row 13 and note **).

An event may have come in with a time of recording that lies ahead, when that was not refused yet. AJPES
has never heard of it, and its cancellation would stand before it in every report. Both are withdrawn:
they stay in the ledger, and go into no report.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, or_, select

from ajpes_reporting.database.facts import EVENT_FIELDS, event_of
from ajpes_reporting.database.reported import is_unheard_of
from ajpes_reporting.database.tables import events, pending_events, withdrawn_events
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.domain.events import CANCELLATION
from ajpes_reporting.domain.remedies import LAGGING_SEQUENCE
from ajpes_reporting.domain.rules import check_cancellation, record_name
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger.findings import MOST
from ajpes_reporting.ledger.history import history
from ajpes_reporting.ledger.staging import located, staged_cancellations, staged_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, Select

    from ajpes_reporting.domain.events import Event
    from ajpes_reporting.domain.findings import Finding

_ROWS_AT_A_TIME = 5_000


def kept_out(connection: Connection, provider: str) -> Iterator[Finding]:
    """Yields findings about staged events that the ledger did not take, though it does not know them.

    They are second cancellations of one event: it has no place for them. Raises `AjpesReportingError` if
    any is not: nothing may go missing.
    """
    for row in connection.execute(_left_out()).mappings():
        if row["cancelled_by"] is None:
            record = record_name(row["obligation_id"], row["event_id"])
            raise AjpesReportingError(
                _("The ledger did not take {record}, though it is new.", record=record),
                LAGGING_SEQUENCE,
            )
        target = _find(connection, provider, row["obligation_id"], row["cancels_event_id"])
        by = row["cancelled_by"]
        yield from _at(row, check_cancellation(row["obligation_id"], event_of(row), target, by))


def wrong_cancellations(connection: Connection, last_event: int, now: datetime) -> Iterator[Finding]:
    """Yields findings about the cancellations among the events that were added after `last_event`."""
    for row in connection.execute(_with_targets(last_event, now)).mappings():
        cancellation = event_of(row, "own ")
        target = None if row["target id"] is None else event_of(row, "target ")
        if target is not None and row["never was"]:
            target = replace(target, recorded_at=cancellation.recorded_at)
            order_ok = True
        else:
            order_ok = target is None or _place(row, "own ") >= _place(row, "target ")
        obligation_id = row["obligation_id"]
        yield from _at(row, check_cancellation(obligation_id, cancellation, target, None, order_ok))


def withdraw(connection: Connection, provider: str, last_event: int, now: datetime) -> None:
    """Withdraws the events that never were, with their new cancellations: AJPES is not to hear of either."""
    own, target = events.alias("own"), events.alias("target")
    pairs = connection.execute(
        select(own.c.id, target.c.id.label("target"))
        .select_from(_joined(own, target, outer=False))
        .where(own.c.id > last_event, _never_was(own, target, now))
    ).all()
    if not pairs:
        return
    keys = [key for pair in pairs for key in pair]
    rows = [{"event": key, "provider": provider, "withdrawn_at": now} for key in keys]
    connection.execute(insert(withdrawn_events), rows)
    connection.execute(delete(pending_events).where(pending_events.c.event.in_(keys)))


def _never_was(own: FromClause, target: FromClause, now: datetime) -> ColumnElement[bool]:
    """Whether what is cancelled lies ahead, and AJPES knows nothing of it."""
    lies_ahead = and_(target.c.recorded_at > own.c.recorded_at, target.c.recorded_at > now)
    return and_(lies_ahead, is_unheard_of(target))


def _joined(own: FromClause, target: FromClause, *, outer: bool) -> FromClause:
    """The new cancellations, as the source and the ledger have them, and what each of them names."""
    staged = staged_cancellations
    itself = (own.c.obligation == staged.c.obligation) & (own.c.event_id == staged.c.event_id)
    named = (target.c.obligation == own.c.obligation) & (target.c.event_id == own.c.cancels_event_id)
    return staged.join(own, itself).join(target, named, isouter=outer)


def _at(row: RowMapping, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings, with the place of the row they are about."""
    return (replace(finding, line=row["line"]) for finding in findings)


def _left_out() -> Select[Any]:
    """The staged events that the ledger does not have, and which other event cancels the same one."""
    staged, own, other = staged_events.c, events.alias("own"), events.alias("other")
    return (
        select(staged_events, other.c.event_id.label("cancelled_by"))
        .join(located, located.c.obligation_id == staged.obligation_id)
        .outerjoin(own, (own.c.obligation == located.c.obligation) & (own.c.event_id == staged.event_id))
        .outerjoin(
            other,
            (other.c.obligation == located.c.obligation)
            & (other.c.cancels_event_id == staged.cancels_event_id),
        )
        .where(own.c.id.is_(None))
        .order_by(staged.line)
        .limit(MOST)
    )


def _find(connection: Connection, provider: str, obligation_id: str, event_id: str) -> Event | None:
    """An event of the ledger, or one of the source that stayed out."""
    stored = history(connection, provider, obligation_id)
    staged = connection.execute(
        select(staged_events).where(
            staged_events.c.obligation_id == obligation_id, staged_events.c.event_id == event_id
        )
    ).mappings()
    known = [*(stored[1] if stored else ()), *(event_of(row) for row in staged)]
    return next((event for event in known if event.event_id == event_id), None)


def _with_targets(last_event: int, now: datetime) -> Select[Any]:
    """The new cancellations that have to be asked about, their places in the source, and what they name."""
    staged = staged_cancellations
    own, target = events.alias("own"), events.alias("target")
    sides = (
        side.c[name].label(f"{side.name} {name}") for side in (own, target) for name in ("id", *EVENT_FIELDS)
    )
    return (
        select(staged.c.line, staged.c.obligation_id, _never_was(own, target, now).label("never was"), *sides)
        .select_from(_joined(own, target, outer=True))
        .where(own.c.id > last_event, _is_not_plainly_right(own, target))
        .order_by(staged.c.line)
        .execution_options(yield_per=_ROWS_AT_A_TIME)
    )


def _is_not_plainly_right(own: FromClause, target: FromClause) -> ColumnElement[bool]:
    """Nearly all name an event like themselves, recorded before them: about these is nothing to ask."""
    return or_(
        target.c.id.is_(None),
        target.c.change_type == CANCELLATION,
        target.c.amount_cents != own.c.amount_cents,
        target.c.recorded_at >= own.c.recorded_at,
    )


def _place(row: RowMapping, prefix: str) -> tuple[Any, int]:
    """The place of an event in the order of recording."""
    return row[f"{prefix}recorded_at"], row[f"{prefix}id"]
