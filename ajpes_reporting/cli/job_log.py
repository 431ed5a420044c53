"""The words of unattended commands on each job: a log line, or sentences for a person who watches."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from ajpes_reporting import logs
from ajpes_reporting.cli.errors import in_words, tell_error
from ajpes_reporting.cli.telling import show_run
from ajpes_reporting.domain.errors import AjpesReportingError, Busy, ChecksRefused, NotDelivered
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import submissions
from ajpes_reporting.pipeline.run import Ending, Result
from ajpes_reporting.queries.runs import exit_code, run_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.cli.session import Session
    from ajpes_reporting.config import Workspace
    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.schedule.provider_schedule import ProviderSchedule

_log = logging.getLogger(__name__)

_MOST_FINDINGS = 20
_ENDINGS = {
    Ending.NOTHING_TO_REPORT: (logging.INFO, "had nothing to report"),
    Ending.ALREADY_REPORTED: (logging.INFO, "is reported already"),
    Ending.CHECKS_REFUSED: (logging.ERROR, "was not sent: our own checks found errors"),
    Ending.AWAITS_ANSWER: (logging.WARNING, "awaits its answer"),
    Ending.MUST_BE_SETTLED: (logging.ERROR, "must be settled by a person"),
    Ending.NEEDS_CORRECTION: (logging.ERROR, "was refused, and nothing has changed since"),
    Ending.HELD: (logging.ERROR, "is held for a person to release"),
}
_STATES = {
    State.ACCEPTED: (logging.INFO, "was accepted"),
    State.ACCEPTED_WITH_WARNINGS: (logging.INFO, "was accepted with warnings"),
    State.DELIVERED: (logging.INFO, "was delivered and awaits its answer"),
    State.REFUSED: (logging.ERROR, "was refused by AJPES"),
    State.UNREACHABLE: (logging.WARNING, "was not delivered, provably nothing arrived"),
}
_WHY_IT_MATTERS = (State.UNREACHABLE, State.UNKNOWN)
_UNKNOWN = (logging.ERROR, "has an unknown outcome; a person must settle it")


class JobLog:
    """Tells what became of each job: to a person at a terminal in words, elsewhere in one line of the log."""

    def __init__(self, session: Session, workspaces: Sequence[Workspace]) -> None:
        settings = workspaces[0].settings.log
        numbers = [workspace.settings.provider.registration_number for workspace in workspaces]
        self._numbers = numbers
        logs.configure(settings.format, settings.level, numbers)
        self._for_a_person = settings.format == "text" and sys.stdout.isatty() and not session.as_json

    def tell(self, duty: ProviderSchedule, done: Result | Exception) -> None:
        """Tells of one job that is done, or that failed. That it cannot be told stops nothing."""
        try:
            self._tell(duty, done)
        except Exception as error:
            _log_failure(duty, error)

    def _tell(self, duty: ProviderSchedule, done: Result | Exception) -> None:
        if self._for_a_person:
            _say(duty, done)
        elif isinstance(done, Result):
            _log_result(duty, done)
        else:
            _log_failure(duty, done)

    def tell_start(self, version: str) -> None:
        """Tells that the work begins, for whom."""
        _log.info("ajpes-reporting %s is at work for %s.", version, ", ".join(self._numbers))

    def tell_broken(self, error: AjpesReportingError) -> None:
        """Tells of a workspace that cannot be served."""
        if self._for_a_person:
            tell_error(error)
        else:
            _log.error("%s", error.message, extra={"remedy": error.remedy, "exit_code": error.exit_code})


def _say(duty: ProviderSchedule, done: Result | Exception) -> None:
    if isinstance(done, Result):
        show_run(run_report(duty.context, done))
    elif told := in_words(done):
        tell_error(told)
    else:
        _log_failure(duty, done)


def _log_result(duty: ProviderSchedule, done: Result) -> None:
    level, words = _verdict(done)
    submission = done.submission
    fields: dict[str, Any] = {
        "provider": duty.context.provider,
        "report": done.kind.code,
        "period": done.period.key,
        "ending": done.ending.value,
        "state": submission.state.value if submission else None,
        "submission": submission.id if submission else None,
        "exit_code": exit_code(done),
    }
    if submission and submission.state in _WHY_IT_MATTERS:
        fields["detail"] = _last_detail(duty.context, submission)
    if done.ending is Ending.CHECKS_REFUSED:
        fields["findings"] = _findings([item for item in done.log.shown if item.is_error])
    if done.left_out:
        fields["left_out"] = "; ".join(f"{note.record}: {note.rule}" for note in done.left_out.notes())
        level = max(level, logging.WARNING)
    _log.log(level, "%s for %s %s.", done.kind.code, done.period.key, words, extra=fields)


def _verdict(done: Result) -> tuple[int, str]:
    if done.ending in _ENDINGS:
        return _ENDINGS[done.ending]
    return _STATES.get(done.submission.state, _UNKNOWN) if done.submission else _UNKNOWN


def _last_detail(context: Context, submission: Submission) -> str:
    """Returns the detail of the last attempt."""
    with context.engine.connect() as connection:
        tries = submissions.attempts_of(connection, submission.id)
    return tries[-1].detail or "" if tries else ""


def _log_failure(duty: ProviderSchedule, error: Exception) -> None:
    told = in_words(error)
    if told is None:
        _log.error("A job failed.", extra={"provider": duty.context.provider}, exc_info=error)
        return
    fields: dict[str, Any] = {
        "provider": duty.context.provider,
        "ending": "failed",
        "remedy": told.remedy,
        "exit_code": told.exit_code,
    }
    if isinstance(told, ChecksRefused) and told.findings:
        fields["findings"] = _findings(told.findings)
    level = logging.WARNING if isinstance(told, Busy | NotDelivered) else logging.ERROR
    _log.log(level, "%s", told.message, extra=fields)


def _findings(findings: Sequence[Finding]) -> list[str]:
    """Record and rule of each. What a finding says may quote a name; `show` tells it."""
    shown = [f"{_record(item.record)}: {item.rule}" for item in findings[:_MOST_FINDINGS]]
    more = len(findings) - len(shown)
    return [*shown, f"and {more:,} {'finding' if more == 1 else 'findings'} more"] if more > 0 else shown


def _record(record: str) -> str:
    return record if " " in record else f"obligation {record}"
