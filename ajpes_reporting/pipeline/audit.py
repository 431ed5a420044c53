"""Proves that the record of what happened, and the files it speaks of, are whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection, exists, or_, select

from ajpes_reporting.database.engine import snapshot
from ajpes_reporting.database.tables import (
    events,
    obligations,
    pending_events,
    submission_events,
    submissions,
    withdrawn_events,
)
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.domain.states import ACCEPTED_STATES
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.journal import chain, orphans, purged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ajpes_reporting.journal.purged import ArchivedFile
    from ajpes_reporting.pipeline.context import Context

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The verdict. `head` is the newest seal: compare it with one that was noted earlier.

    `entries` are all that are chained together, also those of `others` who share the database;
    `remarks` are no problem of this provider's.
    """

    entries: int
    files: int
    head: str
    problems: tuple[Message, ...]
    remarks: tuple[Message, ...] = ()
    others: int = 0


def verify_all(context: Context, progress: Progress = no_progress) -> AuditReport:
    """Checks the chain, every archived file of this provider, what was sent, and what counts as reported."""
    kept = verify_kept(context, progress)
    with snapshot(context.engine) as connection:
        unknown = list(orphans.open_orphans(connection, context.provider, context.archive.sent_log))
    missing = (_("the journal does not know {orphan}", orphan=orphan.words) for orphan in unknown)
    return replace(kept, problems=(*kept.problems, *missing))


def verify_kept(context: Context, progress: Progress = no_progress) -> AuditReport:
    """Verifies everything that is here, without reports that were sent and are not in the journal."""
    with snapshot(context.engine) as connection:
        record = verify_record(connection, context.provider)
        files = list(purged.archived_files(connection, context.provider))
        gone = purged.paths(connection, context.provider)
    problems = list(record.problems)
    for file in files:
        problems.extend(_wrong_with(context, file, gone.get(file.path)))
        progress(1)
    kept = sum(file.path not in gone for file in files)
    return replace(record, files=kept, problems=tuple(problems))


def verify_record(connection: Connection, provider: str | None = None) -> AuditReport:
    """Checks the chain and what counts as reported, of one provider or of all, without the archive."""
    chained = chain.verify(connection, provider)
    problems = (*chained.problems, *_wrongly_pending(connection, provider))
    return AuditReport(chained.entries, 0, chained.head, problems, chained.remarks, chained.others)


def damage(file: ArchivedFile) -> Message:
    """Describes a file that is not as the journal says."""
    return _(
        "the archived file of {owner} is missing or was changed: {path}", owner=file.owner, path=file.path
    )


def _wrong_with(context: Context, file: ArchivedFile, purged_sha256: str | None) -> Iterator[Message]:
    about = {"owner": file.owner, "path": file.path}
    if purged_sha256 is None:
        if not context.archive.intact(file.path, file.sha256):
            yield damage(file)
    elif purged_sha256 != file.sha256:
        yield _("the file of {owner} was purged, but with another hash: {path}", **about)
    elif context.archive.has(file.path):
        yield _("the file of {owner} was purged, but is still there: {path}", **about)


def _wrongly_pending(connection: Connection, provider: str | None) -> Iterator[Message]:
    """Names the events that are pending and should not be, or are not and should be.

    An event must be pending exactly until a submission that reports it was accepted, or it was withdrawn.
    """
    accepted = exists(
        select(submission_events.c.event)
        .join(submissions, submissions.c.id == submission_events.c.submission)
        .where(
            submission_events.c.event == events.c.id,
            submissions.c.state.in_([state.value for state in ACCEPTED_STATES]),
        )
    )
    pending = exists(select(pending_events.c.event).where(pending_events.c.event == events.c.id))
    withdrawn = exists(select(withdrawn_events.c.event).where(withdrawn_events.c.event == events.c.id))
    wrong = select(events.c.event_id).where(or_(accepted, withdrawn) == pending).limit(_MOST_NAMED)
    if provider is not None:
        own = select(obligations.c.id).where(obligations.c.provider == provider)
        wrong = wrong.where(events.c.obligation.in_(own))
    for row in connection.execute(wrong):
        yield _(
            "event {event} is counted as reported, or as not reported, against the record", event=row.event_id
        )
