"""Restating: an account or a month is given anew, with a reason, and what stood there stays readable.

Events and postings are facts, which are never restated: an event is cancelled, a posting is balanced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, literal, select, update

from ajpes_reporting.database.tables import account_months, accounts, former_account_months, former_accounts
from ajpes_reporting.ledger.months import FIGURES
from ajpes_reporting.ledger.staging import newest, rows_changed, staged_account_months, staged_accounts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select, Table

HOLDER = ("holder_tax_number", "holder_name", "opened_on", "closed_on")


@dataclass(frozen=True, slots=True)
class Restatement:
    """A person's word that rows are to take the place of what they contradict: why, and when."""

    reason: str
    at: datetime


def restate_months(connection: Connection, rows: Select[Any], restatement: Restatement) -> int:
    """Gives imported months anew; `rows` selects their keys, once. Says how many."""
    staged = staged_account_months.c
    of_month = (staged.account == accounts.c.account, staged.month == account_months.c.month)
    return _restate(
        connection, account_months, former_account_months, "account_month", FIGURES, rows, restatement,
        {name: select(staged[name]).where(*of_month, accounts.c.id == account_months.c.account)
         for name in FIGURES},
    )  # fmt: skip


def restate_accounts(connection: Connection, rows: Select[Any], restatement: Restatement) -> int:
    """Gives accounts anew; `rows` selects their keys, once. Says how many."""
    staged = staged_accounts.c
    return _restate(
        connection, accounts, former_accounts, "account", HOLDER, rows, restatement,
        {name: select(staged[name]).where(staged.account == accounts.c.account)
         for name in (*HOLDER, "clean_under")},
    )  # fmt: skip


def _restate(
    connection: Connection,
    table: Table,
    former: Table,
    parent: str,
    columns: Sequence[str],
    rows: Select[Any],
    restatement: Restatement,
    staged: dict[str, Select[Any]],
) -> int:
    """Keeps what stands there, then puts what was staged in its place: of equal keys the first row."""
    last = newest(connection, former)
    kept = select(
        table.c.id,
        *(table.c[name] for name in columns),
        literal(restatement.at, former.c.restated_at.type),
        literal(restatement.reason),
    ).where(table.c.id.in_(rows))
    names = [parent, *columns, "restated_at", "reason"]
    connection.execute(insert(former).from_select(names, kept.order_by(table.c.id)))
    values = {name: _first(query, table) for name, query in staged.items()}
    just_kept = select(former.c[parent]).where(former.c.id > last)
    return rows_changed(connection, update(table).where(table.c.id.in_(just_kept)).values(values))


def _first(query: Select[Any], table: Table) -> ColumnElement[Any]:
    staged = next(iter(query.selected_columns)).table
    return query.order_by(staged.c.line).limit(1).correlate(table).scalar_subquery()
