"""Compares a statement with the stored payments: money and state of a payment must tell one story.

A statement tells of money. Where a payment is stored with another state or amount, no notice came:
UJP is asked, and the answer is stored. If UJP itself says two things, a person must ask there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.eplacila import store
from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.i18n import NOTHING, Message, _

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
    """A payment of a statement. `status` is UJP's answer, if it was asked; a `finding` denies the payment."""

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
    """Yield every payment of a statement, one by one, compared with what is stored of it.

    UJP is asked for a payment that is stored otherwise, with `ask_each` for every one that was paid. Without
    `payments` there is nobody to ask, and a payment that is stored otherwise is a finding.
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


def payment_finding(payment: Payment, field: str, wrong: Message, remedy: Message) -> Finding:
    """Return a finding about one field of a payment in a statement."""
    return Finding(
        Severity.ERROR,
        _("payment {payment}", payment=payment.eplacila_id[:40]),
        field,
        f"eplacila.{field}",
        wrong,
        remedy,
    )


def _known(engine: Engine, provider: str, statement: Sequence[Payment]) -> dict[str, StoredPayment]:
    """Return the stored payments that a statement names, by both of their identifiers."""
    orders = {payment.order_id for payment in statement} - {""}
    transactions = {payment.eplacila_id for payment in statement}
    with engine.connect() as connection:
        found = store.by_identifiers(connection, provider, orders, transactions)
    by_transaction = {entry.transaction_id: entry for entry in found if entry.transaction_id}
    return by_transaction | {entry.order_id: entry for entry in found}


def _unasked(payment: Payment, entry: StoredPayment) -> Finding:
    wrong = _(
        "the statement says that it is paid, our own record that it is {state}, {amount:eur}",
        state=entry.state.label,
        amount=entry.amount_cents,
    )
    remedy = _("fill in [eplacila], so that UJP can be asked which of them is right, and pull again")
    return payment_finding(payment, "status", wrong, remedy)


def _tells_the_same(entry: StoredPayment, payment: Payment) -> bool:
    """Whether both say the same: a statement may be the older one, and what was reversed only grows."""
    is_same_money = entry.amount_cents == payment.amount_cents
    return entry.state is State.PAID and is_same_money and entry.reversed_cents >= payment.reversed_cents


def _asked(payments: Payments, payment: Payment, entry: StoredPayment | None) -> Reconciled:
    """Return the payment compared with its status, which UJP is asked for; the answer is stored."""
    client = payments.client
    status = (
        client.status_of_order(payment.order_id) if payment.order_id else client.status(payment.eplacila_id)
    )
    if entry is not None:
        payments.record(status)
    if wrong := _disagreement(payment, status):
        remedy = _("pull again; if UJP still says both, ask UJP")
        return Reconciled(payment, status, payment_finding(payment, "status", wrong, remedy))
    return Reconciled(payment, status)


def _disagreement(payment: Payment, status: PaymentStatus) -> Message:
    """Return what a statement and a status do not agree on; an empty message if they do."""
    if payment.eplacila_id not in (status.transaction_id, status.eplacila_number):
        return _("the order has another payment by the status that UJP tells")
    if status.state is not State.PAID:
        return _(
            "the statement says that it is paid, its status that it is {state}", state=status.state.label
        )
    if status.amount_cents != payment.amount_cents:
        return _(
            "the statement says {stated:eur}, its status {told:eur}",
            stated=payment.amount_cents,
            told=status.amount_cents,
        )
    return NOTHING
