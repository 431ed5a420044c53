"""The words in which authorities say what became of a report, and what each of them means here.

The names are those of the instruction (`BlokOdgovor`, section 4.1.1), of the authority's sibling services
(`idNapake`, success and failure, rows of number and text), and their plain counterparts in Slovene and
English. Letter case, accents and marks such as the `@` of Json.NET make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import Literal

Severity = Literal["ERR", "WRN", "OK", ""]
"""OK is a row that reports no trouble; empty means that the row does not say."""

Value = str | int | bool | Decimal | None

_LETTERS = re.compile(r"[^a-z0-9]")
_LONGEST_NAME = 100

SUCCESS = frozenset(
    {"success", "successful", "succeeded", "issuccess", "uspeh", "uspesno", "uspelo", "sprejeto", "accepted"}
)
FAILURE = frozenset(
    {"failure", "failed", "isfailure", "neuspeh", "neuspesno", "neuspelo", "zavrnjeno", "rejected"}
)

# Of the head: what it says, by name.
_HEAD = {
    **dict.fromkeys(SUCCESS, "success"),
    **dict.fromkeys(FAILURE, "failure"),
    **dict.fromkeys(("successcount", "stevilosprejetih"), "success"),
    **dict.fromkeys(("failurecount", "failedcount", "rejectedcount", "stevilozavrnjenih"), "failure"),
    **dict.fromkeys(("ierr", "errorcount", "errors", "stevilonapak", "napake"), "errors"),
    **dict.fromkeys(("iwrn", "warningcount", "warnings", "steviloopozoril", "opozorila"), "warnings"),
    **dict.fromkeys(("idnapake", "stevilkanapake", "sifranapake", "kodanapake"), "fault number"),
    "opisnapake": "fault text",
    **dict.fromkeys(("code", "koda", "errorcode", "number", "stevilka", "sifra", "st"), "number"),
    **dict.fromkeys(
        ("message", "errormessage", "sporocilo", "opis", "besedilo", "text", "description", "napaka", "error",
         "razlog", "reason", "msgtxt", "msg"), "text",
    ),
    "maticnaponudnika": "provider",
    "datumpodatkov": "day",
    "mesecpodatkov": "month",
    **dict.fromkeys(("datumpriprave", "dtdatumpriprave"), "prepared"),
}  # fmt: skip

_VERDICTS = frozenset({"success", "failure", "errors", "fault number", "fault text"})
ERROR_FLAGS = frozenset({"napaka", "error"})
"""Names of a text that are a verdict where they say nothing but yes or no."""

# Of a row: the first of several names that it has counts.
_ROW = {
    "severity": ("vrsta", "severity", "tip", "level", "resnost", "type"),
    "number": (
        "msg", "stevilka", "number", "st", "sifra", "koda", "code", "errorcode", "idnapake", "no", "id",
    ),
    "text": (
        "opis", "msgtxt", "besedilo", "text", "message", "sporocilo", "opisnapake", "description", "msgtext",
        "napaka", "error",
    ),
    "ref": ("refid",),
    "obligation": ("blokid",),
    "event": ("dogid",),
    "success": tuple(SUCCESS),
    "failure": tuple(FAILURE),
}  # fmt: skip
_ROW_NAMES = frozenset(name for names in _ROW.values() for name in names)

ROWS = frozenset(
    {"napaka", "row", "vrstica", "opozorilo", "warning", "error", "message", "sporocilo", *FAILURE, *SUCCESS}
)
"""Elements and objects that are a row, wherever they stand."""

_SEVERITIES: dict[str, Severity] = {
    "ok": "OK",
    **dict.fromkeys(SUCCESS, "OK"),
    **dict.fromkeys(("err", "error", "napaka", "e", "fatal", "critical"), "ERR"),
    **dict.fromkeys(("wrn", "warn", "warning", "opozorilo", "w", "info", "information", "obvestilo"), "WRN"),
}
_OF_THEIR_LIST: dict[str, Severity] = {
    **dict.fromkeys(FAILURE, "ERR"),
    **dict.fromkeys(SUCCESS, "OK"),
    **dict.fromkeys(("opozorilo", "opozorila", "warning", "warnings"), "WRN"),
}
_NAMED_ERRORS = frozenset({"error", "errors"})

_YES = frozenset({"true", "da", "yes"})
_NO = frozenset({"false", "ne", "no"})
_COUNT = re.compile(r"[0-9]{1,10}")


def plain(name: str) -> str:
    """A name without what makes no difference."""
    return _plain(name[-_LONGEST_NAME:])  # what is remembered must not be as long as somebody likes


@lru_cache(maxsize=1_000)  # a million rows have the same few
def _plain(name: str) -> str:
    local = name.rpartition(":")[2]
    if not local.isascii():
        local = unicodedata.normalize("NFD", local)
    return _LETTERS.sub("", local.lower())


def head_meaning(name: str) -> str | None:
    """Returns the meaning of a field of the head, by its plain name; None if we know none."""
    return _HEAD.get(name)


def is_verdict(name: str) -> bool:
    """Whether a field of the head says by itself what became of a report, by its plain name."""
    return _HEAD.get(name) in _VERDICTS or name in ERROR_FLAGS


def is_of_row(name: str) -> bool:
    """Whether a field means anything in a row."""
    return name in _ROW_NAMES


def is_severity(name: str) -> bool:
    """Whether a field of a row says how bad it is."""
    return name in _ROW["severity"]


def row_value(fields: dict[str, Value], meaning: str) -> Value:
    """Returns the value of a row under one of these names."""
    for name in _ROW[meaning]:
        if name in fields and fields[name] not in (None, ""):
            return fields[name]
    return None


def has_odd_severity(row: dict[str, Value]) -> bool:
    """Whether a row says how bad it is in a word that is not known here; "type" may speak of anything."""
    word = next((row[name] for name in ("vrsta", "severity", "resnost") if row.get(name)), None)
    return word is not None and not severity_of(word)


def severity_of(word: Value) -> Severity:
    """Returns the severity that a row declares."""
    return _SEVERITIES.get(plain(str(word)), "") if word is not None else ""


def severity_by_list(name: str) -> Severity:
    """Returns the severity of the rows under this name, if the name tells it."""
    return _OF_THEIR_LIST.get(name, "")


def names_errors(name: str) -> bool:
    """Whether a list calls its rows errors. The instruction's own `Napaka` is a warning, too."""
    return name in _NAMED_ERRORS


def flag(value: Value) -> bool | int | None:
    """Yes, no, or how many; nothing if it says neither."""
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 10**10 else None
    word = value.strip().lower()
    if word in _YES | _NO:
        return word in _YES
    return int(word) if _COUNT.fullmatch(word) else None
