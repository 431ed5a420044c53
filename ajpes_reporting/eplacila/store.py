"""The stored web payments: each as UJP last told of it, every state it was in, every notice once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from ajpes_reporting.database.tables import eplacila_notices, eplacila_payments, eplacila_states
from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.eplacila.errors import AnswerUnusable
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from ajpes_reporting.eplacila.answers import PaymentStatus, StartedPayment
    from ajpes_reporting.eplacila.notices import Notice
    from ajpes_reporting.eplacila.order import Order

_OVER = [state for state in State if state.is_over]
_STILL_ABANDONED_OR_MADE = (State.ABANDONED, State.DISPUTED, State.AWAITING_CONFIRMATION)
# What is over is asked for again after pauses that double: an abandoned payment may be paid after all, which
# a bank tells within minutes or days; a paid one may be reversed, which UJP tells nobody by itself.
_FIRST_PAUSE = {State.ABANDONED: timedelta(minutes=15), State.PAID: timedelta(days=1)}
ASKED_FOR = timedelta(days=60)
"""How long UJP is asked for a payment that is over; by then a statement has told of its money."""


@dataclass(frozen=True, slots=True)
class StoredPayment:
    """A stored payment; amounts in cents. `ordered_cents` is None if it was not begun here.

    `ask_at` is when UJP is asked for it again, None if nothing can change any more.
    """

    id: int
    order_id: str
    transaction_id: str | None
    state: State
    ordered_cents: int | None
    amount_cents: int
    reversed_cents: int
    method: str
    receipt_number: str
    pay_url: str | None
    paid_at: datetime | None
    told_at: datetime
    ask_at: datetime | None

    def is_worth_asking(self, now: datetime) -> bool:
        """Whether UJP may tell something new: of a paid payment now and then, of any other at any time."""
        return self.state is not State.PAID or (self.ask_at is not None and self.ask_at <= now)

    @property
    def is_of_another_amount(self) -> bool:
        """Whether another amount was paid than was ordered here: no payment of that order."""
        return (
            self.state is State.PAID
            and self.ordered_cents is not None
            and self.ordered_cents != self.amount_cents
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a stored payment. `before` is its state until then, None for a payment that is new."""

    before: State | None
    entry: StoredPayment

    @property
    def makes_it_paid(self) -> bool:
        """Whether the order has become paid by this change, with the amount that was ordered."""
        became = self.entry.state is State.PAID and self.before is not State.PAID
        return became and not self.entry.is_of_another_amount


def by_order(connection: Connection, provider: str, order_id: str) -> StoredPayment | None:
    """Return the payment of an order, None if there is none."""
    return _one(connection, provider, eplacila_payments.c.order_id == order_id)


def by_transaction(connection: Connection, provider: str, transaction_id: str) -> StoredPayment | None:
    """Return the payment with an identifier of UJP, None if there is none."""
    return _one(connection, provider, eplacila_payments.c.transaction_id == transaction_id)


def open_payments(connection: Connection, provider: str) -> list[StoredPayment]:
    """Return payments that are not paid and may still be, the abandoned ones last."""
    column = eplacila_payments.c
    return _in_turn(_all(connection, provider, column.ask_at.is_not(None) & (column.state != State.PAID)))


def due_payments(connection: Connection, provider: str, at: datetime) -> list[StoredPayment]:
    """Return payments to ask UJP for now: those under way first, then by the time of the last question."""
    column = eplacila_payments.c
    is_due = or_(column.ask_at <= at, column.state.not_in(_OVER))  # the latter whatever became of the clock
    return _in_turn(_all(connection, provider, column.ask_at.is_not(None) & is_due))


def by_identifiers(
    connection: Connection, provider: str, order_ids: Collection[str], transaction_ids: Collection[str]
) -> list[StoredPayment]:
    """Return the payments that have one of these identifiers."""
    column = eplacila_payments.c
    condition = or_(column.order_id.in_(order_ids), column.transaction_id.in_(transaction_ids))
    return _all(connection, provider, condition)


