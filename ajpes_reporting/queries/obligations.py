"""The obligations with something that AJPES has not accepted, and why each is in the next NODURS report.

Listed and left out by the very conditions that select the report (`reports/nodurs`), so that what is told
is what would be written. Read as a stream: one obligation with its history at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, MetaData, Select, Table, case, null, select

from ajpes_reporting.database.tables import (
    debtors,
    events,
    obligations,
    pending_events,
    submission_events,
    submissions,
)
from ajpes_reporting.database.temporary import fill_in_order
from ajpes_reporting.database.types import Key
from ajpes_reporting.domain.periods import parse_day
from ajpes_reporting.domain.states import ACCEPTED_STATES, State
from ajpes_reporting.i18n import _
from ajpes_reporting.reports.kind import ROWS_AT_A_TIME
from ajpes_reporting.reports.nodurs.select import (
    debtor_columns,
    excluded,
    is_excluded,
    is_held_back,
    pending_obligations,
    report_order,
    withdrawn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import Connection, ScalarSelect

    from ajpes_reporting.i18n import Message
    from ajpes_reporting.reports.kind import Request
    from ajpes_reporting.reports.left_out import Excluded

_REPORT = "NODURS"

# All that is to be told of: a temporary table.
listed = Table(
    "pending_obligations",
    MetaData(),
    Column("place", Key, primary_key=True, autoincrement=False),
    Column("obligation", Key, nullable=False),
    prefixes=["TEMPORARY"],
)


_unaccepted = pending_events.alias("unaccepted")


class Reason(StrEnum):
    """The reason for which an obligation is in the next report; the values are public."""

    NEW = "new"
    CHANGED = "changed"
    LATE = "late"
    CORRECTION = "correction"
    REFUSED_BEFORE = "refused before"

    @property
    def label(self) -> Message:
        """The reason in words."""
        return _LABELS[self]


_LABELS = {
    Reason.NEW: _("new"),
    Reason.CHANGED: _("changed"),
    Reason.LATE: _("late"),
    Reason.CORRECTION: _("correction"),
    Reason.REFUSED_BEFORE: _("refused before"),
}


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """One event of a history. `new`: AJPES has not accepted it; `held_back`: a later report has it."""

    event_id: str
    cancels_event_id: str | None
    change_type: str
    change_date: date
    amount_cents: int
    recorded_at: datetime
    new: bool
    held_back: bool


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A person's decision to keep an obligation out of reports."""

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class PendingObligation:
    """An obligation with something new for AJPES, and its whole history in the order of recording.

    `in_report`: the next report has it, with all events that are not held back. The reasons are those of
    what is new in the report; where the obligation is not in it, those of all that waits. `held_back`: at
    least one event waits for a later report.
    """

    obligation: str
    issuer: int
    debtor_tax_number: str
    debtor_name: str
    debtor_account: str
    reasons: tuple[Reason, ...]
    in_report: bool
    held_back: bool
    excluded: Exclusion | None
    events: tuple[PendingEvent, ...]

    @property
    def reported_events(self) -> tuple[PendingEvent, ...]:
        """The events of the obligation in the next report; none if the obligation is not in there."""
        if not self.in_report:
            return ()
        return tuple(event for event in self.events if not event.held_back)


def stream_pending_obligations(connection: Connection, request: Request) -> Iterator[PendingObligation]:
    """Yields the obligations that a report has or leaves out, in its order, while the transaction lasts."""
    fill_in_order(connection, listed, pending_obligations(request.provider), *report_order(request))
    late_before = _end_of_newest_accepted_day(connection, request.provider)
    kept_out = {item.obligation: item for item in excluded(connection, request.provider)}
    options = {"yield_per": ROWS_AT_A_TIME}
    with connection.execute(_histories(request), execution_options=options) as rows:
        for _place, history in groupby(rows, key=attrgetter("place")):
            yield _obligation(list(history), late_before, kept_out)


