"""Postings that the ledger has: one by its identifier, and what a source has brought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, exists, extract, func, select

from ajpes_reporting.database.tables import account_months, accounts, postings
from ajpes_reporting.ledger.months import IMPORTED

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Turnover:
    """The turnover of postings on one account in one month, "2026-11"; debits have no sign.

    `counts` is false where the month was imported: it is reported as it was, whatever is posted.
    """

    account: str
    month: str
    credits: int
    credit_cents: int
    debits: int
    debit_cents: int
    counts: bool


def posted_cents(connection: Connection, provider: str, posting_id: str) -> int | None:
    """The amount of a posting, credit positive; None if there is none."""
    column = postings.c
    return connection.scalar(
        select(column.amount_cents).where(column.provider == provider, column.posting_id == posting_id)
    )


def turnover_since(connection: Connection, provider: str, newest: int) -> list[Turnover]:
    """Returns the turnover of the postings after `newest`, by account and month."""
    amount = postings.c.amount_cents
    year, month = (extract(part, postings.c.booked_on) for part in ("year", "month"))
    rows = connection.execute(
        select(
            accounts.c.id, accounts.c.account, year, month,
            func.sum(case((amount < 0, 0), else_=1)), func.sum(case((amount < 0, 0), else_=amount)),
            func.sum(case((amount < 0, 1), else_=0)), func.sum(case((amount < 0, -amount), else_=0)),
        )
        .join(accounts, accounts.c.id == postings.c.account)
        .where(postings.c.provider == provider, postings.c.id > newest)
        .group_by(accounts.c.id, accounts.c.account, year, month)
        .order_by(accounts.c.account, year, month)
    )  # fmt: skip
    return [_turnover(connection, *row) for row in rows]


def _turnover(connection: Connection, key: int, account: str, year: int, month: int, *sums: int) -> Turnover:
    name = f"{year:04}-{month:02}"
    credits, credit_cents, debits, debit_cents = map(int, sums)
    counts = not _is_imported(connection, key, name)
    return Turnover(account, name, credits, credit_cents, debits, debit_cents, counts)


def _is_imported(connection: Connection, account: int, month: str) -> bool:
    column = account_months.c
    there = exists().where(column.account == account, column.month == month, column.origin == IMPORTED)
    return bool(connection.scalar(select(there)))
