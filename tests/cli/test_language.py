"""The language of the command line: whom it is asked of, and in which order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ajpes_reporting.cli.help import Context, click_in_language
from ajpes_reporting.cli.main import cli
from ajpes_reporting.i18n import language, speaking


def ajpes(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    command = [sys.executable, "-m", "ajpes_reporting", *arguments]
    return subprocess.run(command, env={**own, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [("--lang", "sl", "--help"), ("--lang=sl", "--help")])
def test_help_is_told_in_the_language_that_is_asked_for(arguments: tuple[str, ...]) -> None:
    """Protects a clerk who reads Slovene."""
    assert "Uporaba:" in ajpes(*arguments).stdout


def test_help_of_a_command_is_told_in_the_language_after_its_name() -> None:
    """Protects whoever adds the option at the end."""
    assert "Možnosti:" in ajpes("status", "--lang", "sl", "--help").stdout


def test_the_locale_is_asked_where_nobody_says_otherwise() -> None:
    """Protects whoever has never heard of the option."""
    assert "Uporaba:" in ajpes("--help", LANG="sl_SI.UTF-8").stdout
    assert "Usage:" in ajpes("--lang", "en", "--help", LANG="sl_SI.UTF-8").stdout
    assert "Usage:" in ajpes("--help", LANG="de_AT.UTF-8").stdout


def test_a_command_line_that_does_not_fit_is_told_in_the_readers_language() -> None:
    """Protects whoever mistypes an option."""
    wrong = ajpes("--lang", "sl", "run", "--quick")
    assert wrong.returncode == 2
    assert "Napaka:" in wrong.stderr
    assert "--quick" in wrong.stderr


def test_a_fault_of_a_command_line_is_a_sentence_with_the_quotation_marks_of_its_language() -> None:
    """Protects a clerk from half a sentence, and from names that the line of usage does not have."""
    assert "Napaka: Manjka argument »ODDAJA«.\n" in ajpes("--lang", "sl", "show").stderr
    assert "Error: Missing argument 'SUBMISSION'.\n" in ajpes("--lang", "en", "show").stderr
    assert "»x« ni veljavna vrednost (celo število)." in ajpes("--lang", "sl", "show", "x").stderr
    assert "'x' is not a valid whole number." in ajpes("--lang", "en", "show", "x").stderr


def test_no_screen_of_help_is_half_in_english() -> None:
    """Protects a Slovene reader of any command: names of values and remarks in brackets are Slovene, too."""

    def screens(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
        context = Context(command, info_name=name)
        yield name, command.get_help(context)
        if isinstance(command, click.Group):
            for below in command.list_commands(context):
                found = command.get_command(context, below)
                assert found is not None
                yield from screens(found, f"{name} {below}")

    english = re.compile(
        r"\[required\]|\b(OPTIONS|COMMAND|ARGS|TEXT|INTEGER|FILE|DIRECTORY|PATH|NAME|DATE)\b"
    )
    with speaking("sl"), click_in_language():
        halves = [name for name, text in screens(cli, "ajpes-reporting") if english.search(text)]
    assert halves == []


def test_a_language_that_we_do_not_have_is_refused() -> None:
    """Protects whoever expects German from English in silence."""
    wrong = ajpes("--lang", "de", "status")
    assert wrong.returncode == 2
    assert "sl" in wrong.stderr


def test_what_a_command_starts_keeps_its_own_language(tmp_path: Path) -> None:
    """Protects whoever reads what other programs say: `LANGUAGE` is lent to click alone."""
    program = (
        "import os, click\n"
        "from ajpes_reporting.cli import main\n"
        "@main.cli.command('probe')\n"
        "def probe(): print(os.environ.get('LANGUAGE'))\n"
        "main.Commands.get_command = lambda *_: probe\n"
        "main.run(['--lang', 'sl', 'probe'])\n"
    )
    own = {**os.environ, "LANGUAGE": "hu"}
    found = subprocess.run(
        [sys.executable, "-c", program], env=own, capture_output=True, text=True, check=True
    )
    assert found.stdout == "hu\n"


def test_the_tests_speak_english() -> None:
    """Protects every other test from a language that one of them has set."""
    assert language() == "en"
