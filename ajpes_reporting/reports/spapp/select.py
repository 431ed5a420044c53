"""Selects the content of a SPAPP report: every account that was open in the month, in whole euros.

An account closed during the month is still in; one without turnover is in with zeros and with the
last balance that is known (section 3.2 of the instruction).

The accounts are listed first, in the order of the report, with figures that are already rounded, so
that the totals add up to the rows; whatever follows reads that list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    MetaData,
    Select,
    Table,
    and_,
    false,
    func,
    or_,
    select,
)

from ajpes_reporting.database.amounts import as_reported
from ajpes_reporting.database.tables import account_months, accounts
from ajpes_reporting.database.temporary import fill_in_order
from ajpes_reporting.database.types import AccountNumber, Key, filled, in_byte_order, utf8
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.rules import check_account_number, check_provider
from ajpes_reporting.i18n import _
from ajpes_reporting.reports.kind import Request, Selection, is_remarked, rows_of
from ajpes_reporting.reports.markup import amount_column, amount_writer, hide
from ajpes_reporting.reports.spapp.rules import balance_findings, is_unbalanced

if TYPE_CHECKING:
    from collections.abc import Iterator

# The report in the making: a temporary table. `sta`, `dob` and `bre` are named as in the report.
reported = Table(
    "reported_accounts",
    MetaData(),
    Column("place", Key, primary_key=True, autoincrement=False),
    Column("account", AccountNumber, nullable=False),
    Column("sta", BigInteger, nullable=False),
    Column("dob", BigInteger, nullable=False),
    Column("bre", BigInteger, nullable=False),
    Column("silent", Boolean, nullable=False),
    Column("remarked", Boolean, nullable=False),
    Column("unbalanced", Boolean, nullable=False),
    prefixes=["TEMPORARY"],
)

_PAGE = 100
_ACCOUNT = hide('<Pi sta="%s" dob="%s" rn="%s" bre="%s"/>\n')


def select_accounts(connection: Connection, request: Request) -> Selection:
    """The totals of the report, then its accounts as they are written, a page at a time, markup hidden."""
    fill_in_order(connection, reported, _accounts(request), in_byte_order(accounts.c.account))
    sums = (func.coalesce(func.sum(reported.c[name]), 0) for name in ("sta", "dob", "bre"))
    counts = (func.count().filter(reported.c[name]) for name in ("silent", "remarked", "unbalanced"))
    count, balances, credits, debits, *odd = connection.execute(
        select(func.count(), *sums, *counts).select_from(reported)
    ).one()
    written = amount_writer(request.settings.amounts)
    return Selection(
        record_count=count,
        totals={
            "skupajZnesekBreme": written(int(debits)),
            "skupajZnesekDobro": written(int(credits)),
            "skupajZnesekStanj": written(int(balances)),
        },
        rows=rows_of(connection, _in_order(request)),
        findings=_findings(connection, request, count, *odd),
    )


def _accounts(request: Request) -> Select[Any]:
    this_month, before = account_months.alias("this_month"), account_months.alias("before")
    last_balance = (
        select(account_months.c.closing_balance_cents)
        .where(account_months.c.account == accounts.c.id, account_months.c.month < request.period.key)
        .order_by(account_months.c.month.desc())
        .limit(1)
        .scalar_subquery()
    )
    joined = accounts.outerjoin(
        this_month, and_(this_month.c.account == accounts.c.id, this_month.c.month == request.period.key)
    ).outerjoin(
        before, and_(before.c.account == accounts.c.id, before.c.month == request.period.previous().key)
    )
    balance = func.coalesce(this_month.c.closing_balance_cents, last_balance, 0)
    return (
        select(
            accounts.c.account,
            as_reported(balance, request.settings.amounts),
            as_reported(func.coalesce(this_month.c.credit_turnover_cents, 0), request.settings.amounts),
            as_reported(func.coalesce(this_month.c.debit_turnover_cents, 0), request.settings.amounts),
            this_month.c.id.is_(None),
            is_remarked(request.rules, accounts),
            func.coalesce(is_unbalanced(this_month, before), false()),
        )
        .select_from(joined)
        .where(
            accounts.c.provider == request.provider,
            accounts.c.opened_on <= request.period.last_day,
            or_(accounts.c.closed_on.is_(None), accounts.c.closed_on >= request.period.first_day),
        )
    )


def _in_order(request: Request) -> Select[Any]:
    sta, dob, bre = (
        amount_column(reported.c[name], request.settings.amounts) for name in ("sta", "dob", "bre")
    )
    line = filled(_ACCOUNT, sta, dob, reported.c.account, bre)  # section 3.2, rows 7 to 10
    first = reported.alias("first_of_page")
    lines = (
        select(line.label("line"))
        .where(reported.c.place.between(first.c.place, first.c.place + _PAGE - 1))
        .order_by(reported.c.place)
        .correlate(first)
        .subquery("lines")
    )
    page = select(func.aggregate_strings(lines.c.line, "")).scalar_subquery()
    return select(utf8(page)).where(first.c.place % _PAGE == 1).order_by(first.c.place)


def _findings(
    connection: Connection, request: Request, count: int, silent: int, remarked: int, unbalanced: int
) -> Iterator[Finding]:
    yield from check_provider(request.provider)
    yield from _silence(silent, count, request)
    if unbalanced:
        asked = select(reported.c.account).where(reported.c.unbalanced)
        yield from balance_findings(connection, request, asked)
    if remarked:
        asked = select(reported.c.account).where(reported.c.remarked).order_by(reported.c.place)
        for (number,) in rows_of(connection, asked):
            yield from check_account_number(number, request.rules)


def _silence(silent: int, count: int, request: Request) -> tuple[Finding, ...]:
    """Accounts without figures: some are idle, all of them are an import that was forgotten."""
    if not silent:
        return ()
    return (
        Finding(
            Severity.ERROR if silent == count else Severity.WARNING,
            _("open accounts"),
            "account_months",
            "spapp.no-figures",
            _(
                "the ledger has no figures of {month:month} for {silent:count} of {count:count} "
                "open accounts; these stand without turnover and with their last known balance",
                month=request.period.first_day,
                silent=silent,
                count=count,
            ),
            _("import their month, or their postings"),
            "Pi",
        ),
    )
