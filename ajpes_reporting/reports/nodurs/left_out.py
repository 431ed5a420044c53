"""The part that a NODURS report leaves out: events after its cutoff, and excluded obligations.

An event that AJPES knows, or may know, is never left out, whatever its time of recording: AJPES
refuses an obligation of which it misses one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from ajpes_reporting.database.reported import is_in_force, is_unheard_of
from ajpes_reporting.database.tables import events, exclusions, obligations, pending_events
from ajpes_reporting.database.types import in_key_order
from ajpes_reporting.domain.rules import CLOCK_TOLERANCE
from ajpes_reporting.reports.left_out import MOST_NAMED, Excluded, HeldBack, LeftOut, Waiting

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select


def left_out(connection: Connection, provider: str, cutoff: datetime, now: datetime) -> LeftOut:
    """Returns everything that a report with this cutoff leaves out at this moment."""
    return LeftOut(held_back(connection, provider, cutoff, now), excluded(connection, provider))


def is_held_back(cutoff: datetime) -> ColumnElement[bool]:
    """In a query over events, whether a report with this cutoff leaves an event to a later one."""
    return and_(events.c.recorded_at > cutoff, is_unheard_of())


def is_excluded(provider: str) -> ColumnElement[bool]:
    """In a query over obligations, whether a person keeps one out of reports."""
    return obligations.c.id.in_(select(exclusions.c.obligation).where(is_in_force(provider)))


def held_back(connection: Connection, provider: str, cutoff: datetime, now: datetime) -> HeldBack | None:
    """Returns the events that a cutoff keeps out of a report, counted; None in most cases."""
    waiting = _waiting(provider, cutoff).subquery("waiting")
    total = connection.execute(
        select(func.coalesce(func.sum(waiting.c.waiting), 0), func.count(), func.max(waiting.c.until))
    ).one()
    if not total[0]:
        return None
    first = connection.execute(
        select(waiting).order_by(waiting.c.until.desc(), waiting.c.obligation).limit(MOST_NAMED)
    ).all()
    named = tuple(_named(connection, row.key, row.obligation, row.waiting, row.until) for row in first)
    return HeldBack(
        cutoff, int(total[0]), total[1], named[0].until, named, named[0].until > now + CLOCK_TOLERANCE
    )


def excluded(connection: Connection, provider: str) -> tuple[Excluded, ...]:
    """The obligations that a person keeps out, in the order of their ids; mostly none."""
    rows = connection.execute(
        select(obligations.c.id, obligations.c.obligation_id, exclusions.c.decided_at, exclusions.c.reason)
        .select_from(exclusions.join(obligations, obligations.c.id == exclusions.c.obligation))
        .where(is_in_force(provider))
        .order_by(obligations.c.obligation_id)
    ).all()
    return tuple(Excluded(*row[1:], events=_pending(connection, row.id)) for row in rows)


def _pending(connection: Connection, obligation: int) -> int:
    """Counts the events of one obligation that AJPES has not accepted."""
    of_it = events.join(pending_events, pending_events.c.event == events.c.id)
    count = select(func.count()).select_from(of_it).where(events.c.obligation == obligation)
    return connection.scalar(count) or 0


def _waiting(provider: str, cutoff: datetime) -> Select[Any]:
    """By obligation how many of its events wait, and until when; they are sought among what is pending."""
    late = (
        select(
            events.c.obligation,
            func.count().label("waiting"),
            func.max(events.c.recorded_at).label("until"),
        )
        .where(events.c.id.in_(select(pending_events.c.event)), is_held_back(cutoff))
        .group_by(events.c.obligation)
        .subquery("late")
    )
    return (
        select(
            obligations.c.id.label("key"),
            obligations.c.obligation_id.label("obligation"),
            late.c.waiting,
            late.c.until,
        )
        .select_from(late.join(obligations, obligations.c.id == late.c.obligation))
        .where(in_key_order(obligations.c.provider) == provider, ~is_excluded(provider))
    )


def _named(connection: Connection, key: int, obligation: str, count: int, until: datetime) -> Waiting:
    event = connection.scalar(
        select(events.c.event_id).where(events.c.obligation == key, events.c.recorded_at == until).limit(1)
    )
    return Waiting(obligation, count, event or "", until)
