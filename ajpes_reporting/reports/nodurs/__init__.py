"""NODURS: the daily report of changes of overdue unpaid obligations (sections 2, 4 and 5)."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING

from ajpes_reporting.domain import calendar
from ajpes_reporting.domain.periods import Day, Period
from ajpes_reporting.i18n import _, _n
from ajpes_reporting.reports.kind import ReportKind, Total
from ajpes_reporting.reports.nodurs import answer, rules, select, write
from ajpes_reporting.reports.nodurs.select import NodursSettings

if TYPE_CHECKING:
    from datetime import date, datetime


def _deadline(period: Period, _extra_days_off: frozenset[date]) -> datetime:
    return calendar.nodurs_deadline(period.first_day)


_EXAMPLE = """\
amounts = "cents"                      # or "decimal", if AJPES wants 288434.16
# sftp_above_bytes = 50000000          # larger files go by SFTP at once
"""

NODURS = ReportKind(
    code="NODURS",
    title=_("The daily report of changed obligations."),
    monthly=False,
    starts_at=time(16),
    root=write.ROOT,
    namespace=write.NAMESPACE,
    schema="nodurs-20100601.xsd",
    counted_records=lambda count: _n("{count:count} event", "{count:count} events", count),
    record_mark=write.EVENT,
    answer_root=answer.ROOT,
    answer_schema=answer.SCHEMA,
    select=select.select_changes,
    write=write.write,
    file_rules=rules.NodursRules,
    read_answer_head=answer.read_head,
    read_answer_row=answer.read_row,
    period=Day,
    deadline=_deadline,
    settings=NodursSettings,
    totals=(
        Total("steviloZapisov", _("number of records"), is_amount=False),
        Total("sestevekZneskov", _("sum of the amounts")),
    ),
    example=_EXAMPLE,
    needed_views=("events",),
    reported_events=select.reported_events,
    left_out=select.left_out,
)
