"""Months of accounts: summed up from postings by the database, where the bank does not give them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, case, cast, func, literal, select

from ajpes_reporting.database.tables import account_months, accounts, postings
from ajpes_reporting.domain.periods import parse_month
from ajpes_reporting.ledger.staging import rows_changed

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Select

    from ajpes_reporting.domain.periods import Month

IMPORTED, CLOSED = "imported", "closed"
FIGURES = ("credit_turnover_cents", "debit_turnover_cents", "closing_balance_cents")


def close_month(connection: Connection, provider: str, month: str) -> int:
    """Sums up the postings of a month, "2026-10"; says for how many accounts.

    The closing balance is that of the month before plus the month's postings, or the sum of all
    postings so far where the month before has no row. An earlier sum is renewed, also where later
    postings belong to it; what was imported stays. A month after it is not renewed with it.
    """
    return put_months(connection, _summed_up(provider, parse_month(month)))


def put_months(connection: Connection, rows: Select[Any]) -> int:
    """Adds months (account, month, the figures, origin), over those summed up; says how many.

    The rows must leave out the months that were imported.
    """
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")  # each is slow to load
    columns = ["account", "month", *FIGURES, "origin"]
    insert: Any = dialect.insert(account_months).from_select(columns, rows)
    upsert = insert.on_conflict_do_update(
        index_elements=["account", "month"],
        set_={name: insert.excluded[name] for name in (*FIGURES, "origin")},
        where=account_months.c.origin == CLOSED,
    )
    return rows_changed(connection, upsert)


def _summed_up(provider: str, month: Month) -> Select[Any]:
    before, imported = account_months.alias("before"), account_months.alias("imported")
    amount = case((postings.c.booked_on >= month.first_day, postings.c.amount_cents), else_=0)
    opening = case((before.c.id.is_(None), _total(postings.c.amount_cents) - _total(amount)))
    balance = func.coalesce(before.c.closing_balance_cents, opening) + _total(amount)
    return (
        select(
            accounts.c.id,
            literal(month.key),
            _total(case((amount > 0, amount), else_=0)),
            _total(case((amount < 0, -amount), else_=0)),
            balance,
            literal(CLOSED),
        )
        .join(postings, (postings.c.account == accounts.c.id) & (postings.c.booked_on <= month.last_day))
        .outerjoin(before, (before.c.account == accounts.c.id) & (before.c.month == month.previous().key))
        .outerjoin(
            imported,
            and_(
                imported.c.account == accounts.c.id,
                imported.c.month == month.key,
                imported.c.origin == IMPORTED,
            ),
        )
        .where(accounts.c.provider == provider, imported.c.id.is_(None))
        .group_by(accounts.c.id, before.c.id, before.c.closing_balance_cents)
    )


def _total(amount: ColumnElement[int]) -> ColumnElement[int]:
    return cast(func.sum(amount), BigInteger)
