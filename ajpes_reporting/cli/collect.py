"""`collect`: fetches and applies answers that have come in over SFTP."""

from __future__ import annotations

from pathlib import Path

import click

from ajpes_reporting.cli.session import Session, with_session


@click.command("collect")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@with_session
def command(session: Session, files: tuple[Path, ...]) -> None:
    """Fetches and applies every answer that has come in over SFTP. Removes nothing there.

    With FILES it takes in those instead: answers that came by e-mail or in another way.
    """
    from ajpes_reporting.pipeline.collect import collect, take_by_hand

    desk = session.desk()
    taken = take_by_hand(desk, files) if files else collect(desk)
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
