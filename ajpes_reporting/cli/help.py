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

from ajpes_reporting.i18n import Message, _, language, localized
from ajpes_reporting.i18n.catalogue import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CLICK_DOMAIN = "click"
_NO_LIMIT = 1_000
_VARIABLE = "LANGUAGE"
_AS_STARTED = os.environ.get(_VARIABLE)
_METAVAR = re.compile("INTEGER RANGE|[A-Z]{2,}")
_METAVARS = {
    str(name): name
    for name in (
        _("OPTIONS"), _("COMMAND"), _("ARGS"), _("TEXT"), _("INTEGER RANGE"), _("DATE"), _("NUMBER"),
        _("NAME"), _("USER"), _("FIELD"), _("VALUE"), _("FILE"), _("FILES"), _("DIRECTORY"), _("BACKUP"),
        _("SUBMISSION"), _("ANSWER"), _("OBLIGATION"), _("EVENT"), _("TRANSACTION"), _("MONTH"), _("REPORT"),
        _("PATH"),
    )
}  # fmt: skip
_TYPES = {"integer range": _("whole number")}
_QUOTED = re.compile("'([^']*)'")
_HELP_AND_EXTRAS = re.compile(r"(?P<help>.*?)(?P<extras>(?:^|  )\[.*\])?", re.DOTALL)


class HelpFormatter(click.HelpFormatter):
    """Writes help in the language in use; options and commands are called the same in each."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, metavars_told(args), prefix)

    def write_heading(self, heading: str) -> None:
        super().write_heading(_told(heading))

    def write_text(self, text: str) -> None:
        super().write_text(_told(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        told = [(metavars_told(term), _told_help(text)) for term, text in rows]
        super().write_dl(told, col_max, col_spacing)


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


def metavars_told(syntax: str) -> str:
    """Returns the syntax of a command with the names of its values in the reader's language."""
    return _METAVAR.sub(lambda found: localized(_METAVARS.get(found[0], found[0])), syntax)


def usage_message(error: click.ClickException) -> str:
    """Describes the fault of a command line as one sentence, on one line.

    Click quotes in its own way and knows some of its words in English alone.
    """
    text = " ".join(error.format_message().split())
    for name, told in _TYPES.items():
        text = text.replace(name, localized(told))
    text = _QUOTED.sub(lambda found: localized(_quoted(metavars_told(found[1]))), text)
    return text if text.endswith((".", "?", ")")) else f"{text}."


def _quoted(text: str) -> Message:
    return Message("{text:quoted}", {"text": text})


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
    if not found:
        return text
    extras = (found["extras"] or "").replace("required", localized(_("required")))
    return f"{_told(found['help'])}{extras}"
