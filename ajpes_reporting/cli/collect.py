"""`collect`: fetches and applies answers that have come in over SFTP."""

from __future__ import annotations

import click

from ajpes_reporting.cli.session import Session, with_session


@click.command("collect")
@with_session
def command(session: Session) -> None:
    """Fetches and applies every answer that has come in over SFTP. Removes nothing there."""
    from ajpes_reporting.pipeline.collect import collect

    taken = collect(session.desk())
    document = [
        {
            "name": item.name, "status": item.status, "note": item.note,
            "submission": item.submission.id if item.submission else None,
            "state": item.submission.state.value if item.submission else None,
        }
        for item in taken
    ]  # fmt: skip

    def show() -> None:
        if not taken:
            click.echo("No new answers.")
        for item in taken:
            if item.submission:
                one = item.submission
                click.echo(f"{item.name}: submission {one.id} ({one.report}) is {one.state.label}.")
                click.echo(f"  See `ajpes-reporting show {one.id}`.")
            else:
                click.echo(f"{item.name}: kept, not applied ({item.status}): {item.note}.")

    session.emit(document, show)
