"""The decisions of a person: sending again, releasing, and settling an uncertain report."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.reported import reports_excluded
from ajpes_reporting.domain.answers import status_label
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered, OutcomeUnknown, UsageError
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.domain.rules import record_name
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import _, verbatim
from ajpes_reporting.i18n.formats import LJUBLJANA
from ajpes_reporting.journal import answers, chain, due, purged, submissions
from ajpes_reporting.journal.archive import Stored
from ajpes_reporting.journal.orphans import is_doubt, reason_for_orphan, reason_to_doubt
from ajpes_reporting.journal.submissions import Draft, Submission
from ajpes_reporting.pipeline.answers import (
    AnswerProblem,
    AtOnce,
    KeptAnswer,
    NotAssignable,
    apply_waiting,
    take_in,
)
from ajpes_reporting.pipeline.build import accepted_otherwise
from ajpes_reporting.pipeline.put_back import look_for_orphans
from ajpes_reporting.pipeline.reconcile import reconcile, recover_interrupted
from ajpes_reporting.pipeline.run import Ending, Result, Sendable, begun, run, send

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.pipeline.answers import Reading, Taken
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

DELIVERED, NEVER_ARRIVED = "delivered", "never-arrived"
_OPEN = frozenset({State.REFUSED, State.UNREACHABLE, State.PREPARED})


def resubmit(
    context: Context,
    key: int,
    via: str | None = None,
    *,
    same: bool = False,
    progress: Progress = no_progress,
) -> Result:
    """Sends a period again: rebuilt from the ledger as it stands now, or the very same bytes.

    One that was accepted goes again if the ledger has moved away from what AJPES accepted, on the record.
    Raises `UsageError` if the submission is not open for that, `OutcomeUnknown` if it must be
    settled first.
    """
    submission = _find(context, key)
    kind = context.kind(submission.report)
    period = kind.parse_period(submission.period)
    if is_moved := _is_moved(context, kind, submission, period):
        _refuse_same(submission, same=same)
    else:
        _refuse_closed(submission)
    _refuse_reported_later(context, submission)
    _refuse_purged(context, submission, same=same)
    _refuse_uncertain(context, submission, period, same=same)
    _refuse_excluded(context, submission, same=same)
    if is_moved:
        _note_again(context, submission)
    if not same:
        return run(context, kind, period, via, progress, as_it_stands=True)
    return _send_same(context, kind, period, submission, via, progress)


def resolve(context: Context, key: int, outcome: str, reason: str) -> Submission:
    """Settles an unknown outcome by a person's word, with the reason, in the audit record.

    Raises `UsageError` if there is nothing to settle, also when the authority's folders tell.
    """
    with context.exclusive(), context.working_folder() as folder:
        recover_interrupted(context)
        apply_waiting(context, folder)
        to = State.DELIVERED if outcome == DELIVERED else State.UNREACHABLE
        if (told := _told_by_the_folders(context, key)) is not None:
            return _agreeing(told, to)
        with writing(context.engine) as connection:
            submission = submissions.owned(connection, context.provider, key)
            _refuse_unresolvable(submission, to)
            due.try_now(connection, context.provider)
            return submissions.move(
                connection, submission, to, _("a person's word: {reason}", reason=reason), at=context.clock()
            )


def assign(context: Context, answer: int, key: int, reason: str) -> Taken:
    """Applies an answer that was set aside to the submission that a person names, with the reason, on record.

    Raises `UsageError` if it is not one that lies there, cannot be read, says that it belongs to another
    report, or if that submission was never sent, or has its answer; nothing is changed then.
    """
    with context.exclusive(), context.working_folder() as folder:
        recover_interrupted(context)
        apply_waiting(context, folder)
        with context.engine.connect() as connection:
            row = answers.owned(connection, context.provider, answer)
            named = submissions.owned(connection, context.provider, key)
            _refuse_unassignable(connection, context, row, named)
        path = folder / f"answer-{answer}.xml"
        context.archive.extract(row.archive_path, path)
        kept = KeptAnswer(answer, row.sha256, row.remote_name or row.archive_path, path, named)
        claim = partial(_assigned, context, kept, named, reason)
        try:
            return take_in(context, kept, folder, claim, AtOnce(context))
        except AnswerProblem as problem:
            raise UsageError(
                _(
                    "Answer {answer} was not applied: {reason}. Nothing was changed.",
                    answer=answer,
                    reason=problem.note,
                ),
                _(
                    "ask AJPES what became of the report, then resolve it with "
                    "`ajpes-reporting resolve {submission} --as delivered|never-arrived --reason …`",
                    submission=key,
                ),
            ) from None


def discard(context: Context, answer: int, reason: str) -> None:
    """Puts an answer away that was set aside, on a person's word; it stays in the archive and on the record.

    Raises `UsageError` if there is none with this number, or if it is not one that lies there.
    """
    with writing(context.engine) as connection:
        row = answers.owned(connection, context.provider, answer)
        if row.status not in (*answers.LIES_THERE, answers.STORED):
            raise UsageError(
                _(
                    "Answer {answer} is {status}; only what was set aside can be discarded.",
                    answer=answer,
                    status=status_label(row.status),
                ),
                _("see `ajpes-reporting answers list`"),
            )
        answers.set_aside(
            connection,
            context.provider,
            answer,
            answers.DISCARDED,
            verbatim(reason),
            row.submission,
            at=context.clock(),
        )


def release(context: Context, key: int, reason: str) -> Submission:
    """Lets a report go that was held for a person, with the reason, in the audit record.

    Raises `UsageError` if it is not held.
    """
    with writing(context.engine) as connection:
        submission = submissions.owned(connection, context.provider, key)
        if not submission.is_held or submission.superseded_by is not None:
            raise UsageError(_("Submission {submission} is not held.", submission=key), _see(key))
        due.try_now(connection, context.provider)
        return submissions.release(
            connection, submission, _("a person's word: {reason}", reason=reason), at=context.clock()
        )


def _told_by_the_folders(context: Context, key: int) -> Submission | None:
    """Returns what the folders tell of an unknown submission; None if they do not tell."""
    submission = _find(context, key)
    if submission.state is not State.UNKNOWN:
        return None
    try:
        reconcile(context, submission)
    except (NotDelivered, ConfigurationError) as error:
        _log.info("The authority's folders were not seen: %s", error.message)
    submission = _find(context, key)
    return None if submission.state is State.UNKNOWN else submission


def _refuse_unresolvable(submission: Submission, to: State) -> None:
    """Settled by hand is what AJPES has, or may have, and has not answered; a held one if it had gone out."""
    is_open = submission.state in (State.UNKNOWN, State.DELIVERED) and submission.state is not to
    if is_open or (to is State.DELIVERED and _may_have_gone_out(submission)):
        return
    if submission.is_held:
        raise UsageError(
            _("Submission {submission} is held, and was not sent from here.", submission=submission.id),
            _("let it go with `ajpes-reporting release {submission}`, or leave it", submission=submission.id),
        )
    raise UsageError(
        _(
            "Submission {submission} is {state}; only what AJPES has not answered is resolved by hand.",
            submission=submission.id,
            state=submission.state.label,
        ),
        _see(submission.id),
    )


def _may_have_gone_out(submission: Submission) -> bool:
    """Whether a report is held since the journal was restored, and nothing has taken its place."""
    return submission.is_held and submission.superseded_by is None and is_doubt(submission.held_because)


def _agreeing(told: Submission, to: State) -> Submission:
    """The folders go before a person's word, who may have asked the wrong colleague."""
    if told.state is not to:
        raise UsageError(
            _(
                "The authority's folders show that submission {submission} is {state}; this is now so.",
                submission=told.id,
                state=told.state.label,
            ),
            _see(told.id),
        )
    return told


