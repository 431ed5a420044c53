"""`collect`: fetches and applies answers that have come into the authority's folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Part, Session, with_session
from ajpes_reporting.domain.errors import OutcomeUnknown
from ajpes_reporting.journal import answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.pipeline.answers import Taken
    from ajpes_reporting.pipeline.context import Context


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
        collected = [_Collected("", context, take_by_hand(context, files))]
        session.emit_each([collected[0].part(session)])
    else:
        collected, code = _collect_all(session)
    if code or any(one.needs_a_person for one in collected):
        click.get_current_context().exit(code or OutcomeUnknown.exit_code)


def _collect_all(session: Session) -> tuple[list[_Collected], int]:
    """One bank's folders that are out of reach do not keep the others' answers from being fetched."""
    from ajpes_reporting.pipeline.collect import collect
    from ajpes_reporting.wiring import open_context

    collected: list[_Collected] = []

    def part(workspace: Workspace) -> Part:
        context = open_context(workspace)
        one = _Collected(workspace.folder.name, context, collect(context))
        collected.append(one)
        return one.part(session)

    code = session.for_each(part)
    return collected, code


class _Collected:
    """What came in at one bank, and how many answers lie there from before."""

    def __init__(self, title: str, context: Context, taken: Sequence[Taken]) -> None:
        self._title = title
        self._taken = taken
        with context.engine.connect() as connection:
            lying = answers.number_set_aside(connection, context.provider)
        self._from_before = lying - sum(item.status in answers.LIES_THERE for item in taken)

    @property
    def needs_a_person(self) -> bool:
        return self._from_before > 0 or any(item.needs_a_person for item in self._taken)

    def part(self, session: Session) -> Part:
        """What is told of it; what lies there from before goes to stderr, beside a document."""
        if session.as_json and self._from_before > 0:
            session.say(f"{self._title}: {self._words}" if self._title else self._words)
        return _part(self._title, self._taken, self._words if self._from_before > 0 else "")

    @property
    def _words(self) -> str:
        count = "1 answer lies" if self._from_before == 1 else f"{self._from_before} answers lie"
        return f"{count} there from before, not applied."


def _part(title: str, taken: Sequence[Taken], from_before: str) -> Part:
    document = [
        {
            "name": item.name, "status": item.status, "note": item.note,
            "submission": item.submission.id if item.submission else None,
            "state": item.submission.state.value if item.submission else None,
        }
        for item in taken
    ]  # fmt: skip
    return Part(title, document, lambda: _show(taken, from_before))


def _show(taken: Sequence[Taken], from_before: str) -> None:
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
    if from_before:
        echo(from_before)
    if from_before or any(item.needs_a_person for item in taken):
        echo("Do: ask AJPES what it belongs to; `ajpes-reporting answers list` shows it, and what to do.")
