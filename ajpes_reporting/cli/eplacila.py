"""`eplacila health | init | status | receipt | statement | listen`: web payments through UJP."""

from __future__ import annotations

import click

from ajpes_reporting.cli.session import Session, local_time, with_session
from ajpes_reporting.domain.errors import NotDelivered


@click.group("eplacila", short_help="Web payments through UJP e-plačila.")
def command() -> None:
    """Web payments through UJP e-plačila: begin them, ask for them, be told of them."""


@command.command("health")
@with_session
def health(session: Session) -> None:
    """Asks whether UJP e-plačila work, and when the e-service was paid last."""
    from ajpes_reporting.wiring import eplacila_client

    found = eplacila_client(session.workspace()).health()
    document = {"works": found.works, "last_payment_at": found.last_payment_at}

    def show() -> None:
        click.echo(f"UJP e-plačila {'work' if found.works else 'say that they do not work'}.")
        click.echo(f"Last payment: {local_time(found.last_payment_at) or 'none yet'}")

    session.emit(document, show)
    if not found.works:
        click.get_current_context().exit(NotDelivered.exit_code)
