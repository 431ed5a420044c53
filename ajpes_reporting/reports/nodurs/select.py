"""What goes into a NODURS report: every changed obligation, with its whole history.

Changed is an obligation with an event that AJPES has not accepted yet (instruction, section 2.2:
all records of an obligation are sent when one of them is new). Dates play no part in that: an
event entered late goes with the next report. The cutoff only keeps out what was recorded after it.

The changed obligations are listed first, in the order of the report; whatever follows reads by that
list. So the cost follows the change, however long the history of the ledger is.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    and_,
    case,
    func,
    select,
)

from ajpes_reporting.database.facts import event_of
from ajpes_reporting.database.tables import debtors, events, obligations, pending_events
from ajpes_reporting.database.temporary import fill, fill_in_order
from ajpes_reporting.database.types import Key, filled, in_key_order, iso_day, utf8
from ajpes_reporting.domain.events import Obligation
from ajpes_reporting.domain.rules import check_provider
from ajpes_reporting.reports.kind import ROWS_AT_A_TIME, Request, Selection, is_remarked, rows_of
from ajpes_reporting.reports.markup import amount_column, amount_writer, attribute, hide
from ajpes_reporting.reports.nodurs.rules import check_obligation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ajpes_reporting.domain.findings import Finding

# The report in the making: temporary tables.
changed = Table(
    "changed_obligations",
    MetaData(),
    Column("place", Key, primary_key=True, autoincrement=False),
    Column("obligation", Key, nullable=False),
    prefixes=["TEMPORARY"],
)

# Those of them about which the rules have to be asked again.
remarked = Table(
    "remarked_obligations",
    MetaData(),
    Column("place", Key, primary_key=True, autoincrement=False),
    Column("obligation", Key, nullable=False),
    prefixes=["TEMPORARY"],
)

_ORDER = (
    debtors.c.tax_number,
    debtors.c.id,  # a debtor written in two ways comes twice, one after the other
    obligations.c.debtor_account,
    obligations.c.obligation_id,
)
_EVENT = hide('<No id="%s%s" sSpre="%s" dSpre="%s" znesek="%s" dtVpis="%s%s%s%s"')
_CREDITOR = hide('><Upnik rn="%s"><Naziv>%s</Naziv></Upnik></No>\n')
_NO_CREDITOR = hide("/>\n")


def select_changes(connection: Connection, request: Request) -> Selection:
    """The totals of the report, then its obligations: debtor, account, obligation, and its history."""
    fill_in_order(connection, changed, _changed(request), *_ORDER)
    count, total, remarks = map(int, connection.execute(_totals(request)).one())
    if remarks:
        fill(connection, remarked, _remarked(request))
    totals = {"steviloZapisov": str(count), "sestevekZneskov": amount_writer(request.amounts)(total)}
    return Selection(
        record_count=count,
        totals=totals,
        rows=rows_of(connection, _in_order(request)),
        findings=_findings(connection, request, remarks),
    )


def _findings(connection: Connection, request: Request, remarks: int) -> Iterator[Finding]:
    yield from check_provider(request.provider, request.provider_name)
    if remarks:
        yield from _remarks(connection, request)


def reported_events(request: Request) -> Select[tuple[int]]:
    """The keys of the events this report tells the authority for the first time."""
    told = (
        select(events.c.id)
        .select_from(events.join(obligations))
        .where(
            events.c.id == pending_events.c.event,
            events.c.recorded_at <= request.cutoff,
            obligations.c.provider == request.provider,
        )
    )
    return select(pending_events.c.event).where(told.exists())


def _changed(request: Request) -> Select[Any]:
    """The changed obligations: those that a pending event belongs to.

    Not by SELECT DISTINCT: PostgreSQL keeps in memory what it has seen, and where that is too small for a
    million obligations, it goes through the rest again for every few of them.
    """
    # An outer join, or SQLite might go through all events for the few that are pending.
    in_time = and_(events.c.id == pending_events.c.event, events.c.recorded_at <= request.cutoff)
    ids = select(events.c.obligation).select_from(pending_events.outerjoin(events, in_time))
    return (
        select(obligations.c.id)
        .select_from(obligations.join(debtors))
        .where(in_key_order(obligations.c.provider) == request.provider, obligations.c.id.in_(ids))
    )


def _totals(request: Request) -> Select[Any]:
    """How many events, their amounts, and how many facts the rules have to be asked about again."""
    return (
        select(
            func.count(),
            func.coalesce(func.sum(events.c.amount_cents), 0),
            func.count().filter(is_remarked(request.rules, events, obligations)),
        )
        .select_from(changed.join(obligations, obligations.c.id == changed.c.obligation).join(events))
        .where(events.c.recorded_at <= request.cutoff)
    )


def _remarked(request: Request) -> Select[Any]:
    """The changed obligations with a fact that the rules have to be asked about again."""
    return (
        select(changed.c.place, changed.c.obligation)
        .select_from(changed.join(obligations, obligations.c.id == changed.c.obligation).join(events))
        .where(events.c.recorded_at <= request.cutoff, is_remarked(request.rules, events, obligations))
        .distinct()
    )


def _in_order(request: Request) -> Select[Any]:
    lines = (
        select(_event(request).label("line"))
        .where(events.c.obligation == changed.c.obligation, events.c.recorded_at <= request.cutoff)
        .order_by(events.c.recorded_at, events.c.id)
        .correlate(changed)
        .subquery("lines")
    )
    history = select(func.aggregate_strings(lines.c.line, "")).scalar_subquery()
    return (
        select(
            debtors.c.id,
            debtors.c.tax_number,
            debtors.c.name,
            obligations.c.debtor_account,
            obligations.c.obligation_id,
            obligations.c.issuer,
            utf8(history),
        )
        .select_from(changed.join(obligations, obligations.c.id == changed.c.obligation).join(debtors))
        .order_by(changed.c.place)
    )


def _event(request: Request) -> ColumnElement[Any]:
    """One event as it is written (section 2.2, rows 12 to 22), its markup still hidden.

    At once, with its creditor or without: a text within a text takes the database half as long again.
    """
    event = (
        events.c.event_id,
        attribute("refid", events.c.cancels_event_id),
        events.c.change_type,
        iso_day(events.c.change_date),
        amount_column(events.c.amount_cents, request.amounts),
        events.c.recorded_as,
        attribute("model", events.c.reference_model),
        attribute("sklic", events.c.reference),
        attribute("prior", events.c.priority),
    )
    creditor = (events.c.creditor_account, events.c.creditor_name)
    return case(
        (events.c.creditor_account.is_(None), filled(_EVENT + _NO_CREDITOR, *event)),
        else_=filled(_EVENT + _CREDITOR, *event, *creditor),
    )


def _remarks(connection: Connection, request: Request) -> Iterator[Finding]:
    """What the rules say about the obligations that have such a fact, each with its whole history."""
    rows = connection.execute(
        select(
            events,
            debtors.c.tax_number,
            debtors.c.name,
            obligations.c.obligation_id,
            obligations.c.issuer,
            obligations.c.debtor_account,
        )
        .select_from(
            remarked.join(obligations, obligations.c.id == remarked.c.obligation).join(debtors).join(events)
        )
        .where(events.c.recorded_at <= request.cutoff)
        .order_by(remarked.c.place, events.c.recorded_at, events.c.id)
        .execution_options(yield_per=ROWS_AT_A_TIME)
    ).mappings()
    for _key, history in groupby(rows, key=itemgetter("obligation")):
        first, *rest = history
        obligation = Obligation(
            first["obligation_id"],
            first["issuer"],
            first["tax_number"],
            first["name"],
            first["debtor_account"],
        )
        yield from check_obligation(
            obligation, [event_of(row) for row in (first, *rest)], request.rules, ours=True
        )
