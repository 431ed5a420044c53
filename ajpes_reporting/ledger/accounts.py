"""How staged accounts, months and postings join the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, func, literal, select, update

from ajpes_reporting.database.tables import account_months, accounts, postings
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.ledger.contradictions import Comparison, contradictions
from ajpes_reporting.ledger.findings import MOST
from ajpes_reporting.ledger.merge import Merge
from ajpes_reporting.ledger.months import CLOSED, FIGURES, IMPORTED, put_months
from ajpes_reporting.ledger.staging import (
    add_new,
    newest,
    repeated,
    rows_changed,
    settle,
    staged_account_months,
    staged_accounts,
    staged_postings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, Update


_HOLDER = ("holder_tax_number", "holder_name", "opened_on", "closed_on")
_STORED = (*_HOLDER, "clean_under")


class MergeAccounts(Merge):
    """New accounts, and known ones that closed."""

    staged = (staged_accounts,)
    into = (accounts,)

    def finish(self, rows: int) -> int:
        settle(self._connection, staged_accounts)
        last = newest(self._connection, accounts)
        rows_new = _add_accounts(self._connection, self._provider)
        rows_closed = rows_changed(self._connection, _closings(self._provider, last))
        if rows_new < rows:
            self._found.add(contradictions(self._connection, _accounts_compared(self._provider, last)))
        self._found.refuse_errors()
        return rows_new + rows_closed


class MergeAccountMonths(Merge):
    """Months of known accounts; they take the place of those summed up from postings."""

    staged = (staged_account_months,)
    into = ()

    def finish(self, rows: int) -> int:
        settle(self._connection, staged_account_months)
        self._found.add(_unknown_accounts(self._connection, self._provider, staged_account_months))
        self._found.refuse_errors()
        last = newest(self._connection, account_months)
        rows_new = put_months(self._connection, _new_months(self._provider))
        if rows_new < rows:
            self._found.add(contradictions(self._connection, _months_compared(self._provider, last)))
        self._found.refuse_errors()
        return rows_new


class MergePostings(Merge):
    """Postings of known accounts."""

    staged = (staged_postings,)
    into = (postings,)

    def finish(self, rows: int) -> int:
        settle(self._connection, staged_postings)
        self._found.add(_unknown_accounts(self._connection, self._provider, staged_postings))
        self._found.refuse_errors()
        last = newest(self._connection, postings)
        rows_new = _add_postings(self._connection, self._provider)
        if rows_new < rows:
            self._found.add(contradictions(self._connection, _postings_compared(self._provider, last)))
        self._found.refuse_errors()
        return rows_new


# --- What is new ----------------------------------------------------------------------------------


def _add_accounts(connection: Connection, provider: str) -> int:
    staged = staged_accounts.c
    rows = select(literal(provider), staged.account, *(staged[name] for name in _STORED))
    key = ("provider", "account")
    return add_new(connection, accounts, key, (*key, *_STORED), rows.order_by(staged.line))


def _closings(provider: str, last: int) -> Update:
    """From open to closed: the one change to a known account."""
    staged = staged_accounts.c
    closed_on = (
        select(func.min(staged.closed_on)).where(staged.account == accounts.c.account).scalar_subquery()
    )
    return (
        update(accounts)
        .where(accounts.c.provider == provider, accounts.c.id <= last, accounts.c.closed_on.is_(None))
        .where(exists().where(staged.account == accounts.c.account, staged.closed_on.is_not(None)))
        .values(closed_on=closed_on)
    )


def _new_months(provider: str) -> Select[tuple[int]]:
    staged = staged_account_months.c
    known = exists().where(
        account_months.c.account == accounts.c.id,
        account_months.c.month == staged.month,
        account_months.c.origin != CLOSED,
    )
    return (
        select(accounts.c.id, staged.month, *(staged[name] for name in FIGURES), literal(IMPORTED))
        .select_from(staged_account_months)
        .join(accounts, _account_of(staged_account_months, provider))
        .where(~known, ~repeated(staged_account_months))
        .order_by(staged.line)
    )


def _add_postings(connection: Connection, provider: str) -> int:
    staged = staged_postings.c
    rows = (
        select(literal(provider), staged.posting_id, accounts.c.id, staged.booked_on, staged.amount_cents)
        .select_from(staged_postings)
        .join(accounts, _account_of(staged_postings, provider))
        .order_by(staged.line)
    )
    key = ("provider", "posting_id")
    return add_new(connection, postings, key, (*key, "account", "booked_on", "amount_cents"), rows)


# --- What contradicts -----------------------------------------------------------------------------


def _accounts_compared(provider: str, last: int) -> Comparison:
    return Comparison(
        staged=staged_accounts,
        joined=staged_accounts.join(accounts, _account_of(staged_accounts, provider)),
        pairs={name: (staged_accounts.c[name], accounts.c[name]) for name in _HOLDER},
        is_new=accounts.c.id > last,
        record=_account_name,
        remedy=lambda _row, _field: "correct the row; of a known account nothing changes but that it closes",
    )


def _months_compared(provider: str, last: int) -> Comparison:
    staged = staged_account_months.c
    return Comparison(
        staged=staged_account_months,
        joined=staged_account_months.join(accounts, _account_of(staged_account_months, provider)).join(
            account_months,
            (account_months.c.account == accounts.c.id) & (account_months.c.month == staged.month),
        ),
        pairs={name: (staged[name], account_months.c[name]) for name in FIGURES},
        is_new=account_months.c.id > last,
        record=lambda row: f"{_account_name(row)} in {row['month']}",
        remedy=lambda _row, _field: "correct the row; a month that was imported is not changed",
    )


def _postings_compared(provider: str, last: int) -> Comparison:
    staged = staged_postings.c
    return Comparison(
        staged=staged_postings,
        joined=staged_postings.join(
            postings, (postings.c.provider == provider) & (postings.c.posting_id == staged.posting_id)
        ).join(accounts),
        pairs={
            "account": (staged.account, accounts.c.account),
            "booked_on": (staged.booked_on, postings.c.booked_on),
            "amount_cents": (staged.amount_cents, postings.c.amount_cents),
        },
        is_new=postings.c.id > last,
        record=lambda row: f"posting {row['posting_id']}",
        remedy=lambda _row, _field: (
            "correct the row; if the ledger is wrong, import a posting that balances it"
        ),
    )


def _unknown_accounts(connection: Connection, provider: str, staged: Table) -> Iterator[Finding]:
    known = exists().where(_account_of(staged, provider))
    for row in connection.execute(
        select(staged).where(~known).order_by(staged.c.line).limit(MOST)
    ).mappings():
        yield Finding(
            Severity.ERROR,
            _account_name(row),
            "account",
            "account.unknown",
            "the ledger does not know this account",
            "import the accounts first",
            line=row["line"],
        )


def _account_of(staged: Table, provider: str) -> ColumnElement[bool]:
    return (accounts.c.provider == provider) & (accounts.c.account == staged.c.account)


def _account_name(row: RowMapping) -> str:
    return f"account {row['account']}"
