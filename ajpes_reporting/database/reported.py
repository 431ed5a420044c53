"""Conditions for queries over facts: unknown to AJPES, or held back by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, exists, select

from ajpes_reporting.database.tables import (
    events,
    exclusions,
    obligations,
    pending_events,
    submission_events,
    submissions,
)
from ajpes_reporting.domain.states import AWAITING_STATES

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, FromClause

EXCLUDED, INCLUDED = "excluded", "included"


def is_unheard_of(event: FromClause = events) -> ColumnElement[bool]:
    """Returns the condition, in a query over events, that AJPES knows nothing of an event.

    The event was not accepted, nor does it stand in a report that AJPES has, or may have, and has not
    answered.
    """
    pending = exists(select(pending_events.c.event).where(pending_events.c.event == event.c.id))
    perhaps_there = exists(
        select(submission_events.c.event)
        .join(submissions, submissions.c.id == submission_events.c.submission)
        .where(
            submission_events.c.event == event.c.id,
            submissions.c.state.in_([state.value for state in AWAITING_STATES]),
        )
    )
    return pending & ~perhaps_there


def is_in_force(provider: str) -> ColumnElement[bool]:
    """In a query over exclusions, whether one keeps its obligation out: the newest counts."""
    newer = exclusions.alias("newer")
    is_overruled = exists(
        select(newer.c.id).where(
            newer.c.provider == exclusions.c.provider,
            newer.c.obligation == exclusions.c.obligation,
            newer.c.id > exclusions.c.id,
        )
    )
    return and_(exclusions.c.provider == provider, exclusions.c.decision == EXCLUDED, ~is_overruled)


def excluded_since(connection: Connection, provider: str) -> list[tuple[str, datetime]]:
    """The obligations that a person keeps out, by their ids, each with the time of the decision."""
    rows = connection.execute(
        select(obligations.c.obligation_id, exclusions.c.decided_at)
        .select_from(exclusions.join(obligations, obligations.c.id == exclusions.c.obligation))
        .where(is_in_force(provider))
        .order_by(obligations.c.obligation_id)
    )
    return [(row.obligation_id, row.decided_at) for row in rows]


def reports_excluded(connection: Connection, provider: str, submission: int) -> str | None:
    """The first obligation in a submission that a person keeps out by now; nothing if none."""
    told = (
        select(submission_events.c.event)
        .join(events, events.c.id == submission_events.c.event)
        .where(submission_events.c.submission == submission, events.c.obligation == obligations.c.id)
    )
    found = connection.execute(
        select(obligations.c.obligation_id)
        .select_from(exclusions.join(obligations, obligations.c.id == exclusions.c.obligation))
        .where(is_in_force(provider), told.exists())
        .order_by(obligations.c.obligation_id)
        .limit(1)
    )
    obligation: str | None = found.scalar()
    return obligation
