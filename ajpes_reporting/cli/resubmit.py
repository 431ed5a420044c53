"""`resubmit SUBMISSION`: sends a period again."""

from __future__ import annotations

import click

from ajpes_reporting.cli.session import MOST_ROWS_EVER, Session, with_session
from ajpes_reporting.cli.telling import leave_with
from ajpes_reporting.cli.via_option import via_option
from ajpes_reporting.i18n import _


@click.command("resubmit")
@click.argument("submission", type=click.IntRange(1, MOST_ROWS_EVER))
@via_option()
@click.option("--same", is_flag=True, help="Send the very same bytes instead of building the report again.")
@with_session
def command(session: Session, submission: int, via: str | None, same: bool) -> None:
    """Sends SUBMISSION again: built anew from the ledger as it now stands, or with --same unchanged."""
    from ajpes_reporting.pipeline.operator_actions import resubmit

    context = session.context()
    with session.progress(_("Sending again")) as progress:
        result = resubmit(context, submission, via, same=same, progress=progress)
    leave_with(session, context, result)
