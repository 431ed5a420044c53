"""Reports that left, or lie with the authority, and that the journal does not know: it was put back.

A virtual machine or a database that is restored from a snapshot knows nothing of what was sent since. The
archive's log of what has left and the authority's folders do. They are asked before anything is sent. What
they tell stands here, and a report for the same period waits for a person. One that the journal knows, but
not that it was handed over, is unknown.

A journal that was restored from a backup says so itself: it does not know what was sent between backup and
restoration. A report that may have gone out in between waits for a person, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, and_, exists, func, insert, or_, select, update

from ajpes_reporting.database.lease import LAST_HOLDER
from ajpes_reporting.database.tables import (
    answers,
    attempts,
    chores,
    due_reports,
    orphans,
    submission_events,
    submissions,
)
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import ConfigurationError, OutcomeUnknown
from ajpes_reporting.domain.states import ACCEPTED_STATES, State
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.journal import chain, due
from ajpes_reporting.journal import chores as notes
from ajpes_reporting.journal.answers import DISCARDED
from ajpes_reporting.journal.submissions import get, move, recent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.journal.archive import Archive
    from ajpes_reporting.journal.sent_log import HandedOver, SentLog

FOUND = "orphan"
ARCHIVE = "archive"
"""The note of which archive is a provider's, and how far its log was compared with the journal."""

