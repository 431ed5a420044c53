"""Months that follow from what comes in late: renewed by the database, whatever order things come in.

A posting, an imported month or a restatement moves the balance of its month and of the later ones, up to the
next month that the bank gave. What a report said of them is noted before (see `reported`).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    MetaData,
    String,
    Table,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
)

from ajpes_reporting.database.tables import account_months, accounts, postings, reported_figures
from ajpes_reporting.database.temporary import fill, read_ahead
from ajpes_reporting.database.types import Cents, Key, day_after_month, first_day_of
from ajpes_reporting.ledger.months import (
    CLOSED,
    FIGURES,
    IMPORTED,
    LastKnown,
    last_row,
    put_months,
    summed_up_months,
    turnover,
)
from ajpes_reporting.ledger.reported import figures_reported, is_open, reported_months

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, ScalarSelect, Select

# Accounts for which something has changed, and the first month that it may move.
_touched = Table(
    "touched_accounts",
    MetaData(),
    Column("account", Key, primary_key=True, autoincrement=False),
    Column("since", String(7), nullable=False),
    prefixes=["TEMPORARY"],
)

# What those months were: of every row, and of each month that was reported, also without one.
_before = Table(
    "months_before",
    MetaData(),
    Column("account", Key, nullable=False),
    Column("month", String(7), nullable=False),
    Column("since", String(7), nullable=False),
    *(Column(name, Cents, nullable=False) for name in FIGURES),
    Column("has_row", Boolean, nullable=False),
    Column("is_in", Boolean, nullable=False),
    Column("submission", Key),  # the newest report of the month, if there is one
    prefixes=["TEMPORARY"],
)


def newest_month(connection: Connection, provider: str) -> str | None:
    """The newest month with a row or a report: what comes in for a later one moves nothing."""
    with_row = select(func.max(account_months.c.month)).scalar_subquery()
    with_report = select(func.max(reported_months(provider).c.month)).scalar_subquery()
    found = connection.execute(select(with_row, with_report)).one()
    return max((month for month in found if month is not None), default=None)


@contextmanager
def following(connection: Connection, provider: str, touched: Select[tuple[int, str]]) -> Iterator[None]:
    """Lets the months follow what happens inside to the `touched` accounts, each from a month on.

    Postings may be there already, since what the months were is read from their rows alone.
    """
    fill(connection, _touched, touched)
    if connection.scalar(select(_touched.c.account).limit(1)) is None:
        yield
        return
    fill(connection, _before, _rows_before(provider))
    yield
    put_months(connection, read_ahead(connection, summed_up_months, _renewed()))
    _note_reported(connection)


def follow(connection: Connection, provider: str, touched: Select[tuple[int, str]]) -> None:
    """Lets the months follow postings that have come in."""
    with following(connection, provider, touched):
        pass


def _rows_before(provider: str) -> Any:
    reported = reported_months(provider)
    months, account, since = account_months, _touched.c.account, _touched.c.since
    rows = (
        select(account, months.c.month, since, *(months.c[name] for name in FIGURES),
               literal(True), is_open(accounts, months.c.month), reported.c.submission)
        .select_from(_touched)
        .join(accounts, accounts.c.id == account)
        .join(months, and_(months.c.account == account, months.c.month >= since))
        .outerjoin(reported, reported.c.month == months.c.month)
    )  # fmt: skip
    no_rows = (
        select(account, reported.c.month, since, *figures_reported(months, account, reported.c.month),
               literal(False), is_open(accounts, reported.c.month), reported.c.submission)
        .select_from(_touched)
        .join(accounts, accounts.c.id == account)
        .join(reported, reported.c.month >= since)
        .outerjoin(months, and_(months.c.account == account, months.c.month == reported.c.month))
        .where(months.c.id.is_(None))
    )  # fmt: skip
    return union_all(rows, no_rows)


def _renewed() -> Select[Any]:
    """The months that were summed up, where that gives something else now.

    So does a reported month without a row, if something was posted into it after all.
    """
    here, month = _before.c, _before.c.month
    is_imported = exists().where(
        account_months.c.account == here.account,
        account_months.c.month == month,
        account_months.c.origin == IMPORTED,
    )
    stands = or_(last_row.c.month < here.since, last_row.c.origin == IMPORTED)
    last = LastKnown(here.account, month, stands)
    since = last.posted_before(day_after_month(month))
    amount = postings.c.amount_cents
    figures = (
        _posted_in(month, amount > 0, amount),
        _posted_in(month, amount < 0, -amount),
        func.coalesce(last.closing_balance, 0) + func.coalesce(since, 0),
    )
    sums = (
        select(here.account, month, *(figure.label(f"new_{name}") for name, figure in
                                      zip(FIGURES, figures, strict=True)), *(here[name] for name in FIGURES))
        .select_from(_before)
        .join(accounts, accounts.c.id == here.account)
        .where(~is_imported, or_(here.has_row, is_open(accounts, month)))
        .subquery("sums")
    )  # fmt: skip
    new = [sums.c[f"new_{name}"] for name in FIGURES]
    return select(sums.c.account, sums.c.month, *new, literal(CLOSED)).where(_differ(sums, new))


def _posted_in(
    month: ColumnElement[str], condition: ColumnElement[bool], amount: ColumnElement[int]
) -> ColumnElement[int]:
    posted: ScalarSelect[int] = (
        select(turnover(condition, amount))
        .where(postings.c.account == _before.c.account)
        .where(postings.c.booked_on >= first_day_of(month), postings.c.booked_on < day_after_month(month))
        .correlate_except(postings)
        .scalar_subquery()
    )
    return func.coalesce(posted, 0)


def _note_reported(connection: Connection) -> None:
    """Writes down what the newest report of a month said, if it would say something else now."""
    here, now = _before.c, account_months.alias("now")
    figures = figures_reported(now, here.account, here.month)
    is_in = is_open(accounts, here.month)
    is_noted = exists().where(
        reported_figures.c.submission == here.submission, reported_figures.c.account == here.account
    )
    said = (case((here.is_in, here[name])) for name in FIGURES)
    moved = (
        select(here.submission, here.account, *said)
        .select_from(_before)
        .join(accounts, accounts.c.id == here.account)
        .outerjoin(now, and_(now.c.account == here.account, now.c.month == here.month))
        .where(here.submission.is_not(None), ~is_noted)
        .where(or_(here.is_in != is_in, and_(is_in, _differ(_before, figures))))
    )
    columns = ["submission", "account", *FIGURES]
    connection.execute(insert(reported_figures).from_select(columns, moved))


def _differ(of: Any, figures: Sequence[ColumnElement[int]]) -> ColumnElement[bool]:
    return or_(*(of.c[name] != figure for name, figure in zip(FIGURES, figures, strict=True)))
