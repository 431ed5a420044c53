"""Reads answers that break their schema: what can be read counts, a refusal above all.

Elements and attributes are known by their names, in whatever letter case, namespace, order and depth, and a
value may stand in an attribute or in an element. What was read is brought to the form that the schema asks
for, and then means what it means in any other answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
from ajpes_reporting.i18n import NOTHING, _
from ajpes_reporting.reports.answers import Tally
from ajpes_reporting.xmlread import LooseRecord, Record, loose_records, read_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ajpes_reporting.i18n import Message
    from ajpes_reporting.reports.kind import ReportKind

_HEAD = ("iErr", "iWrn", "maticnaPonudnika", "datumPriprave", "datumPodatkov", "mesecPodatkov")
_SERVICE_ERROR = ("idNapake", "OpisNapake")
_ROW = ("vrsta", "Id", "blokId", "dogId", "refId", "racun", "Opis")
_NAMES = {name.lower(): name for name in (*_HEAD, *_SERVICE_ERROR, *_ROW)}
_WANTED = {
    "ident": frozenset(name.lower() for name in (*_HEAD, *_SERVICE_ERROR)),
    "napaka": frozenset(name.lower() for name in _ROW),
}
_SEVERITIES = {
    **dict.fromkeys(("err", "error", "napaka"), "ERR"),
    **dict.fromkeys(("wrn", "warn", "warning", "opozorilo"), "WRN"),
}
_LONGEST = {"blokId": 36, "dogId": 36, "refId": 36, "racun": 15, "Id": 100}
_COUNT = re.compile(r"\+?0*([0-9]{1,18})(\.0+)?")  # as far as a database counts
_DAY = re.compile(r"([0-9]{1,2})\. ?([0-9]{1,2})\. ?([0-9]{4})(?![0-9])")
_ISO_DAY = re.compile(r"([0-9]{4})-?(0[1-9]|1[0-2])-?(0[1-9]|[12][0-9]|3[01])(?![0-9])")
_MONTH = re.compile(r"([0-9]{4})-?(0[1-9]|1[0-2])(?![0-9])")
_MONTH_FIRST = re.compile(r"(0?[1-9]|1[0-2])[./] ?([0-9]{4})(?![0-9])")
_IBAN = re.compile("SI[0-9]{2}([0-9]{15})")
_PUNCTUATION = re.compile(r"[\s-]")
_MOST_NOTES = 5
_LONGEST_PERIOD = 9


class Contradiction(Exception):
    """An answer says two things of which only one can be true. Its text is a clause, a `Message`."""


class LooseReader:
    """One pass over an answer, whatever its schema says; its head is there once the rows have come to an end.

    `notes` say how values were read that are not as the schema has them, the first few of them.
    """

    def __init__(self, path: Path, kind: ReportKind) -> None:
        self.tally = Tally()
        self.notes: list[Message] = []
        self._kind = kind
        self._records = loose_records(path, _WANTED)
        self._path = path
        self._head: dict[str, str] = {}

    @property
    def head(self) -> AnswerHead:
        return self._kind.read_answer_head(Record("Ident", self._head, ""))

    @property
    def why_no_verdict(self) -> str:
        """The clause that says what is missing: a refusal may show in a row, acceptance must be declared."""
        if self.tally.errors:
            return NOTHING
        if self.head.declared_errors is None:
            return _("the answer does not say how many errors there are")
        if self.head.declared_warnings is None and not self.tally.warnings:
            return _("the answer does not say how many warnings there are")
        return NOTHING

    def rows(self) -> Iterator[AnswerRow]:
        """The rows, as a stream; once. Raises `Contradiction` if there are two heads that differ."""
        refusals = list(self._take_head(self._said_by_root()))
        for one in self._records:
            if one.name == "ident":
                refusals += self._take_head(one)
            else:
                yield self._counted(self._kind.read_answer_row(self._row(one)))
        yield from map(self._counted, refusals)
        self.tally.head = self.head

    def _said_by_root(self) -> LooseRecord:
        """A head's values that stand at the root: a refusal counts wherever it is."""
        said = (
            (name.rpartition("}")[2].lower(), text) for name, text in read_root(self._path).attributes.items()
        )
        return LooseRecord("ident", [(name, text) for name, text in said if name in _WANTED["ident"]])

    def _counted(self, row: AnswerRow) -> AnswerRow:
        self.tally.add(row)
        return row

    def _take_head(self, ident: LooseRecord) -> Sequence[AnswerRow]:
        """Takes in what a head says; returns what it says as a service error, which refuses the report."""
        told = dict[str, str]()
        for lower, text in ident.values:
            value = text.strip()
            if not lower or not value:
                continue
            name = _NAMES[lower]
            if name in _HEAD:
                self._say(name, self._head_value(name, value))
            else:
                told.setdefault(name, value)
        code, text = told.get("idNapake", ""), " ".join(told.get("OpisNapake", "").split())
        return [AnswerRow("error", code[: _LONGEST["Id"]], text)] if text or code.strip("0") else []

    def _say(self, name: str, value: str) -> None:
        if value and self._head.setdefault(name, value) != value:
            first = self._head[name]
            raise Contradiction(
                _("the answer says {name} {first} and {second}", name=name, first=first, second=value)
            )

    def _head_value(self, name: str, value: str) -> str:
        """As the schema has it. A count that cannot be read is none; such a period is that of no report."""
        match name:
            case "iErr" | "iWrn" if count := _COUNT.fullmatch(value):
                return str(int(count[1]))
            case "datumPodatkov" if day := _ISO_DAY.match(_iso(value)):
                return "-".join(day.groups())
            case "mesecPodatkov" if month := _MONTH.match(_iso(value)):
                return "".join(month.groups())
            case "mesecPodatkov" if month := _MONTH_FIRST.match(value):
                return f"{month[2]}{month[1]:0>2}"
            case "datumPriprave":
                return _iso(value)
            case "maticnaPonudnika":
                return value
        self._note(_("{name} cannot be read: {value}", name=name, value=value[:40]))
        return "" if name in ("iErr", "iWrn") else value[:_LONGEST_PERIOD]

    def _row(self, row: LooseRecord) -> Record:
        """As the schema has it: the values as attributes, and the text of `Opis`."""
        values, texts, rest = dict[str, str](), list[str](), list[str]()
        for lower, text in row.values:
            match name := _NAMES.get(lower, ""):
                case "":
                    rest.append(text)
                case "Opis":
                    texts.append(text)
                case "vrsta":
                    kind = self._severity(text.strip())
                    values[name] = "ERR" if "ERR" in (kind, values.get(name)) else kind
                case _ if text.strip():
                    values.setdefault(name, self._row_value(name, text.strip()))
        return Record("Napaka", values, " ".join(texts or rest))

    def _severity(self, told: str) -> str:
        severity = _SEVERITIES.get(told.lower(), "ERR")
        if severity != told:
            self._note(_("vrsta {told} was read as {severity}", told=told[:40], severity=severity))
        return severity

    def _row_value(self, name: str, value: str) -> str:
        if name == "racun" and (account := _account(value)) != value:
            self._note(_("account {told} was read as {account}", told=value[:40], account=account))
            value = account
        longest = _LONGEST[name]
        return value if len(value) <= longest else f"{value[: longest - 1]}…"

    def _note(self, note: Message) -> None:
        if len(self.notes) < _MOST_NOTES and note not in self.notes:
            self.notes.append(note)


def _account(value: str) -> str:
    """Fifteen digits, also where they are written as an IBAN or in groups; anything else as it is."""
    plain = _PUNCTUATION.sub("", value).upper()
    if iban := _IBAN.fullmatch(plain):
        return iban[1]
    return plain if len(plain) == _LONGEST["racun"] and plain.isdecimal() else value


def _iso(value: str) -> str:
    """A day as people in Slovenia write it, 17.11.2026, turned round; the rest as it is."""
    return _DAY.sub(lambda day: f"{day[3]}-{day[2]:0>2}-{day[1]:0>2}", value, count=1)