def _send_same(
    context: Context,
    kind: ReportKind,
    period: Period,
    submission: Submission,
    via: str | None,
    progress: Progress,
) -> Result:
    with begun(context, kind, period, via, progress) as current:
        submission = _find(context, submission.id)
        # Asked before, and again now that nobody else is at work.
        _refuse_closed(submission)
        _refuse_reported_later(context, submission)
        current = look_for_orphans(current, submission, decided_until=submission.id)
        _refuse_uncertain(context, submission, period, same=True)
        _refuse_excluded(context, submission, same=True)
        _refuse_own_errors(context, submission)
        path = current.folder / submission.file_name
        context.archive.extract(submission.archive_path, path)
        if submission.state is State.REFUSED:
            submission = _again(context, submission)
        send(current, Sendable(submission, path))
        return Result(Ending.ATTEMPTED, kind, period, current.deadline, _find(context, submission.id))


def _again(context: Context, refused: Submission) -> Submission:
    """A new submission of the same bytes; the refused one stays as it is."""
    draft = Draft(
        provider=refused.provider,
        report=refused.report,
        period=refused.period,
        prepared_at=refused.prepared_at,
        file_name=refused.file_name,
        stored=Stored(refused.archive_path, refused.size_bytes, refused.sha256),
        content_sha256=refused.content_sha256,
        record_count=refused.record_count,
        totals=refused.totals,
    )
    with writing(context.engine) as connection:
        draft = replace(draft, amounts=submissions.amounts_of(connection, refused.id))
        events = submissions.events_of(refused.id)
        return submissions.prepare(connection, draft, (), events, at=context.clock())


