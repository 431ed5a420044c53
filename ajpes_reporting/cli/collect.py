"""`collect`: fetches and applies answers that have come in over SFTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Part, Session, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.pipeline.collect import Taken


@click.command("collect")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@with_session
def command(session: Session, files: tuple[Path, ...]) -> None:
    """Fetches and applies every answer that has come in over SFTP. Removes nothing there.

    With FILES it takes in those instead: answers that came by e-mail or in another way.
    """
    from ajpes_reporting.pipeline.collect import take_by_hand

    if files:
        session.emit_each([_part("", take_by_hand(session.desk(), files))])
    else:
        _collect_all(session)


def _collect_all(session: Session) -> None:
    """One bank's folders that are out of reach do not keep the others' answers from being fetched."""
    from ajpes_reporting.pipeline.collect import collect
    from ajpes_reporting.wiring import open_desk

    code = session.for_each(lambda one: _part(one.folder.name, collect(open_desk(one))))
    if code:
        click.get_current_context().exit(code)


def _part(title: str, taken: Sequence[Taken]) -> Part:
    document = [
        {
            "name": item.name, "status": item.status, "note": item.note,
            "submission": item.submission.id if item.submission else None,
            "state": item.submission.state.value if item.submission else None,
        }
        for item in taken
    ]  # fmt: skip
    return Part(title, document, lambda: _show(taken))


def _show(taken: Sequence[Taken]) -> None:
    if not taken:
        echo("No new answers.")
    for item in taken:
        if item.submission:
            one = item.submission
            echo(f"{item.name}: submission {one.id} ({one.report}) is {one.state.label}.")
            echo(f"  See `ajpes-reporting show {one.id}`.")
        else:
            echo(f"{item.name}: kept, not applied ({item.status}): {item.note}.")