def states_of(connection: Connection, entry: StoredPayment) -> list[State]:
    """Return every state that a payment has been in, oldest first."""
    rows = connection.scalars(
        select(eplacila_states.c.state)
        .where(eplacila_states.c.payment == entry.id)
        .order_by(eplacila_states.c.id)
    )
    return [State(state) for state in rows]


def add_expected(connection: Connection, provider: str, order: Order, at: datetime) -> None:
    """Add a payment that is about to begin, so that UJP is asked for it whatever happens to us."""
    connection.execute(
        insert(eplacila_payments).values(
            provider=provider,
            order_id=order.id,
            state=State.MISSING,
            ordered_cents=order.total_cents,
            amount_cents=0,
            reversed_cents=0,
            told_at=at,
            ask_at=at,
        )
    )


def renew_expected(connection: Connection, entry: StoredPayment, at: datetime) -> None:
    """Mark that a payment which was lost from sight is about to begin once more."""
    _change(connection, entry, {"told_at": at, "ask_at": at})


def schedule_question(connection: Connection, entry: StoredPayment, at: datetime) -> None:
    """Set the time of the next question for a payment, right after one: it follows from the state."""
    _change(connection, entry, {"ask_at": _next_question(connection, entry, at)})


def remove_unstarted(connection: Connection, provider: str, order_id: str) -> None:
    """Remove a payment that provably never began."""
    connection.execute(
        delete(eplacila_payments).where(
            eplacila_payments.c.provider == provider,
            eplacila_payments.c.order_id == order_id,
            eplacila_payments.c.transaction_id.is_(None),
        )
    )


def mark_started(connection: Connection, provider: str, started: StartedPayment, at: datetime) -> None:
    """Mark that UJP holds the payment, unless a notice has told of it already.

    A state is taken from a status alone, with everything that belongs to it.
    """
    entry = by_order(connection, provider, started.order_id)
    if entry is None:
        raise LookupError(f"order {started.order_id} is not expected")
    _change(connection, entry, {"pay_url": started.pay_url})
    if entry.state is State.MISSING:
        told_at = started.told_at or at
        running = {"transaction_id": started.transaction_id, "state": State.RUNNING}
        _change(connection, entry, {**running, "told_at": told_at, "ask_at": at})
        _note_state(connection, entry.id, State.RUNNING, told_at, at)


def apply_status(connection: Connection, provider: str, status: PaymentStatus, at: datetime) -> Change | None:
    """Store a status that UJP told; return the change, None if nothing changes.

    Raises `AnswerUnusable` if the order is known under another transaction.
    """
    told_at = status.told_at or at
    entry = by_order(connection, provider, status.order_id)
    if entry is None:
        return _enter(connection, provider, status, told_at, at)
    if entry.transaction_id not in (None, status.transaction_id):
        raise AnswerUnusable(_("the order is known under another transaction"))
    values = _values(status)
    if not _may_follow(entry, status.state, told_at):
        schedule_question(connection, entry, at)
        return None
    if values == {name: getattr(entry, name) for name in values}:
        if told_at > entry.told_at:  # what is older than this is overtaken, though nothing changed
            _change(connection, entry, {"told_at": told_at})
        schedule_question(connection, entry, at)
        return None
    _change(connection, entry, {**values, "told_at": told_at})
    if status.state is not entry.state:
        _note_state(connection, entry.id, status.state, told_at, at)
    return _changed(connection, provider, status.order_id, entry.state, at)


def add_notice(connection: Connection, provider: str, notice: Notice, at: datetime) -> None:
    """Add a notice, so that it is recognised when it comes again."""
    connection.execute(
        insert(eplacila_notices).values(
            provider=provider,
            transaction_id=notice.transaction_id,
            nonce=notice.signature.nonce,
            timestamp=notice.signature.timestamp,
            claimed_state=notice.claimed_state,
            received_at=at,
        )
    )


def has_notice(connection: Connection, provider: str, notice: Notice) -> bool:
    """Whether this very notice is stored already."""
    column = eplacila_notices.c
    found = connection.execute(
        select(column.id).where(
            column.provider == provider,
            column.transaction_id == notice.transaction_id,
            column.nonce == notice.signature.nonce,
            column.timestamp == notice.signature.timestamp,
        )
    )
    return found.first() is not None


