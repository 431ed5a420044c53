"""What a monthly report must say of months that AJPES has accepted with other figures.

A posting may come late, and a month may be restated: the next report goes in time all the same, and a person
decides whether the month itself is sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.ledger import reported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.ledger.reported import Difference, MovedMonth
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind

_SHOWN_PER_MONTH = 100


def accepted_otherwise(
    connection: Connection, context: Context, kind: ReportKind, period: Period
) -> int | None:
    """The accepted submission of the period, if the ledger has other figures by now than it had."""
    if not kind.reports_months:
        return None
    amounts = context.report_settings[kind.code].amounts
    first = reported.differences(connection, context.provider, amounts, period.key, most=1)
    return first[0].submission if first else None


def moved_findings(
    connection: Connection, context: Context, kind: ReportKind, period: Period
) -> Iterator[Finding]:
    """A warning for each account whose accepted figures, of this period or an earlier one, have moved."""
    if not kind.reports_months:
        return
    amounts = context.report_settings[kind.code].amounts
    for month in reported.moved_months(connection, context.provider, amounts, _SHOWN_PER_MONTH):
        if month.month <= period.key:
            yield from _of_month(month, is_this=month.month == period.key, is_last=_is_last(month, period))


def _is_last(month: MovedMonth, period: Period) -> bool:
    return month.month == period.previous().key


def _of_month(month: MovedMonth, *, is_this: bool, is_last: bool) -> Iterator[Finding]:
    opening = "; the opening balance of this report differs from what was accepted" if is_last else ""
    for item in month.shown:
        yield _finding(month, f"account {item.account} in {item.month}", f"{_told(item)}{opening}")
    if (more := month.count - len(month.shown)) > 0:
        them = "it" if is_this else month.month
        yield _finding(month, f"{more:,} more accounts in {month.month}", f"so do their figures of {them}")


def _told(item: Difference) -> str:
    return f"AJPES accepted other figures: {item}"


def _finding(month: MovedMonth, record: str, message: str) -> Finding:
    return Finding(
        Severity.WARNING, record, "closing_balance_cents", "spapp.accepted-otherwise", message,
        f"if that month is to be sent again, `ajpes-reporting resubmit {month.submission}`", "Pi",
    )  # fmt: skip
