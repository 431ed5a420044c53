"""What the other ways start from: the ledger's rows as nested dictionaries, named as in the file."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import select

from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.tables import debtors, events, obligations
from benchmarks import ledgers

Facts = dict[str, Any]

PREPARED_AT = f"{ledgers.DAY}T16:00:00"
_OPTIONAL = ("refid", "model", "sklic", "prior")


def read(url: str) -> tuple[Facts, list[Facts]]:
    """The head of the report, and its debtors with all that hangs below them."""
    engine = open_engine(url)
    query = (
        select(debtors.c.tax_number, debtors.c.name.label("debtor_name"), obligations, events)
        .select_from(events.join(obligations).join(debtors))
        .order_by(
            debtors.c.tax_number, obligations.c.debtor_account, obligations.c.obligation_id, events.c.id
        )
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    head = {
        "datumPriprave": PREPARED_AT,
        "steviloZapisov": str(len(rows)),
        "sestevekZneskov": str(sum(row.amount_cents for row in rows)),
        "datumPodatkov": str(ledgers.DAY),
        "maticnaPonudnika": ledgers.PROVIDER,
        "Naziv": ledgers.PROVIDER_NAME,
    }
    return head, [_debtor(list(group)) for _, group in groupby(rows, attrgetter("tax_number"))]


def _debtor(rows: list[Any]) -> Facts:
    accounts = groupby(rows, attrgetter("debtor_account"))
    return {
        "davcna": rows[0].tax_number,
        "Naziv": rows[0].debtor_name,
        "Tr": [{"rn": number, "Blok": _obligations(list(group))} for number, group in accounts],
    }


def _obligations(rows: list[Any]) -> list[Facts]:
    return [
        {"id": key[0], "izdajatelj": str(key[1]), "No": [_event(row) for row in group]}
        for key, group in groupby(rows, attrgetter("obligation_id", "issuer"))
    ]


def _event(row: Any) -> Facts:
    told = {
        "id": row.event_id,
        "refid": row.cancels_event_id,
        "sSpre": row.change_type,
        "dSpre": str(row.change_date),
        "znesek": str(row.amount_cents),
        "dtVpis": row.recorded_as,
        "model": row.reference_model,
        "sklic": row.reference,
        "prior": None if row.priority is None else str(row.priority),
    }
    for name in _OPTIONAL:
        if told[name] is None:
            del told[name]
    if row.creditor_account is not None:
        told["Upnik"] = {"rn": row.creditor_account, "Naziv": row.creditor_name}
    return told
