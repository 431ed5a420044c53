"""Amounts that nobody could have meant: what a person looks at first, and what does not fit into the head.

An account number typed as an amount is reported in good faith, and cannot be taken back: its
cancellation carries the same amount, and the sum of the report grows with each.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, select

from ajpes_reporting.database.tables import (
    events,
    obligations,
    pending_events,
    submission_events,
    submissions,
)
from ajpes_reporting.domain.errors import ChecksRefused
from ajpes_reporting.domain.events import CANCELLATION
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.rules import AMOUNT_DIGITS, record_name
from ajpes_reporting.i18n import NOTHING, _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select

    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.i18n import Message

_COUNT_DIGITS = 10  # 2.2, row 2
_MOST_NAMED = 5
_SMALLEST_PART = 0.01


@dataclass(frozen=True, slots=True)
class Report:
    """The events of a report in the making: where they lie, and which of them go."""

    source: FromClause
    goes: tuple[ColumnElement[bool], ...]

    def select(self, *columns: Any) -> Select[Any]:
        return select(*columns).select_from(self.source).where(*self.goes)


def not_looked_at(connection: Connection, report: Report, rules: RuleSettings) -> Message:
    """Returns why a person has to release a report for its amounts; nothing if none is large and unreleased.

    What AJPES has accepted is history. A cancellation carries the amount of what it cancels.
    """
    pending = exists(select(pending_events.c.event).where(pending_events.c.event == events.c.id))
    released = exists(
        select(submission_events.c.event)
        .join(submissions, submissions.c.id == submission_events.c.submission)
        .where(submission_events.c.event == events.c.id, submissions.c.released_at.is_not(None))
    )
    large = _largest_first(report).where(
        func.abs(events.c.amount_cents) >= rules.large_amount_cents,
        events.c.change_type != CANCELLATION,
        pending,
        ~released,
    )
    found = connection.execute(large.limit(_MOST_NAMED + 1)).all()
    named = [
        _(
            "{record} with {amount:eur}",
            record=record_name(row.obligation_id, row.event_id),
            amount=row.amount_cents,
        )
        for row in found[:_MOST_NAMED]
    ]
    if not named:
        return NOTHING
    limit = rules.large_amount_cents
    if len(found) > len(named):
        return _("an amount of {limit:eur} or more may be a slip: {named} and more", limit=limit, named=named)
    return _("an amount of {limit:eur} or more may be a slip: {named}", limit=limit, named=named)


def too_large(connection: Connection, report: Report, count: int, total: int) -> Iterator[Finding]:
    """Returns what does not fit into the head (2.2, rows 2 and 3), and the records that make it so large."""
    if count >= 10**_COUNT_DIGITS:
        message = _(
            "the number of records, {count:count}, has more than {most} digits",
            count=count,
            most=_COUNT_DIGITS,
        )
        yield _head_error("steviloZapisov", "count", message)
    digits = len(str(abs(total)))
    if digits <= AMOUNT_DIGITS:
        return
    message = _(
        "the sum of all amounts has {digits} digits in cents, at most {most} fit into the head",
        digits=digits,
        most=AMOUNT_DIGITS,
    )
    yield _head_error("sestevekZneskov", "total", message)
    for row in _largest_parts(connection, report, total):
        yield _part(connection, report, row, total)


def beyond_all_sums(connection: Connection, report: Report) -> ChecksRefused:
    """The error where the amounts are too large to be added up: with the largest of them."""
    rows = connection.execute(_largest_first(report).limit(_MOST_NAMED)).all()
    findings = [
        Finding(
            Severity.ERROR,
            record_name(row.obligation_id, row.event_id),
            "amount_cents",
            "nodurs.part-of-total",
            _("the amount is {amount:eur}", amount=row.amount_cents),
            _(
                "keep it out with `ajpes-reporting ledger exclude {obligation} --reason …`",
                obligation=shlex.quote(row.obligation_id),
            ),
            "No/znesek",
        )
        for row in rows
    ]
    return ChecksRefused(
        _(
            "NODURS was not made: its amounts add up to far more than the {most} digits of the head.",
            most=AMOUNT_DIGITS,
        ),
        _("these are the largest; if they are a slip, keep their obligations out of reports, then run again"),
        findings,
    )


def _part(connection: Connection, report: Report, row: Any, total: int) -> Finding:
    """One obligation's part of the sum, and the largest of its amounts."""
    largest = connection.execute(_largest_first(report).where(obligations.c.id == row.key).limit(1)).one()
    message = _(
        "the amounts of this record, {total:eur} in all, make up {share} % of that sum; "
        "the largest is {amount:eur} in event {event}",
        total=int(row.total),
        share=f"{100 * int(row.total) / total:.0f}",
        amount=largest.amount_cents,
        event=largest.event_id,
    )
    remedy = _(
        "keep it out with `ajpes-reporting ledger exclude {obligation} --reason …`, so that the others go in"
        " time, and ask AJPES how to report it; each further cancellation makes the sum larger",
        obligation=shlex.quote(row.obligation_id),
    )
    name = record_name(row.obligation_id)
    return Finding(Severity.ERROR, name, "amount_cents", "nodurs.part-of-total", message, remedy, "No/znesek")


def _head_error(field: str, rule: str, message: Message) -> Finding:
    remedy = _("keep the obligations that are named out of the report, the largest first, then run again")
    return Finding(
        Severity.ERROR, _("the whole file"), field, f"nodurs.{rule}-size", message, remedy, f"Ident/{field}"
    )


def _largest_first(report: Report) -> Select[Any]:
    columns = obligations.c.obligation_id, events.c.event_id, events.c.amount_cents
    return report.select(*columns).order_by(func.abs(events.c.amount_cents).desc(), events.c.id)


def _largest_parts(connection: Connection, report: Report, total: int) -> list[Row[Any]]:
    """Returns the obligations that make the sum so large, the largest first.

    Without an obligation that is small, or lessens the sum, the sum would be no smaller; nobody is told to
    keep that one out.
    """
    part = func.sum(events.c.amount_cents)
    largest = (
        report.select(obligations.c.id.label("key"), obligations.c.obligation_id, part.label("total"))
        .group_by(obligations.c.id, obligations.c.obligation_id)
        .order_by((part if total > 0 else -part).desc(), obligations.c.id)
        .limit(_MOST_NAMED)
    )
    first, *rest = connection.execute(largest).all()
    return [first, *(row for row in rest if int(row.total) / total >= _SMALLEST_PART)]
