"""The gate before a report leaves: whether it may go, and what else a run ends with.

A report waits for a person if the journal was restored or put back, and if its amounts or its volume are
out of the ordinary: a slip in the bank's core system, such as a whole ledger marked as changed, is corrected
in minutes before it is sent, and in weeks afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING

from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import _, joined
from ajpes_reporting.journal import submissions
from ajpes_reporting.journal.orphans import is_doubt, reason_to_doubt

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ajpes_reporting.i18n import Message
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.build import Built
    from ajpes_reporting.pipeline.context import Task

_COMPARED_WITH = 20
_TOO_FEW_TO_COMPARE = 5
_NEVER_TOO_MANY = 1_000
_ABOUT = 1.1  # what a person has let go may grow by so much until it is sent


class Ending(StrEnum):
    """The ending of a run; for `ATTEMPTED` the state of the submission says the rest."""

    ATTEMPTED = "attempted"
    NOTHING_TO_REPORT = "nothing to report"
    ALREADY_REPORTED = "already reported"
    CHECKS_REFUSED = "own checks refused"
    AWAITS_ANSWER = "awaits an answer"
    MUST_BE_SETTLED = "must be settled"
    NEEDS_CORRECTION = "needs a correction"
    HELD = "held for release"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The ending of a report that was built, and the reason to hold it, if there is one.

    `latest` is the newest submission of its period. `repeats` says how a report ends that says nothing but
    what `latest` said; None for one that takes its place.
    """

    ending: Ending
    held_because: Message | None
    latest: Submission | None
    repeats: Ending | None


def ending_of(latest: Submission | None) -> Ending | None:
    """Returns the ending by which the newest submission closes its period; None if the period is open."""
    if latest is None:
        return None
    if latest.state.is_accepted:
        return Ending.ALREADY_REPORTED
    if latest.state is State.DELIVERED:
        return Ending.AWAITS_ANSWER
    return Ending.MUST_BE_SETTLED if latest.state.awaits_answer else None


def judge(connection: Connection, task: Task, built: Built) -> Judgement:
    """Says whether a report may go, within the transaction that built it."""
    held_because = reason_to_hold(connection, task, built)
    ending = Ending.HELD if held_because else Ending.ATTEMPTED
    if built.log.error_count:
        ending = Ending.CHECKS_REFUSED
    latest = submissions.latest(connection, *task.key)
    return Judgement(ending, held_because, latest, _as_before(connection, task, latest, built, ending))


def reason_to_hold(connection: Connection, task: Task, built: Built) -> Message | None:
    """Why a report is held for a person's release; None if it may go."""
    provider, report, _period = task.key
    doubt = reason_to_doubt(connection, provider, report, task.period)
    volume = None if doubt else _volume(connection, task, built.record_count)
    return joined(reason for reason in (doubt, built.to_be_released, volume) if reason) or None


def _as_before(
    connection: Connection, task: Task, latest: Submission | None, built: Built, ending: Ending
) -> Ending | None:
    if latest is None or latest.content_sha256 != built.content_sha256:
        return None
    if latest.state is State.REFUSED:
        return Ending.NEEDS_CORRECTION
    if ending is Ending.CHECKS_REFUSED:
        return ending
    # A restored journal may not know that they went out after all.
    is_certain = reason_to_doubt(connection, latest.provider, latest.report, task.period) is None
    if latest.is_held:
        # A doubt ends also when a person discards the answer that it came from.
        return None if is_certain and is_doubt(latest.held_because) else Ending.HELD
    may_go = latest.state in (State.PREPARED, State.UNREACHABLE)
    return Ending.ATTEMPTED if may_go and is_certain else None


def _volume(connection: Connection, task: Task, record_count: int) -> Message | None:
    """Why so many records, or so few, are not sent without a person; None for a usual number."""
    released = submissions.released_count(connection, *task.key)
    if released is not None and released / _ABOUT <= record_count <= released * _ABOUT:
        return None
    provider, report, _period = task.key
    factor = task.context.report_settings[report].volume_factor
    counts = submissions.usual_counts(connection, provider, report, _COMPARED_WITH)
    if not factor or len(counts) < _TOO_FEW_TO_COMPARE:
        return None
    usual = median(counts)
    is_too_many = record_count > max(usual * factor, _NEVER_TOO_MANY)
    # A day may be quiet, but each month has every account.
    is_too_few = task.kind.monthly and record_count < usual / factor
    if not (is_too_many or is_too_few):
        return None
    return _(
        "the report has {records:count} records; "
        "half of the last {compared} accepted reports had at most {usual:count}",
        records=record_count,
        compared=len(counts),
        usual=round(usual),
    )
