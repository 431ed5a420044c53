"""The findings of a monthly report about months that AJPES has accepted with other figures.

A posting may come late, and a month may be restated: the next report goes in time all the same, and a person
decides whether the month itself is sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.i18n import _, _n, joined
from ajpes_reporting.ledger import reported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.ledger.reported import MovedMonth
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
    for item in month.shown:
        message = _("AJPES accepted other figures: {difference}", difference=item.in_words())
        if is_last:
            opening = _("the opening balance of this report differs from what was accepted")
            message = joined((message, opening))
        record = _("account {account} in {month:period}", account=item.account, month=item.month)
        yield _finding(month, record, message)
    if (more := month.count - len(month.shown)) > 0:
        record = _n(
            "{count:count} more account in {month:period}",
            "{count:count} more accounts in {month:period}",
            more,
            month=month.month,
        )
        message = _("so do their figures of {month:period}", month=month.month)
        yield _finding(month, record, _("so do their figures of it") if is_this else message)


def _finding(month: MovedMonth, record: Message, message: Message) -> Finding:
    return Finding(
        Severity.WARNING,
        record,
        "closing_balance_cents",
        "spapp.accepted-otherwise",
        message,
        remedy=_(
            "if that month is to be sent again, `ajpes-reporting resubmit {submission}`",
            submission=month.submission,
        ),
        location="Pi",
    )
