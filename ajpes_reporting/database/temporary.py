"""Temporary tables: lists that a transaction makes for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ClauseElement, Executable, func, insert, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import AddConstraint, CreateTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Select, SelectBase, Table


def fill(connection: Connection, table: Table, rows: SelectBase) -> None:
    """Makes the temporary table anew, with these rows, and lets the database know how many they are."""
    _drop(connection, table)
    if connection.dialect.name == "postgresql":
        connection.execute(_CreateFrom(table, rows))
        if table.primary_key.columns:
            connection.execute(AddConstraint(table.primary_key, isolate_from_table=False))
        analyze(connection, table)
    else:
        _insert(connection, table, table.columns.keys(), rows)


def fill_in_order(
    connection: Connection, table: Table, rows: Select[Any], *order: ColumnElement[Any]
) -> None:
    """As `fill`; the first column, the key, numbers the rows in this order, from 1.

    SQLite numbers by itself what it adds to an empty table: a window function takes it as long again.
    """
    if connection.dialect.name == "postgresql":
        number = func.row_number().over(order_by=order)
        fill(connection, table, rows.with_only_columns(number, *rows.selected_columns))
    else:
        _drop(connection, table)
        _insert(connection, table, table.columns.keys()[1:], rows.order_by(*order))


def read_ahead(connection: Connection, table: Table, rows: Select[Any]) -> Select[Any]:
    """The rows that an INSERT is to take: on PostgreSQL from the temporary table, which is made of them.

    It reads in several processes for a list and never for an INSERT. SQLite takes them as they come.
    """
    if connection.dialect.name != "postgresql":
        return rows
    fill(connection, table, rows)
    return select(table)


def analyze(connection: Connection, table: Table) -> None:
    """Without it PostgreSQL plans for a handful of rows."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {table.name}")


def _drop(connection: Connection, table: Table) -> None:
    """Only ours: without a schema it might be a table of the same name that somebody keeps."""
    ours = "pg_temp" if connection.dialect.name == "postgresql" else "temp"
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {ours}.{table.name}")


def _insert(connection: Connection, table: Table, columns: Sequence[str], rows: SelectBase) -> None:
    connection.execute(CreateTable(table))
    connection.execute(insert(table).from_select(columns, rows))


class _CreateFrom(Executable, ClauseElement):
    """CREATE TABLE … AS: PostgreSQL reads in several processes for it, and for an INSERT never.

    The types are those of the rows. SQLAlchemy's own knows no table that ends with its transaction.
    """

    inherit_cache = False

    def __init__(self, table: Table, rows: SelectBase) -> None:
        self.table = table
        self.rows = rows


@compiles(_CreateFrom, "postgresql")
def _create_from(element: _CreateFrom, compiler: Any, **options: Any) -> str:
    name, columns = element.table.name, ", ".join(element.table.columns.keys())
    rows = compiler.process(element.rows, **options)
    return f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP AS {rows}"
