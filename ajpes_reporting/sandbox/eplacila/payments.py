"""The life of a payment (3.4): opened, tried, paid, given up, confirmed, reversed."""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from .payment_methods import DELAYED
from .store import Payment

if TYPE_CHECKING:
    from collections.abc import Callable

    from .order import Order
    from .rules import Rules
    from .store import Store

SLOVENIA = ZoneInfo("Europe/Ljubljana")


class Status(IntEnum):
    """6.5.3.1. Status 5, "does not exist yet", is of payments that are not stored."""

    PAID = 0
    ABANDONED = 1
    DOUBTFUL = 2
    GOING_ON = 3
    FAILED = 4
    WAITING = 6


class Outcome(StrEnum):
    """The outcome that a payment service tells of a payment."""

    PAID = "paid"
    FAILED = "failed"
    DOUBTFUL = "doubtful"


_OPEN = (Status.GOING_ON, Status.FAILED)


class Payments:
    """Moves payments from state to state; each move is one transaction in the store.

    A move that the payment's state does not allow does nothing, and its reply is None.
    """

    def __init__(self, store: Store, rules: Rules, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock

    def open(self, order: Order, registration_number: str) -> Payment:
        """A new payment (6.5.2). Raises `OrderUsedError`."""
        now = self._now()
        payment = Payment(
            number=0,
            transaction_id=secrets.token_hex(16),
            ids=order.ids,
            order_id=order.id,
            registration_number=registration_number,
            status=Status.GOING_ON,
            day=day_of(now),
            changed_at=now,
            opened_at=now,
            paid_at=None,
            reversed_at=None,
            amount_cents=order.amount_cents,
            reversed_cents=0,
            way=None,
            ways=json.dumps(order.ways),
            urlpar=order.urlpar,
            success_url=order.success_url,
            failure_url=order.failure_url,
            callback_url=order.callback_url,
            remark=None,
            eid=None,
            details=json.dumps(order.details),
        )
        self._store.enter([payment])
        return payment

    def choose(self, transaction_id: str, way: str) -> Payment | None:
        """The customer has chosen a way. After the QR code there is no other (3.4)."""
        payment = self._store.payment(transaction_id)
        if payment is None or way not in json.loads(payment.ways):
            return None
        if payment.way == DELAYED and way != DELAYED:
            return None
        return self._move(payment.transaction_id, _OPEN, Status.GOING_ON, tell=False, way=way)

    def report(self, transaction_id: str, outcome: Outcome) -> Payment | None:
        """The payment service has spoken, perhaps after the payment was given up (3.4.3)."""
        payment = self._store.payment(transaction_id)
        if payment is None or payment.way in (None, DELAYED):
            return None
        match outcome:
            case Outcome.PAID:
                return self._pay(transaction_id, (*_OPEN, Status.ABANDONED))
            case Outcome.FAILED:
                return self._move(transaction_id, _OPEN, Status.FAILED)
            case Outcome.DOUBTFUL:
                remark = "Potrdilo plačilnega servisa ni ustrezno."
                return self._move(transaction_id, _OPEN, Status.DOUBTFUL, remark=remark)

    def conclude(self, transaction_id: str) -> Payment | None:
        """The customer has scanned the QR code and says so (3.4.1.2)."""
        payment = self._store.payment(transaction_id)
        if payment is None or payment.way != DELAYED:
            return None
        return self._move(transaction_id, _OPEN, Status.WAITING)

    def confirm(self, transaction_id: str) -> Payment | None:
        """The administrator has found the money (3.4.1.3)."""
        return self._pay(transaction_id, (Status.WAITING, Status.DOUBTFUL))

    def reject(self, transaction_id: str) -> Payment | None:
        """The administrator has not found it: 2 and 6 end in 0 or 1 (6.5.3)."""
        return self._move(transaction_id, (Status.WAITING, Status.DOUBTFUL), Status.ABANDONED)

    def cancel(self, transaction_id: str) -> Payment | None:
        """The customer has pressed "Prekliči" (3.4.3): told only of a payment that had a way."""
        payment = self._store.payment(transaction_id)
        had_way = payment is not None and payment.way is not None
        return self._move(transaction_id, _OPEN, Status.ABANDONED, tell=had_way)

    def abandon_idle(self) -> None:
        """Gives up what has not moved for ten minutes; who is told is told some minutes later."""
        now = self._now()
        for payment in self._store.going_on_since(now - self._rules.abandoned_after):
            self._store.change(
                payment.transaction_id,
                _OPEN,
                notice_due=now + self._rules.abandoned_notice_delay if payment.way else None,
                **_changed(now, Status.ABANDONED),
            )

    def reverse(self, transaction_id: str, cents: int) -> Payment | None:
        """Pays some of it back; the sum of all reversals is at most the amount. Nobody is told (6.1)."""
        payment = self._store.payment(transaction_id)
        if payment is None or not 0 < cents <= payment.amount_cents - payment.reversed_cents:
            return None
        return self._store.change(
            transaction_id,
            (Status.PAID,),
            reversed_cents=payment.reversed_cents + cents,
            reversed_at=self._now(),
        )

    def _pay(self, transaction_id: str, since: tuple[Status, ...]) -> Payment | None:
        return self._move(
            transaction_id, since, Status.PAID, paid_at=self._now(), eid=secrets.token_urlsafe(24)
        )

    def _move(
        self,
        transaction_id: str,
        since: tuple[Status, ...],
        status: Status,
        *,
        tell: bool = True,
        **new: object,
    ) -> Payment | None:
        now = self._now()
        due = now if tell else None
        return self._store.change(transaction_id, since, notice_due=due, **_changed(now, status), **new)

    def _now(self) -> int:
        return int(self._clock().timestamp())


def day_of(moment: int) -> str:
    """The day in Slovenia, as ISO writes it: 1546297200 is 2019-01-01 (note 2 of 6.5.5)."""
    return datetime.fromtimestamp(moment, SLOVENIA).date().isoformat()


def invoice_number(payment: Payment) -> str | None:
    """Return the number of the receipt; None for a payment that is not paid."""
    if payment.paid_at is None:
        return None
    return f"EPS{payment.number:08}-{day_of(payment.paid_at)[:4]}"


def _changed(now: int, status: Status) -> dict[str, object]:
    return {"status": int(status), "changed_at": now, "day": day_of(now)}
