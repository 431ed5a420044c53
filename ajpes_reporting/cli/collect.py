"""`collect`: fetches and applies answers that have come into the authority's folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Part, Session, with_session
from ajpes_reporting.domain.errors import OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.pipeline.answers import Taken


@click.command("collect")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@with_session
def command(session: Session, files: tuple[Path, ...]) -> None:
    """Fetches and applies every answer that has come into the authority's folders. Removes nothing there.

    With FILES it takes in those instead: answers that came by e-mail or in another way. It leaves with 6 if
    there was one that it could not apply: a person has to look at that.
    """
    from ajpes_reporting.pipeline.collect import take_by_hand

    code = 0
    if files:
        taken = take_by_hand(session.desk(), files)
        session.emit_each([_part("", taken)])
    else:
        taken, code = _collect_all(session)
    if code or any(item.needs_a_person for item in taken):
        click.get_current_context().exit(code or OutcomeUnknown.exit_code)


def _collect_all(session: Session) -> tuple[list[Taken], int]:
    """One bank's folders that are out of reach do not keep the others' answers from being fetched."""
    from ajpes_reporting.pipeline.collect import collect
    from ajpes_reporting.wiring import open_desk

    taken: list[Taken] = []

    def part(workspace: Workspace) -> Part:
        one = collect(open_desk(workspace))
        taken.extend(one)
        return _part(workspace.folder.name, one)

    code = session.for_each(part)
    return taken, code


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
            if item.note:
                echo(f"  The answer: {item.note}.")
            echo(f"  See `ajpes-reporting show {one.id}`.")
        else:
            echo(f"{item.name}: kept, not applied ({item.status}): {item.note}.")
    if any(item.needs_a_person for item in taken):
        echo("Do: ask AJPES what it belongs to; `ajpes-reporting answers list` shows it.")
