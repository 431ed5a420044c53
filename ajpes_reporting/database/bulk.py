"""Adds a great many rows in one stream, the quickest way each database has."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from ajpes_reporting.database.guards import skipping_known

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
