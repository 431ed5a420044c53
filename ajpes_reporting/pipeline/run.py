"""The run. Read `run` from top to bottom: it is the whole story.

    ledger ─► build ─► check ─► archive ─► deliver ─► answer ─► journal

Each step commits before the next begins, so that whatever is cut off leaves a state that says
what may have happened. What cannot be decided here is left for a person, never guessed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ajpes_reporting.check.log import FindingLog
from ajpes_reporting.database.engine import rehearsing, writing
from ajpes_reporting.database.reported import reports_excluded
from ajpes_reporting.deliver import route
from ajpes_reporting.deliver.kept import kept_connections
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered, UsageError
from ajpes_reporting.domain.ports import Carrier, Parcel, Progress, no_progress
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import due, submissions
from ajpes_reporting.journal.restored import is_doubt, reason_to_doubt
from ajpes_reporting.journal.submissions import Draft, Submission
from ajpes_reporting.pipeline.build import Built, Nothing, build
from ajpes_reporting.pipeline.collect import apply_waiting, fetch, wait_for_answer
from ajpes_reporting.pipeline.moved import accepted_otherwise
from ajpes_reporting.pipeline.put_back import look_for_orphans
from ajpes_reporting.pipeline.reconcile import reconcile
from ajpes_reporting.pipeline.recorder import Recorder
from ajpes_reporting.pipeline.recover import recover_interrupted
from ajpes_reporting.pipeline.release_gate import reason_to_hold
from ajpes_reporting.reports.left_out import LeftOut

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.database.lease import Lease
    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind


_log = logging.getLogger(__name__)


class Ending(StrEnum):
    """How a run ended; for `SENT` the state of the submission says the rest."""

    SENT = "sent"
    NOTHING_TO_REPORT = "nothing to report"
    ALREADY_REPORTED = "already reported"
    CHECKS_REFUSED = "own checks refused"
    AWAITS_ANSWER = "awaits an answer"
    MUST_BE_SETTLED = "must be settled"
    NEEDS_CORRECTION = "needs a correction"
    HELD = "held for release"


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did, for a person or a program to be told."""

    ending: Ending
    kind: ReportKind
    period: Period
    deadline: datetime
    submission: Submission | None = None
    log: FindingLog = field(default_factory=FindingLog)
    left_out: LeftOut = field(default_factory=LeftOut)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """How a run would end now, as far as the journal and the ledger tell; `built` is what it would send.

    `because` says why it would be held. Nothing is built where the period is closed, or awaits an answer.
    """

    ending: Ending
    built: Built | Nothing | None
    submission: Submission | None = None
    because: str = ""


def run(
    context: Context,
    kind: ReportKind,
    period: Period,
    via: str | None = None,
    progress: Progress = no_progress,
    *,
    as_it_stands: bool = False,
) -> Result:
    """Reports one period: selects, builds, checks, archives, delivers and reads the answer.

    With `as_it_stands` everything recorded until now goes in, also after the end of the period:
    the correction of a report that was refused is often made on the next day.

    Raises `UsageError` for a period that has not begun or a way that is not open, and
    `ConfigurationError`, both before anything is recorded. What the network and the authority do
    is no exception but part of the result.
    """
    _refuse_future(context, kind, period)
    with context.exclusive() as hold, kept_connections(), context.working_folder() as folder:
        carriers = context.carriers(kind.name, via, folder)  # now, so that wrong settings show first
        recover_interrupted(context)
        _expect(context, kind, period)
        apply_waiting(context, folder)
        standing = _standing(context, kind, period, folder, as_it_stands)
        if standing is Ending.MUST_BE_SETTLED and (way := _way_to_resend(context, kind, period, carriers)):
            return _resend(context, kind, period, way, folder, hold, progress)
        if standing is not None:
            return _result(context, standing, kind, period)
        prepared = _prepare(context, kind, period, folder, progress, as_it_stands)
        if (first := prepared[-1]) is not None and prepared[0] is Ending.SENT:
            carriers = look_for_orphans(
                context, kind, period, first, carriers, folder, decided_until=first.id - 1
            )
            if _is_doubtful(context, kind, period):
                prepared = _prepare(context, kind, period, folder, progress, as_it_stands)
        ending, built, submission = prepared
        if isinstance(built, Built) and submission is not None and ending is Ending.SENT:
            send(context, kind, submission, built.path, carriers, folder, hold, progress)
        return _result(context, ending, kind, period, built)


