"""What goes into a NODURS report: every changed obligation, with its whole history.

Changed is an obligation with an event that AJPES has not accepted yet (instruction, section 2.2:
all records of an obligation are sent when one of them is new). Dates play no part in that: an
event entered late goes with the next report. The cutoff only keeps out what was recorded after it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, select

from ajpes_reporting.database.tables import debtors, events, obligations, pending_events
from ajpes_reporting.reports.kind import Request, Selection, rows_of
from ajpes_reporting.reports.markup import amount_writer


def select_changes(connection: Connection, request: Request) -> Selection:
    """The totals of the report, then its events: debtor, account, obligation, order of recording."""
    history = _history(request)
    count, total = connection.execute(
        history.with_only_columns(func.count(), func.coalesce(func.sum(events.c.amount_cents), 0))
    ).one()
    totals = {"steviloZapisov": str(count), "sestevekZneskov": amount_writer(request.amounts)(int(total))}
    return Selection(record_count=count, totals=totals, rows=rows_of(connection, _in_order(history)))


def _in_order(history: Select[tuple[int]]) -> Select[Any]:
    return history.with_only_columns(
        debtors.c.id,
        debtors.c.tax_number,
        debtors.c.name,
        obligations.c.debtor_account,
        obligations.c.id,
        obligations.c.obligation_id,
        obligations.c.issuer,
        events.c.event_id,
        events.c.cancels_event_id,
        events.c.change_type,
        events.c.change_date,
        events.c.amount_cents,
        events.c.recorded_as,
        events.c.reference_model,
        events.c.reference,
        events.c.priority,
        events.c.creditor_account,
        events.c.creditor_name,
    ).order_by(
        debtors.c.tax_number,
        debtors.c.id,  # a debtor written in two ways comes twice, one after the other
        obligations.c.debtor_account,
        obligations.c.obligation_id,
        events.c.recorded_at,
        events.c.id,
    )


def reported_events(request: Request) -> Select[tuple[int]]:
    """The keys of the events this report tells the authority for the first time."""
    return (
        select(events.c.id)
        .select_from(pending_events.join(events, events.c.id == pending_events.c.event).join(obligations))
        .where(obligations.c.provider == request.provider, events.c.recorded_at <= request.cutoff)
    )


def _history(request: Request) -> Select[tuple[int]]:
    changed = (
        select(events.c.obligation)
        .select_from(pending_events.join(events, events.c.id == pending_events.c.event))
        .where(events.c.recorded_at <= request.cutoff)
    )
    return (
        select(events.c.id)
        .select_from(events.join(obligations).join(debtors))
        .where(
            obligations.c.provider == request.provider,
            obligations.c.id.in_(changed),
            events.c.recorded_at <= request.cutoff,
        )
    )
