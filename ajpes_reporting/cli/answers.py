"""`answers`: what came from AJPES and could not be applied."""

from __future__ import annotations

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import MOST_ROWS_EVER, Session, local_time, with_session
from ajpes_reporting.domain.errors import UsageError

_MOST = 1_000


@click.group("answers")
def command() -> None:
    """Answers of AJPES that were set aside: they fit no report, or could not be read."""


@command.command("list")
@with_session
def list_(session: Session) -> None:
    """Shows each answer that lies there, newest first, with the reason; also one that still waits."""
    from ajpes_reporting.journal import answers

    desk = session.desk()
    with desk.engine.connect() as connection:
        statuses = (*answers.LIES_THERE, answers.STORED)
        found = answers.set_aside_answers(connection, desk.provider, _MOST, statuses)
    document = [
        {
            "id": row.id, "received_at": row.received_at, "via": row.via, "name": row.remote_name,
            "status": row.status, "note": row.note, "submission": row.submission, "file": row.archive_path,
        }
        for row in found
    ]  # fmt: skip

    def show() -> None:
        if not found:
            echo("No answer was set aside.")
            return
        columns = (">no.", "came", "by", "name", "status", "why", "file in the archive")
        rows = [
            [str(row.id), local_time(row.received_at), row.via, row.remote_name, row.status, row.note,
             row.archive_path]
            for row in found
        ]  # fmt: skip
        session.table("Answers that were kept but not applied", columns, rows)

    session.emit(document, show)


@command.command("discard")
@click.argument("answer", type=click.IntRange(1, MOST_ROWS_EVER))
@click.option("--reason", required=True, help="Who looked at it, and why it counts for nothing.")
@with_session
def discard(session: Session, answer: int, reason: str) -> None:
    """Puts ANSWER away, which was set aside: a slip, or AJPES has sent another. It stays in the archive."""
    from ajpes_reporting.journal.answers import DISCARDED
    from ajpes_reporting.pipeline import answers

    if not reason.strip():
        raise UsageError("--reason is empty.", "say who looked at it and why it counts for nothing")
    answers.discard(session.desk(), answer, reason.strip())

    def show() -> None:
        echo(f"Answer {answer} is discarded. Its bytes stay in the archive, the reason in the record.")

    session.emit({"answer": answer, "status": DISCARDED}, show)
