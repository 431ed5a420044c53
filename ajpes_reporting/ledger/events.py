"""How staged events join the ledger: their debtors and obligations first, then the events.

Everything runs in the database, over all rows at once; what comes back are counts and whatever
is wrong.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sqlalchemy import insert, literal, select

from ajpes_reporting.database.tables import debtors, events, obligations, pending_events
from ajpes_reporting.domain.remedies import REPLACEABLE
from ajpes_reporting.domain.rules import record_name
from ajpes_reporting.ledger.cancellations import doubly_cancelled, wrong_cancellations
from ajpes_reporting.ledger.contradictions import Comparison, contradictions
from ajpes_reporting.ledger.staging import (
    add_new,
    newest,
    obligation_of,
    staged_events,
    staged_obligations,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Insert, RowMapping

    from ajpes_reporting.ledger.findings import Found

_OF_EVENT = (
    "cancels_event_id", "change_type", "change_date", "amount_cents", "recorded_at",
    "reference_model", "reference", "priority", "creditor_account", "creditor_name",
)  # fmt: skip
_STORED = ("event_id", *_OF_EVENT, "recorded_as", "clean_under")


def merge_events(connection: Connection, provider: str, rows_read: int, found: Found) -> int:
    """Takes the staged events into the ledger; says how many of them are new.

    Raises LedgerRefused, through `found`, for what contradicts the ledger or another row.
    """
    last_obligation, last_event = newest(connection, obligations), newest(connection, events)
    _add_debtors(connection, provider)
    _add_obligations(connection, provider)
    found.add(contradictions(connection, _obligations_compared(provider, last_obligation)))
    found.add(doubly_cancelled(connection, provider))
    found.refuse_errors()
    rows_new = _add_events(connection, provider)
    connection.execute(_pending(last_event))
    if rows_new < rows_read:
        found.add(contradictions(connection, _events_compared(provider, last_event)))
    found.add(wrong_cancellations(connection, provider, last_event))
    found.refuse_errors()
    return rows_new


def _add_debtors(connection: Connection, provider: str) -> None:
    staged = staged_obligations.c
    rows = select(literal(provider), staged.debtor_tax_number, staged.debtor_name).order_by(staged.line)
    key = ("provider", "tax_number", "name")
    add_new(connection, debtors, key, key, rows)


def _add_obligations(connection: Connection, provider: str) -> None:
    staged = staged_obligations.c
    rows = (
        select(
            literal(provider),
            staged.obligation_id,
            staged.issuer,
            debtors.c.id,
            staged.debtor_account,
            staged.clean_under,
        )
        .select_from(staged_obligations)
        .join(
            debtors,
            (debtors.c.provider == provider)
            & (debtors.c.tax_number == staged.debtor_tax_number)
            & (debtors.c.name == staged.debtor_name),
        )
        .order_by(staged.line)
    )
    key = ("provider", "obligation_id")
    add_new(connection, obligations, key, (*key, "issuer", "debtor", "debtor_account", "clean_under"), rows)


def _add_events(connection: Connection, provider: str) -> int:
    """By obligation, so that a history lies together and is read at once; within it in the order of the
    source, which is the order of recording where the times are the same."""
    staged = staged_events.c
    rows = (
        select(obligations.c.id, *(staged[name] for name in _STORED))
        .select_from(staged_events)
        .join(obligations, obligation_of(staged_events, provider))
        .order_by(obligations.c.id, staged.line)
    )
    return add_new(connection, events, ("obligation", "event_id"), ("obligation", *_STORED), rows)


def _pending(last_event: int) -> Insert:
    return insert(pending_events).from_select(["event"], select(events.c.id).where(events.c.id > last_event))


def _obligations_compared(provider: str, last_obligation: int) -> Comparison:
    staged = staged_obligations.c
    return Comparison(
        staged=staged_obligations,
        joined=staged_obligations.join(obligations, obligation_of(staged_obligations, provider)).join(
            debtors
        ),
        pairs={
            "issuer": (staged.issuer, obligations.c.issuer),
            "debtor_tax_number": (staged.debtor_tax_number, debtors.c.tax_number),
            "debtor_name": (staged.debtor_name, debtors.c.name),
            "debtor_account": (staged.debtor_account, obligations.c.debtor_account),
        },
        is_new=obligations.c.id > last_obligation,
        record=_event_name,
        remedy=_correct_obligation,
    )


def _events_compared(provider: str, last_event: int) -> Comparison:
    """Of the time of recording the instant counts: a view may give it in another time zone."""
    return Comparison(
        staged=staged_events,
        joined=staged_events.join(obligations, obligation_of(staged_events, provider)).join(
            events,
            (events.c.obligation == obligations.c.id) & (events.c.event_id == staged_events.c.event_id),
        ),
        pairs={name: (staged_events.c[name], events.c[name]) for name in _OF_EVENT},
        is_new=events.c.id > last_event,
        record=_event_name,
        remedy=_correct_event,
    )


def _event_name(row: RowMapping) -> str:
    return record_name(row["obligation_id"], row["event_id"])


def _correct_obligation(row: RowMapping, _field: str) -> str:
    return (
        f"correct the row; all events of obligation {row['obligation_id']} have the same issuer, debtor and"
        " account. If the ledger is wrong, cancel its events and import the obligation under a new id"
    )


def _correct_event(row: RowMapping, field: str) -> str:
    if field not in REPLACEABLE:
        return "correct the row; what the ledger holds is not changed by an import"
    record = f"{shlex.quote(row['obligation_id'])} {shlex.quote(row['event_id'])}"
    return (
        "correct the row; if the ledger is wrong, correct it with"
        f" `ajpes-reporting ledger cancel {record} --replace {field}=…`"
    )
