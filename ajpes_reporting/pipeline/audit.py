"""Proves that the record of what happened, and the files it speaks of, are whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, exists, select

from ajpes_reporting.database.engine import snapshot
from ajpes_reporting.database.tables import (
    answers,
    attempts,
    events,
    pending_events,
    submission_events,
    submissions,
)
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.domain.states import ACCEPTED_STATES
from ajpes_reporting.journal import chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ajpes_reporting.pipeline.desk import Desk

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The verdict. `head` is the newest seal: compare it with one that was noted earlier."""

    entries: int
    files: int
    head: str
    problems: tuple[str, ...]


def verify_all(desk: Desk, progress: Progress = no_progress) -> AuditReport:
    """Checks the chain, every archived file, and what counts as reported."""
    with snapshot(desk.engine) as connection:
        chained = chain.verify(connection)
        files = list(_archived(connection))
        problems = [*chained.problems, *_wrongly_pending(connection)]
    for name, path, sha256 in files:
        if not desk.archive.intact(path, sha256):
            problems.append(f"the archived file of {name} is missing or was changed: {path}")
        progress(1)
    return AuditReport(chained.entries, len(files), chained.head, tuple(problems))


def _archived(connection: Connection) -> Iterator[tuple[str, str, str]]:
    for table, noun in ((submissions, "submission"), (answers, "answer")):
        for row in connection.execute(select(table.c.id, table.c.archive_path, table.c.sha256)):
            yield f"{noun} {row.id}", row.archive_path, row.sha256
    evidence = select(attempts.c.id, attempts.c.evidence_path, attempts.c.evidence_sha256)
    for row in connection.execute(evidence.where(attempts.c.evidence_path.is_not(None))):
        yield f"attempt {row.id}", row.evidence_path, row.evidence_sha256


def _wrongly_pending(connection: Connection) -> Iterator[str]:
    """Events must be pending exactly until a submission that reports them was accepted."""
    accepted = exists(
        select(submission_events.c.event)
        .join(submissions, submissions.c.id == submission_events.c.submission)
        .where(
            submission_events.c.event == events.c.id,
            submissions.c.state.in_([state.value for state in ACCEPTED_STATES]),
        )
    )
    pending = exists(select(pending_events.c.event).where(pending_events.c.event == events.c.id))
    for row in connection.execute(select(events.c.event_id).where(accepted == pending).limit(_MOST_NAMED)):
        yield f"event {row.event_id} is counted as reported, or as not reported, against the record"
