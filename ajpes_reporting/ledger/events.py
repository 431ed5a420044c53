"""Merges staged events into the ledger: their debtors and obligations first, then the events.

Everything runs in the database, over all rows at once; what comes back are counts and whatever
is wrong.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, literal, or_, select

from ajpes_reporting.database.facts import event_of
from ajpes_reporting.database.tables import debtors, events, obligations, pending_events
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.columns import EVENT_COLUMNS
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.domain.events import CANCELLATION
from ajpes_reporting.domain.fields import Type
from ajpes_reporting.domain.remedies import LAGGING_SEQUENCE, REPLACEABLE
from ajpes_reporting.domain.rules import CLOCK_TOLERANCE, check_times, record_name
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.ledger.cancellations import kept_out, withdraw, wrong_cancellations
from ajpes_reporting.ledger.contradictions import Comparison, contradictions
from ajpes_reporting.ledger.findings import MOST
from ajpes_reporting.ledger.merge import Merge
from ajpes_reporting.ledger.names import rename
from ajpes_reporting.ledger.staging import (
    add_new,
    empty,
    located,
    newest,
    rows_changed,
    settle,
    staged_cancellations,
    staged_events,
    staged_obligations,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection, Insert, RowMapping

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.ledger.findings import Found

_NAME = "debtor_name"  # a row that only brings another one is no contradiction
_STORED = (*(name for column in EVENT_COLUMNS for name in column.names), "clean_under")


class MergeEvents(Merge):
    """Events, with the obligations and debtors that their rows repeat, a batch at a time.

    A batch whose obligations contradict stays out; those after it are still looked at.
    """

    staged = (staged_obligations, staged_events, located, staged_cancellations)
    into = (debtors, obligations, events)

    def __init__(self, connection: Connection, provider: str, found: Found) -> None:
        super().__init__(connection, provider, found)
        self._last_obligation = newest(connection, obligations)
        self._last_event = newest(connection, events)
        self._rows_new = 0

    def take(self, rows: int) -> None:
        _add_debtors(self._connection, self._provider)
        _add_obligations(self._connection, self._provider)
        self._connection.execute(_locate(self._provider))
        differ = any(contradictions(self._connection, _obligations_compared(self._last_obligation)))
        kept = _obligations_compared(self._last_obligation, _NAME)
        wrong = tuple(contradictions(self._connection, kept)) if differ else ()
        self._found.add(wrong)
        if not wrong:
            self._add_events(rows)
            if differ:
                self.renamed += rename(self._connection, self._provider, self._found.source.read_at)
        for table in (staged_obligations, staged_events, located):
            empty(self._connection, table)

    def _add_events(self, rows: int) -> None:
        first = newest(self._connection, events) + 1
        rows_new = _add_events(self._connection)
        _add_pending(self._connection, first, rows_new)
        self._connection.execute(_cancellations())
        self._found.add(_ahead(self._connection, first, self._found.source.read_at))
        if rows_new < rows:
            self._found.add(contradictions(self._connection, _events_compared(self._last_event)))
            self._found.add(kept_out(self._connection, self._provider))
        self._rows_new += rows_new

    def finish(self, rows: int) -> int:
        settle(self._connection, staged_cancellations)
        now = self._found.source.read_at
        self._found.add(wrong_cancellations(self._connection, self._last_event, now))
        self._found.refuse_errors()
        withdraw(self._connection, self._provider, self._last_event, now)
        return self._rows_new


def _add_debtors(connection: Connection, provider: str) -> None:
    staged = staged_obligations.c
    rows = select(literal(provider), staged.debtor_tax_number, staged.debtor_name).order_by(staged.line)
    key = ("provider", "tax_number", "name")
    add_new(connection, debtors, key, key, rows)


def _add_obligations(connection: Connection, provider: str) -> None:
    staged = staged_obligations.c
    debtor = (
        select(debtors.c.id)
        .where(
            debtors.c.provider == provider,
            debtors.c.tax_number == staged.debtor_tax_number,
            debtors.c.name == staged.debtor_name,
        )
        .scalar_subquery()
    )
    rows = select(
        literal(provider),
        staged.obligation_id,
        staged.issuer,
        debtor,
        staged.debtor_account,
        staged.clean_under,
    ).order_by(staged.line)
    key = ("provider", "obligation_id")
    add_new(connection, obligations, key, (*key, "issuer", "debtor", "debtor_account", "clean_under"), rows)


def _locate(provider: str) -> Insert:
    """An obligation is not there if something is wrong with its own row."""
    named = select(staged_events.c.obligation_id).distinct().subquery("named")
    known = (
        select(obligations.c.id)
        .where(obligations.c.provider == provider, obligations.c.obligation_id == named.c.obligation_id)
        .scalar_subquery()
    )
    found = select(named.c.obligation_id, known.label("obligation")).subquery("found")
    rows = select(found).where(found.c.obligation.is_not(None))
    return insert(located).from_select(located.columns.keys(), rows)


def _add_events(connection: Connection) -> int:
    """Adds the staged events that are new, and returns their number.

    They go in by obligation, so that a history lies together and is read at once; within it in the order of
    the source, which is the order of recording where the times are the same. Known events stay out, and so
    does a second cancellation.
    """
    staged = staged_events.c
    rows = (
        select(located.c.obligation, *(staged[name] for name in _STORED))
        .select_from(staged_events)
        .join(located, located.c.obligation_id == staged.obligation_id)
        .order_by(located.c.obligation, staged.line)
    )
    return add_new(connection, events, (), ("obligation", *_STORED), rows)


def _add_pending(connection: Connection, first: int, rows_new: int) -> None:
    """Lists new events as pending: their keys begin at `first`, unless the sequence lags behind them."""
    added = select(events.c.id).where(events.c.id.between(first, newest(connection, events)))
    if rows_changed(connection, insert(pending_events).from_select(["event"], added)) != rows_new:
        raise AjpesReportingError(
            _("New events were given keys that come before those of older ones."),
            LAGGING_SEQUENCE,
        )


def _ahead(connection: Connection, first: int, now: datetime) -> Iterator[Finding]:
    """Yields findings about the times of the events from this key on; known events are left alone."""
    latest = now + CLOCK_TOLERANCE
    place = (
        select(func.min(staged_events.c.line))
        .where(
            staged_events.c.obligation_id == obligations.c.obligation_id,
            staged_events.c.event_id == events.c.event_id,
        )
        .scalar_subquery()
    )
    rows = connection.execute(
        select(events, obligations.c.obligation_id, place.label("line"))
        .join(obligations, obligations.c.id == events.c.obligation)
        .where(
            events.c.id >= first,
            or_(events.c.recorded_at > latest, events.c.change_date > latest.astimezone(LJUBLJANA).date()),
        )
        .order_by(events.c.id)
        .limit(MOST)
    ).mappings()
    for row in rows:
        for finding in check_times(row["obligation_id"], event_of(row), now):
            yield replace(finding, line=row["line"])


def _cancellations() -> Insert:
    staged = staged_events.c
    rows = (
        select(staged.line, located.c.obligation, staged.obligation_id, staged.event_id)
        .join(located, located.c.obligation_id == staged.obligation_id)
        .where(staged.change_type == CANCELLATION)
    )
    return insert(staged_cancellations).from_select(staged_cancellations.columns.keys(), rows)


def _obligations_compared(last_obligation: int, *but: str) -> Comparison:
    staged = staged_obligations.c
    pairs = {
        "issuer": (staged.issuer, obligations.c.issuer),
        "debtor_tax_number": (staged.debtor_tax_number, debtors.c.tax_number),
        _NAME: (staged.debtor_name, debtors.c.name),
        "debtor_account": (staged.debtor_account, obligations.c.debtor_account),
    }
    return Comparison(
        staged=staged_obligations,
        joined=staged_obligations.join(located, located.c.obligation_id == staged.obligation_id)
        .join(obligations, obligations.c.id == located.c.obligation)
        .join(debtors, debtors.c.id == obligations.c.debtor),
        pairs={name: pair for name, pair in pairs.items() if name not in but},
        is_new=obligations.c.id > last_obligation,
        record=_event_name,
        remedy=_correct_obligation,
    )


def _events_compared(last_event: int) -> Comparison:
    """Compares staged events with those of the ledger.

    Of the time of recording the instant counts: a view may give it in another time zone. Of texts the blanks
    behind them do not, with which older versions stored what a core system pads.
    """
    return Comparison(
        staged=staged_events,
        joined=staged_events.join(located, located.c.obligation_id == staged_events.c.obligation_id).join(
            events,
            (events.c.obligation == located.c.obligation) & (events.c.event_id == staged_events.c.event_id),
        ),
        pairs={
            column.name: (
                staged_events.c[column.name],
                func.trim(events.c[column.name]) if column.type is Type.TEXT else events.c[column.name],
            )
            for column in EVENT_COLUMNS
            if column.name != "event_id"
        },
        is_new=events.c.id > last_event,
        record=_event_name,
        remedy=_correct_event,
    )


def _event_name(row: RowMapping) -> Message:
    return record_name(row["obligation_id"], row["event_id"])


def _correct_obligation(row: RowMapping, _field: str) -> Message:
    return _(
        "correct the row; all events of obligation {obligation} have the same issuer, debtor and"
        " account. If the ledger is wrong, cancel its events and import the obligation under a new id",
        obligation=row["obligation_id"],
    )


def _correct_event(row: RowMapping, field: str) -> Message:
    if field not in REPLACEABLE:
        return _("correct the row; what the ledger holds is not changed by an import")
    record = f"{shlex.quote(row['obligation_id'])} {shlex.quote(row['event_id'])}"
    return _(
        "correct the row; if the ledger is wrong, correct it with `{command}`",
        command=f"ajpes-reporting ledger cancel {record} --replace {field}=…",
    )
