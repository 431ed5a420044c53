"""Answers of the authority: stored raw before anything else, then applied, never dropped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, or_, select, update

from ajpes_reporting.database.bulk import add_rows
from ajpes_reporting.database.tables import answer_rows, answers, attempts
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.states import AWAITING_STATES, State
from ajpes_reporting.i18n import NOTHING, Message, _, _n
from ajpes_reporting.journal import chain, submissions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
    from ajpes_reporting.domain.ports import RemoteAnswer
    from ajpes_reporting.journal.archive import Stored
    from ajpes_reporting.journal.submissions import Submission

STORED, APPLIED, UNMATCHED, UNREADABLE, DUPLICATE, DISCARDED = (
    "stored",
    "applied",
    "unmatched",
    "unreadable",
    "duplicate",
    "discarded",
)
_LONGEST_NAME = 500  # an index of PostgreSQL takes no more than 2,700 bytes

ASSIGNED = "assigned"
"""No status: what the record says when a person has said which submission an answer belongs to."""

LIES_THERE = (UNMATCHED, UNREADABLE)
"""An answer that a person has to look at."""

# An answer cannot have been made before its report was sent, but clocks differ.
_CLOCK_TOLERANCE = timedelta(minutes=5)
# As the fields of `AnswerRow`, which they take in.
_ROW_COLUMNS = ("answer", "severity", "code", "text", "obligation_id", "event_id", "ref_id", "account")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of an answer as a whole, by the worse of head and rows."""

    errors: int
    warnings: int
    declared_errors: int | None
    declared_warnings: int | None
    error_rows: int
    warning_rows: int

    @property
    def state(self) -> State:
        """One error refuses the whole submission; with warnings alone the data is taken."""
        if self.errors:
            return State.REFUSED
        return State.ACCEPTED_WITH_WARNINGS if self.warnings else State.ACCEPTED

    @property
    def disagreement(self) -> Message:
        """The difference between the counts of head and rows; empty if they agree, or nothing is declared."""
        counts = ((self.declared_errors, self.error_rows), (self.declared_warnings, self.warning_rows))
        if all(declared in (None, found) for declared, found in counts):
            return NOTHING
        return _("the counts in its head and its rows disagree; the worse reading holds")


def store(
    connection: Connection,
    provider: str,
    stored: Stored,
    via: str,
    remote: RemoteAnswer | None,
    submission: int | None,
    *,
    at: datetime,
) -> int:
    """Records an answer that has come in and lies in the archive; not yet applied.

    Asked again for the same archived file, whose first record was reported as lost, it adds nothing.
    """
    known: int | None = connection.execute(_record_of(provider, stored)).scalar()
    if known is not None:
        return known
    values = {
        "provider": provider,
        "submission": submission,
        "received_at": at,
        "via": via,
        "remote_name": _name(remote) if remote else "",
        "remote_size": remote.size_bytes if remote else stored.size_bytes,
        "remote_modified_at": remote.modified_at if remote else 0,
        "archive_path": stored.path,
        "size_bytes": stored.size_bytes,
        "sha256": stored.sha256,
        "status": STORED,
    }
    key: int = connection.execute(insert(answers).values(values).returning(answers.c.id)).scalar_one()
    body = {
        "answer": key,
        "via": via,
        "name": values["remote_name"],
        "path": stored.path,
        "sha256": stored.sha256,
        "size": stored.size_bytes,
    }
    kind = chain.ANSWER + STORED
    chain.append(connection, at=at, provider=provider, kind=kind, body=body, submission=submission)
    return key


def is_recorded(connection: Connection, provider: str, stored: Stored) -> bool:
    """Whether an archived file is on record as an answer."""
    return connection.execute(_record_of(provider, stored)).first() is not None


def _record_of(provider: str, stored: Stored) -> Select[int]:
    same = (answers.c.provider == provider, answers.c.sha256 == stored.sha256)
    return select(answers.c.id).where(*same, answers.c.archive_path == stored.path)


