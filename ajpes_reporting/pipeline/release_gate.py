"""When a report waits for a person before it goes: a journal that was restored or put back, its amounts, its
volume.

A slip in the bank's core system, such as a whole ledger marked as changed, is mended in minutes
before it is sent, and in weeks afterwards.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from ajpes_reporting.journal import submissions
from ajpes_reporting.journal.restored import reason_to_doubt

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.build import Built
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind

_COMPARED_WITH = 20
_TOO_FEW_TO_COMPARE = 5
_NEVER_TOO_MANY = 1_000
_ABOUT = 1.1  # what a person has let go may grow by so much until it is sent


def reason_to_hold(connection: Connection, context: Context, kind: ReportKind, built: Built) -> str | None:
    """Why this report is held for a person's release; nothing if it may go."""
    period, count = built.request.period, built.record_count
    doubt = reason_to_doubt(connection, context.provider, kind.code, period)
    reasons = (
        doubt,
        built.to_be_released,
        None if doubt else _volume(connection, context, kind, period, count),
    )
    return "; ".join(filter(None, reasons)) or None


def _volume(
    connection: Connection, context: Context, kind: ReportKind, period: Period, record_count: int
) -> str | None:
    released = submissions.released_count(connection, context.provider, kind.code, period.key)
    if released is not None and released / _ABOUT <= record_count <= released * _ABOUT:
        return None
    return _unusual_volume(connection, context, kind, record_count)


def _unusual_volume(
    connection: Connection, context: Context, kind: ReportKind, record_count: int
) -> str | None:
    factor = context.report_settings[kind.code].volume_factor
    counts = submissions.usual_counts(connection, context.provider, kind.code, _COMPARED_WITH)
    if not factor or len(counts) < _TOO_FEW_TO_COMPARE:
        return None
    usual = median(counts)
    is_too_many = record_count > max(usual * factor, _NEVER_TOO_MANY)
    # A day may be quiet, but each month has every account.
    is_too_few = kind.monthly and record_count < usual / factor
    if not (is_too_many or is_too_few):
        return None
    middle = f"half of the last {len(counts)} accepted reports had at most {usual:,.0f}"
    return f"it has {record_count:,} records; {middle}"