def _refuse_closed(submission: Submission) -> None:
    number = submission.id
    if submission.superseded_by is not None:
        raise UsageError(
            _(
                "Submission {submission} was superseded by submission {newer}.",
                submission=number,
                newer=submission.superseded_by,
            ),
            _("look at that one with `ajpes-reporting show {newer}`", newer=submission.superseded_by),
        )
    if submission.state in (State.UNKNOWN, State.SENDING):
        raise OutcomeUnknown(
            _(
                "Submission {submission} may have arrived; it is not sent again before that is settled.",
                submission=number,
            ),
            _(
                "ask AJPES whether they hold it, then say so with "
                "`ajpes-reporting resolve {submission} --as delivered|never-arrived --reason …`",
                submission=number,
            ),
        )
    if submission.state not in _OPEN:
        raise UsageError(
            _(
                "Submission {submission} is {state}; there is nothing to send again.",
                submission=number,
                state=submission.state.label,
            )
        )


def _is_moved(context: Context, kind: ReportKind, submission: Submission, period: Period) -> bool:
    """Whether it is what AJPES accepted, and the ledger says something else by now."""
    with context.engine.connect() as connection:
        return accepted_otherwise(connection, context, kind, period) == submission.id


def _refuse_same(submission: Submission, *, same: bool) -> None:
    if same:
        raise UsageError(
            _(
                "Submission {submission} is {state}; AJPES has the same bytes already.",
                submission=submission.id,
                state=submission.state.label,
            ),
            _("leave out --same; then the month is reported as the ledger has it now"),
        )


def _note_again(context: Context, submission: Submission) -> None:
    body = {"why": _("the figures have moved since it was accepted"), "period": submission.period}
    with writing(context.engine) as connection:
        chain.append(
            connection,
            at=context.clock(),
            provider=context.provider,
            kind=chain.SENT_AGAIN,
            body=body,
            submission=submission.id,
        )


def _refuse_reported_later(context: Context, submission: Submission) -> None:
    """A later report has brought all of it home; the same bytes would be old history."""
    with context.engine.connect() as connection:
        known = due.find(connection, submission.provider, submission.report, submission.period)
    if known is not None and known.settled_as == due.REPORTED_LATER:
        raise UsageError(
            _(
                "Everything in submission {submission} was accepted with submission {later}.",
                submission=submission.id,
                later=known.submission,
            ),
            _("there is nothing to send again"),
        )


def _refuse_purged(context: Context, submission: Submission, *, same: bool) -> None:
    with context.engine.connect() as connection:
        purged_at = purged.times(connection, submission.provider, [submission.archive_path]).get(
            submission.archive_path
        )
    if same and purged_at is not None:
        raise UsageError(
            _(
                "The file of submission {submission} was removed on {day:day}; its time was over.",
                submission=submission.id,
                day=purged_at.astimezone(LJUBLJANA).date(),
            ),
            _("leave out --same; then the report is built again from the ledger"),
        )


def _refuse_uncertain(context: Context, submission: Submission, period: Period, *, same: bool) -> None:
    """A run holds what a restored journal cannot know; the same bytes must not slip past it."""
    report = submission.report
    with context.engine.connect() as connection:
        # Of one that was refused it is certain; but another one may have taken its place.
        doubt = (
            reason_for_orphan(connection, submission.provider, report, period.key)
            if submission.state is State.REFUSED
            else reason_to_doubt(connection, submission.provider, report, period)
        )
    if same and doubt:
        raise OutcomeUnknown(
            _(
                "{report} for {period} may have gone out: {reason}.",
                report=report,
                period=period.spoken,
                reason=doubt,
            ),
            _("run the period without --same; it is held then, and `release` lets it go"),
        )


def _refuse_excluded(context: Context, submission: Submission, *, same: bool) -> None:
    """Refuses old bytes with an obligation that a person keeps out by now."""
    with context.engine.connect() as connection:
        obligation = reports_excluded(connection, context.provider, submission.id)
    if same and obligation is not None:
        raise UsageError(
            _(
                "Submission {submission} reports {record}, which is kept out by now.",
                submission=submission.id,
                record=record_name(obligation),
            ),
            _("leave out --same; then the report is built again without it"),
        )


