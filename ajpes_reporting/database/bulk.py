"""Adds a great many rows in one stream, the quickest way each database has."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from ajpes_reporting.database.guards import skipping_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Table

# As many as one statement of SQLite may have, so that the thread that runs it seldom has to wait for the
# interpreter in between.
_VALUES_AT_ONCE = 32_000
_ROWS_OF_A_COPY = 2_000


def add_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Adds rows with values for these columns, as the driver takes them: COPY on PostgreSQL.

    The key is left to the database, so that no row can take the place of another.
    """
    names = ", ".join(columns)
    if connection.dialect.name == "postgresql":
        _copy(connection, f"COPY {table.name} ({names}) FROM STDIN", rows)
        return
    with skipping_known(connection, table):
        insert_rows(connection, table, columns, rows)


def insert_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Adds rows to a table of SQLite, a great many with each statement."""
    row = f"({', '.join('?' * len(columns))})"
    stream = iter(rows)
    while batch := list(islice(stream, _VALUES_AT_ONCE // len(columns))):
        places = ", ".join([row] * len(batch))
        statement = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES {places}"  # noqa: S608 - our own names only
        connection.exec_driver_sql(statement, tuple(chain.from_iterable(batch)))


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows are at hand before the server waits for them: it ends no COPY of whoever falls asleep in it."""
    driver: Any = connection.connection.driver_connection
    stream = iter(rows)
    while batch := list(islice(stream, _ROWS_OF_A_COPY)):
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in batch:
                copy.write_row(row)
