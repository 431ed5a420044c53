"""The history of one obligation, as the ledger holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ajpes_reporting.database.facts import event_of
from ajpes_reporting.database.tables import debtors, events, obligations, withdrawn_events
from ajpes_reporting.domain.events import Event, Obligation

if TYPE_CHECKING:
    from sqlalchemy import Connection


def history(
    connection: Connection, provider: str, obligation_id: str
) -> tuple[Obligation, list[Event]] | None:
    """The obligation and its events in order of recording; None if the ledger does not have it."""
    row = connection.execute(
        select(obligations, debtors.c.tax_number, debtors.c.name)
        .join(debtors)
        .where(obligations.c.provider == provider, obligations.c.obligation_id == obligation_id)
    ).one_or_none()
    if row is None:
        return None
    found = connection.execute(
        select(events).where(events.c.obligation == row.id).order_by(events.c.recorded_at, events.c.id)
    )
    obligation = Obligation(obligation_id, row.issuer, row.tax_number, row.name, row.debtor_account)
    return obligation, [event_of(event) for event in found.mappings()]


def withdrawn(connection: Connection, provider: str, obligation_id: str) -> frozenset[str]:
    """The ids of the events of an obligation of which AJPES never hears."""
    ids = connection.scalars(
        select(events.c.event_id)
        .join(withdrawn_events, withdrawn_events.c.event == events.c.id)
        .join(obligations, obligations.c.id == events.c.obligation)
        .where(obligations.c.provider == provider, obligations.c.obligation_id == obligation_id)
    )
    return frozenset(ids)
