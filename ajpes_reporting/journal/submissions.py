"""Submissions: what was sent for which period, in which state it is, and how it got there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from ajpes_reporting.database.tables import (
    attempts,
    pending_events,
    submission_events,
    submission_findings,
    submissions,
)
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Refused, Unreachable, told
from ajpes_reporting.domain.states import ACCEPTED_STATES, AWAITING_STATES, NEXT, State
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.journal import chain, due

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.journal.archive import Stored

# What these say of a call is true of that call alone.
_OF_ONE_CALL = frozenset({State.UNREACHABLE, State.REFUSED})
_HELD = frozenset({State.PREPARED, State.REFUSED, State.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class Draft:
    """A report that is built, checked and archived, and not yet a submission.

    `amounts` is how its amounts are written: the bytes alone do not tell euros from cents.
    """

    provider: str
    report: str
    period: str
    prepared_at: datetime
    file_name: str
    stored: Stored
    content_sha256: str
    record_count: int
    totals: Mapping[str, str]
    held_because: Message | None = None
    amounts: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One report as it was, or is to be, sent."""

    id: int
    provider: str
    report: str
    period: str
    state: State
    prepared_at: datetime
    file_name: str
    archive_path: str
    size_bytes: int
    sha256: str
    content_sha256: str
    record_count: int
    totals: Mapping[str, str]
    superseded_by: int | None
    held_because: Message | None
    released_at: datetime | None

    @property
    def is_held(self) -> bool:
        """Whether it waits for a person's word; see `release`."""
        return self.held_because is not None and self.released_at is None


def prepare(
    connection: Connection,
    draft: Draft,
    findings: Sequence[Finding],
    reported_events: Select[tuple[int]] | None,
    *,
    at: datetime,
) -> Submission:
    """Records a new submission in state `prepared`, which supersedes all open ones of its period."""
    values = {
        "provider": draft.provider,
        "report": draft.report,
        "period": draft.period,
        "state": State.PREPARED.value,
        "prepared_at": draft.prepared_at,
        "file_name": draft.file_name,
        "archive_path": draft.stored.path,
        "size_bytes": draft.stored.size_bytes,
        "sha256": draft.stored.sha256,
        "content_sha256": draft.content_sha256,
        "record_count": draft.record_count,
        "totals": json.dumps(dict(draft.totals)),
        "held_because": draft.held_because,
    }
    key: int = connection.execute(insert(submissions).values(values).returning(submissions.c.id)).scalar_one()
    if reported_events is not None:
        keys = reported_events.add_columns(literal(key))
        connection.execute(insert(submission_events).from_select(["event", "submission"], keys))
    if findings:
        connection.execute(insert(submission_findings), [_finding_row(key, item) for item in findings])
    _supersede_earlier(connection, draft, key)
    due.reopen_quiet(connection, draft.provider, draft.report, draft.period)
    body = {
        "to": State.PREPARED.value,
        "report": draft.report,
        "period": draft.period,
        "file_name": draft.file_name,
        "path": draft.stored.path,
        "sha256": draft.stored.sha256,
        "size": draft.stored.size_bytes,
        "content_sha256": draft.content_sha256,
        "records": draft.record_count,
        "totals": dict(draft.totals),
    }
    if draft.held_because:
        body["held_because"] = draft.held_because
    if draft.amounts:
        body["amounts"] = draft.amounts
    chain.append(
        connection, at=at, provider=draft.provider, kind=chain.STATE_CHANGED, body=body, submission=key
    )
    return get(connection, key)


def amounts_of(connection: Connection, submission: int) -> str | None:
    """Returns how the amounts of a submission are written; None for one from before that was recorded."""
    entries = chain.of_submission(connection, submission)
    return next((told["amounts"] for told in map(chain.told_by, entries) if "amounts" in told), None)


