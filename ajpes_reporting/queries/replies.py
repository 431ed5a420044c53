"""What came back from AJPES, byte by byte: raw replies of calls, and answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.journal import answers, submissions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Reply:
    """One thing that came back, and where it lies in the archive.

    `attempt` is the number of the try within its submission, `answer` that of the answer, where there is one.
    """

    came_at: datetime
    via: str
    path: str
    sha256: str
    submission: int | None = None
    attempt: int | None = None
    answer: int | None = None


def newest_reply(connection: Connection, submission: int, attempt: int | None = None) -> Reply:
    """What came back last for a submission, or for one try, counted from 1.

    Raises `UsageError` if nothing came, or if there was no such try.
    """
    count = len(submissions.attempts_of(connection, submission))
    if attempt is not None and attempt > count:
        raise UsageError(
            f"There is no attempt {attempt} of submission {submission}.",
            f"see `ajpes-reporting show {submission}`",
        )
    found = [one for one in _replies(connection, submission) if attempt in (None, one.attempt)]
    if not found:
        tried = f"the attempt {attempt} of " if attempt else ""
        raise UsageError(
            f"Nothing has come back for {tried}submission {submission}.",
            f"see `ajpes-reporting show {submission}`",
        )
    return max(found, key=lambda one: one.came_at)


def reply_of_answer(connection: Connection, provider: str, answer: int) -> Reply:
    """The bytes of one answer. Raises `UsageError` if this provider has none with this number."""
    row = answers.owned(connection, provider, answer)
    return Reply(row.received_at, row.via, row.archive_path, row.sha256, row.submission, answer=answer)


def _replies(connection: Connection, submission: int) -> Iterator[Reply]:
    """Of a call the raw reply alone, where it was kept: the answer was cut out of it."""
    tries = submissions.attempts_of(connection, submission)
    whole = set()
    for number, one in enumerate(tries, start=1):
        if one.evidence_path:
            whole.add(number)
            came_at = one.finished_at or one.started_at
            yield Reply(came_at, one.via, one.evidence_path, one.evidence_sha256, submission, number)
    for row in answers.of_submission(connection, submission):
        begun = [number for number, one in enumerate(tries, start=1) if one.started_at <= row.received_at]
        attempt = begun[-1] if begun else None
        if attempt in whole and row.via == tries[attempt - 1].via:
            continue
        yield Reply(row.received_at, row.via, row.archive_path, row.sha256, submission, attempt, row.id)
