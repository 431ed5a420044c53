"""The life of a payment (3.4) as status tells it (6.5.3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ajpes_reporting.sandbox.eplacila import Outcome
from tests.sandbox.eplacila.conftest import KEY, Clock, Shop, code, codes


def test_a_payment_is_paid(shop: Shop) -> None:
    """A shop that asks (6.5.3.1): the fields of the sample, in its names."""
    transaction = shop.open("MASTERCARD", id="A-1", urlpar="x=1")
    assert shop.status(transaction)["znesek"] == 0
    shop.simulator.payments.report(transaction, Outcome.PAID)
    found = shop.status(transaction)
    eid, number, auth = found.pop("eid"), found.pop("stevilkaRacuna"), found.pop("auth")
    assert eid and auth
    assert number == "EPS00000001-2026"
    assert found == {
        "transactionId": transaction, "ids": 143, "id": "A-1", "status": 0, "extId": "SIM1",
        "davcnaps": "12345679", "znesek": 12.21, "valuta": "EUR", "casPlacila": "2026-11-17T12:00:00Z",
        "urlPar": "x=1", "znesekStornacij": None, "casZadnjeStornacije": None, "opomba": None,
        "epsid": "100001", "nacinPlacila": "MASTERCARD",
    }  # fmt: skip


def test_the_same_in_the_words_of_the_tables(make_shop: Callable[..., Shop]) -> None:
    """Where sample and table of 6.5.3 differ, the simulator answers as it is told to."""
    shop = make_shop(like="tables", numbers="string")
    transaction = shop.open("MONETA", urlpar="x=1")
    shop.simulator.payments.report(transaction, Outcome.PAID)
    found = shop.status(transaction)
    assert (found["urlpar"], found["casPlacila"]) == ("x=1", "2026-11-17T12:00:00+00:00")
    assert (found["ids"], found["status"], found["znesek"]) == ("143", "0", "12.21")
    assert found["nacinPlacila"] == "MONETA"
    assert "urlPar" not in found


def test_an_order_is_found_by_its_id(shop: Shop) -> None:
    """A shop whose answer to init was lost (6.5.3.2)."""
    transaction = shop.open(id="šop/1 a")
    path = KEY + "/transaction/statusbynarocilo/"
    assert shop.get(path + "%C5%A1op/1%20a").json()["transactionId"] == transaction
    assert code(shop.get(path + "A-2"), 404) == "10"
    assert codes(shop.get(path + "x" * 301)) == {("idNarocila", "102")}
    other = shop.of(144)
    assert code(other.get(path + "%C5%A1op/1%20a"), 404) == "10"


def test_transactions_that_are_not_there(shop: Shop) -> None:
    """107 for what cannot be one, 10 for what is none, 4 for somebody else's."""
    path = KEY + "/transaction/status/"
    assert codes(shop.get(path + "123")) == {("transactionId", "107")}
    assert code(shop.get(path + "0" * 32), 404) == "10"
    other = shop.of(144)
    assert code(other.get(path + shop.open()), 403) == "4"


def test_a_failure_can_be_tried_again(shop: Shop) -> None:
    """A customer without money who has another card (3.4.2)."""
    transaction = shop.open("VISA")
    shop.simulator.payments.report(transaction, Outcome.FAILED)
    assert shop.status(transaction)["status"] == 4
    shop.simulator.payments.choose(transaction, "MASTERCARD")
    assert shop.status(transaction)["status"] == 3
    shop.simulator.payments.report(transaction, Outcome.PAID)
    assert shop.status(transaction)["status"] == 0


def test_ten_idle_minutes_end_a_payment(shop: Shop, clock: Clock) -> None:
    """3.4.3, counted from the last change."""
    transaction = shop.open()
    clock.move(minutes=9, seconds=59)
    assert shop.status(transaction)["status"] == 3
    shop.simulator.payments.choose(transaction, "VISA")
    clock.move(minutes=9, seconds=59)
    assert shop.status(transaction)["status"] == 3
    clock.move(seconds=1)
    assert shop.status(transaction)["status"] == 1
    assert shop.simulator.payments.choose(transaction, "VISA") is None


