"""Doubts of a restored journal about everything that was sent after its backup.

(What was sent after a snapshot that was put back by other means is found by `journal.orphans`.)

A run would send it a second time. So every restoration stands in the audit record, and a report
that may have gone out in between waits for a person.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from ajpes_reporting.database.tables import submissions
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.journal import chain, chores, orphans

if TYPE_CHECKING:
    from ajpes_reporting.domain.periods import Period

RESTORED = "restored"
_DOUBTS = ("the journal was restored ", "the journal does not know all that was sent: ")
"""How the reasons begin for which a report is held that may have gone out already."""


def note(connection: Connection, provider: str, backed_up_at: datetime, seal: str, *, at: datetime) -> None:
    """Writes into the audit record that the journal was restored, and from which moment."""
    body = {"backed_up_at": backed_up_at.isoformat(), "seal": seal}
    chain.append(connection, at=at, provider=provider, kind=RESTORED, body=body)
    # Found at once by each run; the audit record would have to be read through.
    newest = connection.execute(select(func.max(submissions.c.id))).scalar() or 0
    chores.note_done(connection, provider, RESTORED, at=at, note=f"{body['backed_up_at']} {newest}")


def restored_span(connection: Connection, provider: str) -> tuple[datetime, datetime] | None:
    """The newest stretch of which nothing is known: from a backup to its restoration."""
    restored_at = chores.last_done(connection, provider, RESTORED)
    if restored_at is None:
        return None
    backed_up_at, _newest = chores.note(connection, provider, RESTORED).split()
    return datetime.fromisoformat(backed_up_at), restored_at


def reason_after_restore(connection: Connection, provider: str, period: Period) -> Message | None:
    """Why a report waits for a person after a restoration; None if it may go.

    It waits if its period had begun by then, however old it is: the report for October goes out in
    November, and a day that was open at the backup may have been reported after it. Once a
    person has released a report for the period since, it waits no longer.
    """
    span = restored_span(connection, provider)
    if span is None or period.first_day > span[1].astimezone(LJUBLJANA).date():
        return None
    if _released_since(connection, provider, period):
        return None
    return _(
        "the journal was restored on {until:moment} from a backup of {since:moment}; "
        "whether it was sent in between is not known here: ask AJPES",
        since=span[0],
        until=span[1],
    )


def reason_to_doubt(connection: Connection, provider: str, report: str, period: Period) -> Message | None:
    """Why a report may have been sent for this period without the journal's knowing; None if not."""
    return orphans.reason_for_orphan(connection, provider, report, period.key) or reason_after_restore(
        connection, provider, period
    )


def is_doubt(held_because: str | None) -> bool:
    """Whether a report is held since the journal may not know what was sent.

    Told by the template of the reason, whatever its language; rows of before messages had parts are English.
    """
    if not isinstance(held_because, Message):
        return held_because is not None and held_because.startswith(_DOUBTS)
    parts = (value for value in held_because.values.values() if isinstance(value, Message))
    return held_because.template.startswith(_DOUBTS) or any(map(is_doubt, parts))


def _released_since(connection: Connection, provider: str, period: Period) -> bool:
    """Whether a person has let a report go that was prepared after the restoration, by whatever clock."""
    _backed_up_at, newest_then = chores.note(connection, provider, RESTORED).split()
    released = select(submissions.c.id).where(
        submissions.c.provider == provider,
        submissions.c.period == period.key,
        submissions.c.released_at.is_not(None),
        submissions.c.id > int(newest_then),
    )
    return connection.execute(released.limit(1)).first() is not None
