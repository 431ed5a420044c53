"""Tells what a run did: what happened, what to do, whether anything left this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.findings import show_findings
from ajpes_reporting.cli.imports import show_moved
from ajpes_reporting.cli.output import echo, echo_order
from ajpes_reporting.i18n import _, _n
from ajpes_reporting.pipeline.release_gate import Ending
from ajpes_reporting.queries.runs import run_report

if TYPE_CHECKING:
    from ajpes_reporting.cli.session import Session
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.pipeline.run import Result
    from ajpes_reporting.queries.runs import RunReport
    from ajpes_reporting.queries.submissions import SubmissionDetails

_WITH_ATTEMPTS = (Ending.ATTEMPTED, Ending.AWAITS_ANSWER, Ending.MUST_BE_SETTLED)
_WITH_ROWS = (*_WITH_ATTEMPTS, Ending.NEEDS_CORRECTION)


def leave_with(session: Session, context: Context, result: Result) -> None:
    """Tells what a run did and leaves with its exit code."""
    report = run_report(context, result)
    session.emit(report, lambda: show_run(report))
    if report.exit_code:
        click.get_current_context().exit(report.exit_code)


def show_run(report: RunReport) -> None:
    """Tells a person, on stdout."""
    echo(report.message)
    if report.submission and report.ending in _WITH_ATTEMPTS:
        for attempt in report.submission.attempts:
            echo(attempt.text, indent=2)
    if report.submission and report.ending in _WITH_ROWS:
        show_answers(report.submission)
    show_findings(report)
    for remark in report.remarks:
        echo(remark)
    for remedy in report.to_do:
        echo_order(remedy)
    if report.exit_code:
        echo(report.due)
    if report.submission and report.ending in _WITH_ATTEMPTS:
        echo(_("file: {path}", path=str(report.submission.archive)), indent=2)
    show_moved(report.moved_months)


def show_answers(submission: SubmissionDetails) -> None:
    """Prints what AJPES says of a report, and how much more of it there is."""
    for answer in submission.answers:
        if answer.note and answer.counts:
            echo(_("the answer: {note}", note=answer.note), indent=2)
    for row in submission.answer_rows:
        echo(row.in_words(), indent=2)
    show_rows_left_out(submission)


def show_rows_left_out(submission: SubmissionDetails) -> None:
    """Says how many more rows AJPES has answered with, if there are any."""
    if submission.rows_left_out:
        echo(
            _n(
                "… and {count:count} more; `ajpes-reporting show {number} --answers` lists them all",
                "… and {count:count} more; `ajpes-reporting show {number} --answers` lists them all",
                submission.rows_left_out,
                number=submission.id,
            ),
            indent=2,
        )
