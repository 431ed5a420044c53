"""An obligation is reported under the name of its debtor that its newest row has.

A company that was renamed is the same debtor. The newest row is that of the event which was recorded
last; under which name the obligation stood before is kept.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from ajpes_reporting.database.tables import debtors, events, former_names, obligations, withdrawn_events
from ajpes_reporting.domain.rules import CLOCK_TOLERANCE
from ajpes_reporting.ledger.staging import located, staged_events, staged_obligations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class FormerName:
    """The name of a debtor under which an obligation stood until then."""

    name: str
    until: datetime


def rename(connection: Connection, provider: str, now: datetime) -> int:
    """Gives obligations of the staged rows the name that their newest row has; says how many.

    The events of these rows are in the ledger by now.
    """
    changes = list(_changes(connection, provider, now))
    if changes:
        connection.execute(insert(former_names), [former for former, _key, _debtor in changes])
        for _former, key, debtor in changes:
            connection.execute(update(obligations).where(obligations.c.id == key).values(debtor=debtor))
    return len(changes)


def names_before(connection: Connection, provider: str, obligation_id: str) -> Sequence[FormerName]:
    """The names under which an obligation stood before, the oldest first."""
    rows = connection.execute(
        select(debtors.c.name, former_names.c.replaced_at)
        .select_from(former_names)
        .join(obligations, obligations.c.id == former_names.c.obligation)
        .join(debtors, debtors.c.id == former_names.c.debtor)
        .where(obligations.c.provider == provider, obligations.c.obligation_id == obligation_id)
        .order_by(former_names.c.id)
    )
    return [FormerName(*row) for row in rows]


def _changes(
    connection: Connection, provider: str, now: datetime
) -> Iterator[tuple[dict[str, object], int, int]]:
    """The row that keeps the old name, the key of the obligation, and that of its debtor's new spelling."""
    contested = _contested(connection, now)
    if not contested:
        return  # as nearly always; then the batch is not read once more
    lines = _lines(connection)
    spellings = _spellings(connection)
    for row in contested:
        line = lines.get((row.obligation_id, row.newest_event))
        name = _name_at(spellings[row.obligation_id], line) if line is not None else row.name
        if name != row.name:
            key = select(debtors.c.id).where(
                debtors.c.provider == provider,
                debtors.c.tax_number == row.tax_number,
                debtors.c.name == name,
            )
            former = {"obligation": row.key, "debtor": row.debtor, "replaced_at": now}
            yield former, row.key, connection.execute(key).scalar_one()


def _contested(connection: Connection, now: datetime) -> Sequence[Any]:
    """The obligations that a staged row names otherwise, and the newest event of each that can be meant."""
    newest = (
        select(events.c.event_id)
        .where(
            events.c.obligation == obligations.c.id,
            events.c.recorded_at <= now + CLOCK_TOLERANCE,
            events.c.id.not_in(select(withdrawn_events.c.event)),
        )
        .order_by(events.c.recorded_at.desc(), events.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return connection.execute(
        select(
            obligations.c.id.label("key"),
            obligations.c.obligation_id,
            obligations.c.debtor,
            debtors.c.tax_number,
            debtors.c.name,
            newest.label("newest_event"),
        )
        .select_from(staged_obligations)
        .join(located, located.c.obligation_id == staged_obligations.c.obligation_id)
        .join(obligations, obligations.c.id == located.c.obligation)
        .join(debtors, debtors.c.id == obligations.c.debtor)
        .where(staged_obligations.c.debtor_name != debtors.c.name)
        .distinct()
    ).all()


def _lines(connection: Connection) -> dict[tuple[str, str], int]:
    """The last line in which each event of the batch stands."""
    staged = staged_events.c
    rows = connection.execute(
        select(staged.obligation_id, staged.event_id, staged.line).order_by(staged.line)
    )
    return {(row.obligation_id, row.event_id): row.line for row in rows}


def _spellings(connection: Connection) -> dict[str, list[tuple[int, str]]]:
    """The names of each obligation's debtor, and the line from which on each of them stands."""
    staged = staged_obligations.c
    rows = connection.execute(
        select(staged.obligation_id, staged.line, staged.debtor_name).order_by(staged.line)
    )
    found: dict[str, list[tuple[int, str]]] = {}
    for obligation_id, line, name in rows:
        found.setdefault(obligation_id, []).append((line, name))
    return found


def _name_at(spellings: Sequence[tuple[int, str]], line: int) -> str:
    """The name in a line: that of the row before it that is staged."""
    return spellings[bisect_right(spellings, line, key=lambda spelling: spelling[0]) - 1][1]
