"""The fields of text in both reports: how long each may be and what it may hold.

The tables at the end are those of sections 2.2 and 3.2 of the instruction, with their row numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ajpes_reporting.domain.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

# What no report carries: control characters, and what XML forbids (XML 1.0, production 2).
_FORBIDDEN = "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
_CHARACTER = f"[^{_FORBIDDEN}]"
SEPARATOR = "\x1f"  # forbidden itself, so that no value that fits can hold it
_NOT_BLANK = rf"(?!\ *(?:{SEPARATOR}|\Z))"


class Fault(NamedTuple):
    """What is wrong with one field, before it is said whose field it is.

    `field` is the ledger's name of the field, `what` the second half of the rule's code. `remedy`
    says what to write, not where.
    """

    severity: Severity
    field: str
    what: str
    message: str
    remedy: str = ""

    def of(self, record: str) -> Finding:
        """The finding about the record of this name."""
        rule = f"{self.field.replace('_', '-')}.{self.what}"
        location = LOCATIONS.get(self.field, "")
        return Finding(self.severity, record, self.field, rule, self.message, self.remedy, location)


class Format(NamedTuple):
    """How a field is written: as a pattern and, for the operator, in words."""

    shortest: int
    longest: int
    pattern: str
    words: str


class Field(NamedTuple):
    """A field of text: its name in the ledger, in speech, and its place in the report."""

    name: str
    label: str
    location: str
    format: Format
    mandatory: bool = True

    @property
    def pattern(self) -> str:
        return self.format.pattern if self.mandatory else f"(?:{self.format.pattern})?"


class Texts:
    """The fields of text of one kind of record, all tried in one look.

    Only a record that does not fit is looked at field by field.
    """

    def __init__(self, *fields: Field) -> None:
        self.fields = fields
        self._fits = re.compile(SEPARATOR.join(field.pattern for field in fields)).fullmatch

    def faults(self, *values: str) -> Sequence[Fault]:
        """What is wrong with the values, in the order of the fields; "" is a missing one."""
        if self._fits(SEPARATOR.join(values)):
            return ()
        return [
            _fault(field, value)
            for field, value in zip(self.fields, values, strict=True)
            if not re.fullmatch(field.pattern, value)
        ]


def _fault(field: Field, value: str) -> Fault:
    what, message = _what_is_wrong(field, value)
    return Fault(Severity.ERROR, field.name, what, message, f"write {field.format.words}")


def _what_is_wrong(field: Field, value: str) -> tuple[str, str]:
    label, form = field.label, field.format
    if not value.strip():
        return "missing", f"{label} is {'blank' if value else 'missing'}"
    if not form.shortest <= len(value) <= form.longest:
        return "length", f"{label} has {_count(value)}, {_allowed(form)}"
    if forbidden := re.search(f"[{_FORBIDDEN}]", value):
        character = f"U+{ord(forbidden[0]):04X}"
        return "character", f"{label} holds the character {character}, which no report can carry"
    if form is IDENTIFIER:
        return "blank", f"{label} begins or ends with a blank"
    return "format", f"{label} must be {form.words}"


def _count(value: str) -> str:
    return "1 character" if len(value) == 1 else f"{len(value)} characters"


def _allowed(form: Format) -> str:
    if form.shortest == form.longest:
        return f"exactly {form.words} are needed"
    if form.shortest == 1:
        return f"at most {form.longest} are allowed"
    return f"{form.shortest} to {form.longest} are allowed"


IDENTIFIER = Format(
    1, 36, rf"(?!\s){_CHARACTER}{{1,36}}(?<!\s)", "1 to 36 characters, no blank at either end"
)
NAME = Format(1, 140, f"{_NOT_BLANK}{_CHARACTER}{{1,140}}", "1 to 140 characters")
REFERENCE = Format(1, 22, f"{_NOT_BLANK}{_CHARACTER}{{1,22}}", "1 to 22 characters")
TAX_NUMBER = Format(8, 8, "[0-9]{8}", "8 digits")
REGISTRATION_NUMBER = Format(7, 10, "[0-9]{7}(?:[0-9]{3})?", "7 or 10 digits")
ACCOUNT = Format(15, 15, "[0-9]{15}", "15 digits")
ANY_ACCOUNT = Format(
    1, 34, "[0-9A-Za-z]{1,34}", "15 digits, or up to 34 letters and digits for a creditor abroad"
)
CHANGE_TYPE = Format(2, 2, "[0-9]{2}", "2 digits")
MODEL = Format(1, 2, "[0-9]{1,2}", "1 or 2 digits")
MOMENT = Format(
    19,
    35,
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?",
    "a date and time such as 2026-11-17T08:05:00",
)

# Section 2.2.
PROVIDER_TEXTS = Texts(
    Field("registration_number", "registration number", "Ident/maticnaPonudnika", REGISTRATION_NUMBER),  # 5
    Field("name", "provider name", "Ident/Naziv", NAME),  # 6
)
OBLIGATION_TEXTS = Texts(
    Field("obligation_id", "obligation id", "Blok/id", IDENTIFIER),  # 10
    Field("debtor_tax_number", "debtor tax number", "Dolznik/davcna", TAX_NUMBER),  # 7
    Field("debtor_name", "debtor name", "Dolznik/Naziv", NAME),  # 8
    Field("debtor_account", "debtor account", "Tr/rn", ACCOUNT),  # 9
)
REFERENCE_TEXTS = Texts(
    Field("reference_model", "reference model", "No/model", MODEL, mandatory=False),  # 18
    Field("reference", "reference", "No/sklic", REFERENCE, mandatory=False),  # 19
)
EVENT_TEXTS = Texts(
    Field("event_id", "event id", "No/id", IDENTIFIER),  # 12
    Field("cancels_event_id", "id of the cancelled event", "No/refid", IDENTIFIER, mandatory=False),  # 13
    Field("change_type", "change type", "No/sSpre", CHANGE_TYPE),  # 14
    Field("recorded_at", "time of recording", "No/dtVpis", MOMENT),  # 17
    *REFERENCE_TEXTS.fields,
    Field("creditor_account", "creditor account", "Upnik/rn", ANY_ACCOUNT, mandatory=False),  # 21
    Field("creditor_name", "creditor name", "Upnik/Naziv", NAME, mandatory=False),  # 22
)

_SLOVENE_IBAN = re.compile("SI[0-9]{2}([0-9]{15})")


def plain_account(text: str) -> str:
    """A Slovenian account as the ledger has it, 15 digits, also where it is written as an IBAN."""
    written = "".join(text.split())
    found = _SLOVENE_IBAN.fullmatch(written)
    return found[1] if found else written


def read_account(text: str) -> str:
    """The same of a text that a person wrote. Raises ValueError if it is no account."""
    account = plain_account(text)
    if not re.fullmatch(ACCOUNT.pattern, account):
        raise ValueError(f"an account has {ACCOUNT.words}, or is written as an IBAN")
    return account


# Section 3.2. The report has the account only; its holder is known to the ledger alone.
ACCOUNT_MONTH_TEXTS = Texts(Field("account", "account", "Pi/rn", ACCOUNT))  # 9
ACCOUNT_TEXTS = Texts(
    Field("account", "account", "Pi/rn", ACCOUNT),  # 9
    Field("holder_tax_number", "holder tax number", "", TAX_NUMBER),
    Field("holder_name", "holder name", "", NAME),
)

_TABLES = (PROVIDER_TEXTS, OBLIGATION_TEXTS, EVENT_TEXTS, ACCOUNT_MONTH_TEXTS)

LOCATIONS = {
    **{field.name: field.location for table in _TABLES for field in table.fields},
    "issuer": "Blok/izdajatelj",  # 2.2, row 11
    "change_date": "No/dSpre",  # 2.2, row 15
    "amount_cents": "No/znesek",  # 2.2, row 16
    "priority": "No/prior",  # 2.2, row 20
    "closing_balance_cents": "Pi/sta",  # 3.2, row 7
    "credit_turnover_cents": "Pi/dob",  # 3.2, row 8
    "debit_turnover_cents": "Pi/bre",  # 3.2, row 10
}
"""Where in a report each field of the ledger stands."""
