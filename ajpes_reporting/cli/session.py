"""The common part of all commands: the workspace, the output, and its look."""

from __future__ import annotations

import functools
import os
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ajpes_reporting.cli.output import echo, echo_heading, echo_json
from ajpes_reporting.cli.shared_options import shared_options
from ajpes_reporting.domain.errors import AjpesReportingError, UsageError
from ajpes_reporting.domain.escaping import shown
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.i18n import NOTHING, Message, _, localized, speak, verbatim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date, datetime

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.i18n.language import Language
    from ajpes_reporting.pipeline.context import Context

WORKSPACE_VARIABLE = "AJPES_WORKSPACE"
MOST_ROWS_EVER = 2**63 - 1  # as far as a database numbers its rows
_SHOW_PROGRESS_AFTER_SECONDS = 1.0
_PIPED_WIDTH = 140
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Part:
    """The result of a command for one workspace: its name, its document, and what shows it to a person."""

    title: str
    document: Any
    show: Callable[[], None]


class Right(NamedTuple):
    """The heading of a column whose cells are aligned right: numbers."""

    heading: Message


def _trouble(title: str, error: AjpesReportingError) -> Part:
    from ajpes_reporting.cli.errors import error_json, tell_error

    return Part(title, error_json(error), lambda: tell_error(error))


@dataclass
class Session:
    """One call of the command line."""

    folder: Path
    as_json: bool
    lang: Language | None = None

    def workspace(self) -> Workspace:
        """The workspace this call is about. Raises `UsageError` or `ConfigurationError`."""
        return self._open(self.folder)

    def _open(self, folder: Path) -> Workspace:
        """Opens a workspace, whose language is used from then on unless `--lang` asks for another."""
        from ajpes_reporting.config import open_workspace

        workspace = open_workspace(folder)
        if self.lang is None and workspace.settings.language:
            speak(workspace.settings.language)
        return workspace

    def workspace_if_any(self) -> Workspace | None:
        """Returns the workspace if there is one; without one, only wrong settings raise."""
        from ajpes_reporting.config import SETTINGS_FILE

        return self.workspace() if (self.folder / SETTINGS_FILE).exists() else None

    def context(self) -> Context:
        """The workspace's context, ready to work."""
        from ajpes_reporting.wiring import open_context

        return open_context(self.workspace())

    def say(self, text: Message = NOTHING) -> None:
        """A message for a person, on stderr."""
        echo(text, err=True)

    def emit(self, document: Any, show: Callable[[], None]) -> None:
        """Emits the result: as one JSON document, or as `show` prints it for a person."""
        if self.as_json:
            echo_json(document)
        else:
            show()

    def for_each(self, look: Callable[[Workspace], Part]) -> int:
        """Tells what `look` finds in each workspace of a bureau, or in the one; returns the exit code.

        One that is in trouble does not hide the others; a single one raises what is wrong.
        """
        from ajpes_reporting.config import workspace_folders

        folders = workspace_folders(self.folder)
        parts, codes = [], [0]
        for folder in folders:
            try:
                parts.append(look(self._open(folder)))
            except AjpesReportingError as error:
                if len(folders) == 1:
                    raise
                parts.append(_trouble(folder.name, error))
                codes.append(error.exit_code)
        self.emit_each(parts)
        return max(codes)

    def emit_each(self, parts: Sequence[Part]) -> None:
        """Emits the result of each workspace of a service bureau, one after the other; or that of the one."""
        if len(parts) == 1:
            self.emit(parts[0].document, parts[0].show)
            return

        def show() -> None:
            for part in parts:
                echo_heading(verbatim(part.title))
                part.show()
                echo()

        self.emit({"workspaces": {part.title: part.document for part in parts}}, show)

    def table(
        self, title: Message, columns: Sequence[Message | Right], rows: Sequence[Sequence[str]]
    ) -> None:
        """Prints a table in the reader's language on stdout."""
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, title=localized(title) or None, title_justify="left", pad_edge=False)
        for column in columns:
            if isinstance(column, Right):
                table.add_column(localized(column.heading), justify="right", overflow="fold")
            else:
                table.add_column(localized(column), overflow="fold")
        for row in rows:
            table.add_row(*(Text(shown(localized(cell))) for cell in row))
        Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH).print(table)

    @contextmanager
    def progress(self, label: str, total: int | None = None) -> Iterator[Progress]:
        """A bar on a terminal, for work that takes its time; nothing where nobody watches."""
        if not sys.stderr.isatty() or self.as_json:
            yield no_progress
            return
        from rich.console import Console
        from rich.progress import Progress as Bar

        started = time.monotonic()
        bar = Bar(console=Console(stderr=True), transient=True)
        task = bar.add_task(localized(label), total=total)
        shown = False

        def advance(amount: int) -> None:
            nonlocal shown
            bar.advance(task, amount)
            if not shown and time.monotonic() - started > _SHOW_PROGRESS_AFTER_SECONDS:
                shown = True
                bar.start()

        try:
            yield advance
        finally:
            if shown:
                bar.stop()


def with_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `-w`, `--json`, `--lang` and a `Session` as its first argument."""

    @shared_options
    @functools.wraps(function)
    def wrapped(
        *args: Any, workspace: str | None, as_json: bool, lang: Language | None, **kwargs: Any
    ) -> Any:
        above = click.get_current_context().find_root().obj or {}
        folder = workspace or above.get("workspace") or os.environ.get(WORKSPACE_VARIABLE) or "."
        _refuse_half_characters((folder, *args, *kwargs.values()))
        session = Session(Path(folder), as_json or above.get("as_json", False), lang or above.get("lang"))
        return function(session, *args, **kwargs)

    return wrapped


def _refuse_half_characters(given: Iterable[Any]) -> None:
    """Texts and names of files go into the record, which takes UTF-8 alone. Raises `UsageError`."""
    for value in given:
        if isinstance(value, tuple):
            _refuse_half_characters(value)
        elif isinstance(value, str | Path) and _HALF_CHARACTER.search(str(value)):
            raise UsageError(
                _("{value} is not UTF-8 text. Nothing was done.", value=str(value)),
                _("type it in a terminal of UTF-8, or give the file another name"),
            )


def local_time(moment: datetime | None) -> Message:
    """A moment as people in Ljubljana read it; nothing for none."""
    return Message("{at:moment}", {"at": moment}) if moment else NOTHING


def number(count: int) -> Message:
    """A number of things as people write it: 12,345."""
    return Message("{count:count}", {"count": count})


def amount(cents: int) -> Message:
    """An amount of money as people write it: 1,234.56 EUR."""
    return Message("{cents:eur}", {"cents": cents})


def day(on: date | None) -> Message:
    """A day as a table has it: 2026-11-17; nothing for none."""
    return Message("{day:day}", {"day": on}) if on else NOTHING


def period(key: str) -> Message:
    """A period as a table has it: 2026-11-17 or 2026-11 in English."""
    return Message("{key:period}", {"key": key})


def listed(items: Iterable[str]) -> Message:
    """Texts one after the other, with commas between them."""
    return Message("{items}", {"items": tuple(items)})
