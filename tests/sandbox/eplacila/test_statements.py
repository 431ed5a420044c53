"""Statements (6.5.5): which payments stand in them, in which shape, and in how much memory."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from ajpes_reporting.sandbox.eplacila import Outcome
from tests.sandbox.eplacila.conftest import KEY, NOON, REGISTRATION_NUMBER, Clock, Shop, code, codes
from tests.sandbox.eplacila.long_statement import payments

DAY = 86_400
STATEMENT = f"{KEY}/izpiski/{REGISTRATION_NUMBER}"


def query(since: object, until: object, **more: str) -> str:
    parameters = {"datumOd": since, "datumDo": until, **more}
    return "?" + "&".join(f"{name}={value}" for name, value in parameters.items())


def statement(shop: Shop, since: int | None = None, until: int | None = None, **more: str) -> dict[str, Any]:
    """The statement of the clock's day, or of other days."""
    now = shop.clock.epoch
    asked = query(now if since is None else since, now if until is None else until, **more)
    answer = shop.get(STATEMENT + asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["izpisek"]
    return found


def paid(shop: Shop, way: str = "VISA", **changes: Any) -> str:
    transaction = shop.open(way, **changes)
    assert shop.simulator.payments.report(transaction, Outcome.PAID)
    return transaction


def orders(found: dict[str, Any]) -> list[str]:
    return [payment["id"] for payment in found["placilo"]]


def test_a_statement_tells_of_a_payment(shop: Shop) -> None:
    """6.5.5.1, field by field."""
    buyer = {"naziv": "Novak", "poslano": True, "drzava": "SI"}
    transaction = paid(
        shop, "FLIK", id="A-1", referenca="TST-1", urlpar="x", kupec=buyer, sklicDobro="SI0012"
    )
    found = statement(shop)
    assert (found["stevilka"], found["na"], found["od"], found["do"]) == (
        0, "17. 11. 2026", "17. 11. 2026", "17. 11. 2026",
    )  # fmt: skip
    (payment,) = found["placilo"]
    receipt = payment.pop("racun")
    assert payment == {
        "id": "A-1", "idEplacil": transaction, "idStoritve": "143", "ponudnik": "5874831000",
        "referenca": "TST-1", "rezultat": 3, "znesek": 12.21, "davcnaStPlacilniServis": "12345679",
        "datumPlacila": "2026-11-17T12:00:00Z", "datumNakazila": None, "sklicNakazila": "SI0012",
        "nacinPlacila": "FLIK", "namen": "Testno Placilo", "reklamacijska": "R00000001", "urlpar": "x",
    }  # fmt: skip
    assert receipt["stevilkaRacuna"] == "EPS00000001-2026"
    assert receipt["postavka"][0]["cena"] == 12.21
    assert receipt["kupec"]["naziv"] == "Novak"
    assert receipt["kupec"]["poslano"] is True


def test_only_the_day_counts_and_it_is_the_day_in_slovenia(shop: Shop, clock: Clock) -> None:
    """Note 2 of 6.5.5: 1546297200 is 1 January 2019, though in UTC it is still the day before."""
    clock.now = datetime(2018, 12, 31, 22, 59, 59, tzinfo=UTC)
    paid(shop, id="old")
    clock.now = datetime(2018, 12, 31, 23, 0, 0, tzinfo=UTC)
    paid(shop, id="first")
    clock.now = datetime(2019, 1, 1, 22, 59, 59, tzinfo=UTC)
    paid(shop, id="last")
    clock.now = datetime(2019, 1, 1, 23, 0, 0, tzinfo=UTC)
    paid(shop, id="new")
    found = statement(shop, 1546297200, 1546297200)
    assert found["od"] == "01. 01. 2019"
    assert orders(found) == ["first", "last"]


def test_a_payment_stands_under_the_day_it_was_paid(shop: Shop, clock: Clock) -> None:
    """A delayed one stands under the administrator's day; a reversal does not move it."""
    delayed = shop.open("QR koda", id="QR-1")
    shop.simulator.payments.conclude(delayed)
    clock.move(days=3)
    shop.simulator.payments.confirm(delayed)
    confirmed = clock.epoch
    clock.move(days=3)
    shop.simulator.payments.reverse(delayed, 100)
    assert orders(statement(shop, confirmed, confirmed, zakasnjenaPlacila="true")) == ["QR-1"]
    assert orders(statement(shop, zakasnjenaPlacila="true")) == []


def test_which_states_are_told(shop: Shop) -> None:
    """6.5.5.1: only what was paid; other states only with delayed payments, and only theirs."""
    paid(shop, id="paid")
    shop.simulator.payments.report(shop.open("VISA", id="failed"), Outcome.FAILED)
    shop.simulator.payments.conclude(shop.open("QR koda", id="waiting"))
    delayed = shop.open("QR koda", id="delayed")
    shop.simulator.payments.conclude(delayed)
    shop.simulator.payments.confirm(delayed)
    assert orders(statement(shop)) == ["paid"]
    assert orders(statement(shop, izbraniStatusi="4")) == ["paid"]
    assert orders(statement(shop, zakasnjenaPlacila="true")) == ["delayed"]
    assert orders(statement(shop, zakasnjenaPlacila="true", izbraniStatusi="0,6")) == ["waiting", "delayed"]
    (waiting,) = statement(shop, zakasnjenaPlacila="true", izbraniStatusi="6")["placilo"]
    assert (waiting["rezultat"], waiting["datumPlacila"], waiting["racun"]) == (6, None, None)


def test_what_the_description_leaves_open(make_shop: Callable[..., Shop]) -> None:
    """The simulator answers as it is told to: result, delayed payments, reversals."""
    shop = make_shop(statement_result_of_paid=0, delayed_payments="together", reversals_in_statements=True)
    shop.simulator.payments.reverse(paid(shop, id="paid"), 221)
    delayed = shop.open("QR koda", id="delayed")
    shop.simulator.payments.conclude(delayed)
    shop.simulator.payments.confirm(delayed)
    found = statement(shop)
    assert orders(found) == ["paid", "delayed"]
    assert found["placilo"][0]["rezultat"] == 0
    assert found["placilo"][0]["znesekStornacij"] == 2.21
    assert "znesekStornacij" not in found["placilo"][1]


def test_another_e_service_of_the_same_number_is_not_told_of(shop: Shop) -> None:
    """A statement is of one e-service."""
    paid(shop, id="mine")
    assert (
        shop.of(146).get(STATEMENT + query(shop.clock.epoch, shop.clock.epoch)).json()["izpisek"]["placilo"]
        == []
    )


NOW = int(NOON.timestamp())
REFUSED = [
    (query("", NOW), {("datumOd", "101")}),
    ("?datumDo=1", {("datumOd", "101")}),
    (query("17.11.2026", NOW), {("datumOd", "106")}),
    (query(NOW, "99999999999"), {("datumDo", "303")}),
    (query(NOW, "9" * 20), {("datumDo", "106")}),
    (query(NOW, NOW - DAY), {("datumOd", "301")}),
    (query(NOW + DAY, NOW + DAY), {("datumOd", "302")}),
    (query(0, NOW), {("datumOd", "302")}),
    (query(NOW - 366 * DAY, NOW), {("datumDo", "303")}),
    (query(NOW, NOW, izbraniStatusi="0,9"), {("izbraniStatusi", "304")}),
    (query(NOW, NOW, izbraniStatusi="vsi"), {("izbraniStatusi", "304")}),
]


@pytest.mark.parametrize(("asked", "expected"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_refused(shop: Shop, asked: str, expected: set[tuple[str, str]]) -> None:
    """Codes 301 to 304, and what is no date."""
    assert codes(shop.get(STATEMENT + asked)) == expected


def test_a_year_is_not_too_long(shop: Shop) -> None:
    """365 days between the two, and tomorrow as its end as in the sample of 6.5.5.1."""
    assert statement(shop, NOW - 364 * DAY, NOW + DAY)["do"] == "18. 11. 2026"


def test_whose_statement(shop: Shop) -> None:
    """104, 202, and 4 for somebody else's."""
    asked = query(NOW, NOW)
    assert codes(shop.get(f"{KEY}/izpiski/123{asked}")) == {("maticnaSt", "104")}
    assert codes(shop.get(f"{KEY}/izpiski/1111111000{asked}")) == {("maticnaSt", "202")}
    assert code(shop.get(f"{KEY}/izpiski/5860571000{asked}"), 403) == "4"


def test_names_of_parameters_in_either_case(shop: Shop) -> None:
    """`datumod` in the table, `datumOd` in the address."""
    paid(shop, id="A-1")
    answer = shop.get(f"{STATEMENT}?datumod={NOW}&DATUMDO={NOW}").json()
    assert orders(answer["izpisek"]) == ["A-1"]


def file(shop: Shop, kind: str, **more: str) -> bytes:
    answer = shop.get(f"{KEY}/izpiskidata/{kind}/{REGISTRATION_NUMBER}{query(NOW, NOW, **more)}")
    assert answer.status_code == 200, answer.text
    return base64.b64decode(answer.json()["izpisek"], validate=True)


def test_a_file_of_json_says_the_same(shop: Shop) -> None:
    """6.5.5.2; of many payments, too, so that the pieces of base64 fit together."""
    shop.simulator.store.enter(payments(99, NOW, "Čšž"))
    assert json.loads(file(shop, "json")) == statement(shop)


@pytest.mark.parametrize("namespace", ["", "http://www.ujp.gov.si/eplacila/izpisek"])
def test_a_file_of_xml_says_the_same(shop: Shop, namespace: str) -> None:
    """6.5.5.2, with or without a namespace: `ns`."""
    shop.simulator.store.enter(payments(99, NOW, "Čšž & <x>", {"poslano": True}))
    root = etree.fromstring(file(shop, "xml", ns="true" if namespace else "false"))
    prefix = f"{{{namespace}}}" if namespace else ""
    assert root.tag == f"{prefix}izpisek"
    found = root.findall(f"{prefix}placilo")
    known = statement(shop)["placilo"]
    assert [one.findtext(f"{prefix}idEplacil") for one in found] == [one["idEplacil"] for one in known]
    assert found[0].findtext(f"{prefix}namen") == "Čšž & <x>"
    assert found[0].findtext(f"{prefix}znesek") == "12.21"
    assert found[0].findtext(f"{prefix}racun/{prefix}kupec/{prefix}poslano") == "true"
    assert found[0].find(f"{prefix}datumNakazila") is None


def test_a_kind_of_file_that_there_is_not(shop: Shop) -> None:
    answer = shop.get(f"{KEY}/izpiskidata/csv/{REGISTRATION_NUMBER}{query(NOW, NOW)}")
    assert code(answer, 404) == "10"


def test_memory_does_not_grow_with_the_statement(
    tmp_path_factory: pytest.TempPathFactory, full: bool
) -> None:
    """Ten times the payments in the same memory; with --full, 100,000 of them."""
    few = 10_000 if full else 2_000
    peaks = [_peak(tmp_path_factory.mktemp("till"), count) for count in (few, 10 * few)]
    # What a payment takes in the answer is about 700 bytes: kept, they would show.
    assert peaks[1] - peaks[0] < 9 * few * 700 / 4


def _peak(folder: object, payments: int) -> int:
    """The most memory, in bytes, of a simulator that was asked for a statement of so many payments."""
    command = [sys.executable, "-m", "tests.sandbox.eplacila.long_statement", str(folder), str(payments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)
