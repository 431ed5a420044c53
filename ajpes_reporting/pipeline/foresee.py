"""Foresees how a run would end now: nothing changes, and nobody outside is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import rehearsing
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.journal import submissions
from ajpes_reporting.pipeline.build import Built, Nothing, build
from ajpes_reporting.pipeline.context import Task
from ajpes_reporting.pipeline.release_gate import Ending, ending_of, judge

if TYPE_CHECKING:
    from pathlib import Path

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The ending of a run now, as far as journal and ledger tell; `built` is the report it would send.

    `because` says why the report would be held. Nothing is built where the period is closed, or awaits an
    answer.
    """

    ending: Ending
    built: Built | Nothing | None
    submission: Submission | None = None
    because: str = ""


def foresee(
    context: Context,
    kind: ReportKind,
    period: Period,
    folder: Path,
    progress: Progress = no_progress,
    *,
    also_closed: bool = False,
) -> Foreseen:
    """Says how a run would end, and builds what it would send, in `folder`.

    With `also_closed`, builds also where the run would send nothing since the period is not open.
    """
    task = Task(context, kind, period, folder, progress)
    with rehearsing(context.engine) as connection:
        latest = submissions.latest(connection, *task.key)
        closed = ending_of(latest)
        if closed is not None and not also_closed:
            return Foreseen(closed, None, latest)
        built = build(connection, task)
        if closed is not None or isinstance(built, Nothing):
            return Foreseen(closed or Ending.NOTHING_TO_REPORT, built, latest)
        judgement = judge(connection, task, built)
    because: str | None = judgement.held_because
    if judgement.repeats is Ending.HELD and latest is not None:
        because = latest.held_because
    return Foreseen(judgement.repeats or judgement.ending, built, latest, because or "")


def rehearse(
    context: Context, kind: ReportKind, period: Period, folder: Path, progress: Progress = no_progress
) -> Built | None:
    """Builds the report that a run would send now, in `folder`; returns None if there is nothing to report.

    The ledger is brought up to date inside a transaction that is rolled back.
    """
    with rehearsing(context.engine) as connection:
        built = build(connection, Task(context, kind, period, folder, progress))
    return built if isinstance(built, Built) else None
