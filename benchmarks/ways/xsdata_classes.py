"""Dataclasses bound to the schema by xsdata, and its serializer."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xsdata.formats.dataclass.serializers import XmlSerializer

from ajpes_reporting.reports.nodurs.write import NAMESPACE
from benchmarks.ways import facts


def _attribute(name: str) -> Any:
    return field(default=None, metadata={"type": "Attribute", "name": name})


def _element(name: str) -> Any:
    return field(default=None, metadata={"type": "Element", "name": name, "namespace": NAMESPACE})


@dataclass(slots=True)
class Creditor:
    """An `Upnik`."""

    account: str | None = _attribute("rn")
    name: str | None = _element("Naziv")


@dataclass(slots=True)
class Event:
    """A `No`."""

    event_id: str | None = _attribute("id")
    cancels: str | None = _attribute("refid")
    change_type: str | None = _attribute("sSpre")
    change_date: str | None = _attribute("dSpre")
    amount: str | None = _attribute("znesek")
    recorded_at: str | None = _attribute("dtVpis")
    model: str | None = _attribute("model")
    reference: str | None = _attribute("sklic")
    priority: str | None = _attribute("prior")
    creditor: Creditor | None = _element("Upnik")


@dataclass(slots=True)
class Obligation:
    """A `Blok`."""

    obligation_id: str | None = _attribute("id")
    issuer: str | None = _attribute("izdajatelj")
    events: list[Event] | None = _element("No")


@dataclass(slots=True)
class Account:
    """A `Tr`."""

    number: str | None = _attribute("rn")
    obligations: list[Obligation] | None = _element("Blok")


@dataclass(slots=True)
class Debtor:
    """A `Dolznik`."""

    tax_number: str | None = _attribute("davcna")
    name: str | None = _element("Naziv")
    accounts: list[Account] | None = _element("Tr")


@dataclass(slots=True)
class Head:
    """The `Ident`."""

    prepared_at: str | None = _attribute("datumPriprave")
    count: str | None = _attribute("steviloZapisov")
    total: str | None = _attribute("sestevekZneskov")
    day: str | None = _attribute("datumPodatkov")
    provider: str | None = _attribute("maticnaPonudnika")
    name: str | None = _element("Naziv")


@dataclass(slots=True)
class Report:
    """The whole file."""

    class Meta:
        """What xsdata asks for."""

        name = "Nodurs"
        namespace = NAMESPACE

    head: Head | None = _element("Ident")
    debtors: list[Debtor] | None = _element("Dolznik")


def main(url: str, path: Path) -> None:
    """Writes the whole ledger at `url` into `path`."""
    head, debtors = facts.read(url)
    report = Report(Head(*head.values()), [_debtor(one) for one in debtors])
    with path.open("w", encoding="utf-8") as out:
        XmlSerializer().write(out, report, ns_map={None: NAMESPACE})


def _debtor(told: facts.Facts) -> Debtor:
    accounts = [Account(one["rn"], [_obligation(block) for block in one["Blok"]]) for one in told["Tr"]]
    return Debtor(told["davcna"], told["Naziv"], accounts)


def _obligation(told: facts.Facts) -> Obligation:
    return Obligation(told["id"], told["izdajatelj"], [_event(event) for event in told["No"]])


def _event(told: facts.Facts) -> Event:
    creditor = told.get("Upnik")
    return Event(
        told["id"], told.get("refid"), told["sSpre"], told["dSpre"], told["znesek"], told["dtVpis"],
        told.get("model"), told.get("sklic"), told.get("prior"),
        None if creditor is None else Creditor(creditor["rn"], creditor["Naziv"]),
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
