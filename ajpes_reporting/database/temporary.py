"""Temporary tables: lists that a transaction makes for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert
from sqlalchemy.schema import CreateTable, DropTable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select, Table


def fill(connection: Connection, table: Table, rows: Select[Any]) -> None:
    """Makes the temporary table anew, with these rows, and lets the database know how many they are."""
    connection.execute(DropTable(table, if_exists=True))
    if connection.dialect.name == "postgresql":
        # Said here and not with the table: for that SQLAlchemy would load the dialect, wanted or not.
        table.dialect_options["postgresql"]["on_commit"] = "DROP"
    connection.execute(CreateTable(table))
    connection.execute(insert(table).from_select(table.columns.keys(), rows))
    analyze(connection, table)


def analyze(connection: Connection, table: Table) -> None:
    """Without it PostgreSQL plans for a handful of rows."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {table.name}")
