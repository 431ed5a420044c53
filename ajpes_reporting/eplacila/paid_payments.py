"""Paid payments of an e-service, with what was paid back of each since.

A statement (section 6.5.5.1) lists payments. Reversals are not among its fields: they are told by
the status of each payment (section 6.5.3.1), as the sum of all of them so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.fields import plain_account
from ajpes_reporting.eplacila.reconcile import payment_finding, reconcile
from ajpes_reporting.eplacila.statements import payments_in
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime
    from pathlib import Path

    from sqlalchemy import Engine

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.eplacila.payments import Payments
    from ajpes_reporting.eplacila.reconcile import Reconciled
    from ajpes_reporting.eplacila.statements import Payment


@dataclass(frozen=True, slots=True)
class PaidPayment:
    """A payment that was made. Amounts are in cents, days are those of Ljubljana.

    `account` has 15 digits. `reversed_cents` is all that was paid back so far, the last of it on
    `reversed_on`.
    """

    payment_id: str
    account: str
    paid_on: date
    amount_cents: int
    reversed_cents: int = 0
    reversed_on: date | None = None


def paid_in_period(
    payments: Payments, recipient: str, first: date, last: date, account: str, *, ask_each: bool
) -> Iterator[PaidPayment | Finding]:
    """Yield the payments that were paid from `first` to `last`, both included, with and without delay.

    `account` is the one credited where the statement names none. With `ask_each` UJP is asked for
    the status of every payment, otherwise of those that are stored otherwise. A finding stands for a
    payment that cannot be booked. Raises `UsageError` and what `Client.payments` and `Client.status` do.
    """
    for delayed in (False, True):
        told = payments.client.payments(recipient, first, last, delayed=delayed)
        for found in reconcile(payments.engine, payments.provider, told, payments, ask_each=ask_each):
            if found.payment.is_paid:
                yield found.finding or _paid_payment(_as_asked(found) if ask_each else found.payment, account)


def paid_in_file(
    engine: Engine, provider: str, path: Path, account: str, recipient: str, payments: Payments | None
) -> Iterator[PaidPayment | Finding]:
    """Yield the paid payments of a statement in a file, as they stand there. Raises `UsageError`.

    `account` is that of `recipient`, and credited with what was paid to him; with "", of anybody. UJP is
    asked only for payments that are stored otherwise; then this raises what `Client.status` does.
    """
    return (
        _of_another(found.payment, recipient) or found.finding or _paid_payment(found.payment, account)
        for found in reconcile(engine, provider, payments_in(path), payments)
        if found.payment.is_paid
    )


def _of_another(payment: Payment, recipient: str) -> Finding | None:
    """A statement of somebody else must not be credited to our account; numbers have 7 or 10 digits."""
    if payment.account or not (payment.provider and recipient) or payment.provider[:7] == recipient[:7]:
        return None
    return payment_finding(
        payment,
        "ponudnik",
        _("the payment went to somebody else than eplacila.recipient"),
        _("if this is the right statement, name the account it was credited to, with --account"),
    )


def _as_asked(found: Reconciled) -> Payment:
    """Return the payment with the reversals that its status tells of."""
    status = found.status
    told = {"reversed_cents": status.reversed_cents, "reversed_at": status.reversed_at} if status else {}
    return found.payment.model_copy(update=told)


def _paid_payment(payment: Payment, account: str) -> PaidPayment | Finding:
    credited = plain_account(payment.account) or account
    if not credited:
        return payment_finding(
            payment,
            "racunDobro",
            _("the statement names no account that it was credited to"),
            _("name the account in eplacila.account, or with --account"),
        )
    if payment.paid_at is None:
        return _unreadable(payment, "datumPlacila", _("the statement does not say when it was paid"))
    if payment.amount_cents < 0:
        return _unreadable(payment, "znesek", _("the amount is negative"))
    if not 0 <= payment.reversed_cents <= payment.amount_cents:
        return _unreadable(
            payment, "znesekStornacij", _("less than nothing, or more than was paid, was reversed")
        )
    if payment.reversed_cents and payment.reversed_at is None:
        return _unreadable(payment, "casZadnjeStornacije", _("UJP does not say when it was reversed"))
    return PaidPayment(
        payment_id=payment.eplacila_id,
        account=credited,
        paid_on=_day(payment.paid_at),
        amount_cents=payment.amount_cents,
        reversed_cents=payment.reversed_cents,
        reversed_on=_day(payment.reversed_at) if payment.reversed_at else None,
    )


def _day(moment: datetime) -> date:
    return moment.astimezone(LJUBLJANA).date()


def _unreadable(payment: Payment, field: str, wrong: Message) -> Finding:
    return payment_finding(payment, field, wrong, _("ask UJP what became of this payment"))