def foresee(
    context: Context,
    kind: ReportKind,
    period: Period,
    folder: Path,
    progress: Progress = no_progress,
    *,
    also_closed: bool = False,
) -> Foreseen:
    """Says how a run would end, and builds what it would send; changes nothing, and asks nobody outside.

    With `also_closed`, builds also where the run would send nothing since the period is not open.
    """
    with rehearsing(context.engine) as connection:
        latest = submissions.latest(connection, context.provider, kind.code, period.key)
        closed = _closed(latest)
        if closed is not None and not also_closed:
            return Foreseen(closed, None, latest)
        built = build(connection, context, kind, period, folder, progress)
        if closed is not None or isinstance(built, Nothing):
            return Foreseen(closed or Ending.NOTHING_TO_REPORT, built, latest)
        because = reason_to_hold(connection, context, kind, built)
        ending = _ending(built, because)
        before = _ending_as_before(connection, context, latest, built, ending)
    if before is Ending.HELD and latest is not None:
        because = latest.held_because
    return Foreseen(before or ending, built, latest, because or "")


def send(
    context: Context,
    kind: ReportKind,
    submission: Submission,
    path: Path,
    carriers: Sequence[Carrier],
    folder: Path,
    hold: Lease,
    progress: Progress = no_progress,
) -> None:
    """Delivers a submission whose bytes lie at `path`, and waits a little for an answer in the box.

    Raises `Replaced` if another run has taken the place of this one, before anything leaves.
    """
    parcel = Parcel(path, submission.file_name, kind.name, submission.size_bytes, submission.sha256)
    recorder = Recorder(context, kind, submission, folder, hold)
    route.deliver(context.ways(carriers, parcel), parcel, recorder, progress)
    if recorder.may_be_answered_later:
        wait_for_answer(context, recorder.submission, folder)


def _standing(
    context: Context, kind: ReportKind, period: Period, folder: Path, as_it_stands: bool
) -> Ending | None:
    """What stands in the way of a new submission; nothing if the period is open.

    One that was accepted goes again only as it stands, and if AJPES does not have it so already.
    """
    latest = _latest(context, kind, period)
    if latest is not None and latest.state.awaits_answer:
        latest = _look_first(context, latest, folder)
    closed = _closed(latest)
    if closed is Ending.ALREADY_REPORTED and as_it_stands and _is_moved(context, kind, period):
        return None
    return closed


def _closed(latest: Submission | None) -> Ending | None:
    """How the newest submission of a period keeps it from being reported; nothing if it is open."""
    if latest is None:
        return None
    if latest.state.is_accepted:
        return Ending.ALREADY_REPORTED
    if latest.state is State.DELIVERED:
        return Ending.AWAITS_ANSWER
    return Ending.MUST_BE_SETTLED if latest.state.awaits_answer else None


def _is_moved(context: Context, kind: ReportKind, period: Period) -> bool:
    with context.engine.connect() as connection:
        return accepted_otherwise(connection, context, kind, period) is not None


def _look_first(context: Context, submission: Submission, folder: Path) -> Submission:
    """Settles what the authority's folders and answers tell of a submission; returns it as it stands then."""
    try:
        if submission.state is not State.DELIVERED:
            reconcile(context, submission)
        fetch(context, tuple(kind for kind in context.kinds if kind.code == submission.report), folder)
    except (NotDelivered, ConfigurationError) as error:
        # They cannot be reached now; the submission stays as it is and is shown so.
        _log.warning("The authority's folders were not seen: %s", error.message)
    with context.engine.connect() as connection:
        return submissions.get(connection, submission.id)


def _way_to_resend(
    context: Context, kind: ReportKind, period: Period, carriers: Sequence[Carrier]
) -> list[Carrier]:
    """The way an unknown report went, if the settings let it go again.

    A restored journal does not, nor does an obligation in it that a person keeps out by now.
    """
    latest = _latest(context, kind, period)
    if latest is None or not context.resend_after_unknown:
        return []
    with context.engine.connect() as connection:
        last = submissions.attempts_of(connection, latest.id)[-1]
        if reason_to_doubt(connection, context.provider, kind.code, period) is not None:
            return []
        if reports_excluded(connection, context.provider, latest.id) is not None:
            return []
    return [carrier for carrier in carriers if carrier.name == last.via]


def _resend(
    context: Context,
    kind: ReportKind,
    period: Period,
    carriers: Sequence[Carrier],
    folder: Path,
    hold: Lease,
    progress: Progress,
) -> Result:
    """Sends the very same bytes again, the same way: the settings say that this is harmless."""
    submission = _latest(context, kind, period)
    assert submission is not None, "its outcome is unknown"  # noqa: S101
    path = folder / submission.file_name
    context.archive.extract(submission.archive_path, path)
    send(context, kind, submission, path, carriers, folder, hold, progress)
    return _result(context, Ending.SENT, kind, period)


