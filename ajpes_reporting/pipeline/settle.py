"""What a person decides: to send again, or what became of a submission nobody is sure about."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.reported import reports_excluded
from ajpes_reporting.deliver.kept import kept_connections
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered, OutcomeUnknown, UsageError
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.domain.rules import record_name
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import chain, due, purged, submissions
from ajpes_reporting.journal.archive import Stored
from ajpes_reporting.journal.orphans import reason_for_orphan
from ajpes_reporting.journal.restored import is_doubt, reason_to_doubt
from ajpes_reporting.journal.submissions import Draft, Submission
from ajpes_reporting.pipeline import answers
from ajpes_reporting.pipeline.collect import apply_waiting
from ajpes_reporting.pipeline.interrupted import settle_interrupted
from ajpes_reporting.pipeline.look import look_for
from ajpes_reporting.pipeline.moved import accepted_otherwise
from ajpes_reporting.pipeline.put_back import look_for_orphans
from ajpes_reporting.pipeline.run import Ending, Result, run, send

if TYPE_CHECKING:
    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.answers import Taken
    from ajpes_reporting.pipeline.desk import Desk
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

DELIVERED, NEVER_ARRIVED = "delivered", "never-arrived"
_OPEN = frozenset({State.REFUSED, State.UNREACHABLE, State.PREPARED})


def resubmit(
    desk: Desk, key: int, via: str | None = None, *, same: bool = False, progress: Progress = no_progress
) -> Result:
    """Sends a period again: rebuilt from the ledger as it stands now, or the very same bytes.

    One that was accepted goes again if the ledger has moved away from what AJPES accepted, on the record.
    Raises `UsageError` if the submission is not open for that, `OutcomeUnknown` if it must be
    settled first.
    """
    submission = _find(desk, key)
    kind = kind_of(desk, submission)
    period = period_of(kind, submission)
    if is_moved := _is_moved(desk, kind, submission, period):
        _refuse_same(submission, same=same)
    else:
        _refuse_closed(submission)
    _refuse_settled(desk, submission)
    _refuse_purged(desk, submission, same=same)
    _refuse_uncertain(desk, submission, period, same=same)
    _refuse_excluded(desk, submission, same=same)
    if is_moved:
        _note_again(desk, submission)
    if not same:
        return run(desk, kind, period, via, progress, as_it_stands=True)
    return _send_same(desk, kind, period, submission, via, progress)


def resolve(desk: Desk, key: int, outcome: str, reason: str) -> Submission:
    """Settles an unknown outcome by a person's word, with the reason, in the audit record.

    Raises `UsageError` if there is nothing to settle, also when the authority's folders tell.
    """
    with desk.exclusive(), desk.working_folder() as folder:
        settle_interrupted(desk)
        apply_waiting(desk, folder)
        to = State.DELIVERED if outcome == DELIVERED else State.UNREACHABLE
        if (told := _told_by_the_folders(desk, key)) is not None:
            return _agreeing(told, to)
        with writing(desk.engine) as connection:
            submission = submissions.owned(connection, desk.provider, key)
            _refuse_unsettleable(submission, to)
            due.try_now(connection, desk.provider)
            return submissions.move(connection, submission, to, f"a person's word: {reason}", at=desk.clock())


def assign(desk: Desk, answer: int, key: int, reason: str) -> Taken:
    """Applies an answer that was set aside to the submission a person names, with the reason, on the record.

    Raises `UsageError` if it cannot belong to that one; nothing is changed then.
    """
    with desk.exclusive(), desk.working_folder() as folder:
        settle_interrupted(desk)
        apply_waiting(desk, folder)
        return answers.assign(desk, answer, key, reason, folder)


def release(desk: Desk, key: int, reason: str) -> Submission:
    """Lets a report go that was held for a person, with the reason, in the audit record.

    Raises `UsageError` if it is not held.
    """
    with writing(desk.engine) as connection:
        submission = submissions.owned(connection, desk.provider, key)
        if not submission.is_held or submission.superseded_by is not None:
            raise UsageError(f"Submission {key} is not held.", f"see `ajpes-reporting show {key}`")
        due.try_now(connection, desk.provider)
        return submissions.release(connection, submission, f"a person's word: {reason}", at=desk.clock())


def kind_of(desk: Desk, submission: Submission) -> ReportKind:
    """The kind of report a submission is."""
    return next(kind for kind in desk.kinds if kind.code == submission.report)


def period_of(kind: ReportKind, submission: Submission) -> Period:
    """The period a submission is about."""
    return kind.parse_period(submission.period)


def _told_by_the_folders(desk: Desk, key: int) -> Submission | None:
    """What the folders make of an unknown submission; nothing if they do not tell."""
    submission = _find(desk, key)
    if submission.state is not State.UNKNOWN:
        return None
    try:
        look_for(desk, submission)
    except (NotDelivered, ConfigurationError) as error:
        _log.warning("The authority's folders were not seen: %s", error.message)
    submission = _find(desk, key)
    return None if submission.state is State.UNKNOWN else submission


def _refuse_unsettleable(submission: Submission, to: State) -> None:
    """Settled by hand is what AJPES has, or may have, and has not answered; a held one if it had gone out."""
    is_open = submission.state in (State.UNKNOWN, State.DELIVERED) and submission.state is not to
    if is_open or (to is State.DELIVERED and _may_have_gone_out(submission)):
        return
    if submission.is_held:
        raise UsageError(
            f"Submission {submission.id} is held, and was not sent from here.",
            f"let it go with `ajpes-reporting release {submission.id}`, or leave it",
        )
    raise UsageError(
        f"Submission {submission.id} is {submission.state.label}; "
        "only what AJPES has not answered is settled by hand.",
        f"see `ajpes-reporting show {submission.id}`",
    )


def _may_have_gone_out(submission: Submission) -> bool:
    """It is held since the journal was restored, and nothing has taken its place."""
    return submission.is_held and submission.superseded_by is None and is_doubt(submission.held_because)


def _agreeing(told: Submission, to: State) -> Submission:
    """The folders go before a person's word, who may have asked the wrong colleague."""
    if told.state is not to:
        raise UsageError(
            f"The authority's folders show that submission {told.id} is {told.state.label}; this is now so.",
            f"see `ajpes-reporting show {told.id}`",
        )
    return told