_SENT_AGAIN = frozenset({State.PREPARED, State.SENDING, State.UNREACHABLE})
_RESOLVED = (State.DELIVERED, State.REFUSED, *ACCEPTED_STATES)
_UNRESOLVED = (State.SENDING, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Orphan:
    """A report that the journal does not know: its file, where it was seen, and since when it was there."""

    report: str
    period: str
    file_name: str
    place: str  # a message: "handed over by soap", or "in /nodurs/accepted"
    mark: str  # tells it from another file of that name, wherever that lies: a hash, or a size
    left_at: datetime

    @property
    def words(self) -> Message:
        """Returns the name of the file, its place, and since when it was there."""
        return _("{file}, {place}, {at:moment}", file=self.file_name, place=self.place, at=self.left_at)


def reconcile(connection: Connection, provider: str, archive: Archive, *, at: datetime) -> None:
    """Compares the archive's log with the journal, as far as that was not done before.

    Raises `ConfigurationError` if the archive is not the one of this provider, and `OutcomeUnknown` if
    it served another one whose reports are not resolved.
    """
    require_own(connection, provider, archive)
    known, offset = _noted(connection, provider)
    number = archive.sent_log.begin(known)
    for line in unknown_lines(connection, archive.sent_log, offset):
        _take_down(connection, provider, line, at=at)
    if (number, archive.sent_log.size()) != (known, offset):
        _note(connection, provider, number, archive.sent_log.size(), at=at)
    for row in unresolved_before(connection, provider, archive.sent_log):
        raise OutcomeUnknown(
            _(
                "This workspace was of provider {provider} before, whose {report} for {period} "
                "(submission {submission}) is {state}. Nothing was done.",
                provider=row.provider,
                report=row.report,
                period=row.period,
                submission=row.id,
                state=State(row.state).label,
            ),
            _(
                'write registration_number = "{provider}" into ajpes.toml again, and resolve it first',
                provider=row.provider,
            ),
        )


def require_own(connection: Connection, provider: str, archive: Archive) -> None:
    """Raises `ConfigurationError` if the database knows another archive as this provider's."""
    known, _offset = _noted(connection, provider)
    number = archive.sent_log.archive()
    if (
        known is None
        or number == known
        or (number is None and _has_newest_file(connection, provider, archive))
    ):
        return
    raise ConfigurationError(
        _(
            "The database knows another archive for provider {provider} than {folder}: another workspace "
            "reports for this provider. Nothing was done.",
            provider=provider,
            folder=str(archive.root),
        ),
        _(
            "work in that workspace, or give this one its archive folder; if that is lost for good, "
            "`ajpes-reporting init DIR --new-archive` lets this one take its place"
        ),
    )


def adopt(connection: Connection, provider: str, log: SentLog, *, at: datetime) -> None:
    """Makes the archive the one of this provider, whatever the database knew before."""
    known, _offset = _noted(connection, provider)
    number = log.begin()
    if known is not None and number != known:
        body = {"archive": number, "before": known}
        chain.append(connection, at=at, provider=provider, kind=ARCHIVE, body=body)
    _note(connection, provider, number, log.size(), at=at)


def archive_of(connection: Connection, provider: str) -> str | None:
    """The number of the archive that the database knows as this provider's."""
    return _noted(connection, provider)[0]


def unresolved_before(connection: Connection, provider: str, log: SentLog) -> Sequence[Row[Any]]:
    """Returns unknown submissions of the provider that this archive served before its number changed."""
    number = log.archive()
    if number is None:
        return []
    served = select(chores.c.provider).where(
        chores.c.name == ARCHIVE, chores.c.provider != provider, chores.c.note.startswith(f"{number} ")
    )
    others = connection.execute(served).scalars().all()
    rows = select(submissions).where(
        submissions.c.provider.in_(others),
        submissions.c.superseded_by.is_(None),
        submissions.c.state.in_([state.value for state in _UNRESOLVED]),
    )
    return connection.execute(rows.order_by(submissions.c.id)).all() if others else []


def unknown_lines(connection: Connection, log: SentLog, offset: int = 0) -> Iterator[HandedOver]:
    """Yields the lines of the log from that place on that the journal does not know."""
    for line in log.since(offset if offset <= log.size() else 0):
        same = select(attempts.c.id).join(submissions, submissions.c.id == attempts.c.submission)
        same = same.where(
            attempts.c.id == line.attempt,
            attempts.c.handed_over_at.is_not(None),
            submissions.c.id == line.submission,
            submissions.c.sha256 == line.sha256,
        )
        if connection.execute(same).first() is None:
            yield line


def open_orphans(connection: Connection, provider: str, log: SentLog) -> Iterator[Orphan]:
    """The orphans that nobody has dealt with, also those that no run has come upon; nothing is written."""
    yield from (_from_row(row) for row in connection.execute(_waiting(provider)))
    _number, offset = _noted(connection, provider)
    yield from (_orphan(line) for line in unknown_lines(connection, log, offset))


def take_down(connection: Connection, provider: str, orphan: Orphan, newest: int, *, at: datetime) -> None:
    """Puts an orphan on the record, once; a decision about a submission after `newest` is one about it."""
    same = select(orphans.c.id).where(*_same(provider, orphan))
    if connection.execute(same).first() is not None:
        return
    values = {
        "report": orphan.report,
        "period": orphan.period,
        "file_name": orphan.file_name,
        "place": orphan.place,
        "mark": orphan.mark,
    }
    row = {
        **values,
        "provider": provider,
        "left_at": orphan.left_at,
        "found_at": at,
        "newest_submission": newest,
    }
    connection.execute(insert(orphans).values(row))
    body = {**values, "left_at": orphan.left_at.isoformat()}
    chain.append(connection, at=at, provider=provider, kind=FOUND, body=body)


def last_sign_of_life(connection: Connection, provider: str, before: int) -> datetime | None:
    """Returns the time of the last tick or of the report prepared before that one; None if there is none."""
    prepared = select(func.max(submissions.c.prepared_at)).where(
        submissions.c.provider == provider, submissions.c.id < before
    )
    done = select(func.max(chores.c.done_at)).where(
        chores.c.provider == provider, chores.c.name.not_in((ARCHIVE, LAST_HOLDER))
    )
    signs = [connection.execute(statement).scalar() for statement in (prepared, done)]
    return max((sign for sign in signs if sign is not None), default=None)


def reason_for_orphan(connection: Connection, provider: str, report: str, period: str) -> Message | None:
    """Why a report for this period waits for a person; None if it may go."""
    here = (orphans.c.report == report, orphans.c.period == period)
    row = connection.execute(_waiting(provider).where(*here).limit(1)).one_or_none()
    if row is None:
        return None
    return _(
        "the journal does not know all that was sent: {orphan}; ask AJPES whether they have it",
        orphan=_from_row(row).words,
    )


def _waiting(provider: str) -> Any:
    """Returns the condition that an orphan still waits for a decision.

    Since it was found nothing was released, has arrived or was accepted for its period, and no later report
    told all; nor was it known only from an answer that a person has discarded.
    """
    decided = exists().where(
        submissions.c.provider == orphans.c.provider,
        submissions.c.report == orphans.c.report,
        submissions.c.period == orphans.c.period,
        submissions.c.id > orphans.c.newest_submission,
        or_(
            submissions.c.released_at.is_not(None),
            submissions.c.state.in_([state.value for state in _RESOLVED]),
        ),
    )
    overtaken = exists().where(
        due_reports.c.provider == orphans.c.provider,
        due_reports.c.report == orphans.c.report,
        due_reports.c.period == orphans.c.period,
        or_(
            due_reports.c.settled_as == due.REPORTED_LATER,
            # An older report for the period was still open, and AJPES has accepted that since.
            and_(
                due_reports.c.settled_as != chain.NOTHING_TO_REPORT,
                due_reports.c.settled_at >= orphans.c.found_at,
            ),
            # What was imported again went with a later day, and left nothing for its own.
            and_(due_reports.c.settled_as == chain.NOTHING_TO_REPORT, _accepted_later()),
        ),
    )
    discarded = exists().where(
        answers.c.provider == orphans.c.provider,
        answers.c.sha256 == orphans.c.mark,
        answers.c.status == DISCARDED,
    )
    waiting = select(orphans).where(orphans.c.provider == provider, ~decided, ~overtaken, ~discarded)
    return waiting.order_by(orphans.c.id)


def _accepted_later() -> Any:
    """Whether events went with a later period's report, and AJPES has accepted it since."""
    told = exists().where(submission_events.c.submission == submissions.c.id)
    return exists().where(
        submissions.c.provider == orphans.c.provider,
        submissions.c.report == orphans.c.report,
        submissions.c.period > orphans.c.period,
        submissions.c.id > orphans.c.newest_submission,
        submissions.c.state.in_([state.value for state in ACCEPTED_STATES]),
        told,
    )


def _take_down(connection: Connection, provider: str, line: HandedOver, *, at: datetime) -> None:
    """A report that the journal knows has been handed over after all; any other one is an orphan."""
    row = select(submissions.c.id).where(
        submissions.c.id == line.submission,
        submissions.c.provider == provider,
        submissions.c.sha256 == line.sha256,
    )
    if connection.execute(row).first() is None:
        newest = connection.execute(select(func.max(submissions.c.id))).scalar() or 0
        take_down(connection, provider, _orphan(line), newest, at=at)
        return
    submission = get(connection, line.submission)
    if submission.state not in _SENT_AGAIN or submission.superseded_by is not None:
        return  # it is on its way, or resolved: nothing will be sent because of what is missing
    if submission.state is not State.SENDING:
        move(
            connection,
            submission,
            State.SENDING,
            _("by {via}, as the archive tells", via=line.via.upper()),
            at=at,
        )
        values = {"submission": submission.id, "via": line.via, "started_at": line.at}
        connection.execute(insert(attempts).values(values))
    newest = select(func.max(attempts.c.id)).where(attempts.c.submission == submission.id).scalar_subquery()
    connection.execute(update(attempts).where(attempts.c.id == newest).values(handed_over_at=line.at))


def _orphan(line: HandedOver) -> Orphan:
    place = _("handed over by {via}", via=line.via.upper())
    return Orphan(line.report, line.period, line.file_name, place, line.sha256, line.at)


def _from_row(row: Row[Any]) -> Orphan:
    return Orphan(row.report, row.period, row.file_name, row.place, row.mark, row.left_at)


def _same(provider: str, orphan: Orphan) -> tuple[Any, ...]:
    return (
        orphans.c.provider == provider,
        orphans.c.report == orphan.report,
        orphans.c.period == orphan.period,
        orphans.c.mark == orphan.mark,
        orphans.c.left_at == orphan.left_at,
    )


def _noted(connection: Connection, provider: str) -> tuple[str | None, int]:
    number, _space, offset = notes.note(connection, provider, ARCHIVE).partition(" ")
    return (number, int(offset)) if number else (None, 0)


def _note(connection: Connection, provider: str, number: str, offset: int, *, at: datetime) -> None:
    notes.note_done(connection, provider, ARCHIVE, at=at, note=f"{number} {offset}")


def _has_newest_file(connection: Connection, provider: str, archive: Archive) -> bool:
    """Whether the archive, which has lost its log, is the one that the journal speaks of."""
    newest = recent(connection, provider, 1)
    return bool(newest) and archive.has(newest[0].archive_path)


RESTORED = "restored"
_DOUBTS = ("the journal was restored ", "the journal does not know all that was sent: ")
"""How the reasons begin for which a report is held that may have gone out already."""


def note_restoration(
    connection: Connection, provider: str, backed_up_at: datetime, seal: str, *, at: datetime
) -> None:
    """Writes into the audit record that the journal was restored, and from which moment."""
    body = {"backed_up_at": backed_up_at.isoformat(), "seal": seal}
    chain.append(connection, at=at, provider=provider, kind=RESTORED, body=body)
    # Found at once by each run; the audit record would have to be read through.
    newest = connection.execute(select(func.max(submissions.c.id))).scalar() or 0
    notes.note_done(connection, provider, RESTORED, at=at, note=f"{body['backed_up_at']} {newest}")


def restored_span(connection: Connection, provider: str) -> tuple[datetime, datetime] | None:
    """The newest stretch of which nothing is known: from a backup to its restoration."""
    restored_at = notes.last_done(connection, provider, RESTORED)
    if restored_at is None:
        return None
    backed_up_at, _newest = notes.note(connection, provider, RESTORED).split()
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
    return reason_for_orphan(connection, provider, report, period.key) or reason_after_restore(
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
    _backed_up_at, newest_then = notes.note(connection, provider, RESTORED).split()
    released = select(submissions.c.id).where(
        submissions.c.provider == provider,
        submissions.c.period == period.key,
        submissions.c.released_at.is_not(None),
        submissions.c.id > int(newest_then),
    )
    return connection.execute(released.limit(1)).first() is not None
