"""Receipts (6.5.4), read by other people's programs."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree
from pypdf import PdfReader

from ajpes_reporting.sandbox.eplacila import Outcome
from tests.sandbox.eplacila.conftest import KEY, Clock, Shop, code, codes

ITEMS: list[dict[str, Any]] = [
    {"opis": "Čšž & <izpisek>", "kolicina": "2.5", "cena": "1.10", "odstotekDdv": 22},
    {"sifraArtikla": "T1", "kolicina": 1, "cena": 9.46},
]


@pytest.fixture
def transaction(shop: Shop) -> str:
    """A paid payment of 12.21 EUR."""
    transaction = shop.open("VISA", postavka=ITEMS, kupec={"naziv": "Žiga Ščuka", "idZaDdv": "SI12345679"})
    shop.simulator.payments.report(transaction, Outcome.PAID)
    return transaction


def receipt(shop: Shop, kind: str, transaction: str) -> bytes:
    answer = shop.get(f"{KEY}/racun/{kind}/{transaction}").json()
    assert answer["stevilkaRacuna"] == "EPS00000001-2026"
    return base64.b64decode(answer["racun"], validate=True)


def test_a_receipt_for_a_person(shop: Shop, transaction: str) -> None:
    """PDF, with every letter of Slovene."""
    reader = PdfReader(io.BytesIO(receipt(shop, "pdf", transaction)))
    (page,) = reader.pages
    text = page.extract_text()
    for expected in ("EPS00000001-2026", "Čšž & <izpisek>", "Žiga Ščuka", "12,21", "2,75", "Visa"):
        assert expected in text
    assert reader.metadata is not None
    assert reader.metadata.title == "Račun EPS00000001-2026"


def test_a_receipt_writes_amounts_and_days_as_people_do(shop: Shop, clock: Clock) -> None:
    """The customer: 1.234,50 and 3. 7. 2024, no zero before a day or a month."""
    clock.now = datetime(2024, 7, 3, 7, 4, tzinfo=UTC)
    transaction = shop.open("VISA", postavka=[{"opis": "Taksa", "kolicina": 1500, "cena": "1234.5"}])
    shop.simulator.payments.report(transaction, Outcome.PAID)
    answer = shop.get(f"{KEY}/racun/pdf/{transaction}").json()
    (page,) = PdfReader(io.BytesIO(base64.b64decode(answer["racun"]))).pages
    text = page.extract_text().replace("\xa0", " ")
    for expected in ("1.500", "1.234,50", "1.851.750,00", "storitve: 3. 7. 2024"):
        assert expected in text


def test_a_receipt_of_many_pages(shop: Shop) -> None:
    """A basket of two hundred items."""
    transaction = shop.open("VISA", postavka=[{"opis": "x" * 300, "kolicina": 1, "cena": 1}] * 200)
    shop.simulator.payments.report(transaction, Outcome.PAID)
    assert len(PdfReader(io.BytesIO(receipt(shop, "pdf", transaction))).pages) > 5


def test_a_receipt_for_a_machine(shop: Shop, transaction: str) -> None:
    """XML, with the same numbers."""
    invoice = etree.fromstring(receipt(shop, "xml", transaction))
    names = {"e": "urn:eslog:2.00"}
    assert invoice.xpath("string(//e:D_1004)", namespaces=names) == "EPS00000001-2026"
    assert invoice.xpath("string(//e:G_SG50//e:D_5004)", namespaces=names) == "12.21"
    assert invoice.xpath("//e:D_7008/text()", namespaces=names) == ["Čšž & <izpisek>", "T1"]
    assert invoice.xpath("//e:G_SG27//e:D_5004/text()", namespaces=names) == ["2.75", "9.46"]


def test_there_is_none_before_it_is_paid(shop: Shop) -> None:
    """404 for an open payment, an unknown kind, an unknown payment; 107 for what cannot be one."""
    transaction = shop.open("VISA")
    assert code(shop.get(f"{KEY}/racun/pdf/{transaction}"), 404) == "10"
    assert code(shop.get(f"{KEY}/racun/doc/{transaction}"), 404) == "10"
    assert code(shop.get(f"{KEY}/racun/pdf/{'0' * 32}"), 404) == "10"
    assert codes(shop.get(f"{KEY}/racun/pdf/1")) == {("transactionId", "107")}
