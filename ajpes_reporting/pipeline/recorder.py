"""Writes down what happens while a submission is delivered, each step before the next begins."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting.database.engine import may_pass, reason, writing
from ajpes_reporting.deliver.registry import answers_later
from ajpes_reporting.domain.errors import AjpesReportingError, NotDelivered, OutcomeUnknown, UsageError
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Unknown
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import NOTHING, _
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.journal.sent_log import HandedOver
from ajpes_reporting.pipeline.answers import AnswerProblem, Arrival, answer_name, apply, keep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.database.lease import Lease
    from ajpes_reporting.domain.ports import Carrier
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.journal.archive import Stored
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.answers import Reading
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind


T = TypeVar("T")

_log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 15.0


class Recorder:
    """The journal's side of one delivery, its `Log` and its `Handover`.

    `submission` is the submission as it stands by now.
    """

    def __init__(
        self, context: Context, kind: ReportKind, submission: Submission, folder: Path, lease: Lease
    ) -> None:
        self._context = context
        self._lease = lease
        self._kind = kind
        self._folder = folder
        self._attempt = 0
        self._via = ""
        self.submission = submission

    @property
    def may_be_answered_later(self) -> bool:
        """Whether an answer may come into the box of the way it went, also if nobody saw it arrive."""
        return self.submission.state in (State.DELIVERED, State.UNKNOWN) and answers_later(self._via)

    def started(self, carrier: Carrier) -> None:
        """Commits `sending`, so that a machine that dies now knows that the report may have left.

        Raises `UsageError` if the submission is no longer one that may be sent.
        """
        with writing(self._context.engine) as connection:
            if self._attempt and self.submission.state is not State.UNREACHABLE:
                number, label = self.submission.id, self.submission.state.label
                raise UsageError(
                    _(
                        "Submission {number} is {state} by now; it does not go by {way:way} as well.",
                        number=number,
                        state=label,
                        way=carrier.name,
                    ),
                    _("see `ajpes-reporting show {number}`", number=number),
                )
            self._via = carrier.name
            self._attempt = submissions.begin_attempt(
                connection, self.submission, carrier.name, at=self._context.clock()
            )

    def begin(self, waits_as: str) -> None:
        """Commits that from now on it may have arrived. Raises `NotDelivered` if it may not go any more.

        The archive's log has it, too, for the day on which the journal is put back to before.
        """
        self.still_ours()
        at, sent = self._context.clock(), self.submission
        try:
            with writing(self._context.engine) as connection:
                submissions.hand_over(connection, sent, self._attempt, waits_as, at=at)
            self._context.archive.sent_log.append(
                HandedOver(
                    sent.id,
                    self._attempt,
                    sent.report,
                    sent.period,
                    sent.file_name,
                    sent.sha256,
                    self._via,
                    at,
                )
            )
        except UsageError as error:
            raise NotDelivered(error.message) from None
        except SQLAlchemyError as error:
            raise NotDelivered(
                _(
                    "That it was about to be handed over could not be recorded: {reason:foreign}.",
                    reason=reason(error),
                ),
                _("repair the database, then run again"),
            ) from None
        except AjpesReportingError as error:
            raise NotDelivered(error.message, error.remedy) from error

    def still_ours(self) -> None:
        """Raises `NotDelivered` if another run may have taken over while this one was paused or cut off."""
        if not self._lease.is_still_ours():
            raise NotDelivered(
                _("This run was away for so long that another one may have taken its place."),
                _("run again; the schedule does so by itself"),
            )

    def ended(self, carrier: Carrier, outcome: Outcome) -> None:
        """Stores what came back, raw, then says what it means: an answer is checked before it counts.

        Raises `OutcomeUnknown` if that cannot be recorded, however long it is tried: the report may
        be with the authority, and the journal says `sending`.
        """
        try:
            self._take_down(carrier, outcome)
        except (AjpesReportingError, SQLAlchemyError, OSError) as error:
            raise OutcomeUnknown(
                _(
                    "Submission {number} was handed over by {way:way}, and what became of it could not "
                    "be recorded: {reason:foreign}",
                    number=self.submission.id,
                    way=carrier.name,
                    reason=reason(error),
                ),
                _(
                    "repair what is named, then run again; an answer that lies in the archive is "
                    "applied then, and "
                    "otherwise it will ask to be settled"
                ),
            ) from error
        # An outage that was ridden out may have taken the lock's session with it.
        self._lease.take_again()

    def store(self, path: Path, name: str) -> Stored:
        """Copies a file into the archive, however long that has to be tried."""
        return self._patiently(lambda: self._context.archive.store(path, name, self._context.clock()))

    def commit(self, work: Callable[[Connection], T]) -> T:
        """Does work within a transaction, however long that has to be tried."""
        return self._patiently(lambda: self._commit_once(work))

    def _patiently(self, work: Callable[[], T]) -> T:
        """Tries again what fails for a while: an outage must not cost an answer that is in our hands."""
        give_up, pause = time.monotonic() + self._context.patience_seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return work()
            except (SQLAlchemyError, AjpesReportingError) as error:
                if not _may_pass(error) or time.monotonic() + pause > give_up:
                    raise
                _log.warning(
                    "What became of submission %d cannot be recorded now, and is tried again: %s",
                    self.submission.id,
                    reason(error),
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _commit_once(self, work: Callable[[Connection], T]) -> T:
        with writing(self._context.engine, though_replaced=True) as connection:
            return work(connection)

    def _take_down(self, carrier: Carrier, outcome: Outcome) -> None:
        if isinstance(outcome, Delivered) and outcome.answer is not None:
            self._answered(carrier, outcome.answer, outcome)
        else:
            self._end_attempt(outcome, self._keep_evidence(outcome))

    def _answered(self, carrier: Carrier, path: Path, outcome: Outcome) -> None:
        # Until this is on record, its name alone tells a later run what it is; see `answers.recall`.
        archived_as = answer_name(self.submission, self._attempt)
        arrival = Arrival(path, carrier.name, submission=self.submission, archived_as=archived_as)
        kept = keep(self._context, arrival, self)
        assert kept is not None, "no file of the authority's folders"  # noqa: S101
        evidence = self._keep_evidence(outcome)
        claim = partial(self._claim, outcome, evidence)
        taken = apply(self._context, kept, self._folder, claim, self)
        if taken.submission is not None:
            self.submission = taken.submission
        else:
            unusable = Unknown(_("The authority's answer cannot be used: {reason}.", reason=taken.note))
            self._end_attempt(unusable, evidence, has_arrived=True)

    def _claim(
        self, outcome: Outcome, evidence: Stored | None, connection: Connection, reading: Reading
    ) -> tuple[Submission, Message]:
        """The end of the attempt and what the answer says, at once: an answer counts as a whole.

        It came back in the call, so it need not say which period it is about.
        """
        kind, period = reading.kind, reading.head.period_key or self.submission.period
        if (kind, period) != (self._kind, self.submission.period):
            raise AnswerProblem(
                answers.UNMATCHED,
                _("the answer is about {report} {period}", report=kind.code, period=period),
                reading,
            )
        submission = submissions.end_attempt(
            connection, self.submission, self._attempt, outcome, evidence, at=self._context.clock()
        )
        if submission.state not in (State.DELIVERED, State.UNKNOWN):
            # Another run took this one's place meanwhile, and may have applied this very answer.
            note = _("the submission was {state} by then", state=submission.state.label)
            raise AnswerProblem(answers.UNMATCHED, note, reading)
        return submission, NOTHING

    def _end_attempt(self, outcome: Outcome, evidence: Stored | None, *, has_arrived: bool = False) -> None:
        self.submission = self.commit(
            lambda connection: submissions.end_attempt(
                connection,
                self.submission,
                self._attempt,
                outcome,
                evidence,
                has_arrived=has_arrived,
                at=self._context.clock(),
            )
        )

    def _keep_evidence(self, outcome: Outcome) -> Stored | None:
        if outcome.evidence is None or not outcome.evidence.exists():
            return None
        return self.store(outcome.evidence, f"reply-to-{self.submission.file_name}")


def _may_pass(error: Exception) -> bool:
    """A database that is away, or an archive whose disk is full, may come back while we wait."""
    return may_pass(error) if isinstance(error, SQLAlchemyError) else isinstance(error.__cause__, OSError)
