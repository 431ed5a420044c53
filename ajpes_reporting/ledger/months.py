"""Months of accounts: summed up from postings by the database, where the bank does not give them.

The closing balance of a month is the last known one plus all postings since, however many quiet months lie
between. Known is a month that the bank gave. A month that was summed up holds that sum, whatever comes in
after it (see `later_months`), so that nothing is summed up from further back than the last row.
"""

from __future__ import annotations

from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
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
    true,
)

from ajpes_reporting.database.tables import account_months, accounts, postings
from ajpes_reporting.database.temporary import read_ahead
from ajpes_reporting.database.types import Cents, Key, day_after_month, in_key_order
from ajpes_reporting.domain.periods import parse_month
from ajpes_reporting.ledger.staging import rows_changed

if TYPE_CHECKING:
    from sqlalchemy import Connection, ScalarSelect, Select, Subquery

    from ajpes_reporting.domain.periods import Month

IMPORTED, CLOSED = "imported", "closed"
FIGURES = ("credit_turnover_cents", "debit_turnover_cents", "closing_balance_cents")

_BEFORE_ALL = date(1, 1, 1)

summed_up_months = Table(
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

    An earlier sum is renewed, what was imported stays. An account that had no posting since its last imported
    month gets no row: the ledger invents no figures.
    """
    rows = _summed_up(provider, parse_month(month))
    return put_months(connection, read_ahead(connection, summed_up_months, rows))


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


class LastKnown:
    """In a query, the newest row of an account before a month, and what was posted after it.

    `among` leaves out rows that do not count, as a condition over the table it is given.
    """

    def __init__(
        self, account: ColumnElement[int], month: ColumnElement[str], among: ColumnElement[bool] | None = None
    ) -> None:
        self._account = account
        self._condition = and_(
            last_row.c.account == account, last_row.c.month < month, true() if among is None else among
        )

    @property
    def closing_balance(self) -> ScalarSelect[int]:
        return self._newest(last_row.c.closing_balance_cents)

    @property
    def origin(self) -> ScalarSelect[str]:
        return self._newest(last_row.c.origin)

    def posted_before(self, day: ColumnElement[date]) -> ScalarSelect[int]:
        """The sum of the postings after that row and before the day; NULL if there are none."""
        begins = func.coalesce(day_after_month(self._newest(last_row.c.month)), _BEFORE_ALL)
        return (
            select(total(postings.c.amount_cents))
            .where(postings.c.account == self._account, postings.c.booked_on < day)
            .where(postings.c.booked_on >= begins)
            .correlate_except(postings)
            .scalar_subquery()
        )

    def _newest(self, column: ColumnElement[Any]) -> ScalarSelect[Any]:
        newest = select(column).where(self._condition).order_by(last_row.c.month.desc()).limit(1)
        return newest.correlate_except(last_row).scalar_subquery()


last_row = account_months.alias("last_row")


def turnover(condition: ColumnElement[bool], amount: ColumnElement[int]) -> ColumnElement[int]:
    """In a query, the sum of the amounts that meet a condition; 0 if there are none."""
    return total(case((condition, amount), else_=0))


def total(amount: ColumnElement[int]) -> ColumnElement[int]:
    """In a query, a sum that stays a whole number on PostgreSQL."""
    return cast(func.sum(amount), BigInteger)


def _summed_up(provider: str, month: Month) -> Select[Any]:
    """Most accounts have a row of the month before: only for the others the last one is looked up."""
    before = account_months.alias("before")
    sums = _sums_of(provider, month)
    last = LastKnown(sums.c.account, literal(month.key))
    since = last.posted_before(literal(month.first_day))
    change = func.coalesce(sums.c.change, 0)
    carried = func.coalesce(last.closing_balance, 0) + func.coalesce(since, 0)
    has_no_row = before.c.id.is_(None)
    return (
        select(
            sums.c.account,
            literal(month.key),
            sums.c.credit,
            sums.c.credit - change,
            case((has_no_row, carried), else_=before.c.closing_balance_cents) + change,
            literal(CLOSED),
        )
        .select_from(sums)
        .outerjoin(before, (before.c.account == sums.c.account) & (before.c.month == month.previous().key))
        .where(
            or_(
                sums.c.change.is_not(None),
                before.c.origin == CLOSED,
                has_no_row & or_(last.origin == CLOSED, since.is_not(None)),
            )
        )
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
            turnover(amount > 0, amount).label("credit"),
            total(amount).label("change"),
        )
        .select_from(accounts.outerjoin(postings, of_month))
        .where(has_postings, in_key_order(accounts.c.provider) == provider, ~is_imported)
        .group_by(accounts.c.id)
        .subquery("sums")
    )
