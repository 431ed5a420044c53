"""Months of accounts: summed up from postings by the database, where the bank does not give them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    MetaData,
    String,
    Table,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)

from ajpes_reporting.database.tables import account_months, accounts, postings
from ajpes_reporting.database.temporary import read_ahead
from ajpes_reporting.database.types import Cents, Key, in_key_order
from ajpes_reporting.domain.periods import parse_month
from ajpes_reporting.ledger.staging import rows_changed

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, Subquery

    from ajpes_reporting.domain.periods import Month

IMPORTED, CLOSED = "imported", "closed"
FIGURES = ("credit_turnover_cents", "debit_turnover_cents", "closing_balance_cents")

_summed_up_months = Table(
    "summed_up_months",
    MetaData(),
    Column("account", Key, nullable=False),
    Column("month", String(7), nullable=False),
    *(Column(name, Cents, nullable=False) for name in FIGURES),
    Column("origin", String(8), nullable=False),
    prefixes=["TEMPORARY"],
)


def close_month(connection: Connection, provider: str, month: str) -> int:
    """Sums up the postings of a month, "2026-10"; says for how many accounts.

    The closing balance is that of the month before plus the month's postings, or the sum of all
    postings so far where the month before has no row. An earlier sum is renewed, also where later
    postings belong to it; what was imported stays. A month after it is not renewed with it.
    """
    rows = _summed_up(provider, parse_month(month))
    return put_months(connection, read_ahead(connection, _summed_up_months, rows))


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
    before = account_months.alias("before")
    sums = _sums_of(provider, month)
    earlier = _sum_before(sums.c.account, month)
    change = func.coalesce(sums.c.change, 0)
    return (
        select(
            sums.c.account,
            literal(month.key),
            sums.c.credit,
            sums.c.credit - change,
            func.coalesce(before.c.closing_balance_cents, earlier, 0) + change,
            literal(CLOSED),
        )
        .select_from(sums)
        .outerjoin(before, (before.c.account == sums.c.account) & (before.c.month == month.previous().key))
        .where(or_(sums.c.change.is_not(None), before.c.origin == CLOSED, earlier.is_not(None)))
    )


def _sums_of(provider: str, month: Month) -> Subquery:
    """Credit and change of the month for every account whose month was not imported.

    Without a posting the change is NULL. An index has all that is summed up, and account by account nothing
    is sorted, nor kept. A provider without any posting has nothing to sum up: no account is looked at.
    """
    has_postings = exists().where(postings.c.provider == provider).correlate(None)
    is_imported = exists().where(
        account_months.c.account == accounts.c.id,
        account_months.c.month == month.key,
        account_months.c.origin == IMPORTED,
    )
    amount = postings.c.amount_cents
    of_month = and_(
        postings.c.account == accounts.c.id, postings.c.booked_on.between(month.first_day, month.last_day)
    )
    return (
        select(
            accounts.c.id.label("account"),
            _total(case((amount > 0, amount), else_=0)).label("credit"),
            _total(amount).label("change"),
        )
        .select_from(accounts.outerjoin(postings, of_month))
        .where(has_postings, in_key_order(accounts.c.provider) == provider, ~is_imported)
        .group_by(accounts.c.id)
        .subquery("sums")
    )


def _sum_before(account: ColumnElement[int], month: Month) -> ScalarSelect[int]:
    """All postings of an account before the month; asked only where the month before has no row."""
    return (
        select(_total(postings.c.amount_cents))
        .where(postings.c.account == account, postings.c.booked_on < month.first_day)
        .correlate_except(postings)
        .scalar_subquery()
    )


def _total(amount: ColumnElement[int]) -> ColumnElement[int]:
    return cast(func.sum(amount), BigInteger)
