"""Keeps account numbers, tax numbers and names out of logs and messages.

A log is read by more people, and kept in more places, than the ledger. Numbers keep their last
three digits, so that somebody who may look into the ledger can still find the record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_HIDDEN = "…"
_KEPT = 3
_LONGEST = 10_000  # of one text; more is cut, so that a hostile one cannot hold the program
_CUT_NUMBER = 50  # at the cut a number may be too short to be known as one

# What people put between the groups of a number, also as Python shows it in quotes.
_GAP = r"(?:[ \t\u00a0\u2009\u202f-]|\\t|\\xa0|\\u2009|\\u202f)"
_NUMBER = re.compile(rf"\d(?:{_GAP}?\d){{7,}}")
_IBAN_IN_GROUPS = re.compile(
    rf"[A-Za-z]{{2}}\d\d(?:{_GAP}[A-Za-z0-9]{{4}}){{2,7}}(?:{_GAP}[A-Za-z0-9]{{1,3}})?"
)
_IBAN = re.compile(r"[A-Za-z]{2}\d\d[A-Za-z0-9]{11,30}")
_IBAN_DIGITS = 8  # fewer, and it is a word or a fingerprint

_DAY = r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_DASHED_DAY = r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_ID = r"[\w./:-]{1,40}…?"
_PLAIN = re.compile(
    "|".join(
        (
            # Files as the authority names them, ours and its own, also as they lie in the archive.
            rf"(?<![A-Za-z0-9])[A-Za-z]{{3,20}}_(?:{_DAY}|20\d{{4}})_(?:\d{{6,7}}|\d{{10}})(?:_\d{{1,7}})?"
            r"\.xml(?:\.[0-9a-f]{8}\.zst)?",
            r"(?<![A-Za-z0-9])(?=[0-9]*[a-f])[0-9a-f]{64}(?![A-Za-z0-9])",  # SHA-256
            rf"(?<!\d)(?<!\d-){_DASHED_DAY}(?![-\d])",
            r"(?<!\d)(?<!\d-)20\d\d-(?:0[1-9]|1[0-2])(?![-\d])",
            r"(?<=T)\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[+-]\d\d:\d\d)?",
            r"(?i:(?<![0-9a-z])(?=[0-9-]*[a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z]))",
            rf"(?P<ids>(?<!\S){_ID} / event {_ID}|(?<=obligation ){_ID})",
        )
    )
)
_PERSONAL_ID = re.compile(r"\d{15}|(?<!\d)[1-9]\d{7}(?!\d)")
_DATED_ID = re.compile(rf"(?<!\d){_DAY}(?!\d)")

_NAME_KEY = r"(?:\w*naziv\w*|ime(?:_?\w+)?|(?:debtor|creditor|holder)_?name|name)"
_VALUE = r"(?:[^\\]|\\.)*?"
_NAMES = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        # An attribute, an argument or an entry: key and quoted value. One that was cut off counts, too.
        rf"(?i)(?<![\w-])(?P<key>{_NAME_KEY}\\?[\"']?\s*[=:]\s*)(?P<quote>\\?[\"']){_VALUE}(?:(?P=quote)|\Z)",
        r"(?i)(?<![\w-])(?P<key>(?:debtor|creditor|holder)_name=)[^\s\"'\\…][^\n]*",
        # What a database adds to its complaint: the values of the row.
        r"(?P<key>\[parameters: ).*?(?=\]\s*(?:\n|\(Background|\Z))",
        r"(?P<key>\)=\().*?(?=\) (?:already exists|is not present|is still referenced|conflicts))",
        r"(?P<key>Failing row contains \().*?(?=\)\.?\s*(?:\n|\Z))",
    )
)
_URL_LOGIN = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_URL_QUERY = re.compile(r"(?P<url>https?://[^\s?\"']+\?)[^\s\"']+")

NAME_FIELDS = frozenset({"name", "debtor_name", "creditor_name", "holder_name"})
"""Fields whose value is a name, whatever the value looks like."""


def mask(text: str, known: frozenset[str] = frozenset()) -> str:
    """Returns the text without account numbers, tax numbers, IBANs, names in attributes, and logins in URLs.

    `known` are numbers that anybody may read, such as a provider's registration number.
    Obligation ids stay where they are written as "O-314 / event 7" or "obligation O-314".
    """
    if len(text) > _LONGEST:
        return mask(text[:_LONGEST], known)[:-_CUT_NUMBER] + _HIDDEN
    for pattern in _NAMES:
        text = pattern.sub(_without_value, text)
    text = _URL_QUERY.sub(rf"\g<url>{_HIDDEN}", _URL_LOGIN.sub(_HIDDEN, text))
    return "".join(_mask_parts(text, known))


def mask_value(key: str, value: Any, known: frozenset[str] = frozenset()) -> Any:
    """Returns a value of any kind, masked as by `mask`; a value whose key is in `NAME_FIELDS` is hidden."""
    if value is None or isinstance(value, bool | datetime):
        return value
    if key in NAME_FIELDS:
        return _HIDDEN
    if isinstance(value, Mapping):
        return {mask(str(name), known): mask_value(str(name), item, known) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value("", item, known) for item in value]
    shown = mask(str(value), known)
    return value if isinstance(value, int | float) and shown == str(value) else shown


def _mask_parts(text: str, known: frozenset[str]) -> Iterator[str]:
    end = 0
    for plain in _PLAIN.finditer(text):
        yield _mask_numbers(text[end : plain.start()], known)
        yield _mask_numbers(plain[0], known) if _is_personal(plain["ids"]) else plain[0]
        end = plain.end()
    yield _mask_numbers(text[end:], known)


def _is_personal(ids: str | None) -> bool:
    """Whether ids are, or hold, an account or tax number; a date in an id is none."""
    return any(_looks_personal(part) for part in (ids or "").split(" / event "))


def _looks_personal(part: str) -> bool:
    rest = part if _DATED_ID.fullmatch(part) else _DATED_ID.sub("", part)
    return bool(_PERSONAL_ID.search(rest) or _IBAN.search(part))


def _mask_numbers(text: str, known: frozenset[str]) -> str:
    text = _IBAN_IN_GROUPS.sub(_last_of_iban, _IBAN.sub(_last_of_iban, text))
    return _NUMBER.sub(lambda found: found[0] if found[0] in known else _last_of(found[0]), text)


def _last_of_iban(found: re.Match[str]) -> str:
    digits = sum(letter.isdigit() for letter in found[0])
    return _last_of(found[0]) if digits >= _IBAN_DIGITS else found[0]


def _last_of(number: str) -> str:
    return _HIDDEN + re.sub(_GAP, "", number)[-_KEPT:]


def _without_value(found: re.Match[str]) -> str:
    quote = found.groupdict().get("quote") or ""
    return f"{found['key']}{quote}{_HIDDEN}{quote}"
