"""The one way to a person's terminal and a program's pipe: line by line, with nothing in it that acts.

Whoever chose a name, a text or a path in a line, it can neither command a terminal nor make a second
line. ruff keeps other ways of printing out of the command line.
"""

from __future__ import annotations

import codecs
import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

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