def test_an_abandoned_payment_may_still_be_paid(shop: Shop, clock: Clock) -> None:
    """The payment service speaks after more than ten minutes (3.4.3)."""
    transaction = shop.open("VISA")
    clock.move(minutes=11)
    assert shop.status(transaction)["status"] == 1
    shop.simulator.payments.report(transaction, Outcome.PAID)
    assert shop.status(transaction)["status"] == 0


def test_a_delayed_payment_waits_for_the_administrator(shop: Shop, clock: Clock) -> None:
    """3.4.1.2 and 3.4.1.3: 6 for as long as it takes, then 0."""
    transaction = shop.open("QR koda")
    assert shop.simulator.payments.choose(transaction, "VISA") is None
    assert shop.simulator.payments.report(transaction, Outcome.PAID) is None
    assert shop.simulator.payments.confirm(transaction) is None
    shop.simulator.payments.conclude(transaction)
    clock.move(days=3)
    assert shop.status(transaction)["status"] == 6
    assert shop.status(transaction)["znesek"] == 0
    shop.simulator.payments.confirm(transaction)
    assert (shop.status(transaction)["status"], shop.status(transaction)["znesek"]) == (0, 12.21)


def test_a_doubtful_payment(shop: Shop) -> None:
    """Status 2 says why in `opomba`, and ends by the administrator's word."""
    transaction = shop.open("VISA")
    shop.simulator.payments.report(transaction, Outcome.DOUBTFUL)
    found = shop.status(transaction)
    assert (found["status"], found["znesek"]) == (2, 0)
    assert found["opomba"]
    shop.simulator.payments.reject(transaction)
    assert shop.status(transaction)["status"] == 1


def test_a_payment_is_reversed_in_parts(shop: Shop, clock: Clock) -> None:
    """Up to its amount; it stays paid."""
    transaction = shop.open("VISA")
    assert shop.simulator.payments.reverse(transaction, 1) is None
    shop.simulator.payments.report(transaction, Outcome.PAID)
    clock.move(days=1)
    assert shop.simulator.payments.reverse(transaction, 1221 + 1) is None
    shop.simulator.payments.reverse(transaction, 1000)
    shop.simulator.payments.reverse(transaction, 221)
    assert shop.simulator.payments.reverse(transaction, 1) is None
    found = shop.status(transaction)
    assert (found["status"], found["znesek"], found["znesekStornacij"]) == (0, 12.21, 12.21)
    assert found["casZadnjeStornacije"] == "2026-11-18T12:00:00Z"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_paid_is_final(shop: Shop, clock: Clock, outcome: Outcome) -> None:
    """Nothing that happens later changes a 0."""
    transaction = shop.open("VISA")
    shop.simulator.payments.report(transaction, Outcome.PAID)
    clock.move(minutes=1)
    before = shop.simulator.store.payment(transaction)
    assert shop.simulator.payments.report(transaction, outcome) is None
    assert shop.simulator.payments.cancel(transaction) is None
    assert shop.simulator.payments.reject(transaction) is None
    clock.move(hours=1)
    shop.status(transaction)
    assert shop.simulator.store.payment(transaction) == before


def test_health_tells_of_the_last_payment(shop: Shop, clock: Clock) -> None:
    """6.5.1, of this e-service alone."""
    assert shop.get(KEY + "/health").json()["zadnjePlacilo"] is None
    shop.simulator.payments.report(shop.open("VISA"), Outcome.PAID)
    clock.move(minutes=1)
    assert shop.get(KEY + "/health").json()["zadnjePlacilo"] == "2026-11-17T12:00:00Z"
    other = shop.of(144)
    assert other.get(KEY + "/health").json()["zadnjePlacilo"] is None
