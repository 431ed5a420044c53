"""Entities of SQLAlchemy's ORM, a whole tree of lxml, and its validation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, relationship, selectinload

from ajpes_reporting.database import tables
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.reports.nodurs.write import NAMESPACE
from ajpes_reporting.shipped import schema
from benchmarks import ledgers
from benchmarks.ways.facts import PREPARED_AT


class Base(DeclarativeBase):
    """Of the entities."""


class Event(Base):
    """One change of an obligation."""

    __table__ = tables.events


class Obligation(Base):
    """An obligation with its events."""

    __table__ = tables.obligations
    events: Mapped[list[Event]] = relationship(order_by=tables.events.c.id)


class Debtor(Base):
    """A debtor with all obligations."""

    __table__ = tables.debtors
    obligations: Mapped[list[Obligation]] = relationship(
        order_by=(tables.obligations.c.debtor_account, tables.obligations.c.obligation_id)
    )


def main(url: str, path: Path) -> None:
    """Writes the whole ledger at `url` into `path`."""
    root = etree.Element(_name("Nodurs"), nsmap={None: NAMESPACE})
    ident = etree.SubElement(root, _name("Ident"))
    etree.SubElement(ident, _name("Naziv")).text = ledgers.PROVIDER_NAME
    amounts = []
    with Session(open_engine(url)) as session:
        everything = selectinload(Debtor.obligations).selectinload(Obligation.events)
        query = select(Debtor).options(everything).order_by(tables.debtors.c.tax_number)
        for debtor in session.scalars(query):
            amounts += _add_debtor(root, debtor)
    ident.set("datumPriprave", PREPARED_AT)
    ident.set("steviloZapisov", str(len(amounts)))
    ident.set("sestevekZneskov", str(sum(amounts)))
    ident.set("datumPodatkov", str(ledgers.DAY))
    ident.set("maticnaPonudnika", ledgers.PROVIDER)
    tree = etree.ElementTree(root)
    etree.XMLSchema(file=str(schema("nodurs-20100601.xsd"))).assertValid(tree)
    tree.write(str(path), encoding="UTF-8", xml_declaration=True)


def _add_debtor(root: etree._Element, debtor: Any) -> list[int]:
    element = etree.SubElement(root, _name("Dolznik"), davcna=debtor.tax_number)
    etree.SubElement(element, _name("Naziv")).text = debtor.name
    account = None
    amounts = []
    for obligation in debtor.obligations:
        if account is None or account.get("rn") != obligation.debtor_account:
            account = etree.SubElement(element, _name("Tr"), rn=obligation.debtor_account)
        block = etree.SubElement(
            account, _name("Blok"), id=obligation.obligation_id, izdajatelj=str(obligation.issuer)
        )
        for event in obligation.events:
            _add_event(block, event)
            amounts.append(event.amount_cents)
    return amounts


def _add_event(block: etree._Element, event: Any) -> None:
    told = {
        "id": event.event_id,
        "refid": event.cancels_event_id,
        "sSpre": event.change_type,
        "dSpre": event.change_date,
        "znesek": event.amount_cents,
        "dtVpis": event.recorded_as,
        "model": event.reference_model,
        "sklic": event.reference,
        "prior": event.priority,
    }
    attributes = {name: str(value) for name, value in told.items() if value is not None}
    element = etree.SubElement(block, _name("No"), attributes)
    if event.creditor_account is not None:
        creditor = etree.SubElement(element, _name("Upnik"), rn=event.creditor_account)
        etree.SubElement(creditor, _name("Naziv")).text = event.creditor_name


def _name(tag: str) -> str:
    return f"{{{NAMESPACE}}}{tag}"


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
