"""Payments that are stored: begun, asked for and told of by notices, so that none is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.errors import AjpesReportingError, UsageError
from ajpes_reporting.eplacila import store
from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.eplacila.errors import (
    AccessDenied,
    AnswerUnusable,
    NotAnswered,
    NotFound,
    RefusedByUjp,
    RequestRefused,
)
from ajpes_reporting.eplacila.order import require_valid
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from ajpes_reporting.domain.ports import Clock
    from ajpes_reporting.eplacila.answers import PaymentStatus, StartedPayment
    from ajpes_reporting.eplacila.client import Client
    from ajpes_reporting.eplacila.notices import Notice
    from ajpes_reporting.eplacila.order import Order
    from ajpes_reporting.eplacila.store import Change, StoredPayment

_SURELY_LOST = timedelta(days=1)
"""No init is under way for so long, and UJP gives a payment up after ten minutes (section 3.4.3)."""

OnChange = Callable[["Connection", "Change"], None]


def ignore_change(_connection: Connection, _change: Change) -> None:
    """Do nothing about a change."""


@dataclass(frozen=True, slots=True)
class Payments:
    """The payments of one e-service.

    `on_change` is called in the transaction that stores a change: what it writes there is stored
    exactly once for each change, or not at all.
    """

    client: Client
    engine: Engine
    provider: str
    clock: Clock
    on_change: OnChange = ignore_change

    def begin(self, order: Order) -> StartedPayment:
        """Begin a payment. Raises what `Client.init` does, and `UsageError` for an order that has begun.

        After `PaymentUnknown` the same order may be given again: UJP is asked for it first.
        """
        require_valid(order)
        was_lost = self._is_waiting(order)
        started = self._find_started(order.id) if was_lost else None
        if started is None:
            started = self._init(order, forget=not was_lost)
        with writing(self.engine) as connection:
            store.mark_started(connection, self.provider, started, self.clock())
        if started.state is not State.RUNNING:
            self.record(self.client.status(started.transaction_id))
        return started

    def find(self, order_id: str) -> StoredPayment | None:
        """Return the stored payment of an order, None if there is none; amounts in cents.

        Unless the payment is paid, UJP is asked first, if it answers. One that is paid is asked for now
        and then, because it may be reversed.
        """
        with self.engine.connect() as connection:
            entry = store.by_order(connection, self.provider, order_id)
        if entry is None or not entry.is_worth_asking(self.clock()):
            return entry
        try:
            change = self.refresh(entry)
        except AjpesReportingError:  # what is known holds until UJP can be asked
            return entry
        return change.entry if change else entry

    def refresh(self, entry: StoredPayment) -> Change | None:
        """Ask UJP for a payment and store the answer; None if nothing changes.

        Raises what `Client.status` does.
        """
        status = (
            self.client.status(entry.transaction_id)
            if entry.transaction_id
            else self.client.status_of_order(entry.order_id)
        )
        return self.record(status)

    def refresh_open(
        self, *, though_asked_lately: bool = False
    ) -> Iterator[tuple[StoredPayment, AjpesReportingError | None]]:
        """Ask for the payments that may still change, one after the other, longest unasked first.

        Those under way each time; those that are over after growing pauses, for `store.ASKED_FOR`. With
        `though_asked_lately`: every one that may still become paid, for a person who wants to know now.

        One that cannot be told of does not hide the others. A payment that UJP does not know a day
        after it was to begin never began, and is forgotten. Raises what concerns all of them:
        `NotAnswered`, and the other refusals.
        """
        with self.engine.connect() as connection:
            if though_asked_lately:
                waiting = store.open_payments(connection, self.provider)
            else:
                waiting = store.due_payments(connection, self.provider, self.clock())
        for entry in waiting:
            try:
                change = self.refresh(entry)
                yield (change.entry if change else entry), None
            except (NotFound, AccessDenied, RequestRefused, AnswerUnusable) as error:
                with writing(self.engine) as connection:
                    if isinstance(error, NotFound) and self._never_began(entry):
                        store.remove_unstarted(connection, self.provider, entry.order_id)
                    else:
                        store.schedule_question(connection, entry, self.clock())
                yield entry, error

    def _never_began(self, entry: StoredPayment) -> bool:
        return entry.transaction_id is None and self.clock() - entry.told_at > _SURELY_LOST

    def record(self, status: PaymentStatus) -> Change | None:
        """Store an answer of UJP; return the change, None if nothing changes."""
        with writing(self.engine) as connection:
            return self._apply(connection, status)

    def receive(self, notice: Notice) -> Change | None:
        """Ask UJP about the payment of a notice, and store notice and answer together.

        A notice that was taken before changes nothing. Raises what `Client.status` does; nothing
        is stored then, and UJP sends the notice again.
        """
        with self.engine.connect() as connection:
            if store.has_notice(connection, self.provider, notice):
                return None
        status = self.client.status(notice.transaction_id)
        with writing(self.engine) as connection:
            if store.has_notice(connection, self.provider, notice):  # meanwhile, by another one
                return None
            store.add_notice(connection, self.provider, notice, self.clock())
            return self._apply(connection, status)

    def _apply(self, connection: Connection, status: PaymentStatus) -> Change | None:
        change = store.apply_status(connection, self.provider, status, self.clock())
        if change is not None:
            self.on_change(connection, change)
        return change

    def _is_waiting(self, order: Order) -> bool:
        """Whether a payment of this order was begun and lost from sight; otherwise it is expected now."""
        with writing(self.engine) as connection:
            entry = store.by_order(connection, self.provider, order.id)
            if entry is None:
                store.add_expected(connection, self.provider, order, self.clock())
                return False
            if entry.transaction_id is not None:
                remedy = _("lead the payer to that payment again, or begin an order with another id")
                if entry.state.is_over:
                    remedy = _("begin an order with another id")
                raise UsageError(
                    _(
                        "The payment of order {order} has begun already; it is {state}.",
                        order=order.id[:40],
                        state=entry.state.label,
                    ),
                    remedy,
                )
            store.renew_expected(connection, entry, self.clock())
            return True

    def _find_started(self, order_id: str) -> StartedPayment | None:
        """Return the payment that UJP holds after all."""
        try:
            return self.client.find_started(order_id)
        except NotFound:
            return None

    def _init(self, order: Order, *, forget: bool) -> StartedPayment:
        """Begin a payment at UJP. With `forget`, one that provably never began leaves no trace."""
        try:
            return self.client.init(order)
        except (NotAnswered, RefusedByUjp):
            if forget:
                with writing(self.engine) as connection:
                    store.remove_unstarted(connection, self.provider, order.id)
            raise
