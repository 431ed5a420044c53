"""The one way to a person's terminal and a program's pipe: line by line, with nothing in it that acts.

Whoever chose a name, a text or a path in a line, it can neither command a terminal nor make a second
line. ruff keeps other ways of printing out of the command line.
"""

from __future__ import annotations

import codecs
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

from ajpes_reporting.domain.escaping import shown, shown_json
from ajpes_reporting.i18n import NOTHING, Message, _, localized

if TYPE_CHECKING:
    from pathlib import Path


def echo(line: Message = NOTHING, *, err: bool = False, indent: int = 0) -> None:
    """Prints one line in the reader's language on stdout, or on stderr.

    A line end inside is shown escaped, like all that acts.
    """
    _write(" " * indent + shown(localized(line)), err=err)


def echo_order(remedy: Message, *, err: bool = False, indent: int = 0) -> None:
    """Prints what is to be done, on a line of its own."""
    told = order(remedy)
    if told.endswith("?"):  # a suggestion
        echo(_("Do: {remedy}", remedy=told), err=err, indent=indent)
    else:
        echo(_("Do: {remedy}.", remedy=told), err=err, indent=indent)


def order(remedy: Message) -> str:
    """Returns what is to be done as it stands after "Do:" or in a table, in the reader's language.

    A remedy that is a sentence begins small there, and loses its full stop.
    """
    text = localized(remedy).rstrip(".")
    is_capitalised_word = text[:1].isupper() and text[1:2].islower()
    return text[:1].lower() + text[1:] if is_capitalised_word else text


def echo_heading(line: Message) -> None:
    """Prints one line in the reader's language on stdout, bold on a terminal."""
    text = shown(localized(line))
    _write(f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text)


def echo_json(value: Any) -> None:
    """Prints a value as a JSON document on stdout; in ASCII where the other end may not take Unicode."""
    from ajpes_reporting.queries.document import document  # a command that shows no JSON starts without it

    _write(shown_json(json.dumps(document(value), ensure_ascii=not _takes_unicode(), indent=2)))


def echo_bytes(blocks: Iterable[bytes]) -> None:
    """Writes bytes on stdout as they are; only where that is no terminal, which would obey them."""
    sys.stdout.flush()
    for block in blocks:
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()


def write_json(value: Any, out: TextIO) -> None:
    """Writes a value as a JSON document for `echo_file`. An iterator, alone or in an object, becomes a list.

    Its items are written one by one, each on a line, so that a list of a million takes no memory.
    """
    from ajpes_reporting.queries.document import document

    made = document(value)
    if isinstance(made, dict):
        opening = "{"
        for name, item in made.items():
            out.write(f"{opening}\n{_line(name)}: ")
            _write_value(item, out)
            opening = ","
        out.write("\n}" if made else "{}")
    else:
        _write_value(made, out)
    out.write("\n")


def echo_file(path: Path) -> None:
    """Prints a text file that was written line by line, with nothing in it that acts."""
    with path.open(encoding="utf-8", newline="") as text:
        shutil.copyfileobj(text, sys.stdout)
    sys.stdout.flush()


def _write_value(value: Any, out: TextIO) -> None:
    if not isinstance(value, Iterator):
        out.write(_line(value))
        return
    opening = "["
    for item in value:
        out.write(f"{opening}\n{_line(item)}")
        opening = ","
    out.write("[]" if opening == "[" else "\n]")


def _line(made: Any) -> str:
    return shown_json(json.dumps(made, ensure_ascii=not _takes_unicode()))


def _write(text: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()


def _takes_unicode() -> bool:
    try:
        return codecs.lookup(sys.stdout.encoding).name.startswith("utf-")
    except (LookupError, TypeError):  # a stream in memory need not say
        return False