def _refuse_own_errors(context: Context, submission: Submission) -> None:
    with context.engine.connect() as connection:
        findings = submissions.findings_of(connection, submission.id)
    if submission.is_held:
        raise UsageError(
            _(
                "Submission {submission} is held: {reason}.",
                submission=submission.id,
                reason=submission.held_because,
            ),
            _(
                "let it go with `ajpes-reporting release {submission}`, then run again without --same",
                submission=submission.id,
            ),
        )
    if submission.state is State.PREPARED and any(row.severity == "error" for row in findings):
        raise UsageError(
            _(
                "Submission {submission} was held back by our own checks; the same bytes are not sent.",
                submission=submission.id,
            ),
            _("correct the ledger, then run again without --same"),
        )


def _refuse_unassignable(connection: Connection, context: Context, row: Row[Any], named: Submission) -> None:
    """Raises `NotAssignable` for an answer that counts already, for nothing, or for another submission."""
    if row.status not in answers.LIES_THERE:
        raise NotAssignable(
            _(
                "Answer {answer} is {status}; only what was set aside can be assigned.",
                answer=row.id,
                status=status_label(row.status),
            ),
            _("see `ajpes-reporting answers list`"),
        )
    if (same := answers.applied_copy(connection, context.provider, row.sha256)) is not None:
        raise NotAssignable(
            _(
                "Answer {answer} is a copy of answer {same}, which was applied; an answer counts once.",
                answer=row.id,
                same=same,
            ),
            _("put it away with `ajpes-reporting answers discard {answer} --reason …`", answer=row.id),
        )
    if row.submission not in (None, named.id):
        raise NotAssignable(
            _(
                "Answer {answer} came back as submission {submission} was sent, and not {other}.",
                answer=row.id,
                submission=row.submission,
                other=named.id,
            ),
            _see(row.submission),
        )


def _assigned(
    context: Context,
    kept: KeptAnswer,
    named: Submission,
    reason: str,
    connection: Connection,
    reading: Reading,
) -> tuple[Submission, Message]:
    """The submission that a person names, ready for its answer. Raises `NotAssignable` if it cannot be it."""
    submission = submissions.get(connection, named.id)
    _refuse_other_report(kept, reading, submission)
    _refuse_unanswerable(connection, submission)
    answers.note_assignment(connection, context.provider, kept.id, submission.id, reason, at=context.clock())
    if submission.state is State.UNREACHABLE:
        why = _("answer {answer} shows that it did arrive", answer=kept.id)
        submission = submissions.move(connection, submission, State.UNKNOWN, why, at=context.clock())
    return submission, _("assigned by a person: {reason}", reason=reason)


def _refuse_other_report(kept: KeptAnswer, reading: Reading, submission: Submission) -> None:
    """A person may say what an answer leaves open, and not the contrary of what it says."""
    report, period = reading.kind.code, reading.head.period_key or submission.period
    if (report, period) != (submission.report, submission.period):
        raise NotAssignable(
            _(
                "Answer {answer} is about {report} for {period}; submission {submission} is "
                "{other_report} for {other_period}. Nothing was changed.",
                answer=kept.id,
                report=report,
                period=period,
                submission=submission.id,
                other_report=submission.report,
                other_period=submission.period,
            ),
            _("see `ajpes-reporting answers list` for the submissions that it may belong to"),
        )


def _refuse_unanswerable(connection: Connection, submission: Submission) -> None:
    """Raises `NotAssignable` if AJPES cannot have it, has answered it, or has accepted a newer one since."""
    key = submission.id
    was_sent = submission.state.awaits_answer or submissions.was_handed_over(connection, key)
    if not was_sent:
        raise NotAssignable(
            _("Submission {submission} was never sent from here. Nothing was changed.", submission=key),
            _see(key),
        )
    if not (submission.state.awaits_answer or submission.state is State.UNREACHABLE):
        raise NotAssignable(
            _(
                "Submission {submission} is {state} already. Nothing was changed.",
                submission=key,
                state=submission.state.label,
            ),
            _(
                "see `ajpes-reporting show {submission}`; an answer that counts for nothing is put away with "
                "`ajpes-reporting answers discard`",
                submission=key,
            ),
        )
    if all(one.id != key for one in submissions.may_be_answered(connection, submission.provider)):
        raise NotAssignable(
            _(
                "AJPES has accepted a newer report for {period} since. Nothing was changed.",
                period=submission.period,
            ),
            _see(key),
        )


def _see(submission: int) -> Message:
    return _("see `ajpes-reporting show {submission}`", submission=submission)


def _find(context: Context, key: int) -> Submission:
    with context.engine.connect() as connection:
        return submissions.owned(connection, context.provider, key)