def _send_same(
    desk: Desk, kind: ReportKind, period: Period, submission: Submission, via: str | None, progress: Progress
) -> Result:
    with desk.exclusive() as hold, kept_connections(), desk.working_folder() as folder:
        carriers = desk.carriers(kind.name, via, folder)
        settle_interrupted(desk)
        apply_waiting(desk, folder)
        submission = _find(desk, submission.id)
        # Asked before, and again now that nobody else is at work.
        _refuse_closed(submission)
        _refuse_settled(desk, submission)
        carriers = look_for_orphans(
            desk, kind, period, submission, carriers, folder, decided_until=submission.id
        )
        _refuse_uncertain(desk, submission, period, same=True)
        _refuse_excluded(desk, submission, same=True)
        _refuse_own_errors(desk, submission)
        path = folder / submission.file_name
        desk.archive.extract(submission.archive_path, path)
        if submission.state is State.REFUSED:
            submission = _again(desk, submission)
        send(desk, kind, submission, path, carriers, folder, hold, progress)
        deadline = kind.deadline(period, desk.extra_days_off)
        return Result(Ending.SENT, kind, period, deadline, _find(desk, submission.id))


def _again(desk: Desk, refused: Submission) -> Submission:
    """A new submission of the same bytes; the refused one stays as it is."""
    draft = Draft(
        provider=refused.provider, report=refused.report, period=refused.period,
        prepared_at=refused.prepared_at, file_name=refused.file_name,
        stored=Stored(refused.archive_path, refused.size_bytes, refused.sha256),
        content_sha256=refused.content_sha256, record_count=refused.record_count, totals=refused.totals,
    )  # fmt: skip
    with writing(desk.engine) as connection:
        events = submissions.events_of(refused.id)
        return submissions.prepare(connection, draft, (), events, at=desk.clock())