def _histories(request: Request) -> Select[Any]:
    is_new = _unaccepted.c.event.is_not(None)
    return (
        select(
            listed.c.place,
            obligations.c.obligation_id,
            obligations.c.issuer,
            debtors.c.tax_number,
            debtor_columns(request)[-1].label("debtor_name"),
            obligations.c.debtor_account,
            is_excluded(request.provider).label("is_excluded"),
            events.c.event_id,
            events.c.cancels_event_id,
            events.c.change_type,
            events.c.change_date,
            events.c.amount_cents,
            events.c.recorded_at,
            is_new.label("is_new"),
            is_held_back(request.cutoff).label("is_held_back"),
            case((is_new, _newest_state()), else_=null()).label("last_heard"),
        )
        .select_from(
            listed.join(obligations, obligations.c.id == listed.c.obligation)
            .join(debtors)
            .join(events, events.c.obligation == listed.c.obligation)
            .outerjoin(_unaccepted, _unaccepted.c.event == events.c.id)
        )
        .where(events.c.id.not_in(withdrawn(request.provider)))
        .order_by(listed.c.place, events.c.recorded_at, events.c.id)
    )


def _newest_state() -> ScalarSelect[str]:
    """The state of the newest submission that told of an event, of those that left this machine."""
    never_arrived = [state.value for state in (State.PREPARED, State.UNREACHABLE)]
    return (
        select(submissions.c.state)
        .select_from(submission_events.join(submissions))
        .where(submission_events.c.event == events.c.id, submissions.c.state.not_in(never_arrived))
        .order_by(submission_events.c.submission.desc())
        .limit(1)
        .scalar_subquery()
    )


def _end_of_newest_accepted_day(connection: Connection, provider: str) -> datetime | None:
    newest = (
        select(submissions.c.period)
        .where(
            submissions.c.provider == provider,
            submissions.c.report == _REPORT,
            submissions.c.state.in_([state.value for state in ACCEPTED_STATES]),
        )
        .order_by(submissions.c.period.desc())
        .limit(1)
    )
    period = connection.scalar(newest)
    return parse_day(period).end if period else None


def _obligation(
    rows: Sequence[Any], late_before: datetime | None, kept_out: Mapping[str, Excluded]
) -> PendingObligation:
    first = rows[0]
    decision = kept_out[first.obligation_id] if first.is_excluded else None
    new = [row for row in rows if row.is_new]
    going = [] if decision else [row for row in new if not row.is_held_back]
    is_known = len(new) < len(rows)
    return PendingObligation(
        obligation=first.obligation_id,
        issuer=first.issuer,
        debtor_tax_number=first.tax_number,
        debtor_name=first.debtor_name,
        debtor_account=first.debtor_account,
        reasons=tuple(_reasons(rows, going or new, late_before, is_known=is_known)),
        in_report=bool(going),
        held_back=any(row.is_held_back for row in rows),
        excluded=Exclusion(decision.since, decision.reason) if decision else None,
        events=tuple(map(_event, rows)),
    )


def _event(row: Any) -> PendingEvent:
    return PendingEvent(
        row.event_id,
        row.cancels_event_id,
        row.change_type,
        row.change_date,
        row.amount_cents,
        row.recorded_at,
        bool(row.is_new),
        bool(row.is_held_back),
    )


def _reasons(
    rows: Sequence[Any], new: Sequence[Any], late_before: datetime | None, *, is_known: bool
) -> Iterator[Reason]:
    yield Reason.CHANGED if is_known else Reason.NEW
    if late_before is not None and any(row.recorded_at < late_before for row in new):
        yield Reason.LATE
    corrections = _corrections(rows)
    if any(row.event_id in corrections for row in new):
        yield Reason.CORRECTION
    if any(row.last_heard == State.REFUSED for row in new):
        yield Reason.REFUSED_BEFORE


def _corrections(rows: Sequence[Any]) -> frozenset[str]:
    """The cancellations of a history, and the events that replace what was cancelled.

    Nothing in the ledger says that one event replaces another. It is the first one after a cancellation
    that was recorded with it, or has the change type of what was cancelled.
    """
    if all(row.cancels_event_id is None for row in rows):  # nearly always
        return frozenset()
    types = {row.event_id: row.change_type for row in rows}
    found, open_cancellations = set(), []
    for row in rows:
        if row.cancels_event_id is not None:
            found.add(row.event_id)
            open_cancellations.append(row)
            continue
        for cancellation in open_cancellations:
            is_recorded_with_it = row.recorded_at == cancellation.recorded_at
            if is_recorded_with_it or row.change_type == types.get(cancellation.cancels_event_id):
                found.add(row.event_id)
                open_cancellations.remove(cancellation)
                break
    return frozenset(found)