def move(
    connection: Connection,
    submission: Submission,
    to: State,
    why: Message,
    *,
    at: datetime,
    more: Mapping[str, Any] | None = None,
) -> Submission:
    """Changes the state, writes it into the audit record, and does what acceptance entails.

    `more` is what the entry holds beside the states and the reason.
    A call that failed leaves the doubt of the one before it, if there was one: `unknown` then, whatever `to`.
    Raises `UsageError` if the submission cannot get there from where it is now.
    """
    current = get(connection, submission.id)
    if to not in NEXT[current.state]:
        raise UsageError(
            _(
                "Submission {submission} is {state}; it cannot become {other}.",
                submission=current.id,
                state=current.state.label,
                other=to.label,
            )
        )
    if current.state is State.SENDING and to in _OF_ONE_CALL and sent_in_doubt(connection, current):
        to = State.UNKNOWN
    connection.execute(update(submissions).where(submissions.c.id == current.id).values(state=to.value))
    body = {"from": current.state.value, "to": to.value, "why": why, **(more or {})}
    chain.append(
        connection,
        at=at,
        provider=current.provider,
        kind=chain.STATE_CHANGED,
        body=body,
        submission=current.id,
    )
    if to.is_accepted:
        reported = pending_events.c.event.in_(events_of(current.id))
        connection.execute(delete(pending_events).where(reported))
        due.close(connection, current.provider, current.report, current.period, to.value, current.id, at=at)
        _close_overtaken(connection, current, at=at)
    return get(connection, current.id)


def sent_in_doubt(connection: Connection, submission: Submission) -> bool:
    """Whether the newest attempt was begun while nobody knew what had become of the one before."""
    changes = (
        chain.told_by(entry)
        for entry in chain.of_submission(connection, submission.id)
        if entry.kind == chain.STATE_CHANGED
    )
    begun = [change.get("from") for change in changes if change.get("to") == State.SENDING.value]
    return begun[-1:] == [State.UNKNOWN.value]


def begin_attempt(connection: Connection, submission: Submission, via: str, *, at: datetime) -> int:
    """Moves to `sending` and notes the attempt; commit this before the first byte leaves.

    Raises `UsageError` if another submission has taken the place of this one meanwhile, or another run
    has sent it: an attempt that fails must not cover up one of which nobody knows what became.
    """
    current = get(connection, submission.id)
    if current.state is not submission.state:
        raise UsageError(
            _(
                "Submission {submission} is {state} by now; it is not sent.",
                submission=current.id,
                state=current.state.label,
            ),
            _look(current.id),
        )
    if current.superseded_by is not None:
        raise UsageError(
            _(
                "Submission {submission} was superseded by {newer}; it is not sent.",
                submission=current.id,
                newer=current.superseded_by,
            ),
            _look(current.id),
        )
    move(connection, submission, State.SENDING, _("by {via}", via=via.upper()), at=at)
    statement = insert(attempts).values(submission=submission.id, via=via, started_at=at)
    key: int = connection.execute(statement.returning(attempts.c.id)).scalar_one()
    return key


def _look(key: int) -> Message:
    return _("see `ajpes-reporting show {submission}`", submission=key)


def hand_over(
    connection: Connection, submission: Submission, attempt: int, waits_as: str, *, at: datetime
) -> None:
    """Notes that from now on the authority may have it; commit this before it can.

    Raises `UsageError` if the submission is no longer being sent by this attempt.
    """
    if not _is_under_way(connection, get(connection, submission.id), attempt):
        raise UsageError(
            _("Submission {submission} was resolved meanwhile; it is not sent.", submission=submission.id)
        )
    connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt)
        .values(handed_over_at=at, handed_over_as=waits_as or None)
    )


def end_attempt(
    connection: Connection,
    submission: Submission,
    attempt: int,
    outcome: Outcome,
    evidence: Stored | None,
    *,
    has_arrived: bool = False,
    at: datetime,
) -> Submission:
    """Notes what became of the attempt and moves the submission accordingly.

    An outcome that comes when the submission has been resolved otherwise is put on record, and changes
    nothing. But if it shows that the report has arrived (`has_arrived`, or it was delivered), it must not
    go again: not as one that was thought unreachable, nor by an attempt that has not come so far.
    """
    detail = told(outcome)
    connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt)
        .values(
            finished_at=at,
            outcome=type(outcome).__name__.lower(),
            detail=detail,
            evidence_path=evidence.path if evidence else None,
            evidence_sha256=evidence.sha256 if evidence else None,
        )
    )
    current = get(connection, submission.id)
    more = {
        "attempt": attempt,
        "evidence": evidence.sha256 if evidence else None,
        "path": evidence.path if evidence else None,
    }
    if _is_under_way(connection, current, attempt):
        return move(connection, submission, state_after(outcome), detail, at=at, more=more)
    body = {**more, "outcome": type(outcome).__name__.lower(), "detail": detail}
    chain.append(
        connection,
        at=at,
        provider=current.provider,
        kind=chain.LATE_OUTCOME,
        body=body,
        submission=current.id,
    )
    goes_again = current.state in (State.UNREACHABLE, State.SENDING) and not current.superseded_by
    if goes_again and (has_arrived or isinstance(outcome, Delivered)):
        return move(connection, current, State.UNKNOWN, _("an earlier call did deliver it, late"), at=at)
    return current


