"""`collect`: fetches and applies answers that have come into the authority's folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo, echo_order
from ajpes_reporting.cli.session import Part, Session, with_session
from ajpes_reporting.domain.errors import OutcomeUnknown
from ajpes_reporting.i18n import _
from ajpes_reporting.queries.answers import collected

if TYPE_CHECKING:
    from ajpes_reporting.config import Workspace
    from ajpes_reporting.queries.answers import Collected


@click.command("collect")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@with_session
def command(session: Session, files: tuple[Path, ...]) -> None:
    """Fetches and applies every answer that has come into the authority's folders. Removes nothing there.

    With FILES it takes in those instead: answers that came by e-mail or in another way. It leaves with 6 as
    long as one lies there that it could not apply, also from before: a person has to look at that.
    """
    from ajpes_reporting.pipeline.collect import take_by_hand

    code = 0
    if files:
        context = session.context()
        found = [collected(context, take_by_hand(context, files))]
        session.emit_each([_part(session, "", found[0])])
    else:
        found, code = _collect_all(session)
    if code or any(one.needs_a_person for one in found):
        click.get_current_context().exit(code or OutcomeUnknown.exit_code)


def _collect_all(session: Session) -> tuple[list[Collected], int]:
    """One bank's folders that are out of reach do not keep the others' answers from being fetched."""
    from ajpes_reporting.pipeline.collect import collect
    from ajpes_reporting.wiring import open_context

    found: list[Collected] = []

    def part(workspace: Workspace) -> Part:
        context = open_context(workspace)
        found.append(collected(context, collect(context)))
        return _part(session, workspace.folder.name, found[-1])

    code = session.for_each(part)
    return found, code


def _part(session: Session, title: str, found: Collected) -> Part:
    """Returns what is told of one bank; beside a document, what lies there from before goes to stderr."""
    if session.as_json and found.from_before and title:
        session.say(_("{workspace}: {message}", workspace=title, message=found.from_before))
    elif session.as_json and found.from_before:
        session.say(found.from_before)
    return Part(title, found.taken, lambda: _show(found))


def _show(found: Collected) -> None:
    if not found.taken:
        echo(_("No new answers."))
    for item in found.taken:
        echo(item.message)
        if item.submission and item.note:
            echo(_("The answer: {note}.", note=item.note), indent=2)
        if item.submission:
            echo(_("See `ajpes-reporting show {number}`.", number=item.submission), indent=2)
    if found.from_before:
        echo(found.from_before)
    if found.needs_a_person:
        echo_order(_("ask AJPES what it belongs to; `ajpes-reporting answers list` shows it, and what to do"))
