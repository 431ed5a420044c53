"""What goes into a SPAPP report: every account that was open in the month, in whole euros.

An account closed during the month is still in; one without turnover is in with zeros and with the
last balance that is known (section 3.2 of the instruction).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, case, func, or_, select

from ajpes_reporting.database.tables import account_months, accounts
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.reports.kind import Request, Selection, rows_of
from ajpes_reporting.reports.markup import amount_writer
from ajpes_reporting.reports.spapp.rules import balance_findings


def select_accounts(connection: Connection, request: Request) -> Selection:
    """The totals of the report, then one row per account: number, balance, credit, debit."""
    figures = _figures(request)
    count, silent, balances, credits, debits = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(figures.c.silent), 0),
            *(func.coalesce(func.sum(figures.c[name]), 0) for name in ("sta", "dob", "bre")),
        )
    ).one()
    by_account = select(figures.c.account, figures.c.sta, figures.c.dob, figures.c.bre).order_by(
        figures.c.account
    )
    written = amount_writer(request.amounts)
    return Selection(
        record_count=count,
        totals={
            "skupajZnesekBreme": written(int(debits)),
            "skupajZnesekDobro": written(int(credits)),
            "skupajZnesekStanj": written(int(balances)),
        },
        rows=rows_of(connection, by_account),
        findings=(*_silence(int(silent), count, request), *balance_findings(connection, request)),
    )


def _figures(request: Request) -> FromClause:
    """Per account what is reported, already rounded, so that the totals add up to the rows."""
    this_month = account_months.alias("this_month")
    last_balance = (
        select(account_months.c.closing_balance_cents)
        .where(account_months.c.account == accounts.c.id, account_months.c.month < request.period.key)
        .order_by(account_months.c.month.desc())
        .limit(1)
        .scalar_subquery()
    )
    joined = accounts.outerjoin(
        this_month, and_(this_month.c.account == accounts.c.id, this_month.c.month == request.period.key)
    )
    balance = func.coalesce(this_month.c.closing_balance_cents, last_balance, 0)
    rows: Select[Any] = (
        select(
            accounts.c.account,
            case((this_month.c.id.is_(None), 1), else_=0).label("silent"),
            _reported(balance, request.amounts).label("sta"),
            _reported(func.coalesce(this_month.c.credit_turnover_cents, 0), request.amounts).label("dob"),
            _reported(func.coalesce(this_month.c.debit_turnover_cents, 0), request.amounts).label("bre"),
        )
        .select_from(joined)
        .where(
            accounts.c.provider == request.provider,
            accounts.c.opened_on <= request.period.last_day,
            or_(accounts.c.closed_on.is_(None), accounts.c.closed_on >= request.period.first_day),
        )
    )
    return rows.subquery("figures")


def _reported(cents: ColumnElement[int], amounts: str) -> ColumnElement[int]:
    """Cents as they are, or rounded to whole euros, half away from zero."""
    if amounts != "euros":
        return cents
    return case((cents < 0, -((-cents + 50) // 100)), else_=(cents + 50) // 100)


def _silence(silent: int, count: int, request: Request) -> tuple[Finding, ...]:
    """Accounts without figures: some are idle, all of them are an import that was forgotten."""
    if not silent:
        return ()
    return (
        Finding(
            Severity.ERROR if silent == count else Severity.WARNING,
            f"{silent} of {count} open accounts", "account_months", "spapp.no-figures",
            f"the ledger has no figures of {request.period.spoken} for them; "
            "they stand without turnover and with their last known balance",
            "import their month, or their postings", "Pi",
        ),
    )  # fmt: skip
