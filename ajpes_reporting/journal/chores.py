"""Chores: work that is done now and then, and when it was last done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from ajpes_reporting.database.tables import chores

if TYPE_CHECKING:
    from datetime import datetime


def last_done(connection: Connection, provider: str, name: str) -> datetime | None:
    """Returns the time at which a chore was last done; None if never."""
    done_at: datetime | None = connection.execute(
        select(chores.c.done_at).where(*_key(provider, name))
    ).scalar()
    return done_at


def note(connection: Connection, provider: str, name: str) -> str:
    """Returns the note on a chore when it was last done; empty if there is none."""
    found: str | None = connection.execute(select(chores.c.note).where(*_key(provider, name))).scalar()
    return found or ""


def note_done(
    connection: Connection, provider: str, name: str, *, at: datetime, note: str | None = None
) -> None:
    """Notes that a chore was done, and what came of it; without a `note` the one before stands."""
    values: dict[str, Any] = {"done_at": at} if note is None else {"done_at": at, "note": note}
    if connection.execute(update(chores).where(*_key(provider, name)).values(values)).rowcount == 0:
        connection.execute(insert(chores).values(provider=provider, name=name, **values))


def _key(provider: str, name: str) -> tuple[ColumnElement[bool], ...]:
    return chores.c.provider == provider, chores.c.name == name