def _refuse_closed(submission: Submission) -> None:
    number = submission.id
    if submission.superseded_by is not None:
        raise UsageError(
            f"Submission {number} was superseded by submission {submission.superseded_by}.",
            f"look at that one with `ajpes-reporting show {submission.superseded_by}`",
        )
    if submission.state in (State.UNKNOWN, State.SENDING):
        raise OutcomeUnknown(
            f"Submission {number} may have arrived; it is not sent again before that is settled.",
            "ask AJPES whether they hold it, then say so with "
            f"`ajpes-reporting resolve {number} --as delivered|never-arrived --reason …`",
        )
    if submission.state not in _OPEN:
        raise UsageError(f"Submission {number} is {submission.state.label}; there is nothing to send again.")


def _is_moved(desk: Desk, kind: ReportKind, submission: Submission, period: Period) -> bool:
    """Whether it is what AJPES accepted, and the ledger says something else by now."""
    with desk.engine.connect() as connection:
        return accepted_otherwise(connection, desk, kind, period) == submission.id


def _refuse_same(submission: Submission, *, same: bool) -> None:
    if same:
        raise UsageError(
            f"Submission {submission.id} is {submission.state.label}; AJPES has the same bytes already.",
            "leave out --same; then the month is reported as the ledger has it now",
        )


def _note_again(desk: Desk, submission: Submission) -> None:
    body = {"why": "the figures have moved since it was accepted", "period": submission.period}
    with writing(desk.engine) as connection:
        chain.append(
            connection, at=desk.clock(), provider=desk.provider, kind=chain.SENT_AGAIN, body=body,
            submission=submission.id,
        )  # fmt: skip


def _refuse_settled(desk: Desk, submission: Submission) -> None:
    """A later report has brought all of it home; the same bytes would be old history."""
    with desk.engine.connect() as connection:
        known = due.find(connection, submission.provider, submission.report, submission.period)
    if known is not None and known.settled_as == due.REPORTED_LATER:
        raise UsageError(
            f"Everything in submission {submission.id} was accepted with submission {known.submission}.",
            "there is nothing to send again",
        )


def _refuse_purged(desk: Desk, submission: Submission, *, same: bool) -> None:
    with desk.engine.connect() as connection:
        purged_at = purged.times(connection, submission.provider).get(submission.archive_path)
    if same and purged_at is not None:
        raise UsageError(
            f"The file of submission {submission.id} was removed on {purged_at:%Y-%m-%d}; its time was over.",
            "leave out --same; then the report is built again from the ledger",
        )


def _refuse_uncertain(desk: Desk, submission: Submission, period: Period, *, same: bool) -> None:
    """A run holds what a restored journal cannot know; the same bytes must not slip past it."""
    report = submission.report
    with desk.engine.connect() as connection:
        # Of one that was refused it is certain; but another one may have taken its place.
        doubt = (
            reason_for_orphan(connection, submission.provider, report, period.key)
            if submission.state is State.REFUSED
            else reason_to_doubt(connection, submission.provider, report, period)
        )
    if same and doubt:
        raise OutcomeUnknown(
            f"{report} for {period.spoken} may have gone out: {doubt}.",
            "run the period without --same; it is held then, and `release` lets it go",
        )


def _refuse_excluded(desk: Desk, submission: Submission, *, same: bool) -> None:
    """What a person keeps out by now does not go with old bytes either."""
    with desk.engine.connect() as connection:
        obligation = reports_excluded(connection, desk.provider, submission.id)
    if same and obligation is not None:
        raise UsageError(
            f"Submission {submission.id} reports {record_name(obligation)}, which is kept out by now.",
            "leave out --same; then the report is built again without it",
        )


def _refuse_own_errors(desk: Desk, submission: Submission) -> None:
    with desk.engine.connect() as connection:
        findings = submissions.findings_of(connection, submission.id)
    if submission.is_held:
        raise UsageError(
            f"Submission {submission.id} is held: {submission.held_because}.",
            f"let it go with `ajpes-reporting release {submission.id}`, then run again without --same",
        )
    if submission.state is State.PREPARED and any(row.severity == "error" for row in findings):
        raise UsageError(
            f"Submission {submission.id} was held back by our own checks; the same bytes are not sent.",
            "correct the ledger, then run again without --same",
        )


def _find(desk: Desk, key: int) -> Submission:
    with desk.engine.connect() as connection:
        return submissions.owned(connection, desk.provider, key)
