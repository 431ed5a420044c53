"""What somebody can do to the audit record who gets past the triggers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select, text

from ajpes_reporting.database.tables import audit_records


def unlock(connection: Connection, table: str = "audit_records") -> None:
    """Takes away what keeps rows from being changed; a transaction that is undone brings it back."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    else:
        for event in ("update", "delete", "replace"):
            connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{event}"))


def rows(connection: Connection) -> list[dict[str, Any]]:
    """The whole record in order."""
    found = connection.execute(select(audit_records).order_by(audit_records.c.seq)).mappings()
    return [dict(row) for row in found]


def rewrite(connection: Connection, entries: list[dict[str, Any]]) -> None:
    """Puts these entries in the place of all that are there."""
    connection.execute(delete(audit_records))
    if entries:
        connection.execute(insert(audit_records), entries)
