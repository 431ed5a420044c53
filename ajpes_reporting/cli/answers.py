"""`answers`: what came from AJPES and could not be applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.help import Group
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import MOST_ROWS_EVER, Right, Session, local_time, with_session
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST = 1_000
_MOST_SUGGESTED = 20


@click.group("answers", cls=Group)
def command() -> None:
    """Answers of AJPES that were set aside: they fit no report, or could not be read."""


@command.command("list")
@with_session
def list_(session: Session) -> None:
    """Shows each answer that lies there, newest first, with the reason; also one that still waits."""
    from ajpes_reporting.journal import answers, submissions

    context = session.context()
    with context.engine.connect() as connection:
        statuses = (*answers.LIES_THERE, answers.STORED)
        found = answers.set_aside_answers(connection, context.provider, _MOST, statuses)
        open_ones = submissions.may_be_answered(connection, context.provider)
    candidates = {row.id: answers.candidates(row, open_ones) for row in found}
    document = [
        {
            "id": row.id, "received_at": row.received_at, "via": row.via, "name": row.remote_name,
            "status": row.status, "note": row.note, "submission": row.submission, "file": row.archive_path,
            "report": row.report, "period": row.period or None, "candidates": candidates[row.id],
        }
        for row in found
    ]  # fmt: skip

    def show() -> None:
        if not found:
            echo("No answer was set aside.")
            return
        columns = (Right("no."), "came", "by", "name", "status", "why", "file in the archive")
        rows = [
            [str(row.id), local_time(row.received_at), row.via, row.remote_name, row.status, row.note,
             row.archive_path]
            for row in found
        ]  # fmt: skip
        session.table("Answers that were kept but not applied", columns, rows)
        _show_what_to_do(candidates)

    session.emit(document, show)


def _show_what_to_do(candidates: Mapping[int, Sequence[int]]) -> None:
    """A person decides which one it is; where none can be meant, there is one thing left to do."""
    for answer, numbers in list(candidates.items())[:_MOST_SUGGESTED]:
        if numbers:
            known = " or ".join(map(str, numbers))
            echo(f"If answer {answer} belongs to submission {known}:")
            echo(f"  ajpes-reporting answers assign {answer} {numbers[0]} --reason …")
    echo("What one says: `ajpes-reporting answers show NUMBER`. If it counts for nothing:")
    echo("  ajpes-reporting answers discard NUMBER --reason …")


@command.command("show")
@click.argument("answer", type=click.IntRange(1, MOST_ROWS_EVER))
@with_session
def show(session: Session, answer: int) -> None:
    """Shows the very bytes of ANSWER: escaped on a terminal, as they came to a file or a pipe."""
    from ajpes_reporting.cli.reply import show_reply
    from ajpes_reporting.queries.replies import reply_of_answer

    context = session.context()
    with context.engine.connect() as connection:
        found = reply_of_answer(connection, context.provider, answer)
    show_reply(session, context, found)


@command.command("assign")
@click.argument("answer", type=click.IntRange(1, MOST_ROWS_EVER))
@click.argument("submission", type=click.IntRange(1, MOST_ROWS_EVER))
@click.option("--reason", required=True, help="Who says that it belongs there, and how that is known.")
@with_session
def assign(session: Session, answer: int, submission: int, reason: str) -> None:
    """Applies ANSWER, which was set aside, to SUBMISSION, on the record. It cannot be taken back.

    It leaves with 0 if the submission is accepted then, and with 4 if it is refused. An answer that says
    that it is about another report is not applied.
    """
    from ajpes_reporting.cli.telling import state_code
    from ajpes_reporting.pipeline.operator_actions import assign

    if not reason.strip():
        raise UsageError("--reason is empty.", "say who says that it belongs there, and how that is known")
    taken = assign(session.context(), answer, submission, reason.strip())
    state = taken.submission.state if taken.submission else State.UNKNOWN
    document = {"answer": answer, "submission": submission, "state": state.value, "note": taken.note}

    def show() -> None:
        echo(f"Answer {answer} was applied to submission {submission}, which is {state.label} now.")
        echo(f"  The answer: {taken.note}.")
        echo(f"  See `ajpes-reporting show {submission}`.")

    session.emit(document, show)
    if code := state_code(state):
        click.get_current_context().exit(code)


@command.command("discard")
@click.argument("answer", type=click.IntRange(1, MOST_ROWS_EVER))
@click.option("--reason", required=True, help="Who looked at it, and why it counts for nothing.")
@with_session
def discard(session: Session, answer: int, reason: str) -> None:
    """Puts ANSWER away, which was set aside: a slip, or AJPES has sent another. It stays in the archive."""
    from ajpes_reporting.journal.answers import DISCARDED
    from ajpes_reporting.pipeline import operator_actions

    if not reason.strip():
        raise UsageError("--reason is empty.", "say who looked at it and why it counts for nothing")
    operator_actions.discard(session.context(), answer, reason.strip())

    def show() -> None:
        echo(f"Answer {answer} is discarded. Its bytes stay in the archive, the reason in the record.")

    session.emit({"answer": answer, "status": DISCARDED}, show)
