"""SPAPP: the monthly report of turnover and balances of accounts (sections 3, 4.2 and 5)."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING

from ajpes_reporting.domain import calendar
from ajpes_reporting.domain.periods import Month, Period
from ajpes_reporting.i18n import _, _n
from ajpes_reporting.reports.kind import ReportKind, Total
from ajpes_reporting.reports.spapp import answer, rules, select, write
from ajpes_reporting.reports.spapp.settings import SpappSettings

if TYPE_CHECKING:
    from datetime import date, datetime


def _deadline(period: Period, extra_days_off: frozenset[date]) -> datetime:
    return calendar.spapp_deadline(period.first_day, extra_days_off)


def _month(day: date) -> Month:
    return Month(day.year, day.month)


_EXAMPLE = """\
amounts = "euros"                      # or "decimal", or "cents"
"""

SPAPP = ReportKind(
    code="SPAPP",
    title=_("The monthly report of turnover and balances."),
    monthly=True,
    starts_at=time(9),
    root=write.ROOT,
    namespace=write.NAMESPACE,
    schema="spapp-20100601.xsd",
    counted_records=lambda count: _n("{count:count} account", "{count:count} accounts", count),
    record_mark=write.ACCOUNT,
    answer_root=answer.ROOT,
    answer_schema=answer.SCHEMA,
    select=select.select_accounts,
    write=write.write,
    file_rules=rules.SpappRules,
    read_answer_head=answer.read_head,
    read_answer_row=answer.read_row,
    period=_month,
    deadline=_deadline,
    settings=SpappSettings,
    totals=(
        Total("skupajZnesekBreme", _("total debit turnover")),
        Total("skupajZnesekDobro", _("total credit turnover")),
        Total("skupajZnesekStanj", _("total of the closing balances")),
    ),
    example=_EXAMPLE,
    needed_views=("accounts",),
    reports_months=True,
    nothing_is_an_omission=_("import the accounts with `ajpes-reporting ledger import accounts.csv`"),
)