def _prepare(
    context: Context, kind: ReportKind, period: Period, folder: Path, progress: Progress, as_it_stands: bool
) -> tuple[Ending, Built | Nothing, Submission | None]:
    """Builds and records the submission in one transaction: it reports exactly what it selected."""
    with writing(context.engine) as connection:
        built = build(connection, context, kind, period, folder, progress, as_it_stands=as_it_stands)
        if isinstance(built, Nothing):
            due.settle_as_nothing(connection, context.provider, kind.code, period.key, at=context.clock())
            return Ending.NOTHING_TO_REPORT, built, None
        held_because = reason_to_hold(connection, context, kind, built)
        ending = _ending(built, held_because)
        latest = submissions.latest(connection, context.provider, kind.code, period.key)
        before = _ending_as_before(connection, context, latest, built, ending)
        if before is not None and latest is not None:
            as_before = _as_archived(context, latest, built, folder) if before is Ending.SENT else built
            if as_before is not None:
                return before, as_before, latest
        events = kind.reported_events(built.request) if kind.reported_events else None
        submission = submissions.prepare(
            connection,
            _draft(context, kind, built, held_because),
            built.log.shown,
            events,
            at=context.clock(),
        )
    return ending, built, submission


def _is_doubtful(context: Context, kind: ReportKind, period: Period) -> bool:
    with context.engine.connect() as connection:
        return reason_to_doubt(connection, context.provider, kind.code, period) is not None


def _ending_as_before(
    connection: Connection, context: Context, latest: Submission | None, built: Built, ending: Ending
) -> Ending | None:
    """How a report ends that says what its forerunner said; nothing if it takes its place."""
    if latest is None or latest.content_sha256 != built.content_sha256:
        return None
    if latest.state is State.REFUSED:
        return Ending.NEEDS_CORRECTION
    if ending is Ending.CHECKS_REFUSED:
        return ending
    # A restored journal may not know that they went out after all.
    is_certain = reason_to_doubt(connection, context.provider, latest.report, built.request.period) is None
    if latest.is_held:
        # A doubt ends also when a person discards the answer that it came from.
        return None if is_certain and is_doubt(latest.held_because) else Ending.HELD
    return Ending.SENT if latest.state in (State.PREPARED, State.UNREACHABLE) and is_certain else None


def _ending(built: Built, held_because: str | None) -> Ending:
    if built.log.error_count:
        return Ending.CHECKS_REFUSED
    return Ending.HELD if held_because else Ending.SENT


def _as_archived(context: Context, submission: Submission, built: Built, folder: Path) -> Built | None:
    """Nothing arrived and nothing has changed since: the bytes that are archived go, not new ones.

    If they are lost the new ones take their place.
    """
    path = folder / f"archived-{submission.file_name}"
    try:
        context.archive.extract(submission.archive_path, path)
    except UsageError as error:
        _log.error("Submission %d is made anew. %s", submission.id, error.message)
        return None
    return replace(built, path=path)


def _draft(context: Context, kind: ReportKind, built: Built, held_because: str | None) -> Draft:
    return Draft(
        provider=context.provider,
        report=kind.code,
        period=built.request.period.key,
        prepared_at=built.request.prepared_at,
        file_name=built.path.name,
        stored=context.archive.take_over(
            built.packed, built.size_bytes, built.sha256, built.path.name, context.clock()
        ),
        content_sha256=built.content_sha256,
        record_count=built.record_count,
        totals=built.totals,
        held_because=held_because,
    )


def _refuse_future(context: Context, kind: ReportKind, period: Period) -> None:
    """A day is reported while it lasts; a month when it is over."""
    today = context.clock().astimezone(LJUBLJANA).date()
    if kind.monthly and today <= period.last_day:
        raise UsageError(f"{period.spoken} has not ended yet.", "name a month that has")
    if today < period.first_day:
        raise UsageError(f"{period.spoken} has not begun yet.", "name a day that has")


def _expect(context: Context, kind: ReportKind, period: Period) -> None:
    with writing(context.engine) as connection:
        deadline = kind.deadline(period, context.extra_days_off)
        due.expect(connection, context.provider, kind.code, period.key, deadline)


def _latest(context: Context, kind: ReportKind, period: Period) -> Submission | None:
    with context.engine.connect() as connection:
        return submissions.latest(connection, context.provider, kind.code, period.key)


def _result(
    context: Context, ending: Ending, kind: ReportKind, period: Period, built: Built | Nothing | None = None
) -> Result:
    deadline = kind.deadline(period, context.extra_days_off)
    log, left_out = (built.log, built.left_out) if built else (FindingLog(), LeftOut())
    return Result(ending, kind, period, deadline, _latest(context, kind, period), log, left_out)
