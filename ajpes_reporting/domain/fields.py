"""The fields of both reports and of the ledger's input: how each is called, and what it may hold.

Which fields there are stands in `columns`.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.i18n import NOTHING, Message, _, _n

if TYPE_CHECKING:
    from collections.abc import Sequence

# What no report carries: control characters, and what XML forbids (XML 1.0, production 2).
_FORBIDDEN = "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
_CHARACTER = f"[^{_FORBIDDEN}]"
SEPARATOR = "\x1f"  # forbidden itself, so that no value that fits can hold it
_NOT_BLANK = rf"(?!\ *(?:{SEPARATOR}|\Z))"


class Violation(NamedTuple):
    """The breach of a rule by one field, before it is said whose field it is.

    `field` is the ledger's name of the field, `what` the second half of the rule's code, `location` the
    field's place in the report. `remedy` says what to write, not where.
    """

    severity: Severity
    field: str
    what: str
    message: Message
    remedy: Message = NOTHING
    location: str = ""

    def of(self, record: Message) -> Finding:
        """The finding about the record of this name."""
        rule = f"{self.field.replace('_', '-')}.{self.what}"
        return Finding(self.severity, record, self.field, rule, self.message, self.remedy, self.location)


class Type(Enum):
    """The type of a field that is read from text; an amount is in cents."""

    TEXT = "text"
    NUMBER = "number"
    CENTS = "cents"
    DAY = "day"
    MONTH = "month"
    MOMENT = "moment"


class Format(NamedTuple):
    """The form of a text: as a pattern and, for the operator, in words."""

    shortest: int
    longest: int
    pattern: str
    words: Message


class Field(NamedTuple):
    """A field: how it is called in speech, its place in the report ("Upnik/rn"), and what it may hold.

    `format` is that of a text. `replaceable`: `ledger cancel --replace` can write it anew. `name` is the
    ledger's.
    """

    label: Message
    location: str = ""
    format: Format | None = None
    mandatory: bool = True
    type: Type = Type.TEXT
    replaceable: bool = False
    name: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Under which names a fact keeps the field: of a moment also the text, as it was written."""
        return (self.name,) if self.type is not Type.MOMENT else (self.name, "recorded_as")


class Texts:
    """The fields of text of one kind of record, all tried in one look.

    Only a record that does not fit is looked at field by field. Fields without a format are left out.
    """

    def __init__(self, *fields: Field) -> None:
        formats = [(field, field.format) for field in fields if field.format]
        self._patterns = [
            (field, form, form.pattern if field.mandatory else f"(?:{form.pattern})?")
            for field, form in formats
        ]
        self._fits = re.compile(SEPARATOR.join(pattern for *_, pattern in self._patterns)).fullmatch
        self._names = [field.names[-1] for field, _form in formats]

    def violations(self, *values: str) -> Sequence[Violation]:
        """Returns the violations of the values, in the order of the fields; "" is a missing one."""
        if self._fits(SEPARATOR.join(values)):
            return ()
        return [
            _violation(field, form, value)
            for (field, form, pattern), value in zip(self._patterns, values, strict=True)
            if not re.fullmatch(pattern, value)
        ]

    def violations_of(self, record: Any) -> Sequence[Violation]:
        """Returns the violations of a record that has the fields as attributes; None is a missing one."""
        return self.violations(*[getattr(record, name) or "" for name in self._names])


def _violation(field: Field, form: Format, value: str) -> Violation:
    what, message = _what_is_wrong(field.label, form, value)
    if _has_lost_a_zero(form, value):
        remedy = _(
            "write it with its zero, {value}; in a spreadsheet give the column the format Text first",
            value=f"0{value}",
        )
    else:
        remedy = _("write {what}", what=form.words)
    return Violation(Severity.ERROR, field.name, what, message, remedy, field.location)