def already_fetched(connection: Connection, provider: str, remote: RemoteAnswer) -> bool:
    """Whether a remote file of this name, size and time has been stored."""
    statement = select(answers.c.id).where(
        answers.c.provider == provider,
        answers.c.remote_name == _name(remote),
        answers.c.remote_size == remote.size_bytes,
        answers.c.remote_modified_at == remote.modified_at,
    )
    return connection.execute(statement.limit(1)).first() is not None


def _name(remote: RemoteAnswer) -> str:
    """Returns a remote name in a form that every database takes, whatever a server calls its files."""
    return f"{remote.report}/{remote.name}".replace("\0", "\\x00")[:_LONGEST_NAME]


def fetched_among(
    connection: Connection, provider: str, remotes: Sequence[RemoteAnswer]
) -> set[RemoteAnswer]:
    """Those of some remote files that have been stored; up to a thousand are asked for at once."""
    keys = {remote: (_name(remote), remote.size_bytes, remote.modified_at) for remote in remotes}
    names = {name for name, _size, _moment in keys.values()}
    same = (answers.c.remote_name, answers.c.remote_size, answers.c.remote_modified_at)
    rows = connection.execute(
        select(*same).where(answers.c.provider == provider, answers.c.remote_name.in_(names))
    )
    stored = set(map(tuple, rows))
    return {remote for remote, key in keys.items() if key in stored}


def waiting(connection: Connection, provider: str) -> Sequence[Row[Any]]:
    """Answers that are stored and not yet applied, in order of arrival."""
    return connection.execute(
        select(answers)
        .where(answers.c.provider == provider, answers.c.status == STORED)
        .order_by(answers.c.id)
    ).all()


def is_duplicate(connection: Connection, provider: str, answer: int, sha256: str, status: str) -> bool:
    """Whether the very same bytes came before, and had this status in the end."""
    earlier = select(answers.c.id).where(
        answers.c.provider == provider,
        answers.c.sha256 == sha256,
        answers.c.id < answer,
        answers.c.status == status,
    )
    return connection.execute(earlier.limit(1)).first() is not None


def match(
    connection: Connection, provider: str, report: str, head: AnswerHead, answer: int
) -> tuple[Submission | None, Message]:
    """The submission that this stored answer belongs to, and how that was found, or why there is none."""
    period = head.period_key
    latest = submissions.latest(connection, provider, report, period)
    if latest is None:
        return None, _never_sent(report, period)
    sent = submissions.handed_over(connection, provider, report, period)
    if latest.state not in AWAITING_STATES:
        if not sent:
            return None, _never_sent(report, period)
        return None, _(
            "submission {submission} for {period} is {state} and awaits no answer",
            submission=latest.id,
            period=period,
            state=latest.state.label,
        )
    is_only_one = len(sent) <= 1
    if head.prepared_at is None:
        if is_only_one:
            return latest, NOTHING
        return None, _(
            "the answer does not say when it was made, and {count} reports were sent for {period}",
            count=len(sent),
            period=period,
        )
    sent_at = connection.execute(
        select(func.max(attempts.c.started_at)).where(attempts.c.submission == latest.id)
    ).scalar()
    if sent_at is None or not _is_older(head.prepared_at, sent_at, latest):
        return latest, NOTHING
    if is_only_one and _is_written_in_utc(connection, head, answer, sent_at):
        return latest, _("the answer's time was read as UTC, since it came after the report was sent")
    return None, _(
        "the answer was made at {at:moment}, before submission {submission} was sent",
        at=head.prepared_at,
        submission=latest.id,
    )


