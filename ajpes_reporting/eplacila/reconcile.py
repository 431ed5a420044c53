"""Holds a statement against the book: the money of a payment and its state must tell one story.

A statement tells of money. Where the book has another state for it, or other amounts, no notice came:
UJP is asked, and the book follows the answer. If UJP itself says two things, a person must ask there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.money import format_decimal
from ajpes_reporting.eplacila import store
from ajpes_reporting.eplacila.answers import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Engine

    from ajpes_reporting.eplacila.answers import PaymentStatus
    from ajpes_reporting.eplacila.payments import Payments
    from ajpes_reporting.eplacila.statements import Payment
    from ajpes_reporting.eplacila.store import StoredPayment

_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A payment of a statement. `status` is what UJP answered, if it was asked; a `finding` denies it."""

    payment: Payment
    status: PaymentStatus | None = None
    finding: Finding | None = None


def reconcile(
    engine: Engine,
    provider: str,
    statement: Iterable[Payment],
    payments: Payments | None,
    *,
    ask_each: bool = False,
) -> Iterator[Reconciled]:
    """Every payment of a statement, one by one; those that were made as the book has them now.

    UJP is asked for what the book tells otherwise, with `ask_each` for every payment that was made. Without
    `payments` there is nobody to ask, and what the book tells otherwise is a finding.
    Raises what `Client.status` does.
    """
    lines = iter(statement)
    while some := list(itertools.islice(lines, _AT_A_TIME)):
        known = _known(engine, provider, [payment for payment in some if payment.is_paid])
        for payment in some:
            entry = known.get(payment.order_id) or known.get(payment.eplacila_id)
            is_denied = entry is not None and payment.is_paid and not _tells_the_same(entry, payment)
            if payments and (is_denied or (ask_each and payment.is_paid)):
                yield _asked(payments, payment, entry)
            elif entry and is_denied:
                yield Reconciled(payment, finding=_unasked(payment, entry))
            else:
                yield Reconciled(payment)


def payment_finding(payment: Payment, field: str, wrong: str, remedy: str) -> Finding:
    """What speaks against a payment of a statement."""
    return Finding(
        Severity.ERROR, f"payment {payment.eplacila_id[:40]}", field, f"eplacila.{field}", wrong, remedy
    )


def _known(engine: Engine, provider: str, statement: Sequence[Payment]) -> dict[str, StoredPayment]:
    """The payments of a statement that stand in the book, by both of their identifiers."""
    orders = {payment.order_id for payment in statement} - {""}
    transactions = {payment.eplacila_id for payment in statement}
    with engine.connect() as connection:
        found = store.by_identifiers(connection, provider, orders, transactions)
    by_transaction = {entry.transaction_id: entry for entry in found if entry.transaction_id}
    return by_transaction | {entry.order_id: entry for entry in found}


def _unasked(payment: Payment, entry: StoredPayment) -> Finding:
    return payment_finding(
        payment, "status", f"the statement says that it is paid, the book of web payments that it is "
        f"{entry.state.label}, {format_decimal(entry.amount_cents)} EUR",
        "fill in [eplacila], so that UJP can be asked which of them is right, and pull again",
    )  # fmt: skip


def _tells_the_same(entry: StoredPayment, payment: Payment) -> bool:
    """A statement may be older than the book; what was reversed only grows."""
    is_same_money = entry.amount_cents == payment.amount_cents
    return entry.state is State.PAID and is_same_money and entry.reversed_cents >= payment.reversed_cents


def _asked(payments: Payments, payment: Payment, entry: StoredPayment | None) -> Reconciled:
    """The payment as UJP tells of it when it is asked for by itself; the book follows."""
    client = payments.client
    status = (
        client.status_of_order(payment.order_id) if payment.order_id else client.status(payment.eplacila_id)
    )
    if entry is not None:
        payments.record(status)
    if wrong := _disagreement(payment, status):
        remedy = "pull again; if UJP still says both, ask UJP"
        return Reconciled(payment, status, payment_finding(payment, "status", wrong, remedy))
    return Reconciled(payment, status)


def _disagreement(payment: Payment, status: PaymentStatus) -> str:
    if payment.eplacila_id not in (status.transaction_id, status.eplacila_number):
        return "its order has another payment by the status that UJP tells"
    if status.state is not State.PAID:
        return f"the statement says that it is paid, its status that it is {status.state.label}"
    if status.amount_cents != payment.amount_cents:
        amounts = format_decimal(payment.amount_cents), format_decimal(status.amount_cents)
        return "the statement says {} EUR, its status {} EUR".format(*amounts)
    return ""