def _what_is_wrong(label: Message, form: Format, value: str) -> tuple[str, Message]:
    if not value:
        return "missing", _("{field} is missing", field=label)
    if not value.strip():
        return "missing", _("{field} is blank", field=label)
    if _has_lost_a_zero(form, value):
        return "length", _n(
            "{field} has {count} digit, {what} are needed: a zero at its beginning may have been lost",
            "{field} has {count} digits, {what} are needed: a zero at its beginning may have been lost",
            len(value),
            field=label,
            what=form.words,
        )
    if not form.shortest <= len(value) <= form.longest:
        return "length", _wrong_length(label, form, len(value))
    if forbidden := re.search(f"[{_FORBIDDEN}]", value):
        character = f"U+{ord(forbidden[0]):04X}"
        return "character", _(
            "{field} holds the character {character}, which no report can carry",
            field=label,
            character=character,
        )
    if form is IDENTIFIER:
        return "blank", _("{field} begins or ends with a blank", field=label)
    return "format", _("{field} must be {what}", field=label, what=form.words)


def _has_lost_a_zero(form: Format, value: str) -> bool:
    """Whether a value is one digit short, as a spreadsheet leaves what begins with a zero."""
    is_short = form in _OF_ALL_DIGITS and len(value) == form.shortest - 1
    return is_short and re.fullmatch("[1-9][0-9]*", value) is not None


def _wrong_length(label: Message, form: Format, length: int) -> Message:
    if form.shortest == form.longest:
        return _n(
            "{field} has {count} character, exactly {what} are needed",
            "{field} has {count} characters, exactly {what} are needed",
            length,
            field=label,
            what=form.words,
        )
    if form.shortest == 1:
        return _n(
            "{field} has {count} character, at most {longest} are allowed",
            "{field} has {count} characters, at most {longest} are allowed",
            length,
            field=label,
            longest=form.longest,
        )
    return _n(
        "{field} has {count} character, {shortest} to {longest} are allowed",
        "{field} has {count} characters, {shortest} to {longest} are allowed",
        length,
        field=label,
        shortest=form.shortest,
        longest=form.longest,
    )


IDENTIFIER = Format(
    1, 36, rf"(?!\s){_CHARACTER}{{1,36}}(?<!\s)", _("1 to 36 characters, no blank at either end")
)
NAME = Format(1, 140, f"{_NOT_BLANK}{_CHARACTER}{{1,140}}", _("1 to 140 characters"))
REFERENCE = Format(1, 22, f"{_NOT_BLANK}{_CHARACTER}{{1,22}}", _("1 to 22 characters"))
TAX_NUMBER = Format(8, 8, "[0-9]{8}", _("8 digits"))
REGISTRATION_NUMBER = Format(7, 10, "[0-9]{7}(?:[0-9]{3})?", _("7 or 10 digits"))
ACCOUNT = Format(15, 15, "[0-9]{15}", _("15 digits"))
ANY_ACCOUNT = Format(
    1, 34, "[0-9A-Za-z]{1,34}", _("15 digits, or up to 34 letters and digits for a creditor abroad")
)
CHANGE_TYPE = Format(2, 2, "[0-9]{2}", _("2 digits"))
MODEL = Format(1, 2, "[0-9]{1,2}", _("1 or 2 digits"))
MOMENT = Format(
    19,
    35,
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?",
    _("a date and time such as 2026-11-17T08:05:00"),
)

_OF_ALL_DIGITS = (ACCOUNT, CHANGE_TYPE)
"""Formats whose values may begin with a zero, which a spreadsheet takes off."""

_SLOVENE_IBAN = re.compile("SI[0-9]{2}([0-9]{15})")


def plain_account(text: str) -> str:
    """A Slovenian account as the ledger has it, 15 digits, also where it is written as an IBAN."""
    written = "".join(text.split())
    found = _SLOVENE_IBAN.fullmatch(written)
    return found[1] if found else written


def read_account(text: str) -> str:
    """Returns the account that a person wrote. Raises ValueError if the text is no account."""
    account = plain_account(text)
    if not re.fullmatch(ACCOUNT.pattern, account):
        raise ValueError(_("an account has {what}, or is written as an IBAN", what=ACCOUNT.words))
    return account
