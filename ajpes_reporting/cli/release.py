"""`release SUBMISSION`: lets a report go that was held for a person."""

from __future__ import annotations

import click

from ajpes_reporting.cli.output import echo, echo_order
from ajpes_reporting.cli.session import MOST_ROWS_EVER, Session, with_session
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import _


@click.command("release")
@click.argument("submission", type=click.IntRange(1, MOST_ROWS_EVER))
@click.option(
    "--reason", required=True, help="Who looked at it, and why it is right; it stays in the record."
)
@with_session
def command(session: Session, submission: int, reason: str) -> None:
    """Lets SUBMISSION go, which was held: its volume is unusual, or the journal was restored. Look first."""
    from ajpes_reporting.pipeline.operator_actions import release

    if not reason.strip():
        raise UsageError(_("--reason is empty."), _("say who looked at it and why it is right"))
    released = release(session.context(), submission, reason.strip())
    document = {"submission": released.id, "state": released.state.value, "released_at": released.released_at}

    def show() -> None:
        echo(_("Submission {number} may go. Nothing was sent yet.", number=released.id))
        echo_order(_("run it now, or leave it to the schedule, which sends it at its next tick"))

    session.emit(document, show)
