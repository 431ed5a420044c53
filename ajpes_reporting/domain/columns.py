"""The columns of the ledger's input, one table for each kind of facts.

Sections 2.2 and 3.2 of the instruction; the row of its table stands beside each field. Whatever reads,
stages, checks, replaces or writes a column follows from these tables. A row holds texts, "" for nothing.
"""

# Without `from __future__ import annotations`: the annotations are the tables.

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Annotated, NamedTuple

from ajpes_reporting.domain.events import Obligation
from ajpes_reporting.domain.fields import (
    ACCOUNT,
    ANY_ACCOUNT,
    CHANGE_TYPE,
    IDENTIFIER,
    MODEL,
    MOMENT,
    NAME,
    REFERENCE,
    REGISTRATION_NUMBER,
    TAX_NUMBER,
    Field,
    Texts,
    Type,
)
from ajpes_reporting.i18n import _


class EventRow(NamedTuple):
    """An event, with what it repeats of its obligation."""

    obligation_id: Annotated[str, Field(_("obligation id"), "Blok/id", IDENTIFIER)]  # 2.2, row 10
    issuer: Annotated[str, Field(_("issuer"), "Blok/izdajatelj", type=Type.NUMBER)]  # 11
    debtor_tax_number: Annotated[str, Field(_("debtor tax number"), "Dolznik/davcna", TAX_NUMBER)]  # 7
    debtor_name: Annotated[str, Field(_("debtor name"), "Dolznik/Naziv", NAME)]  # 8
    debtor_account: Annotated[str, Field(_("debtor account"), "Tr/rn", ACCOUNT)]  # 9
    event_id: Annotated[str, Field(_("event id"), "No/id", IDENTIFIER)]  # 12
    cancels_event_id: Annotated[
        str, Field(_("id of the cancelled event"), "No/refid", IDENTIFIER, mandatory=False)
    ]  # 13
    change_type: Annotated[str, Field(_("change type"), "No/sSpre", CHANGE_TYPE, replaceable=True)]  # 14
    change_date: Annotated[str, Field(_("change date"), "No/dSpre", type=Type.DAY, replaceable=True)]  # 15
    amount_cents: Annotated[str, Field(_("amount"), "No/znesek", type=Type.CENTS, replaceable=True)]  # 16
    recorded_at: Annotated[str, Field(_("time of recording"), "No/dtVpis", MOMENT, type=Type.MOMENT)]  # 17
    reference_model: Annotated[
        str, Field(_("reference model"), "No/model", MODEL, mandatory=False, replaceable=True)
    ]  # 18
    reference: Annotated[
        str, Field(_("reference"), "No/sklic", REFERENCE, mandatory=False, replaceable=True)
    ]  # 19
    priority: Annotated[
        str, Field(_("priority"), "No/prior", mandatory=False, type=Type.NUMBER, replaceable=True)
    ]  # 20
    creditor_account: Annotated[
        str, Field(_("creditor account"), "Upnik/rn", ANY_ACCOUNT, mandatory=False, replaceable=True)
    ]  # 21
    creditor_name: Annotated[
        str, Field(_("creditor name"), "Upnik/Naziv", NAME, mandatory=False, replaceable=True)
    ]  # 22


class AccountRow(NamedTuple):
    """An account that the monthly report has; who holds it the ledger alone knows."""

    account: Annotated[str, Field(_("account"), "Pi/rn", ACCOUNT)]  # 3.2, row 9
    holder_tax_number: Annotated[str, Field(_("holder tax number"), "", TAX_NUMBER)]
    holder_name: Annotated[str, Field(_("holder name"), "", NAME)]
    opened_on: Annotated[str, Field(_("day of opening"), type=Type.DAY)]
    closed_on: Annotated[str, Field(_("day of closing"), type=Type.DAY, mandatory=False)]


class AccountMonthRow(NamedTuple):
    """The turnover and balance of an account in one month."""

    account: Annotated[str, Field(_("account"), "Pi/rn", ACCOUNT)]  # 3.2, row 9
    month: Annotated[str, Field(_("month"), type=Type.MONTH)]
    credit_turnover_cents: Annotated[str, Field(_("credit turnover"), "Pi/dob", type=Type.CENTS)]  # 8
    debit_turnover_cents: Annotated[str, Field(_("debit turnover"), "Pi/bre", type=Type.CENTS)]  # 10
    closing_balance_cents: Annotated[str, Field(_("closing balance"), "Pi/sta", type=Type.CENTS)]  # 7


class PostingRow(NamedTuple):
    """A booking, credit positive: the ledger's own matter, no report has it."""

    posting_id: Annotated[str, Field(_("posting id"), "", IDENTIFIER)]
    account: Annotated[str, Field(_("account"), "", ACCOUNT)]
    booked_on: Annotated[str, Field(_("day of booking"), type=Type.DAY)]
    amount_cents: Annotated[str, Field(_("amount"), type=Type.CENTS)]


class ProviderRow(NamedTuple):
    """The bank that reports, as the head of a report names it."""

    registration_number: Annotated[
        str, Field(_("registration number"), "Ident/maticnaPonudnika", REGISTRATION_NUMBER)
    ]  # 2.2, row 5
    name: Annotated[str, Field(_("provider name"), "Ident/Naziv", NAME)]  # 6


def _columns(row: type) -> Iterator[Field]:
    for name, declared in row.__annotations__.items():
        yield declared.__metadata__[0]._replace(name=name)


def _by_name(*tables: tuple[Field, ...]) -> Mapping[str, Field]:
    return {field.name: field for table in tables for field in table}


EVENT_ROW = tuple(_columns(EventRow))
ACCOUNT_ROW = tuple(_columns(AccountRow))
ACCOUNT_MONTH_ROW = tuple(_columns(AccountMonthRow))
POSTING_ROW = tuple(_columns(PostingRow))
PROVIDER_ROW = tuple(_columns(ProviderRow))

_OF_OBLIGATION = frozenset(field.name for field in dataclasses.fields(Obligation))
OBLIGATION_COLUMNS = tuple(field for field in EVENT_ROW if field.name in _OF_OBLIGATION)
EVENT_COLUMNS = tuple(field for field in EVENT_ROW if field.name not in _OF_OBLIGATION)

FIELDS = _by_name(POSTING_ROW, PROVIDER_ROW, ACCOUNT_ROW, ACCOUNT_MONTH_ROW, EVENT_ROW)
"""All fields by the ledger's name; where several rows have one of that name, as a report has it."""

OBLIGATION_TEXTS = Texts(*OBLIGATION_COLUMNS)
ACCOUNT_TEXTS = Texts(*ACCOUNT_ROW)
ACCOUNT_MONTH_TEXTS = Texts(*ACCOUNT_MONTH_ROW)
POSTING_TEXTS = Texts(*POSTING_ROW)
PROVIDER_TEXTS = Texts(*PROVIDER_ROW)
