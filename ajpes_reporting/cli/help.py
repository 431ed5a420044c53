"""Help and click's own messages in the reader's language.

Our help texts stand in the source in English, as click wants them; here they are looked up in the catalogue
when they are shown. Click asks gettext for its own words ("Usage", "No such option"), and gettext knows the
language from the environment alone: `click_in_language` puts it there while click is at work.
"""

from __future__ import annotations

import gettext
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.i18n import Message, language, localized
from ajpes_reporting.i18n.catalogue import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CLICK_DOMAIN = "click"
_NO_LIMIT = 1_000
_VARIABLE = "LANGUAGE"
_AS_STARTED = os.environ.get(_VARIABLE)
_HELP_AND_EXTRAS = re.compile(r"(?P<help>.*?)(?P<extras>  \[.*\])?", re.DOTALL)


class HelpFormatter(click.HelpFormatter):
    """Writes help in the language in use; the syntax of options and arguments is the same in each."""

    def write_heading(self, heading: str) -> None:
        super().write_heading(_told(heading))

    def write_text(self, text: str) -> None:
        super().write_text(_told(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(term, _told_help(text)) for term, text in rows], col_max, col_spacing)


class Context(click.Context):
    """A command's context. What a command starts finds the environment as it was."""

    formatter_class = HelpFormatter

    def invoke(self, *callback: Any, **given: Any) -> Any:
        with _environment(_AS_STARTED):
            return super().invoke(*callback, **given)


class Group(click.Group):
    """A group of commands, each listed with its whole short help, which is how the catalogue has it."""

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(context, name)) for name in self.list_commands(context)]
        with formatter.section(gettext.gettext("Commands")):
            formatter.write_dl([(name, short_help(command)) for name, command in found if command])


def short_help(command: click.Command) -> str:
    """A command in one line: its short help, or the first sentence of its help."""
    return command.get_short_help_str(limit=_NO_LIMIT)


@contextmanager
def click_in_language() -> Iterator[None]:
    """Has click write its own words in the language in use, but for what runs inside of a command."""
    gettext.bindtextdomain(CLICK_DOMAIN, str(FOLDER))
    gettext.textdomain(CLICK_DOMAIN)
    click.Command.context_class = Context
    with _environment(language()):
        yield


@contextmanager
def _environment(value: str | None) -> Iterator[None]:
    before = os.environ.get(_VARIABLE)
    _set(value)
    try:
        yield
    finally:
        _set(before)


def _set(value: str | None) -> None:
    os.environ.pop(_VARIABLE, None)
    if value is not None:
        os.environ[_VARIABLE] = value


def _told(text: str) -> str:
    return localized(Message(text, {}))


def _told_help(text: str) -> str:
    """The help of an option, in front of what click adds to it: its default, or that it must be given."""
    found = _HELP_AND_EXTRAS.fullmatch(text)
    return f"{_told(found['help'])}{found['extras'] or ''}" if found else text