def _may_follow(entry: StoredPayment, state: State, told_at: datetime) -> bool:
    """Whether a state may follow the stored one: paid stays paid, abandoned may become paid (section 3.4.3).

    A state that is over counts whenever it was told; of the others, the newest does.
    """
    if state is State.MISSING or entry.state is State.MISSING:
        return state is not State.MISSING
    is_newer = told_at >= entry.told_at
    if entry.state is State.PAID:
        return state is State.PAID and is_newer  # a reversal, a receipt
    if entry.state is State.ABANDONED:
        return state is State.PAID or (state in _STILL_ABANDONED_OR_MADE and is_newer)
    return state.is_over or is_newer


def _values(status: PaymentStatus) -> dict[str, Any]:
    return {
        "transaction_id": status.transaction_id,
        "state": status.state,
        "amount_cents": status.amount_cents,
        "reversed_cents": status.reversed_cents,
        "method": status.method,
        "receipt_number": status.receipt_number,
        "paid_at": status.paid_at,
    }


def _enter(
    connection: Connection, provider: str, status: PaymentStatus, told_at: datetime, at: datetime
) -> Change | None:
    if status.state is State.MISSING:
        return None
    row = {"provider": provider, "order_id": status.order_id, "told_at": told_at, **_values(status)}
    connection.execute(insert(eplacila_payments).values(row))
    _note_state(connection, _entry(connection, provider, status.order_id).id, status.state, told_at, at)
    return _changed(connection, provider, status.order_id, None, at)


def _entry(connection: Connection, provider: str, order_id: str) -> StoredPayment:
    entry = by_order(connection, provider, order_id)
    if entry is None:
        raise LookupError(f"order {order_id} is not stored")
    return entry


def _changed(
    connection: Connection, provider: str, order_id: str, before: State | None, at: datetime
) -> Change:
    entry = _entry(connection, provider, order_id)
    ask_at = _next_question(connection, entry, at)
    _change(connection, entry, {"ask_at": ask_at})
    return Change(before, replace(entry, ask_at=ask_at))


def _next_question(connection: Connection, entry: StoredPayment, at: datetime) -> datetime | None:
    """Return when to ask next: in each round while under way, then after pauses that double."""
    if not entry.state.is_over:
        return at
    if entry.state is State.PAID and entry.reversed_cents >= entry.amount_cents > 0:
        return None
    over_for = at - _over_since(connection, entry, at)
    if over_for > ASKED_FOR:
        return None
    return at + max(over_for, _FIRST_PAUSE[entry.state])


def _over_since(connection: Connection, entry: StoredPayment, at: datetime) -> datetime:
    """Return when the last state was stored; if there is none, now."""
    column = eplacila_states.c
    found: datetime | None = connection.scalar(
        select(func.max(column.recorded_at)).where(column.payment == entry.id)
    )
    return found or at


def _in_turn(entries: list[StoredPayment]) -> list[StoredPayment]:
    return sorted(entries, key=lambda entry: (entry.state.is_over, entry.ask_at, entry.told_at))


def _change(connection: Connection, entry: StoredPayment, values: dict[str, Any]) -> None:
    connection.execute(update(eplacila_payments).where(eplacila_payments.c.id == entry.id).values(values))


def _note_state(connection: Connection, payment: int, state: State, told_at: datetime, at: datetime) -> None:
    row = {"payment": payment, "state": state, "told_at": told_at, "recorded_at": at}
    connection.execute(insert(eplacila_states).values(row))


def _one(connection: Connection, provider: str, condition: ColumnElement[bool]) -> StoredPayment | None:
    return next(iter(_all(connection, provider, condition)), None)


def _all(connection: Connection, provider: str, condition: ColumnElement[bool]) -> list[StoredPayment]:
    columns = [column for column in eplacila_payments.c if column.name != "provider"]
    rows = connection.execute(
        select(*columns)
        .where(eplacila_payments.c.provider == provider, condition)
        .order_by(eplacila_payments.c.id)
    )
    return [StoredPayment(**{**row._mapping, "state": State(row.state)}) for row in rows]
