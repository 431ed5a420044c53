"""Lists of the ledger: its obligations, and the months of its accounts beside one another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, exists, func, or_, select

from ajpes_reporting.database.tables import (
    account_months,
    accounts,
    debtors,
    events,
    obligations,
    pending_events,
    withdrawn_events,
)
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger.months import FIGURES
from ajpes_reporting.ledger.reported import Figures
from ajpes_reporting.reports.kind import ROWS_AT_A_TIME
from ajpes_reporting.reports.nodurs.select import is_excluded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from sqlalchemy import ColumnElement, Connection, Select

    from ajpes_reporting.i18n import Message


class ObligationState(StrEnum):
    """The standing of an obligation with AJPES; the values are public."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    EXCLUDED = "excluded"

    @property
    def label(self) -> Message:
        """The state in words."""
        return _LABELS[self]


_LABELS = {
    ObligationState.PENDING: _("pending"),
    ObligationState.ACCEPTED: _("accepted"),
    ObligationState.EXCLUDED: _("excluded"),
}


@dataclass(frozen=True, slots=True)
class ListedObligation:
    """An obligation in brief: its number of events, the sum of their amounts in cents, the newest recording.

    `pending_events` of them are not accepted yet.
    """

    obligation: str
    state: ObligationState
    issuer: int
    debtor_tax_number: str
    debtor_name: str
    debtor_account: str
    events: int
    pending_events: int
    amount_cents: int
    newest_recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Taxpayer:
    """Everything that the ledger has under one tax number: obligations as debtor, accounts as holder."""

    tax_number: str
    names: tuple[str, ...]
    obligations: tuple[ListedObligation, ...]
    accounts: tuple[HeldByTaxpayer, ...]
    more_obligations: int


@dataclass(frozen=True, slots=True)
class HeldByTaxpayer:
    """An account of a taxpayer, and its newest known closing balance in cents."""

    account: str
    holder_name: str
    opened_on: date
    closed_on: date | None
    newest_month: str | None
    closing_balance_cents: int | None


@dataclass(frozen=True, slots=True)
class Move:
    """An account in one month and in another, "2026-10": None where it has no row of that month.

    `moved_cents` is the difference of the closing balances; a month without a row counts as 0.
    """

    account: str
    holder_name: str
    month: str
    against: str
    now: Figures | None
    then: Figures | None
    moved_cents: int


_MOST_OF_TAXPAYER = 200


def stream_obligations(
    connection: Connection,
    provider: str,
    search: str | None = None,
    state: ObligationState | None = None,
    most: int | None = None,
) -> Iterator[ListedObligation]:
    """Yields obligations by their ids: those in which a text occurs, those in a state, the first ones.

    The text is looked for in the ids of obligations, and in tax numbers, names and accounts of debtors, in
    whatever letter case.
    """
    query = _listed(provider).order_by(obligations.c.obligation_id)
    if search:
        query = query.where(_has(search))
    if state is not None:
        query = query.where(_is_in(state, provider))
    with connection.execute(query.limit(most), execution_options={"yield_per": ROWS_AT_A_TIME}) as rows:
        for row in rows:
            yield ListedObligation(row[0], ObligationState(row[1]), *row[2:])


def count_obligations(
    connection: Connection, provider: str, search: str | None = None, state: ObligationState | None = None
) -> int:
    """Returns the number of obligations that `stream_obligations` yields without a limit."""
    query = (
        select(func.count()).select_from(obligations.join(debtors)).where(obligations.c.provider == provider)
    )
    if search:
        query = query.where(_has(search))
    if state is not None:
        query = query.where(_is_in(state, provider))
    return connection.scalar(query) or 0


def taxpayer(connection: Connection, provider: str, tax_number: str) -> Taxpayer | None:
    """Returns all that the ledger has under a tax number; None if there is nothing."""
    mine = (debtors.c.provider == provider, debtors.c.tax_number == tax_number)
    query = _listed(provider).where(*mine).order_by(obligations.c.obligation_id)
    rows = connection.execute(query.limit(_MOST_OF_TAXPAYER)).all()
    count = connection.scalar(select(func.count()).select_from(obligations.join(debtors)).where(*mine))
    newest = (
        select(account_months.c.id)
        .where(account_months.c.account == accounts.c.id)
        .order_by(account_months.c.month.desc())
        .limit(1)
        .correlate(accounts)
        .scalar_subquery()
    )
    owned = connection.execute(
        select(
            accounts.c.account,
            accounts.c.holder_name,
            accounts.c.opened_on,
            accounts.c.closed_on,
            account_months.c.month,
            account_months.c.closing_balance_cents,
        )
        .outerjoin(account_months, account_months.c.id == newest)
        .where(accounts.c.provider == provider, accounts.c.holder_tax_number == tax_number)
        .order_by(accounts.c.account)
    ).all()
    if not rows and not owned:
        return None
    found = tuple(ListedObligation(row[0], ObligationState(row[1]), *row[2:]) for row in rows)
    held = tuple(HeldByTaxpayer(*row) for row in owned)
    names = dict.fromkeys([*(one.debtor_name for one in found), *(one.holder_name for one in held)])
    return Taxpayer(tax_number, tuple(names), found, held, (count or 0) - len(found))


