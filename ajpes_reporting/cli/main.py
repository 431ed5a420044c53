"""`ajpes-reporting`: finds the command, runs it, and turns every failure into words and an exit code."""

from __future__ import annotations

import gc
import gettext
import importlib
import os
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.errors import in_words, tell, tell_json, tell_usage
from ajpes_reporting.cli.help import click_in_language, usage_message
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.streams import Streams
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import LANGUAGES, Message, _, speak
from ajpes_reporting.i18n.language import language_of_locale
from ajpes_reporting.private import UMASK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.i18n.language import Language

INTERRUPTED = 130

# Loading a library makes a great many objects and hardly any garbage: looked for at the usual pace,
# a seventh of the time to start goes into that.
NEW_OBJECTS = 100_000
"""After so many new objects the program looks for garbage."""

# The validator of a report takes four milliseconds for a block. When it then needs the interpreter, Python
# as it comes would let it wait for five more.
_TURN_SECONDS = 0.0005

# Name, module and one line of help; a module is imported only when its command is called.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Make a workspace: settings, database, archive."),
    "demo": ("demo", "The main job, end to end, in a new workspace."),
    "ledger": ("ledger", "Import or pull facts, cancel and replace events, show a history."),
    "pending": ("pending", "What the next reports hold, and why; what is left out."),
    "build": ("build", "Write a report file and change nothing else."),
    "check": ("check", "Check any report or answer file against schema and rules."),
    "run": ("run", "Select, build, check, archive, deliver, read the answer."),
    "collect": ("collect", "Fetch and apply answers from the authority's folders."),
    "answers": ("answers", "List or discard answers that were set aside."),
    "resubmit": ("resubmit", "Send a report again, corrected or the very same bytes."),
    "resolve": ("resolve", "Settle an unknown outcome by a person's word."),
    "release": ("release", "Let a report go that was held for a person."),
    "status": ("status", "What is due, late, waiting, refused."),
    "show": ("show", "One submission with every attempt, file and finding."),
    "schedule": ("schedule", "Run the daily and monthly jobs at their times."),
    "tick": ("tick", "Do once what is due now; for a systemd timer or cron."),
    "metrics": ("metrics", "Figures for a monitoring that reads files."),
    "doctor": ("doctor", "Check settings, database, clock, certificates, reachability."),
    "eplacila": ("eplacila", "Web payments through UJP e-plačila."),
    "sandbox": ("sandbox", "The bundled authority on loopback, with keys and settings."),
    "backup": ("backup", "Back up a workspace: database, archive, settings."),
    "restore": ("restore", "Make a new workspace from a backup."),
    "purge": ("purge", "Remove archived files whose time is over."),
    "audit": ("audit", "Prove that the record is whole; hand it to an auditor."),
}


class Commands(click.Group):
    """Commands that are imported when they are called, so that help comes at once."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"ajpes_reporting.cli.{COMMANDS[name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(gettext.gettext("Commands")):
            formatter.write_dl([(name, line) for name, (_module, line) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ajpes-reporting")
@click.option("-w", "--workspace", help="The workspace; otherwise AJPES_WORKSPACE, otherwise this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    help="The language of messages; otherwise that of the settings or the locale.",
)
@click.pass_context
def cli(context: click.Context, workspace: str | None, as_json: bool, lang: Language | None) -> None:
    """Reports overdue obligations (NODURS) and account turnover (SPAPP) to AJPES."""
    context.obj = {"workspace": workspace, "as_json": as_json, "lang": lang}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and leaves with an exit code of the contract."""
    gc.set_threshold(NEW_OBJECTS)
    sys.setswitchinterval(_TURN_SECONDS)
    os.umask(UMASK)
    streams = Streams()
    code = run(arguments)
    streams.tell_what_was_lost()
    sys.exit(code)


def _asked_for(arguments: Sequence[str]) -> Language | None:
    """The language of `--lang`, wherever it stands: also a command line that does not fit is told in it."""
    for flag, value in pairwise([*(part for given in arguments for part in given.split("=", 1)), ""]):
        if flag == "--lang" and (asked := next((code for code in LANGUAGES if code == value), None)):
            return asked
    return None


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    speak(_asked_for(given) or language_of_locale(os.environ))
    try:
        with click_in_language():
            code = cli.main(args=given, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        with click_in_language():
            tell_usage(error)
            if as_json:
                tell_json(UsageError(Message(usage_message(error), {})))
        return UsageError.exit_code
    except click.Abort:
        echo(_("Stopped."), err=True)
        return INTERRUPTED
    except Exception as error:
        told = in_words(error)
        if told is None:
            raise
        tell(told, as_json=as_json)
        return told.exit_code
    except KeyboardInterrupt:
        echo(_("Stopped."), err=True)
        return INTERRUPTED
