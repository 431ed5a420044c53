"""Selects the content of a NODURS report: every changed obligation, with its whole history.

Changed is an obligation with an event that AJPES has not accepted yet (instruction, section 2.2:
all records of an obligation are sent when one of them is new). Dates play no part in that: an
event entered late goes with the next report. The cutoff only keeps out what was recorded after it
and is not known to AJPES; a person may keep out a whole obligation (see `is_excluded`).

The changed obligations are listed first, in the order of the report; whatever follows reads by that
list. So the cost follows the change, however long the history of the ledger is. Nearly always all of
their events go; only where some do not, these are listed too, and left out by that list.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    and_,
    case,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.exc import OperationalError

from ajpes_reporting.database.facts import event_of
from ajpes_reporting.database.reported import is_in_force, is_unheard_of
from ajpes_reporting.database.tables import (
    debtors,
    events,
    exclusions,
    obligations,
    pending_events,
    withdrawn_events,
)
from ajpes_reporting.database.temporary import fill, fill_in_order
from ajpes_reporting.database.types import Key, filled, in_key_order, iso_day, utf8
from ajpes_reporting.domain.calendar import PLAUSIBLE_YEARS
from ajpes_reporting.domain.events import Obligation
from ajpes_reporting.domain.fields import Type
from ajpes_reporting.domain.rules import CLOCK_TOLERANCE, check_provider
from ajpes_reporting.i18n import NOTHING
from ajpes_reporting.reports.kind import (
    ROWS_AT_A_TIME,
    ReportSettings,
    Request,
    Selection,
    is_remarked,
    rows_of,
)
from ajpes_reporting.reports.left_out import MOST_NAMED, Excluded, HeldBack, LeftOut, Waiting
from ajpes_reporting.reports.markup import amount_column, amount_writer, attribute, hide
from ajpes_reporting.reports.nodurs.large import Report, beyond_all_sums, not_looked_at, too_large
from ajpes_reporting.reports.nodurs.rules import check_obligation
from ajpes_reporting.reports.nodurs.write import EVENT_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Select

    from ajpes_reporting.domain.fields import Field
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

# Those of their events that are not in it.
kept_out = Table(
    "kept_out_events",
    MetaData(),
    Column("event", Key, primary_key=True, autoincrement=False),
    prefixes=["TEMPORARY"],
)

Goes = tuple[ColumnElement[bool], ...]
"""In a query over events, the conditions under which one stands in the report."""

# All of them do. That they were recorded before the end of time keeps PostgreSQL to the index of histories.
_ALL: Goes = (events.c.recorded_at < datetime(PLAUSIBLE_YEARS.stop + 1, 1, 1, tzinfo=UTC),)

_LONG_AGO = datetime(PLAUSIBLE_YEARS.start, 1, 1, tzinfo=UTC)
_history_of_changed = changed.join(obligations, obligations.c.id == changed.c.obligation).join(
    events, events.c.obligation == changed.c.obligation
)
_history_of_remarked = remarked.join(obligations, obligations.c.id == remarked.c.obligation).join(
    events, events.c.obligation == remarked.c.obligation
)
# An optional attribute brings the closing mark of the one before it; see `markup.attribute`.
_ATTRIBUTES = "".join(
    f'" {name}="%s' if column.mandatory else "%s" for column, name in EVENT_ATTRIBUTES
).removeprefix('"')
_EVENT = hide(f'<No{_ATTRIBUTES}"')
_CREDITOR = hide('><Upnik rn="%s"><Naziv>%s</Naziv></Upnik></No>\n')
_NO_CREDITOR = hide("/>\n")


def select_changes(connection: Connection, request: Request) -> Selection:
    """The totals of the report, then its obligations: debtor, account, obligation, and its history."""
    goes, (count, total, remarks) = _choose(connection, request)
    if remarks:
        fill(connection, remarked, _remarked(request, goes))
    in_report, odd = (Report(source, goes) for source in (_history_of_changed, _history_of_remarked))
    totals = {"steviloZapisov": str(count), "sestevekZneskov": amount_writer(request.settings.amounts)(total)}
    return Selection(
        record_count=count,
        totals=totals,
        rows=rows_of(connection, _in_order(request, goes)),
        findings=_findings(connection, request, goes, remarks),
        left_out=_left_out(connection, request, goes),
        too_large=tuple(too_large(connection, in_report, count, total)),
        to_be_released=not_looked_at(connection, odd, request.rules) if remarks else NOTHING,
    )


def reported_events(request: Request) -> Select[tuple[int]]:
    """The keys of the events this report tells the authority for the first time."""
    sibling, new = events.alias("sibling"), pending_events.alias("new")
    has_changed = exists(
        select(sibling.c.id)
        .join(new, new.c.event == sibling.c.id)
        .where(sibling.c.obligation == events.c.obligation, sibling.c.recorded_at <= request.cutoff)
    )
    told = (
        select(events.c.id)
        .select_from(events.join(obligations))
        .where(
            events.c.id == pending_events.c.event,
            or_(events.c.recorded_at <= request.cutoff, and_(~is_held_back(request.cutoff), has_changed)),
            obligations.c.provider == request.provider,
            ~is_excluded(request.provider),
        )
    )
    return select(pending_events.c.event).where(told.exists())


def _choose(connection: Connection, request: Request) -> tuple[Goes, tuple[int, int, int]]:
    """Lists the changed obligations, and what of them does not go if there is anything; sums up the rest."""
    fill_in_order(connection, changed, _changed(request), *report_order(request))
    count, total, remarks, late = _sums(connection, request, _ALL)
    if not late and not connection.scalar(select(withdrawn(request.provider).exists())):
        return _ALL, (count, total, remarks)
    fill(connection, kept_out, _kept_out(request))
    goes = (*_ALL, events.c.id.not_in(select(kept_out.c.event)))
    is_due = events.c.recorded_at <= request.cutoff
    fill_in_order(connection, changed, _changed(request, is_due), *report_order(request))
    count, total, remarks, _late = _sums(connection, request, goes)
    return goes, (count, total, remarks)


def _sums(connection: Connection, request: Request, goes: Goes) -> tuple[int, ...]:
    """Returns the values of `_totals`. Raises ChecksRefused where SQLite cannot even add the amounts up."""
    try:
        return tuple(map(int, connection.execute(_totals(request, goes)).one()))
    except OperationalError as error:
        if "integer overflow" not in str(error.orig):
            raise
        raise beyond_all_sums(connection, Report(_history_of_changed, goes)) from None


def _left_out(connection: Connection, request: Request, goes: Goes) -> LeftOut:
    """Returns the part that is left out; events held back have been met on the way."""
    is_met = goes is not _ALL
    held = held_back(connection, request.provider, request.cutoff, request.prepared_at) if is_met else None
    return LeftOut(held, excluded(connection, request.provider))


def _findings(connection: Connection, request: Request, goes: Goes, remarks: int) -> Iterator[Finding]:
    yield from check_provider(request.provider, request.provider_name)
    if remarks:
        yield from _remarks(connection, request, goes)


def _changed(request: Request, *is_due: ColumnElement[bool]) -> Select[Any]:
    """The changed obligations: those with a pending event that is due, unless a person keeps them out.

    What AJPES may know goes with its obligation, and is no reason to report that again for an older day.
    """
    return pending_obligations(request.provider, *is_due).where(~is_excluded(request.provider))


def pending_obligations(provider: str, *is_due: ColumnElement[bool]) -> Select[Any]:
    """The obligations that a pending event belongs to, one that is due.

    Not by SELECT DISTINCT: PostgreSQL keeps in memory what it has seen, and where that is too small for a
    million obligations, it goes through the rest again for every few of them.
    """
    # An outer join, or SQLite might go through all events for the few that are pending.
    pending = and_(events.c.id == pending_events.c.event, *is_due)
    ids = select(events.c.obligation).select_from(pending_events.outerjoin(events, pending))
    return (
        select(obligations.c.id)
        .select_from(obligations.join(debtors))
        .where(in_key_order(obligations.c.provider) == provider, obligations.c.id.in_(ids))
    )


def withdrawn(provider: str) -> Select[Any]:
    """The keys of the events of which AJPES never hears."""
    return select(withdrawn_events.c.event).where(withdrawn_events.c.provider == provider)


def _kept_out(request: Request) -> Select[Any]:
    """Selects the events of changed obligations that are not sent: held back, or withdrawn."""
    return (
        select(events.c.id)
        .select_from(changed.join(events, events.c.obligation == changed.c.obligation))
        .where(or_(is_held_back(request.cutoff), events.c.id.in_(withdrawn(request.provider))))
    )


def _totals(request: Request, goes: Goes) -> Select[Any]:
    """Selects the number of events, their sum, and the numbers of remarked facts and of late events.

    A remarked fact is one about which the rules have to be asked again; a late event was recorded after the
    cutoff.
    """
    return (
        select(
            func.count(),
            func.coalesce(func.sum(events.c.amount_cents), 0),
            func.count().filter(is_remarked(request.rules, events, obligations)),
            func.count().filter(events.c.recorded_at > request.cutoff),
        )
        .select_from(_history_of_changed)
        .where(*goes)
    )


def _remarked(request: Request, goes: Goes) -> Select[Any]:
    """The changed obligations with a fact that the rules have to be asked about again."""
    return (
        select(changed.c.place, changed.c.obligation)
        .select_from(_history_of_changed)
        .where(*goes, is_remarked(request.rules, events, obligations))
        .distinct()
    )


def _in_order(request: Request, goes: Goes) -> Select[Any]:
    lines = (
        select(_event(request).label("line"))
        .where(events.c.obligation == changed.c.obligation, *goes)
        .order_by(events.c.recorded_at, events.c.id)
        .correlate(changed)
        .subquery("lines")
    )
    history = select(func.aggregate_strings(lines.c.line, "")).scalar_subquery()
    return (
        select(
            *debtor_columns(request),
            obligations.c.debtor_account,
            obligations.c.obligation_id,
            obligations.c.issuer,
            utf8(history),
        )
        .select_from(changed.join(obligations, obligations.c.id == changed.c.obligation).join(debtors))
        .order_by(changed.c.place)
    )


def debtor_columns(request: Request) -> tuple[ColumnElement[Any], ...]:
    """By what a debtor is one and the same, the tax number, and the name."""
    if _has_one_name(request):
        return debtors.c.tax_number, debtors.c.tax_number, _newest_name(request)
    return debtors.c.id, debtors.c.tax_number, debtors.c.name


def _has_one_name(request: Request) -> bool:
    """Whether a debtor is called by the name of the newest event, not as each obligation has it."""
    settings = request.settings
    return isinstance(settings, NodursSettings) and settings.debtor_name == "newest"


def _newest_name(request: Request) -> ColumnElement[Any]:
    """The name in use of a debtor that the newest event has, of those that can be meant."""
    spelling, theirs, event = debtors.alias("spelling"), obligations.alias("theirs"), events.alias("event")
    same = and_(spelling.c.provider == debtors.c.provider, spelling.c.tax_number == debtors.c.tax_number)
    latest = request.prepared_at + CLOCK_TOLERANCE
    recorded = select(func.max(event.c.recorded_at)).where(
        event.c.obligation == theirs.c.id, event.c.recorded_at <= latest
    )
    newest = (
        select(spelling.c.name)
        .select_from(spelling.join(theirs, theirs.c.debtor == spelling.c.id))
        .where(same)
        .order_by(func.coalesce(recorded.scalar_subquery(), _LONG_AGO).desc(), theirs.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    is_one_of_many = exists(select(spelling.c.id).where(same, spelling.c.id != debtors.c.id))
    return case((is_one_of_many, newest), else_=debtors.c.name)


def report_order(request: Request) -> tuple[ColumnElement[Any], ...]:
    """By what the obligations of the report, joined to their debtors, are sorted."""
    place = obligations.c.debtor_account, obligations.c.obligation_id
    if _has_one_name(request):
        return debtors.c.tax_number, *place
    # A debtor written in two ways comes twice, one after the other.
    return debtors.c.tax_number, debtors.c.id, *place


def _event(request: Request) -> ColumnElement[Any]:
    """One event as it is written (section 2.2, rows 12 to 22), its markup still hidden.

    At once, with its creditor or without: a text within a text takes the database half as long again.
    """
    event = [_attribute(column, name, request) for column, name in EVENT_ATTRIBUTES]
    creditor = (events.c.creditor_account, events.c.creditor_name)
    return case(
        (events.c.creditor_account.is_(None), filled(_EVENT + _NO_CREDITOR, *event)),
        else_=filled(_EVENT + _CREDITOR, *event, *creditor),
    )


def _attribute(column: Field, name: str, request: Request) -> ColumnElement[Any]:
    """The value of an attribute of an event, with its name where it may be missing."""
    value: ColumnElement[Any] = events.c[column.names[-1]]
    if column.type is Type.DAY:
        value = iso_day(value)
    elif column.type is Type.CENTS:
        value = amount_column(value, request.settings.amounts)
    return value if column.mandatory else attribute(name, value)


def _remarks(connection: Connection, request: Request, goes: Goes) -> Iterator[Finding]:
    """Yields the findings about the obligations that have such a fact, each with its whole history."""
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
        .where(*goes)
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


class NodursSettings(ReportSettings):
    """`[nodurs]`: the form of the report, and its usual volume.

    `debtor_name`: a debtor is called as each obligation has it, or by one name, that of the newest event.
    Above `sftp_above_bytes` a file goes first by the way for large ones.
    """

    amounts: Literal["cents", "decimal"] = "cents"
    debtor_name: Literal["as_recorded", "newest"] = "as_recorded"
    sftp_above_bytes: int = 50_000_000

    def is_large(self, size_bytes: int) -> bool:
        """Whether the file is larger than the setting says."""
        return size_bytes > self.sftp_above_bytes


def left_out(connection: Connection, provider: str, cutoff: datetime, now: datetime) -> LeftOut:
    """Returns everything that a report with this cutoff leaves out at this moment."""
    return LeftOut(held_back(connection, provider, cutoff, now), excluded(connection, provider))


def is_held_back(cutoff: datetime) -> ColumnElement[bool]:
    """In a query over events, whether a report with this cutoff leaves an event to a later one."""
    return and_(events.c.recorded_at > cutoff, is_unheard_of())


def is_excluded(provider: str) -> ColumnElement[bool]:
    """In a query over obligations, whether a person keeps one out of reports."""
    return obligations.c.id.in_(select(exclusions.c.obligation).where(is_in_force(provider)))


def held_back(connection: Connection, provider: str, cutoff: datetime, now: datetime) -> HeldBack | None:
    """Returns the events that a cutoff keeps out of a report, counted; None in most cases."""
    waiting = _waiting(provider, cutoff).subquery("waiting")
    total = connection.execute(
        select(func.coalesce(func.sum(waiting.c.waiting), 0), func.count(), func.max(waiting.c.until))
    ).one()
    if not total[0]:
        return None
    first = connection.execute(
        select(waiting).order_by(waiting.c.until.desc(), waiting.c.obligation).limit(MOST_NAMED)
    ).all()
    named = tuple(_named(connection, row.key, row.obligation, row.waiting, row.until) for row in first)
    return HeldBack(
        cutoff, int(total[0]), total[1], named[0].until, named, named[0].until > now + CLOCK_TOLERANCE
    )


def excluded(connection: Connection, provider: str) -> tuple[Excluded, ...]:
    """The obligations that a person keeps out, in the order of their ids; mostly none."""
    rows = connection.execute(
        select(obligations.c.id, obligations.c.obligation_id, exclusions.c.decided_at, exclusions.c.reason)
        .select_from(exclusions.join(obligations, obligations.c.id == exclusions.c.obligation))
        .where(is_in_force(provider))
        .order_by(obligations.c.obligation_id)
    ).all()
    return tuple(Excluded(*row[1:], events=_pending(connection, row.id)) for row in rows)


def _pending(connection: Connection, obligation: int) -> int:
    """Counts the events of one obligation that AJPES has not accepted."""
    of_it = events.join(pending_events, pending_events.c.event == events.c.id)
    count = select(func.count()).select_from(of_it).where(events.c.obligation == obligation)
    return connection.scalar(count) or 0


def _waiting(provider: str, cutoff: datetime) -> Select[Any]:
    """By obligation how many of its events wait, and until when; they are sought among what is pending."""
    late = (
        select(
            events.c.obligation,
            func.count().label("waiting"),
            func.max(events.c.recorded_at).label("until"),
        )
        .where(events.c.id.in_(select(pending_events.c.event)), is_held_back(cutoff))
        .group_by(events.c.obligation)
        .subquery("late")
    )
    return (
        select(
            obligations.c.id.label("key"),
            obligations.c.obligation_id.label("obligation"),
            late.c.waiting,
            late.c.until,
        )
        .select_from(late.join(obligations, obligations.c.id == late.c.obligation))
        .where(in_key_order(obligations.c.provider) == provider, ~is_excluded(provider))
    )


def _named(connection: Connection, key: int, obligation: str, count: int, until: datetime) -> Waiting:
    event = connection.scalar(
        select(events.c.event_id).where(events.c.obligation == key, events.c.recorded_at == until).limit(1)
    )
    return Waiting(obligation, count, event or "", until)
