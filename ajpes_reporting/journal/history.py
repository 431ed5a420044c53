"""The reports of one obligation, event by event."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, select

from ajpes_reporting.database.tables import events, obligations, submission_events, submissions


def reports_of(connection: Connection, provider: str, obligation_id: str) -> dict[str, list[dict[str, Any]]]:
    """For each event id the submissions that told the authority of it, oldest first."""
    rows = connection.execute(
        select(events.c.event_id, submissions.c.id, submissions.c.period, submissions.c.state)
        .select_from(
            obligations.join(events, events.c.obligation == obligations.c.id)
            .join(submission_events, submission_events.c.event == events.c.id)
            .join(submissions, submissions.c.id == submission_events.c.submission)
        )
        .where(obligations.c.provider == provider, obligations.c.obligation_id == obligation_id)
        .order_by(submissions.c.id)
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row.event_id].append({"submission": row.id, "period": row.period, "state": row.state})
    return found
