"""Brings the catalogues up to date with the source: `python -m tests.i18n.catalogue`.

Collects the templates of all messages, the help of all commands and click's own words, merges them into
the `.po` files, where a translator fills in what is new, and compiles these. Then it tells what lacks.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import ajpes_reporting
from ajpes_reporting.cli.help import CLICK_DOMAIN, short_help
from ajpes_reporting.cli.main import COMMANDS, cli
from ajpes_reporting.i18n.catalogue import DOMAIN, FOLDER

PACKAGE = Path(ajpes_reporting.__file__).parent
CLICK = Path(click.__file__).parent
KEYWORDS = {"_": None, "_n": (1, 2)}
# What a person at our command line can be told by click.
_CLICK_SOURCES = ("core.py", "exceptions.py", "formatting.py", "parser.py", "types.py", "decorators.py")
# Of Slovene, in this order: 1, 101; 2, 102; 3, 4, 103; 0, 5 to 100.
_PLURALS = "nplurals=4; plural=(n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3);"

Key = str | tuple[str, str]


def path_of(domain: str, language: str = "sl", suffix: str = "po") -> Path:
    """Where a catalogue lies."""
    return FOLDER / language / "LC_MESSAGES" / f"{domain}.{suffix}"


@cache
def templates(domain: str) -> dict[Key, list[tuple[str, int]]]:
    """Every text that has to be translated, and where it stands."""
    found: dict[Key, list[tuple[str, int]]] = {}
    for place, key in _ours() if domain == DOMAIN else _clicks():
        found.setdefault(key, []).append(place)
    return found


def _ours() -> Iterator[tuple[tuple[str, int], Key]]:
    for name, line, key, _comments, _context in extract_from_dir(PACKAGE, keywords=KEYWORDS):
        if not name.startswith("sandbox/"):
            yield (f"ajpes_reporting/{name}", line), key
    for text in _help_of(cli):
        yield ("help", 0), text


def _clicks() -> Iterator[tuple[tuple[str, int], Key]]:
    for name, _line, key, _comments, _context in extract_from_dir(CLICK, keywords=DEFAULT_KEYWORDS):
        if name in _CLICK_SOURCES:
            yield (f"click/{name}", 0), key


def _help_of(command: click.Command) -> Iterator[str]:
    """The help of a command, of its options, and of the commands below it, as click shows them."""
    if command.help:
        yield cleandoc(command.help).partition("\f")[0]
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            yield parameter.help
    if command is cli:
        yield from (line for _module, line in COMMANDS.values())
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield short_help(below)
            yield from _help_of(below)


def read(domain: str) -> Catalog:
    """The catalogue as it is kept."""
    with path_of(domain).open("rb") as source:
        return read_po(source, locale="sl", domain=domain)


def compiled(catalogue: Catalog) -> bytes:
    """The catalogue as gettext reads it."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def update(domain: str) -> Catalog:
    """Merges what is in the source into the catalogue; translations of what is still there are kept."""
    fresh = Catalog(project="ajpes-reporting", version="")
    for key, places in templates(domain).items():
        fresh.add(key, locations=[(name, None) for name, _line in dict.fromkeys(places)])
    kept = read(domain) if path_of(domain).exists() else None
    catalogue = Catalog(
        locale="sl", domain=domain, project="ajpes-reporting", version="", header_comment="", charset="utf-8"
    )
    for message in fresh:
        if message.id:
            before = kept.get(message.id) if kept is not None else None
            catalogue.add(message.id, before.string if before else "", locations=message.locations)
    path_of(domain).parent.mkdir(parents=True, exist_ok=True)
    with path_of(domain).open("wb") as out:
        write_po(out, catalogue, sort_output=True, width=110, omit_header=True, include_lineno=False)
    text = path_of(domain).read_text(encoding="utf-8")
    path_of(domain).write_text(f"{_HEADER}\n{text}", encoding="utf-8")
    catalogue = read(domain)
    path_of(domain, suffix="mo").write_bytes(compiled(catalogue))
    return catalogue


_HEADER = f"""# Slovene translations of ajpes-reporting, collected by `python -m tests.i18n.catalogue`.
msgid ""
msgstr ""
"Language: sl\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {_PLURALS}\\n"
"""


def untranslated(catalogue: Catalog) -> list[Key]:
    """The texts that have no translation yet, or lack one of its four forms."""
    strings = {message.id: message.string for message in catalogue if message.id}
    return [
        key
        for key, told in strings.items()
        if not (told if isinstance(told, str) else told and all(told) and len(told) == 4)
    ]


if __name__ == "__main__":
    for domain in (DOMAIN, CLICK_DOMAIN):
        lacking = untranslated(update(domain))
        sys.stdout.write(
            f"{path_of(domain)}: {len(lacking)} of {len(templates(domain))} texts to translate\n"
        )
