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
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TextIO

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.escaping import shown, shown_json
from ajpes_reporting.i18n import localized


def echo(line: str = "", *, err: bool = False) -> None:
    """Prints one line in the reader's language on stdout, or on stderr.

    A line end inside is shown escaped, like all that acts.
    """
    _write(shown(localized(line)), err=err)


def echo_heading(line: str) -> None:
    """Prints one line on stdout, bold on a terminal."""
    _write(f"\x1b[1m{shown(line)}\x1b[0m" if sys.stdout.isatty() else shown(line))


def echo_json(document: Any) -> None:
    """Prints a JSON document on stdout; in ASCII where the other end may not take all of Unicode."""
    text = json.dumps(document, ensure_ascii=not _takes_unicode(), indent=2, default=_jsonable)
    _write(shown_json(text))


def echo_bytes(blocks: Iterable[bytes]) -> None:
    """Writes bytes on stdout as they are; only where that is no terminal, which would obey them."""
    sys.stdout.flush()
    for block in blocks:
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()


def write_json(document: Any, out: TextIO) -> None:
    """Writes a JSON document for `echo_file`. An iterator, alone or in an object, becomes a list.

    Its items are written one by one, each on a line, so that a list of a million takes no memory.
    """
    if isinstance(document, dict):
        opening = "{"
        for name, value in document.items():
            out.write(f"{opening}\n{_line(name)}: ")
            _write_value(value, out)
            opening = ","
        out.write("\n}" if document else "{}")
    else:
        _write_value(document, out)
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


def _line(document: Any) -> str:
    return shown_json(json.dumps(document, ensure_ascii=not _takes_unicode(), default=_jsonable))


def _write(text: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()


def _takes_unicode() -> bool:
    try:
        return codecs.lookup(sys.stdout.encoding).name.startswith("utf-")
    except (LookupError, TypeError):  # a stream in memory need not say
        return False


def _jsonable(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(LJUBLJANA).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
