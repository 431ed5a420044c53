"""An account with its newest months, and what stood in both before it was restated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ajpes_reporting.database.tables import account_months, accounts, former_account_months, former_accounts
from ajpes_reporting.ledger.months import FIGURES
from ajpes_reporting.ledger.reported import Figures
from ajpes_reporting.ledger.restatement import HOLDER

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy import Connection, Row

_NEWEST_MONTHS = 24


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose account it is, and from when to when."""

    holder_tax_number: str
    holder_name: str
    opened_on: date
    closed_on: date | None


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """One month; `origin` is "imported", or "closed" where it was summed up from postings."""

    month: str
    figures: Figures
    origin: str


@dataclass(frozen=True, slots=True)
class Former:
    """The values before a restatement; `month` is None for the account itself."""

    month: str | None
    before: Holder | Figures
    restated_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """An account as the ledger has it; months and what they were before, the newest first."""

    account: str
    holder: Holder
    months: tuple[AccountMonth, ...]
    former: tuple[Former, ...]


def account_history(connection: Connection, provider: str, account: str) -> AccountHistory | None:
    """The account, None if the ledger does not have it."""
    row = connection.execute(
        select(accounts).where(accounts.c.provider == provider, accounts.c.account == account)
    ).one_or_none()
    if row is None:
        return None
    months = connection.execute(
        select(account_months)
        .where(account_months.c.account == row.id)
        .order_by(account_months.c.month.desc())
        .limit(_NEWEST_MONTHS)
    )
    found = tuple(AccountMonth(month.month, _figures(month), month.origin) for month in months)
    former = (*_former_holders(connection, row.id), *_former_months(connection, row.id))
    newest_first = sorted(former, key=lambda item: item.restated_at, reverse=True)
    return AccountHistory(account, _holder(row), found, tuple(newest_first))


def _former_holders(connection: Connection, account: int) -> list[Former]:
    rows = connection.execute(
        select(former_accounts)
        .where(former_accounts.c.account == account)
        .order_by(former_accounts.c.id.desc())
    )
    return [Former(None, _holder(row), row.restated_at, row.reason) for row in rows]


def _former_months(connection: Connection, account: int) -> list[Former]:
    former = former_account_months
    rows = connection.execute(
        select(former, account_months.c.month)
        .join(account_months, account_months.c.id == former.c.account_month)
        .where(account_months.c.account == account)
        .order_by(former.c.id.desc())
    )
    return [Former(row.month, _figures(row), row.restated_at, row.reason) for row in rows]


def _holder(row: Row[Any]) -> Holder:
    return Holder(*(getattr(row, name) for name in HOLDER))


def _figures(row: Row[Any]) -> Figures:
    return Figures(*(getattr(row, name) for name in FIGURES))