def to_what_was_never_sent(
    connection: Connection, provider: str, report: str, period: str
) -> Row[Any] | None:
    """The first answer for a period of which the journal knew no report when it came."""
    # Rows of before `report` and `period` were kept have neither.
    about = or_(and_(answers.c.report == report, answers.c.period == period), answers.c.report.is_(None))
    rows = connection.execute(
        select(answers)
        .where(answers.c.provider == provider, answers.c.status == UNMATCHED, about)
        .order_by(answers.c.id)
    )
    return next((row for row in rows if _says(row.note, _never_sent(report, period))), None)


def _never_sent(report: str, period: str) -> Message:
    return _("no {report} for {period} was ever sent from here", report=report, period=period)


def _says(note: Message, reason: Message) -> bool:
    """Whether a note is that reason, or has it as one of its parts; notes of before are English texts."""
    if note == reason or note.startswith(f"{reason}; "):
        return True
    return any(_says(part, reason) for part in note.values.values() if isinstance(part, Message))


def _is_older(prepared_at: datetime, sent_at: datetime, submission: Submission) -> bool:
    """Whether the answer was there before the report; one may also repeat the report's own time."""
    return prepared_at < sent_at - _CLOCK_TOLERANCE and prepared_at != submission.prepared_at


def _is_written_in_utc(connection: Connection, head: AnswerHead, answer: int, sent_at: datetime) -> bool:
    """Whether its time makes sense in UTC alone, and its file was put out after the report was sent.

    The time of the file in its folder has no zone that could be left out.
    """
    if head.prepared_at_if_utc is None:
        return False
    row = connection.execute(
        select(answers.c.received_at, answers.c.remote_modified_at).where(answers.c.id == answer)
    ).one()
    put_out = row.remote_modified_at  # whatever a server says, also beyond all calendars
    earliest, latest = sent_at - _CLOCK_TOLERANCE, row.received_at + _CLOCK_TOLERANCE
    was_put_out_then: bool = earliest.timestamp() <= put_out <= latest.timestamp()
    return was_put_out_then and earliest <= head.prepared_at_if_utc <= latest


def apply(
    connection: Connection,
    answer: int,
    submission: Submission,
    rows: Iterable[AnswerRow],
    verdict: Verdict,
    note: Message,
    *,
    at: datetime,
) -> Submission:
    """Takes the rows in and moves the submission to what the authority decided; `note` says what is odd."""
    add_rows(connection, answer_rows, _ROW_COLUMNS, ((answer, *row) for row in rows))
    connection.execute(
        update(answers)
        .where(answers.c.id == answer)
        .values(
            submission=submission.id,
            status=APPLIED,
            note=note,
            declared_errors=verdict.declared_errors,
            declared_warnings=verdict.declared_warnings,
            error_rows=verdict.error_rows,
            warning_rows=verdict.warning_rows,
        )
    )
    counts = {
        "answer": answer,
        "errors": _n("{count} error", "{count} errors", verdict.errors),
        "warnings": _n("{count} warning", "{count} warnings", verdict.warnings),
    }
    why = _("answer {answer}: {errors}, {warnings}", **counts)
    if note:
        why = _("answer {answer}: {errors}, {warnings}; {note}", **counts, note=note)
    return submissions.move(connection, submission, verdict.state, why, at=at)


def set_aside(
    connection: Connection,
    provider: str,
    answer: int,
    status: str,
    note: Message,
    submission: int | None = None,
    about: tuple[str, str] | None = None,
    *,
    at: datetime,
) -> None:
    """Keeps an answer that is not applied, with the reason; one that is dealt with stays as it is.

    `about` are the report and the period that it says it is about, the latter empty if it does not say.
    """
    values: dict[str, Any] = {"status": status, "note": note}
    if about is not None:
        values["report"], values["period"] = about
    if submission is not None:
        values["submission"] = submission
    waiting = update(answers).where(answers.c.id == answer, answers.c.status.not_in([APPLIED]))
    if connection.execute(waiting.values(values)).rowcount == 0:
        return
    body = {"answer": answer, "note": note}
    chain.append(
        connection, at=at, provider=provider, kind=chain.ANSWER + status, body=body, submission=submission
    )


