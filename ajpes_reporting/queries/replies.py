"""Replies of AJPES, byte by byte: raw replies of calls, and answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import _
from ajpes_reporting.journal import answers, submissions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Reply:
    """One thing that came back, and where it lies in the archive.

    `attempt` is the number of the attempt within its submission, `answer` that of the answer, where there is
    one.
    """

    came_at: datetime
    via: str
    path: str
    sha256: str
    submission: int | None = None
    attempt: int | None = None
    answer: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawReply(Reply):
    """A reply with its bytes: `text` as its encoding reads them, `base64` as they came."""

    size_bytes: int
    text: str
    base64: str


def newest_reply(connection: Connection, submission: int, attempt: int | None = None) -> Reply:
    """Returns what came back last for a submission, or for one attempt, counted from 1.

    Raises `UsageError` if nothing came, or if there was no such attempt.
    """
    count = len(submissions.attempts_of(connection, submission))
    see = _("see `ajpes-reporting show {number}`", number=submission)
    if attempt is not None and attempt > count:
        raise UsageError(
            _("There is no attempt {attempt} of submission {number}.", attempt=attempt, number=submission),
            see,
        )
    found = [one for one in _replies(connection, submission) if attempt in (None, one.attempt)]
    if not found and attempt is None:
        raise UsageError(_("Nothing has come back for submission {number}.", number=submission), see)
    if not found:
        raise UsageError(
            _(
                "Nothing has come back for attempt {attempt} of submission {number}.",
                attempt=attempt,
                number=submission,
            ),
            see,
        )
    return max(found, key=lambda one: one.came_at)


def reply_of_answer(connection: Connection, provider: str, answer: int) -> Reply:
    """Returns where the bytes of one answer are. Raises `UsageError` if this provider has no such answer."""
    row = answers.owned(connection, provider, answer)
    return Reply(row.received_at, row.via, row.archive_path, row.sha256, row.submission, answer=answer)


def _replies(connection: Connection, submission: int) -> Iterator[Reply]:
    """Yields of a call the raw reply alone, where that was kept: the answer was cut out of it."""
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
