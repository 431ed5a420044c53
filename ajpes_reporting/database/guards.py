"""Adds whole sets of rows past the guard that turns known ones away."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Table

_GUARD = text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name")


@contextmanager
def skipping_known(connection: Connection, *tables: Table) -> Iterator[None]:
    """Inside, an `INSERT … ON CONFLICT DO NOTHING` leaves out the rows that one of these tables knows.

    So does, in its way, a plain INSERT of rows whose key the database makes: it can meet none.

    On SQLite the guard against REPLACE refuses such an INSERT as a whole, and looks at each row of a
    million. It is put aside for the statements inside, which replace nothing, and is back before the
    transaction ends; nobody else ever sees the table without it. After an error the caller rolls back.
    """
    names = [f"{table.name}_no_replace" for table in tables]  # as `append_only` calls them
    on_sqlite = connection.dialect.name == "sqlite"
    guards = {name: connection.scalar(_GUARD, {"name": name}) for name in names} if on_sqlite else {}
    # Where somebody has removed one, it is not for an import to make another.
    there = {name: guard for name, guard in guards.items() if guard is not None}
    for name in there:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    for guard in there.values():
        connection.exec_driver_sql(guard)