def stream_moves(
    connection: Connection, provider: str, month: str, against: str, most: int | None = None
) -> Iterator[Move]:
    """Yields the accounts that have a row of either month, the largest difference of balances first.

    Raises `UsageError` if the ledger has neither month.
    """
    now, then = account_months.alias("now"), account_months.alias("then")
    moved = func.coalesce(now.c.closing_balance_cents, 0) - func.coalesce(then.c.closing_balance_cents, 0)
    query = (
        select(
            accounts.c.account,
            accounts.c.holder_name,
            *(now.c[name].label(f"now_{name}") for name in FIGURES),
            *(then.c[name].label(f"then_{name}") for name in FIGURES),
            moved.label("moved"),
        )
        .select_from(accounts)
        .outerjoin(now, and_(now.c.account == accounts.c.id, now.c.month == month))
        .outerjoin(then, and_(then.c.account == accounts.c.id, then.c.month == against))
        .where(accounts.c.provider == provider, or_(now.c.id.is_not(None), then.c.id.is_not(None)))
        .order_by(func.abs(moved).desc(), accounts.c.account)
        .limit(most)
    )
    with connection.execute(query, execution_options={"yield_per": ROWS_AT_A_TIME}) as rows:
        for row in rows:
            yield Move(
                row.account,
                row.holder_name,
                month,
                against,
                _figures(row[2:5]),
                _figures(row[5:8]),
                row.moved,
            )


def require_month(connection: Connection, provider: str, month: str) -> None:
    """Raises `UsageError` if the ledger has no figures of a month."""
    found = connection.execute(
        select(account_months.c.id)
        .join(accounts)
        .where(accounts.c.provider == provider, account_months.c.month == month)
        .limit(1)
    ).first()
    if found is None:
        raise UsageError(
            _("The ledger has no account months for {month:period}.", month=month),
            _("import them, or name another month"),
        )


def _figures(cents: Any) -> Figures | None:
    return None if cents[0] is None else Figures(*cents)


def _listed(provider: str) -> Select[Any]:
    return (
        select(
            obligations.c.obligation_id,
            _state(provider),
            obligations.c.issuer,
            debtors.c.tax_number,
            debtors.c.name,
            obligations.c.debtor_account,
            _of_events(func.count()),
            _pending(func.count()).scalar_subquery(),
            func.coalesce(_of_events(func.sum(events.c.amount_cents)), 0),
            _of_events(func.max(events.c.recorded_at)),
        )
        .select_from(obligations.join(debtors))
        .where(obligations.c.provider == provider)
    )


def _of_events(figure: ColumnElement[Any]) -> ColumnElement[Any]:
    """A figure over the events of the obligation at hand, from its index."""
    return (
        select(figure)
        .select_from(events)
        .where(events.c.obligation == obligations.c.id)
        .correlate(obligations)
        .scalar_subquery()
    )


def _pending(figure: ColumnElement[Any]) -> Select[Any]:
    """A figure over those events of the obligation at hand that AJPES has not accepted and is to hear of."""
    return (
        select(figure)
        .select_from(events.join(pending_events, pending_events.c.event == events.c.id))
        .where(
            events.c.obligation == obligations.c.id,
            ~exists().where(withdrawn_events.c.event == events.c.id),
        )
        .correlate(obligations)
    )


def _has_pending() -> ColumnElement[bool]:
    return _pending(events.c.id).exists()


def _state(provider: str) -> ColumnElement[str]:
    return case(
        (is_excluded(provider), ObligationState.EXCLUDED.value),
        (_has_pending(), ObligationState.PENDING.value),
        else_=ObligationState.ACCEPTED.value,
    )


def _is_in(state: ObligationState, provider: str) -> ColumnElement[bool]:
    if state is ObligationState.EXCLUDED:
        return is_excluded(provider)
    if state is ObligationState.PENDING:
        return and_(~is_excluded(provider), _has_pending())
    return and_(~is_excluded(provider), ~_has_pending())


def _has(text: str) -> ColumnElement[bool]:
    """Whether the text occurs, in whatever letter case: each database folds č in its own way."""
    columns = (
        obligations.c.obligation_id,
        debtors.c.tax_number,
        debtors.c.name,
        obligations.c.debtor_account,
    )
    spellings = {text, text.lower(), text.upper(), text.title()}
    return or_(*(column.icontains(one, autoescape=True) for column in columns for one in sorted(spellings)))