def candidates(answer: Row[Any], open_submissions: Sequence[Submission]) -> list[int]:
    """The numbers of those submissions that an answer which was set aside may belong to."""
    if answer.status != UNMATCHED or answer.report is None:
        return []
    return [
        one.id
        for one in open_submissions
        if one.report == answer.report
        and answer.period in ("", one.period)
        and answer.submission in (None, one.id)
    ]


def note_assignment(
    connection: Connection, provider: str, answer: int, submission: int, reason: str, *, at: datetime
) -> None:
    """Puts on record that a person says which submission an answer belongs to."""
    body = {"answer": answer, "note": _("a person's word: {reason}", reason=reason)}
    chain.append(
        connection, at=at, provider=provider, kind=chain.ANSWER + ASSIGNED, body=body, submission=submission
    )


def applied_copy(connection: Connection, provider: str, sha256: str) -> int | None:
    """The number of an answer of the very same bytes that was applied."""
    same = (answers.c.provider == provider, answers.c.sha256 == sha256, answers.c.status == APPLIED)
    number: int | None = connection.execute(select(answers.c.id).where(*same).limit(1)).scalar()
    return number


def of_submission(connection: Connection, submission: int) -> Sequence[Row[Any]]:
    """The answers to a submission, in order of arrival."""
    return connection.execute(
        select(answers).where(answers.c.submission == submission).order_by(answers.c.id)
    ).all()


def has_come_back(connection: Connection, submission: int) -> bool:
    """Whether anything came back for a submission that a person could look at: a raw reply, or an answer."""
    replies = select(attempts.c.id).where(
        attempts.c.submission == submission, attempts.c.evidence_path.is_not(None)
    )
    if connection.execute(replies.limit(1)).first() is not None:
        return True
    of_it = select(answers.c.id).where(answers.c.submission == submission)
    return connection.execute(of_it.limit(1)).first() is not None


def owned(connection: Connection, provider: str, answer: int) -> Row[Any]:
    """One answer of this provider. Raises `UsageError` if it has none with this number."""
    row = connection.execute(
        select(answers).where(answers.c.provider == provider, answers.c.id == answer)
    ).one_or_none()
    if row is None:
        raise UsageError(
            _("There is no answer {answer}.", answer=answer), _("see `ajpes-reporting answers list`")
        )
    return row


def set_aside_answers(
    connection: Connection, provider: str, limit: int, statuses: Sequence[str] = LIES_THERE
) -> Sequence[Row[Any]]:
    """Answers that lie there and are not applied, newest first: they fit nothing, or cannot be read."""
    return connection.execute(
        select(answers)
        .where(answers.c.provider == provider, answers.c.status.in_(statuses))
        .order_by(answers.c.id.desc())
        .limit(limit)
    ).all()


def number_set_aside(connection: Connection, provider: str) -> int:
    """Returns the number of answers that are set aside."""
    lying = (answers.c.provider == provider, answers.c.status.in_(LIES_THERE))
    return connection.execute(select(func.count()).select_from(answers).where(*lying)).scalar_one()


def rows_of(connection: Connection, answer: int, limit: int | None = None) -> Sequence[Row[Any]]:
    """The rows of an answer, errors first; the first ones, or all of them."""
    return connection.execute(
        select(answer_rows)
        .where(answer_rows.c.answer == answer)
        .order_by(answer_rows.c.severity, answer_rows.c.id)
        .limit(limit)
    ).all()


def rows_about(connection: Connection, provider: str, obligation_id: str) -> Sequence[Row[Any]]:
    """Returns all rows of answers about an obligation."""
    return connection.execute(
        select(answer_rows, answers.c.submission, answers.c.received_at)
        .join(answers, answers.c.id == answer_rows.c.answer)
        .where(answers.c.provider == provider, answer_rows.c.obligation_id == obligation_id)
        .order_by(answer_rows.c.id)
    ).all()