def state_after(outcome: Outcome) -> State:
    """The state in which an attempt with this outcome leaves a submission."""
    if isinstance(outcome, Delivered):
        return State.DELIVERED
    if isinstance(outcome, Refused):
        return State.REFUSED
    return State.UNREACHABLE if isinstance(outcome, Unreachable) else State.UNKNOWN


def release(connection: Connection, submission: Submission, why: Message, *, at: datetime) -> Submission:
    """Lets a submission go that was held for a person."""
    connection.execute(update(submissions).where(submissions.c.id == submission.id).values(released_at=at))
    chain.append(
        connection,
        at=at,
        provider=submission.provider,
        kind=chain.RELEASED,
        body={"why": why},
        submission=submission.id,
    )
    return get(connection, submission.id)


def released_count(connection: Connection, provider: str, report: str, period: str) -> int | None:
    """Returns the record count of the newest report for this period that a person has released."""
    statement = select(submissions.c.record_count).where(
        submissions.c.provider == provider,
        submissions.c.report == report,
        submissions.c.period == period,
        submissions.c.released_at.is_not(None),
    )
    count: int | None = connection.execute(statement.order_by(submissions.c.id.desc()).limit(1)).scalar()
    return count


def usual_counts(connection: Connection, provider: str, report: str, most: int) -> list[int]:
    """Returns the record counts of the newest accepted reports of a kind."""
    return list(
        connection.execute(
            select(submissions.c.record_count)
            .where(
                submissions.c.provider == provider,
                submissions.c.report == report,
                submissions.c.state.in_([state.value for state in ACCEPTED_STATES]),
            )
            .order_by(submissions.c.id.desc())
            .limit(most)
        ).scalars()
    )


def has_earlier_twin(connection: Connection, submission: Submission) -> bool:
    """Whether the very same bytes were sent before, as another submission."""
    statement = (
        select(attempts.c.id)
        .join(submissions, submissions.c.id == attempts.c.submission)
        .where(submissions.c.sha256 == submission.sha256, submissions.c.id < submission.id)
    )
    return connection.execute(statement.limit(1)).first() is not None


def handed_over(
    connection: Connection, provider: str, report: str, period: str, via: str | None = None
) -> list[Submission]:
    """Returns the submissions handed over for a period, by one way or by any."""
    sent = exists().where(attempts.c.submission == submissions.c.id, attempts.c.handed_over_at.is_not(None))
    if via is not None:
        sent = sent.where(attempts.c.via == via)
    statement = select(submissions).where(
        submissions.c.provider == provider,
        submissions.c.report == report,
        submissions.c.period == period,
        sent,
    )
    return [_submission(row) for row in connection.execute(statement.order_by(submissions.c.id))]


def may_be_answered(connection: Connection, provider: str) -> list[Submission]:
    """Returns the submissions that AJPES has, or may have, and has not answered, the newest first.

    Also what was taken for unreachable after it had been handed over; nothing for whose period AJPES has
    accepted a newer one.
    """
    newer = submissions.alias("newer")
    accepted_since = exists().where(
        newer.c.provider == submissions.c.provider,
        newer.c.report == submissions.c.report,
        newer.c.period == submissions.c.period,
        newer.c.id > submissions.c.id,
        newer.c.state.in_([state.value for state in ACCEPTED_STATES]),
    )
    sent = exists().where(attempts.c.submission == submissions.c.id, attempts.c.handed_over_at.is_not(None))
    awaits = submissions.c.state.in_([state.value for state in AWAITING_STATES])
    taken_for_lost = and_(submissions.c.state == State.UNREACHABLE.value, sent)
    rows = connection.execute(
        select(submissions)
        .where(submissions.c.provider == provider, or_(awaits, taken_for_lost), ~accepted_since)
        .order_by(submissions.c.id.desc())
    )
    return [_submission(row) for row in rows]


def was_handed_over(connection: Connection, key: int) -> bool:
    """Whether any attempt has come so far that the authority may have it."""
    statement = select(attempts.c.id).where(
        attempts.c.submission == key, attempts.c.handed_over_at.is_not(None)
    )
    return connection.execute(statement.limit(1)).first() is not None


