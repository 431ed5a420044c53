"""Gathers the fields and rows of a reply, before anybody judges them."""

from __future__ import annotations

import json
from collections import Counter
from typing import IO, TYPE_CHECKING

from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError
from ajpes_reporting.deliver.soap.replies.vocabulary import (
    ERROR_FLAGS,
    ROWS,
    SUCCESS,
    Severity,
    Value,
    flag,
    has_odd_severity,
    head_meaning,
    is_of_row,
    is_severity,
    names_errors,
    row_value,
    severity_by_list,
    severity_of,
)
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_TEXT = 4_000
_FLAGS = frozenset({"success", "failure", "errors", "warnings"})
_TEXTS = frozenset({"text", "number", "fault text", "prepared"})  # the first one counts
_ABOUT_IT = frozenset({"text", "number", "prepared", "provider", "day", "month"})
_WORDS_OF_THE_WHOLE = SUCCESS | {"message", "sporocilo"}
_LARGEST_COUNT = 9_999_999_999  # what the schema of answers holds


class Row(dict[str, Value]):
    """A row as it is being read: those of its fields that mean something, under their plain names.

    `name` is what it is called, `listed_as` what the lists round it are called, the innermost last.
    """

    def __init__(self, name: str, listed_as: tuple[str, ...]) -> None:
        super().__init__()
        self.name = name
        self.listed_as = (*listed_as, name)

    def offer(self, name: str, value: Value) -> None:
        """Takes a field. Of two severities the worse one holds; of anything else the first."""
        if not is_of_row(name) or value is None:
            return
        if isinstance(value, str):
            value = value.strip()[:LONGEST_TEXT]
        is_worse = is_severity(name) and severity_of(value) == "ERR"
        if is_worse or self.get(name) in (None, ""):
            self[name] = value


class Gathered:
    """The fields of the head by what they mean, and the rows, which wait in a file."""

    def __init__(self, rows: IO[bytes]) -> None:
        self.head: dict[str, Value] = {}
        self.severities: Counter[Severity] = Counter()
        self.has_named_errors = False
        """Whether rows that do not say how bad they are, as far as is known, may well be errors."""
        self.service_error: tuple[str, str] | None = None
        """Number and text of the first row with an idNapake that does not say how bad it is."""
        self.names_records = False
        """Whether rows with one say which record they are about."""
        self._rows = rows

    @property
    def says_anything(self) -> bool:
        """Whether there is something in it that a verdict can be made of."""
        return bool(self.severities or self.head.keys() - _ABOUT_IT)

    def offer(self, name: str, value: Value) -> None:
        """Takes a field that stands in no row, under its plain name. Raises if it contradicts another one."""
        meaning = head_meaning(name)
        if meaning is None or value is None or value == "":
            return
        if isinstance(value, str):
            value = value.strip()[:LONGEST_TEXT]
        if name in ERROR_FLAGS and isinstance(flag(value), bool):
            meaning = "failure"
        if meaning in _FLAGS:
            value = flag(value)
            if value is None or (meaning in ("errors", "warnings") and isinstance(value, bool)):
                return
            value = min(value, _LARGEST_COUNT)
        self._put(meaning, value)

    def _put(self, meaning: str, value: Value) -> None:
        before = self.head.setdefault(meaning, value)
        if before != value and meaning not in _TEXTS:
            raise UnusableReplyError(
                _(
                    "the reply contradicts itself: its {field} is {first:quoted} and {second:quoted}",
                    field=meaning,
                    first=_short(before),
                    second=_short(value),
                )
            )

    def add(self, row: Row) -> None:
        """Takes a row that has been read to its end."""
        if self._is_about_the_whole(row):
            self.offer(row.name, row["text"])
            return
        number, text = row_value(row, "number"), row_value(row, "text")
        severity = self._severity(row, number)
        if severity == "" and row.get("idnapake"):
            self.service_error = self.service_error or (_text(number), _text(text))
            self.has_named_errors = True
            self.names_records |= any(self._record(row))
        self.severities[severity] += 1
        if severity == "OK":
            if any(severity_by_list(name) == "OK" for name in row.listed_as):
                self._put("success", True)
            return
        kept = [severity, *(_text(value) for value in (number, text, *self._record(row)))]
        self._rows.write(json.dumps(kept).encode() + b"\n")

    @staticmethod
    def _is_about_the_whole(row: Row) -> bool:
        """Whether it is a lone word under a name that a row may have, too: `<success>true</success>`."""
        is_yes_or_no = flag(row.get("text")) in (0, 1)
        return set(row) == {"text"} and (
            row.name in _WORDS_OF_THE_WHOLE or (row.name in ROWS and is_yes_or_no)
        )

    def rows(self) -> Iterator[tuple[Severity, str, str, str, str, str]]:
        """Severity, number, text, refId, blokId and dogId of each row, as a stream."""
        self._rows.seek(0)
        for line in self._rows:
            yield tuple(json.loads(line))

    def _severity(self, row: Row, number: Value) -> Severity:
        if said := severity_of(row_value(row, "severity")):
            return said
        success, failure = flag(row_value(row, "success")), flag(row_value(row, "failure"))
        if failure or (success is not None and not success):
            return "ERR"
        by_list = map(severity_by_list, reversed(row.listed_as))
        listed: Severity = next((severity for severity in by_list if severity), "")
        if listed != "ERR" and (success or (number is not None and flag(number) == 0)):
            return "OK"
        if has_odd_severity(row) or (not listed and any(map(names_errors, row.listed_as))):
            self.has_named_errors = True
        return listed

    @staticmethod
    def _record(row: Row) -> tuple[Value, Value, Value]:
        return row_value(row, "ref"), row_value(row, "obligation"), row_value(row, "event")


def _text(value: Value) -> str:
    return "" if value is None else str(value)


def _short(value: Value) -> str:
    return str(value)[:40]
