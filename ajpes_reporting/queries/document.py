"""The JSON of whatever a person or a program is told: one way from typed values to a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Any

from ajpes_reporting.i18n import localized
from ajpes_reporting.i18n.formats import LJUBLJANA

_UNTOLD = "untold"


def untold() -> Any:
    """Makes a field of a dataclass that is for who shows the value, and no part of its document."""
    return field(metadata={_UNTOLD: True}, repr=False)


def document(value: Any) -> Any:
    """Returns a value as JSON has it.

    A dataclass becomes an object with its fields as keys, without those made by `untold`; an
    enumeration its value; a moment ISO 8601 with the offset of Ljubljana, a day YYYY-MM-DD; a path its text;
    a message its text in the reader's language. A sequence or a set becomes a list. An iterator stays one,
    for whoever writes it item by item. Raises TypeError for anything else.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return localized(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(LJUBLJANA).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(document(key)): document(item) for key, item in value.items()}
    if isinstance(value, Iterator):
        return map(document, value)
    if isinstance(value, list | tuple | set | frozenset):
        return list(map(document, value))
    if is_dataclass(value) and not isinstance(value, type):
        return {name: document(getattr(value, name)) for name in _told_fields(type(value))}
    raise TypeError(f"{type(value).__name__} has no place in JSON")


@cache
def _told_fields(kind: Any) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind) if _UNTOLD not in one.metadata)
