"""`resolve SUBMISSION`: settles an unknown outcome by a person's word."""

from __future__ import annotations

import click

from ajpes_reporting.cli.output import echo, echo_order
from ajpes_reporting.cli.session import MOST_ROWS_EVER, Session, with_session
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import _


@click.command("resolve")
@click.argument("submission", type=click.IntRange(1, MOST_ROWS_EVER))
@click.option(
    "--as",
    "outcome",
    type=click.Choice(["delivered", "never-arrived"]),
    required=True,
    help="What AJPES says: the report is there, or it never arrived.",
)
@click.option("--reason", required=True, help="Who said so, and when; it stays in the audit record.")
@with_session
def command(session: Session, submission: int, outcome: str, reason: str) -> None:
    """Settles what became of SUBMISSION when no machine can tell. Ask AJPES first."""
    from ajpes_reporting.pipeline.operator_actions import NEVER_ARRIVED, resolve

    if not reason.strip():
        raise UsageError(_("--reason is empty."), _("say who said so and when"))
    settled = resolve(session.context(), submission, outcome, reason.strip())
    document = {"submission": settled.id, "state": settled.state.value}

    def show() -> None:
        if settled.state is State.UNREACHABLE:
            echo(_("Submission {number} counts as not delivered now.", number=settled.id))
        elif settled.state is State.DELIVERED:
            echo(_("Submission {number} counts as delivered now.", number=settled.id))
        else:
            echo(_("Submission {number} is now {state}.", number=settled.id, state=settled.state.label))
        if outcome == NEVER_ARRIVED:
            echo(_("The schedule sends it at its next tick, if it runs."))
            echo_order(
                _("if it is urgent, send it now with `ajpes-reporting resubmit {number}`", number=settled.id)
            )
        else:
            echo(
                _("Its events count as reported when an answer accepts them; until then they go along again.")
            )

    session.emit(document, show)
