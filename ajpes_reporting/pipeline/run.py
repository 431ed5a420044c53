"""The run. Read `run` from top to bottom: it is the whole story.

    ledger ─► build ─► check ─► archive ─► deliver ─► answer ─► journal

Each step commits before the next begins, so that whatever is cut off leaves a state that says
what may have happened. What cannot be decided here is left for a person, never guessed.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ajpes_reporting.check.log import FindingLog
from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.reported import reports_excluded
from ajpes_reporting.deliver import route
from ajpes_reporting.deliver.connection_pool import kept_connections
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered, UsageError
from ajpes_reporting.domain.ports import Parcel, Progress, no_progress
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import _
from ajpes_reporting.journal import due, submissions
from ajpes_reporting.journal.orphans import reason_to_doubt
from ajpes_reporting.journal.submissions import Draft, Submission
from ajpes_reporting.pipeline.answers import apply_waiting
from ajpes_reporting.pipeline.build import Nothing, accepted_otherwise, build
from ajpes_reporting.pipeline.collect import fetch, wait_for_answer
from ajpes_reporting.pipeline.context import Run
from ajpes_reporting.pipeline.put_back import look_for_orphans
from ajpes_reporting.pipeline.reconcile import reconcile, recover_interrupted
from ajpes_reporting.pipeline.recorder import Recorder
from ajpes_reporting.pipeline.release_gate import Ending, ending_of, judge
from ajpes_reporting.reports.left_out import LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.pipeline.build import Built
    from ajpes_reporting.pipeline.context import Context, Task
    from ajpes_reporting.reports.kind import ReportKind

__all__ = ["Ending", "Result", "Sendable", "begun", "run", "send"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run, for a person or a program."""

    ending: Ending
    kind: ReportKind
    period: Period
    deadline: datetime
    submission: Submission | None = None
    log: FindingLog = field(default_factory=FindingLog)
    left_out: LeftOut = field(default_factory=LeftOut)


@dataclass(frozen=True, slots=True)
class Sendable:
    """A submission that may go. Its bytes lie at `path`; `built` is what they were made of."""

    submission: Submission
    path: Path
    built: Built | None = None


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
    with begun(context, kind, period, via, progress, as_it_stands=as_it_stands) as current:
        closed = _look_whether_closed(current)
        if closed is Ending.MUST_BE_SETTLED and (again := _resendable(current)):
            send(*again)
            return _result(current, Ending.ATTEMPTED, _latest(current))
        if closed is not None:
            return _result(current, closed, _latest(current))
        prepared = _prepare(current)
        if isinstance(prepared, Sendable):
            decided_until = prepared.submission.id - 1
            current = look_for_orphans(current, prepared.submission, decided_until=decided_until)
            if _is_in_doubt(current):
                prepared = _prepare(current)
        if isinstance(prepared, Result):
            return prepared
        send(current, prepared)
        return _result(current, Ending.ATTEMPTED, _latest(current), prepared.built)


@contextmanager
def begun(
    context: Context,
    kind: ReportKind,
    period: Period,
    via: str | None,
    progress: Progress,
    *,
    as_it_stands: bool = False,
) -> Iterator[Run]:
    """A run that excludes others of its provider, after it has put in order what an earlier one left behind.

    Raises `Busy` if another run is at work, `UsageError` or `ConfigurationError` for a way that is not open.
    """
    with context.exclusive() as lease, kept_connections(), context.working_folder() as folder:
        carriers = context.carriers(kind.name, via, folder)  # now, so that wrong settings show first
        deadline = kind.deadline(period, context.extra_days_off)
        current = Run(
            context,
            kind,
            period,
            folder,
            progress,
            as_it_stands,
            deadline=deadline,
            lease=lease,
            carriers=carriers,
        )
        recover_interrupted(context)
        with writing(context.engine) as connection:
            due.expect(connection, *current.key, current.deadline)
        apply_waiting(context, folder)
        yield current


def send(current: Run, what: Sendable) -> None:
    """Delivers a submission, and waits a little for an answer in the box.

    Raises `Replaced` if another run has taken the place of this one, before anything leaves.
    """
    context, sent = current.context, what.submission
    parcel = Parcel(what.path, sent.file_name, current.kind.name, sent.size_bytes, sent.sha256)
    recorder = Recorder(context, current.kind, sent, current.folder, current.lease)
    route.deliver(context.ways(current.carriers, parcel), parcel, recorder, current.progress)
    if recorder.may_be_answered_later:
        wait_for_answer(context, recorder.submission, current.folder)