def get(connection: Connection, key: int) -> Submission:
    """One submission. Raises `UsageError` if there is none with this number."""
    row = connection.execute(select(submissions).where(submissions.c.id == key)).one_or_none()
    if row is None:
        raise _unknown(key)
    return _submission(row)


def owned(connection: Connection, provider: str, key: int) -> Submission:
    """One submission of this provider. Raises `UsageError` if it has none with this number."""
    submission = get(connection, key)
    if submission.provider != provider:
        raise _unknown(key)
    return submission


def latest(connection: Connection, provider: str, report: str, period: str) -> Submission | None:
    """The newest submission for a period, in whatever state."""
    row = connection.execute(
        select(submissions)
        .where(
            submissions.c.provider == provider, submissions.c.report == report, submissions.c.period == period
        )
        .order_by(submissions.c.id.desc())
        .limit(1)
    ).one_or_none()
    return _submission(row) if row is not None else None


def in_states(connection: Connection, provider: str, states: frozenset[State]) -> list[Submission]:
    """Submissions in one of these states, oldest first; superseded ones are left out."""
    rows = connection.execute(
        select(submissions)
        .where(
            submissions.c.provider == provider,
            submissions.c.state.in_([state.value for state in states]),
            submissions.c.superseded_by.is_(None),
        )
        .order_by(submissions.c.id)
    )
    return [_submission(row) for row in rows]


def recent(connection: Connection, provider: str, limit: int) -> list[Submission]:
    """The newest submissions, newest first."""
    rows = connection.execute(
        select(submissions)
        .where(submissions.c.provider == provider)
        .order_by(submissions.c.id.desc())
        .limit(limit)
    )
    return [_submission(row) for row in rows]


def attempts_of(connection: Connection, key: int) -> Sequence[Row[Any]]:
    """Every attempt to deliver a submission, in order."""
    return connection.execute(
        select(attempts).where(attempts.c.submission == key).order_by(attempts.c.id)
    ).all()


def findings_of(connection: Connection, key: int) -> Sequence[Row[Any]]:
    """Returns the findings of our own checks about a submission."""
    return connection.execute(
        select(submission_findings)
        .where(submission_findings.c.submission == key)
        .order_by(submission_findings.c.id)
    ).all()


def events_of(key: int) -> Select[tuple[int]]:
    """The keys of the events a submission reports."""
    return select(submission_events.c.event).where(submission_events.c.submission == key)


def _is_under_way(connection: Connection, current: Submission, attempt: int) -> bool:
    newest = select(func.max(attempts.c.id)).where(attempts.c.submission == current.id)
    return (
        current.state is State.SENDING
        and current.superseded_by is None
        and connection.execute(newest).scalar() == attempt
    )


def _unknown(key: int) -> UsageError:
    return UsageError(
        _("There is no submission {submission}.", submission=key),
        _("see `ajpes-reporting status` for those there are"),
    )


def _close_overtaken(connection: Connection, accepted: Submission, *, at: datetime) -> None:
    """Closes earlier periods that were refused, if a later report has brought all their events home."""
    for period in due.open_periods(connection, accepted.provider):
        earlier = latest(connection, accepted.provider, period.report, period.period)
        if earlier is None or period.report != accepted.report or earlier.state not in _HELD:
            continue
        told = submission_events.c.submission == earlier.id
        if not connection.execute(select(submission_events.c.event).where(told).limit(1)).first():
            continue
        waits = pending_events.join(submission_events, submission_events.c.event == pending_events.c.event)
        if not connection.execute(
            select(pending_events.c.event).select_from(waits).where(told).limit(1)
        ).first():
            due.close(
                connection,
                period.provider,
                period.report,
                period.period,
                due.REPORTED_LATER,
                accepted.id,
                at=at,
            )


def _supersede_earlier(connection: Connection, draft: Draft, key: int) -> None:
    connection.execute(
        update(submissions)
        .where(
            submissions.c.provider == draft.provider,
            submissions.c.report == draft.report,
            submissions.c.period == draft.period,
            submissions.c.id != key,
            submissions.c.superseded_by.is_(None),
        )
        .values(superseded_by=key)
    )


def _finding_row(submission: int, finding: Finding) -> dict[str, Any]:
    row = asdict(finding)
    del row["line"], row["taken_back"]  # of no use once the report is written
    return {**row, "severity": finding.severity.value, "submission": submission}


def _submission(row: Row[Any]) -> Submission:
    values = dict(row._mapping)
    return Submission(**{**values, "state": State(row.state), "totals": json.loads(row.totals)})
