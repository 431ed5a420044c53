"""`answers`: what came from AJPES and could not be applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.help import Group
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import MOST_ROWS_EVER, Right, Session, local_time, with_session
from ajpes_reporting.domain.answers import status_label
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import Message, _, verbatim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.queries.answers import AnswerSetAside

_MOST_SUGGESTED = 20


@click.group("answers", cls=Group)
def command() -> None:
    """Answers of AJPES that were set aside: they fit no report, or could not be read."""


@command.command("list")
@with_session
def list_(session: Session) -> None:
    """Shows each answer that lies there, newest first, with the reason; also one that still waits."""
    from ajpes_reporting.queries.answers import answers_set_aside

    found = answers_set_aside(session.context())
    session.emit(found, lambda: _show_list(session, found))


def _show_list(session: Session, found: Sequence[AnswerSetAside]) -> None:
    if not found:
        echo(_("No answer was set aside."))
        return
    columns = (
        Right(_("no.")),
        _("came"),
        _("by"),
        _("name"),
        _("status"),
        _("why"),
        _("file in the archive"),
    )
    rows = [
        [
            str(item.id),
            local_time(item.received_at),
            Message("{via:way}", {"via": item.via}),
            item.name,
            status_label(item.status),
            item.note,
            item.file,
        ]
        for item in found
    ]
    session.table(_("Answers that were kept but not applied"), columns, rows)
    for item in found[:_MOST_SUGGESTED]:  # a person decides which submission is meant
        if item.candidates:
            numbers = item.candidates
            echo(_("If answer {answer} belongs to submission {numbers:or}:", answer=item.id, numbers=numbers))
            echo(verbatim(f"ajpes-reporting answers assign {item.id} {numbers[0]} --reason …"), indent=2)
    echo(_("See what an answer says with `ajpes-reporting answers show NUMBER`."))
    echo(
        _(
            "If an answer counts for nothing, put it away with "
            "`ajpes-reporting answers discard NUMBER --reason …`."
        )
    )


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
    from ajpes_reporting.pipeline.operator_actions import assign
    from ajpes_reporting.queries.runs import state_code

    if not reason.strip():
        raise UsageError(
            _("--reason is empty."), _("say who says that it belongs there, and how that is known")
        )
    taken = assign(session.context(), answer, submission, reason.strip())
    state = taken.submission.state if taken.submission else State.UNKNOWN
    document = {"answer": answer, "submission": submission, "state": state.value, "note": taken.note}

    def show() -> None:
        facts = {"answer": answer, "number": submission, "state": state.label}
        echo(_("Answer {answer} was applied to submission {number}, which is {state} now.", **facts))
        echo(_("The answer: {note}.", note=taken.note), indent=2)
        echo(_("See `ajpes-reporting show {number}`.", number=submission), indent=2)

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
    from ajpes_reporting.pipeline.operator_actions import discard

    if not reason.strip():
        raise UsageError(_("--reason is empty."), _("say who looked at it and why it counts for nothing"))
    discard(session.context(), answer, reason.strip())

    def show() -> None:
        echo(
            _(
                "Answer {answer} is discarded. Its bytes stay in the archive, the reason in the record.",
                answer=answer,
            )
        )

    session.emit({"answer": answer, "status": DISCARDED}, show)
