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
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.escaping import shown, shown_json


def echo(line: str = "", *, err: bool = False) -> None:
    """Prints one line on stdout, or on stderr; a line end inside is shown escaped, like all that acts."""
    _write(shown(line), err=err)


def echo_heading(line: str) -> None:
    """Prints one line on stdout, bold on a terminal."""
    _write(f"\x1b[1m{shown(line)}\x1b[0m" if sys.stdout.isatty() else shown(line))


def echo_json(document: Any) -> None:
    """Prints a JSON document on stdout; in ASCII where the other end may not take all of Unicode."""
    text = json.dumps(document, ensure_ascii=not _takes_unicode(), indent=2, default=_jsonable)
    _write(shown_json(text))


def write_json(document: Any, out: TextIO) -> None:
    """Writes a JSON document as `echo_json` prints it; an iterator in it becomes a list.

    Its items are written one by one, so that a list of a million takes no memory.
    """
    for piece in _pieces(document, "\n"):
        out.write(piece)
    out.write("\n")


def echo_file(path: Path) -> None:
    """Prints a text file that was written line by line, with nothing in it that acts."""
    with path.open(encoding="utf-8", newline="") as text:
        shutil.copyfileobj(text, sys.stdout)
    sys.stdout.flush()


def _pieces(document: Any, line: str) -> Iterator[str]:
    """A document in pieces; `line` is the line end with the indentation of what it stands in."""
    deeper = f"{line}  "
    if isinstance(document, Iterator):
        yield from _enclosed("[", (_pieces(item, deeper) for item in document), "]", line)
    elif isinstance(document, dict) and any(isinstance(value, Iterator) for value in document.values()):
        members = (
            chain((f"{json.dumps(name)}: ",), _pieces(value, deeper)) for name, value in document.items()
        )
        yield from _enclosed("{", members, "}", line)
    else:
        yield shown_json(
            json.dumps(document, ensure_ascii=not _takes_unicode(), indent=2, default=_jsonable)
        ).replace("\n", line)


def _enclosed(first: str, members: Iterable[Iterable[str]], last: str, line: str) -> Iterator[str]:
    opening = first
    for member in members:
        yield f"{opening}{line}  "
        yield from member
        opening = ","
    yield f"{line}{last}" if opening == "," else f"{first}{last}"


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
