"""`show SUBMISSION`: everything about one submission."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo, echo_order, order
from ajpes_reporting.cli.session import MOST_ROWS_EVER, Session, local_time, with_session
from ajpes_reporting.cli.telling import show_rows_left_out
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError, UsageError
from ajpes_reporting.i18n import _, _n
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.journal import submissions
from ajpes_reporting.queries.submissions import FIRST_ROWS, submission_details
from ajpes_reporting.queries.words import field_in_words, severity_in_words

if TYPE_CHECKING:
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.queries.submissions import SubmissionDetails


@click.command("show")
@click.argument("submission", type=click.IntRange(1, MOST_ROWS_EVER))
@click.option("--answers", "all_answers", is_flag=True, help="Show every row of the answers.")
@click.option(
    "--file", "target", type=click.Path(path_type=Path), help="Write the exact bytes sent into this file."
)
@click.option(
    "--reply", is_flag=True, help="Show what came back last, raw; to a file or a pipe its very bytes."
)
@click.option(
    "--attempt", type=click.IntRange(1), help="With --reply: what came back for this try, counted from 1."
)
@with_session
def command(
    session: Session,
    submission: int,
    all_answers: bool,
    target: Path | None,
    reply: bool,
    attempt: int | None,
) -> None:
    """Shows SUBMISSION with every attempt, file and finding."""
    if attempt is not None and not reply:
        remedy = _("`ajpes-reporting show {number} --reply`", number=submission)
        raise UsageError(_("--attempt goes with --reply."), remedy)
    if reply and (target is not None or all_answers):
        raise UsageError(_("--reply goes with neither --file nor --answers."), _("leave those out"))
    if reply:
        _show_reply(session, submission, attempt)
    else:
        _show_submission(session, submission, all_answers, target)


def _show_reply(session: Session, submission: int, attempt: int | None) -> None:
    from ajpes_reporting.cli.reply import show_reply
    from ajpes_reporting.queries.replies import newest_reply

    context = session.context()
    with context.engine.connect() as connection:
        submissions.owned(connection, context.provider, submission)
        found = newest_reply(connection, submission, attempt)
    show_reply(session, context, found)


def _show_submission(session: Session, number: int, all_answers: bool, target: Path | None) -> None:
    context = session.context()
    with context.engine.connect() as connection:
        submission = submissions.owned(connection, context.provider, number)
        most_rows = None if all_answers else FIRST_ROWS
        details = submission_details(connection, context, submission, most_rows)
    if target is not None:
        _refuse_purged(details)
        _write(context, submission.archive_path, target)
        session.say(_("The exact bytes were written to {file}.", file=str(target)))
    session.emit(details, lambda: _show(session, details))


def _show(session: Session, details: SubmissionDetails) -> None:
    echo(details.text)
    if details.held_because and details.released_at is None:
        echo(_("held: {because}", because=details.held_because), indent=2)
        release = _("if it is right, `ajpes-reporting release {number} --reason …`", number=details.id)
        echo_order(release, indent=2)
    if details.superseded_by:
        echo(_("superseded by submission {number}", number=details.superseded_by), indent=2)
    echo(
        _(
            "prepared {at:moment}, {records}, {size:count} bytes",
            at=details.prepared_at,
            records=_n("{count:count} record", "{count:count} records", details.records),
            size=details.size_bytes,
        ),
        indent=2,
    )
    for total in details.totals_in_words:
        echo(total, indent=2)
    echo(_("file {name}, SHA-256 {sha256}", name=details.file_name, sha256=details.sha256), indent=2)
    echo(details.kept, indent=2)
    _show_attempts(details)
    for answer in details.answers:
        echo(answer.text, indent=2)
        echo(answer.kept, indent=4)
    rows: list[list[str]] = [[local_time(step.at), step.text, step.why] for step in details.history]
    session.table(_("What happened"), (_("when"), _("state"), _("why")), rows)
    if details.findings:
        columns = (_("severity"), _("record"), _("field"), _("what"), _("do"))
        rows = [
            [
                severity_in_words(item.severity),
                item.record,
                field_in_words(item.field),
                item.message,
                order(item.remedy),
            ]
            for item in details.findings
        ]
        session.table(_("Our own findings"), columns, rows)
    if details.answer_rows:
        rows = [
            [severity_in_words(row.severity), row.code, row.record or _("the whole file"), row.text]
            for row in details.answer_rows
        ]
        session.table(_("What AJPES says"), (_("severity"), _("code"), _("record"), _("text")), rows)
    show_rows_left_out(details)


def _show_attempts(details: SubmissionDetails) -> None:
    for attempt in details.attempts:
        echo(attempt.text, indent=2)
        if attempt.evidence:
            echo(_("the raw reply: {where}", where=attempt.evidence), indent=4)
            echo(
                _(
                    "see it with `ajpes-reporting show {number} --reply --attempt {attempt}`",
                    number=details.id,
                    attempt=attempt.number,
                ),
                indent=4,
            )


def _refuse_purged(details: SubmissionDetails) -> None:
    """Raises `UsageError` if the file of a submission was removed."""
    if details.purged_at is not None:
        raise UsageError(
            _(
                "The file of submission {number} was removed on {day:date}, when its time was over."
                " Its figures and its SHA-256 stay.",
                number=details.id,
                day=details.purged_at.astimezone(LJUBLJANA).date(),
            ),
            _("see `ajpes-reporting show {number}`", number=details.id),
        )


def _write(context: Context, path: str, target: Path) -> None:
    another = _("name another file")
    if target.exists():
        raise UsageError(_("{file} exists already; it was left as it is.", file=str(target)), another)
    try:
        context.archive.extract(path, target)
    except OSError as error:
        raise AjpesReportingError(
            _(
                "{file} could not be written: {reason}.",
                file=str(target),
                reason=system_reason(error),
            ),
            another,
        ) from None
