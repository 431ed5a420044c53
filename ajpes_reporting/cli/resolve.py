"""`resolve SUBMISSION`: settles an unknown outcome by a person's word."""

from __future__ import annotations

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import MOST_ROWS_EVER, Session, with_session
from ajpes_reporting.domain.errors import UsageError


@click.command("resolve")
@click.argument("submission", type=click.IntRange(1, MOST_ROWS_EVER))
@click.option("--as", "outcome", type=click.Choice(["delivered", "never-arrived"]), required=True)
@click.option("--reason", required=True, help="Who said so, and when; it stays in the audit record.")
@with_session
def command(session: Session, submission: int, outcome: str, reason: str) -> None:
    """Settles what became of SUBMISSION when no machine can tell. Ask AJPES first."""
    from ajpes_reporting.pipeline.operator_actions import NEVER_ARRIVED, resolve

    if not reason.strip():
        raise UsageError("--reason is empty.", "say who said so and when")
    settled = resolve(session.context(), submission, outcome, reason.strip())
    document = {"submission": settled.id, "state": settled.state.value}

    def show() -> None:
        echo(f"Submission {settled.id} is now {settled.state.label}.")
        if outcome == NEVER_ARRIVED:
            echo("The schedule sends it at its next tick, if it runs.")
            echo(f"Do: or send it now with `ajpes-reporting resubmit {settled.id}`.")
        else:
            echo("Its events count as reported when an answer accepts them; until then they go along again.")

    session.emit(document, show)
