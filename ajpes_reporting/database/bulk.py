"""Adds a great many rows in one stream, the quickest way each database has."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Table

# Enough that what SQLite does once for each statement no longer counts.
_ROWS_AT_ONCE = 100
_ROWS_OF_A_COPY = 2_000


def add_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Adds rows with values for these columns, as the driver takes them: COPY on PostgreSQL.

    A column of `Words` takes a text that is packed. The key is left to the database, so that no row can
    take the place of another.
    """
    names = ", ".join(columns)
    if connection.dialect.name == "postgresql":
        _copy(connection, f"COPY {table.name} ({names}) FROM STDIN", rows)
        return
    row = f"({', '.join('?' * len(columns))})"
    stream = iter(rows)
    with skipping_known(connection, table):
        while batch := list(islice(stream, _ROWS_AT_ONCE)):
            places = ", ".join([row] * len(batch))
            statement = f"INSERT INTO {table.name} ({names}) VALUES {places}"  # noqa: S608 - our own names only
            connection.exec_driver_sql(statement, tuple(chain.from_iterable(batch)))


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows are at hand before the server waits for them: it ends no COPY of whoever falls asleep in it."""
    stream = iter(rows)
    while batch := list(islice(stream, _ROWS_OF_A_COPY)):
        with copying(connection, statement) as copy:
            for row in batch:
                copy.write_row(row)


@contextmanager
def copying(connection: Connection, statement: str) -> Iterator[Any]:
    """The driver's COPY of PostgreSQL, to be written to; SQLAlchemy has none.

    Raises `DBAPIError`, as whatever goes wrong with a statement of SQLAlchemy.
    """
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            yield copy
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(statement, None, error) from error


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