def _refuse_future(context: Context, kind: ReportKind, period: Period) -> None:
    """A day is reported while it lasts; a month when it is over."""
    today = context.clock().astimezone(LJUBLJANA).date()
    if kind.monthly and today <= period.last_day:
        raise UsageError(_("{month} has not ended yet.", month=period.spoken), _("name a month that has"))
    if today < period.first_day:
        raise UsageError(_("{day} has not begun yet.", day=period.spoken), _("name a day that has"))


def _look_whether_closed(current: Run) -> Ending | None:
    """Returns the obstacle to a new submission, after a look at the authority's side; None if there is none.

    One that was accepted goes again only as it stands, and if AJPES does not have it so already.
    """
    latest = _latest(current)
    if latest is not None and latest.state.awaits_answer:
        try:
            if latest.state is not State.DELIVERED:
                reconcile(current.context, latest)
            fetch(current.context, (current.kind,), current.folder)
        except (NotDelivered, ConfigurationError) as error:
            # They cannot be reached now; the submission stays as it is and is shown so.
            _log.info("The authority's folders were not seen: %s", error.message)
        latest = _latest(current)
    closed = ending_of(latest)
    if closed is Ending.ALREADY_REPORTED and current.as_it_stands:
        with current.context.engine.connect() as connection:
            if accepted_otherwise(connection, current.context, current.kind, current.period) is not None:
                return None
    return closed


def _resendable(current: Run) -> tuple[Run, Sendable] | None:
    """The very same bytes of an unknown report, the same way, if the settings say that this is harmless.

    None after the journal was restored, and if a person keeps out an obligation in the report by now.
    """
    latest = _latest(current)
    if latest is None or not current.context.resend_after_unknown or _is_in_doubt(current):
        return None
    with current.context.engine.connect() as connection:
        via = submissions.attempts_of(connection, latest.id)[-1].via
        if reports_excluded(connection, latest.provider, latest.id) is not None:
            return None
    same_way = [carrier for carrier in current.carriers if carrier.name == via]
    if not same_way:
        return None
    path = current.folder / latest.file_name
    current.context.archive.extract(latest.archive_path, path)
    return replace(current, carriers=same_way), Sendable(latest, path)


def _prepare(current: Run) -> Sendable | Result:
    """Builds and records the submission in one transaction: it reports exactly what it selected."""
    context = current.context
    with writing(context.engine) as connection:
        built = build(connection, current)
        if isinstance(built, Nothing):
            due.close_as_quiet(connection, *current.key, at=context.clock())
            return _result(
                current, Ending.NOTHING_TO_REPORT, submissions.latest(connection, *current.key), built
            )
        judgement = judge(connection, current, built)
        if (repeats := judgement.repeats) and (before := judgement.latest):
            if repeats is not Ending.ATTEMPTED:
                return _result(current, repeats, before, built)
            if path := _as_archived(current, before):
                return Sendable(before, path, built)
        draft = _draft(current, built, judgement.held_because)
        events = current.kind.reported_events(built.request) if current.kind.reported_events else None
        submission = submissions.prepare(connection, draft, built.log.shown, events, at=context.clock())
    if judgement.ending is Ending.ATTEMPTED:
        return Sendable(submission, built.path, built)
    return _result(current, judgement.ending, submission, built)


def _as_archived(task: Task, submission: Submission) -> Path | None:
    """The archived bytes, which go in place of new ones where nothing arrived and nothing has changed since.

    None if they are lost: then the new ones take their place.
    """
    path = task.folder / f"archived-{submission.file_name}"
    try:
        task.context.archive.extract(submission.archive_path, path)
    except UsageError as error:
        _log.error("Submission %d is made anew. %s", submission.id, error.message)
        return None
    return path


def _draft(task: Task, built: Built, held_because: Message | None) -> Draft:
    name, context = built.path.name, task.context
    provider, report, period = task.key
    return Draft(
        provider=provider,
        report=report,
        period=period,
        prepared_at=built.request.prepared_at,
        file_name=name,
        stored=context.archive.take_over(built.packed, built.size_bytes, built.sha256, name, context.clock()),
        content_sha256=built.content_sha256,
        record_count=built.record_count,
        totals=built.totals,
        held_because=held_because,
        amounts=context.report_settings[report].amounts,
    )


def _is_in_doubt(current: Run) -> bool:
    """Whether a report may have been sent for the period without the journal's knowing."""
    with current.context.engine.connect() as connection:
        provider, report, _period = current.key
        return reason_to_doubt(connection, provider, report, current.period) is not None


def _latest(task: Task) -> Submission | None:
    with task.context.engine.connect() as connection:
        return submissions.latest(connection, *task.key)


def _result(
    current: Run, ending: Ending, submission: Submission | None, built: Built | Nothing | None = None
) -> Result:
    log, left_out = (built.log, built.left_out) if built else (FindingLog(), LeftOut())
    return Result(ending, current.kind, current.period, current.deadline, submission, log, left_out)
