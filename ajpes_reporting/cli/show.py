"""`show SUBMISSION`: everything about one submission."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import MOST_ROWS_EVER, Session, local_time, with_session
from ajpes_reporting.cli.telling import submission_json
from ajpes_reporting.domain.errors import AjpesReportingError, UsageError
from ajpes_reporting.journal import answers, chain, purged, submissions

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from ajpes_reporting.pipeline.context import Context

_ALL = 1_000_000_000
_MOST_ROWS = 20


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
    """SUBMISSION with every attempt, file and finding."""
    if attempt is not None and not reply:
        raise UsageError("--attempt goes with --reply.", f"ajpes-reporting show {submission} --reply")
    if reply and (target is not None or all_answers):
        raise UsageError("--reply goes with neither --file nor --answers.", "leave those out")
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


def _show_submission(session: Session, submission: int, all_answers: bool, target: Path | None) -> None:
    context = session.context()
    with context.engine.connect() as connection:
        found = submissions.owned(connection, context.provider, submission)
        tries = submissions.attempts_of(connection, submission)
        findings = submissions.findings_of(connection, submission)
        replies = answers.of_submission(connection, submission)
        limit = _ALL if all_answers else _MOST_ROWS
        rows = {reply.id: answers.rows_of(connection, reply.id, limit) for reply in replies}
        history = chain.of_submission(connection, submission)
        places = _Places(connection, context)
    if target is not None:
        places.refuse_purged(found)
        _write(context, found.archive_path, target)
        session.say(f"The exact bytes were written to {target}.")

    def show() -> None:
        echo(f"Submission {found.id}: {found.report} for {found.period}, {found.state.label}")
        if found.is_held:
            echo(f"  held: {found.held_because}")
            echo(f"  Do: if it is right, `ajpes-reporting release {found.id} --reason …`.")
        if found.superseded_by:
            echo(f"  superseded by submission {found.superseded_by}")
        echo(f"  prepared {local_time(found.prepared_at)}, {found.record_count:,} records, "
                   f"{found.size_bytes:,} bytes")  # fmt: skip
        echo("  " + ", ".join(f"{name} {value}" for name, value in found.totals.items()))
        echo(f"  file {found.file_name}, SHA-256 {found.sha256}")
        echo(f"  {places.of(found.archive_path)}")
        for number, attempt in enumerate(tries, start=1):
            echo(f"  {local_time(attempt.started_at)} by {attempt.via}: {attempt.outcome or 'cut off'}"
                       f"{f', {attempt.detail}' if attempt.detail else ''}")  # fmt: skip
            if attempt.evidence_path:
                echo(f"    the raw reply: {places.of(attempt.evidence_path)}")
                echo(f"    see it with `ajpes-reporting show {found.id} --reply --attempt {number}`")
        for reply in replies:
            echo(f"  {local_time(reply.received_at)} answer {reply.id} by {reply.via}, {reply.status}"
                       f"{f': {reply.note}' if reply.note else ''}")  # fmt: skip
            echo(f"    {places.of(reply.archive_path)}")
        session.table("What happened", ("when", "state", "why"), [_step(entry) for entry in history])
        if findings:
            session.table(
                "Our own findings",
                ("severity", "record", "field", "what", "do"),
                [[row.severity, row.record, row.field, row.message, row.remedy] for row in findings],
            )
        shown = [row for reply in replies for row in rows[reply.id]]
        if shown:
            session.table(
                "What AJPES says",
                ("severity", "code", "record", "text"),
                [[row.severity, row.code, _record(row), row.text] for row in shown],
            )

    session.emit(submission_json(context, found), show)


class _Places:
    """Where the files are, or when they were removed."""

    def __init__(self, connection: Connection, context: Context) -> None:
        self._root = context.archive.root
        self._gone = purged.times(connection, context.provider)

    def of(self, path: str) -> str:
        if path in self._gone:
            return f"removed on {self._gone[path]:%Y-%m-%d}, when its time was over"
        return f"kept in {self._root / path}"

    def refuse_purged(self, found: submissions.Submission) -> None:
        """Raises `UsageError` if the file of a submission was removed."""
        gone_at = self._gone.get(found.archive_path)
        if gone_at is not None:
            raise UsageError(
                f"The file of submission {found.id} was removed on {gone_at:%Y-%m-%d}, when "
                "its time was over. Its figures and its SHA-256 stay.",
                f"see `ajpes-reporting show {found.id}`",
            )


def _step(entry: chain.Entry) -> list[str]:
    body = json.loads(entry.body)
    why = body.get("why") or body.get("note") or body.get("name") or ""
    return [local_time(datetime.fromisoformat(entry.at)), body.get("to", entry.kind), why]


def _record(row: Row[Any]) -> str:
    if row.obligation_id:
        return f"{row.obligation_id} / event {row.event_id}" if row.event_id else row.obligation_id
    return f"account {row.account}" if row.account else "the whole file"


def _write(context: Context, path: str, target: Path) -> None:
    if target.exists():
        raise UsageError(f"{target} exists already; it was left as it is.", "name another file")
    try:
        context.archive.extract(path, target)
    except OSError as error:
        raise AjpesReportingError(
            f"{target} could not be written: {error.strerror}.", "name another file"
        ) from None
