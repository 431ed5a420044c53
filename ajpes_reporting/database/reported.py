"""What AJPES has not heard of yet, and what a person keeps from it: conditions for queries over facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, exists, select

from ajpes_reporting.database.tables import (
    events,
    exclusions,
    pending_events,
    submission_events,
    submissions,
)
from ajpes_reporting.domain.states import AWAITING_STATES

if TYPE_CHECKING:
    from sqlalchemy import FromClause

EXCLUDED, INCLUDED = "excluded", "included"


def is_unheard_of(event: FromClause = events) -> ColumnElement[bool]:
    """In a query over events, whether AJPES knows nothing of one: it was neither accepted, nor does it stand
    in a report that AJPES has, or may have, and has not answered."""
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
