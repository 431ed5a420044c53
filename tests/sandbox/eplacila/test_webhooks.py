"""Webhooks (6.6): who is told what and when, and what happens if nobody listens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ajpes_reporting.sandbox.eplacila import Outcome
from tests.sandbox.eplacila.conftest import Clock, Shop
from tests.sandbox.eplacila.test_authentication import is_signed


def told(shop: Shop) -> list[int]:
    """The states the shop was told of, in the order in which it was told."""
    return [document["status"] for document in shop.site.documents]


def test_a_shop_is_told_what_status_says(shop: Shop, tmp_path: Path) -> None:
    """6.6.1: the same fields, and a signature that openssl finds right."""
    transaction = shop.open("VISA")
    shop.simulator.payments.report(transaction, Outcome.PAID)
    shop.simulator.process_now()
    (document,) = shop.site.documents
    auth, expected = document.pop("auth"), shop.status(transaction)
    assert is_signed(shop.simulator, auth, transaction, tmp_path)
    del expected["auth"]
    assert document == expected
    shop.simulator.process_now()
    assert len(shop.site.received) == 1


def test_every_change_is_told(shop: Shop) -> None:
    """6.1 and 3.4.1.2: failed, paid; waiting, confirmed."""
    transaction = shop.open("VISA")
    shop.simulator.payments.report(transaction, Outcome.FAILED)
    shop.simulator.payments.report(transaction, Outcome.PAID)
    delayed = shop.open("QR koda")
    shop.simulator.payments.conclude(delayed)
    shop.simulator.payments.confirm(delayed)
    shop.simulator.process_now()
    assert told(shop) == [4, 0, 6, 0]


def test_a_cancelled_payment(shop: Shop) -> None:
    """3.4.3: told at once, but only of a payment that had a way."""
    shop.simulator.payments.cancel(shop.open())
    shop.simulator.process_now()
    assert told(shop) == []
    shop.simulator.payments.cancel(shop.open("VISA"))
    shop.simulator.process_now()
    assert told(shop) == [1]


def test_an_idle_payment_is_told_of_some_minutes_later(shop: Shop, clock: Clock) -> None:
    """3.4.3: by a job that runs now and then, and only of a payment that had a way."""
    shop.open()
    transaction = shop.open("VISA")
    clock.move(minutes=10)
    shop.simulator.process_now()
    assert shop.status(transaction)["status"] == 1
    assert told(shop) == []
    clock.move(minutes=2)
    shop.simulator.process_now()
    assert told(shop) == [1]
    shop.simulator.payments.report(transaction, Outcome.PAID)
    shop.simulator.process_now()
    assert told(shop) == [1, 0]


@pytest.mark.parametrize("status", [500, 201, 204, 302])
def test_only_200_is_an_answer(shop: Shop, clock: Clock, status: int) -> None:
    """6.6.1: anything else, and it is told again within seconds; then no more."""
    shop.site.statuses.extend([status, status, status])
    shop.simulator.payments.report(shop.open("VISA"), Outcome.PAID)
    for _ in range(2):
        shop.simulator.process_now()
    assert told(shop) == [0]
    clock.move(seconds=3)
    for _ in range(4):
        shop.simulator.process_now()
        clock.move(hours=1)
    assert told(shop) == [0, 0]


def test_a_repetition_is_signed_anew(shop: Shop, clock: Clock) -> None:
    """Its time is that of sending, and its nonce its own."""
    shop.site.statuses.append(503)
    shop.simulator.payments.report(shop.open("VISA"), Outcome.PAID)
    shop.simulator.process_now()
    clock.move(seconds=3)
    shop.simulator.process_now()
    first, second = (document["auth"] for document in shop.site.documents)
    assert first["nonce"] != second["nonce"]
    assert second["timestamp"].startswith("2026-11-17T12:00:03")


def test_telling_at_an_interval(make_shop: Callable[..., Shop], clock: Clock) -> None:
    """7.2.3, for those who asked UJP for it: until it is too old."""
    shop = make_shop(repeat_every=600, repeat_until=1800)
    shop.site.statuses.extend([500] * 99)
    shop.simulator.payments.report(shop.open("VISA"), Outcome.PAID)
    for _ in range(60):
        shop.simulator.process_now()
        clock.move(minutes=1)
    assert told(shop) == [0, 0, 0, 0]
    (notice,) = shop.simulator.store.notices(shop.site.documents[0]["transactionId"])
    assert (notice.due_at, notice.attempts, notice.answer) == (None, 4, "500")


def test_nobody_is_there(shop: Shop) -> None:
    """A shop that is down: the simulator goes on, and its store says why."""
    transaction = shop.open("VISA", callbackUrl="http://127.0.0.1:9/webhook")
    shop.simulator.payments.report(transaction, Outcome.PAID)
    shop.simulator.process_now()
    (notice,) = shop.simulator.store.notices(transaction)
    assert notice.answer == "ConnectError"


def test_a_notice_survives_the_simulator(shop: Shop, make_shop: Callable[..., Shop]) -> None:
    """A simulator that was stopped before it told tells after its start."""
    shop.simulator.payments.report(shop.open("VISA"), Outcome.PAID)
    shop.simulator.stop()
    make_shop().simulator.process_now()
    assert told(shop) == [0]


def test_faults_on_demand(shop: Shop, tmp_path: Path) -> None:
    """Twice, in another order, badly signed, in part, and never."""
    faults = shop.simulator.faults
    transaction = shop.open("VISA")
    faults.add("webhook", "duplicate", times=1)
    shop.simulator.payments.report(transaction, Outcome.FAILED)
    shop.simulator.process_now()
    assert told(shop) == [4, 4]
    faults.add("webhook", "reorder", times=1)
    shop.simulator.payments.report(transaction, Outcome.FAILED)
    shop.simulator.payments.report(transaction, Outcome.PAID)
    shop.simulator.process_now()
    shop.simulator.process_now()
    assert told(shop) == [4, 4, 0, 4]
    faults.add("webhook", "wrong_signature", times=1)
    delayed = shop.open("QR koda")
    shop.simulator.payments.conclude(delayed)
    shop.simulator.process_now()
    assert not is_signed(shop.simulator, shop.site.documents[-1]["auth"], delayed, tmp_path)
    faults.add("webhook", "lose", times=1)
    shop.simulator.payments.confirm(delayed)
    shop.simulator.process_now()
    assert told(shop) == [4, 4, 0, 4, 6]
    faults.add("webhook", "truncated", times=1)
    shop.simulator.payments.report(shop.open("VISA"), Outcome.PAID)
    shop.simulator.process_now()
    assert not shop.site.received[-1].endswith(b"}")
