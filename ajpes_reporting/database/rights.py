"""Checks the rights of the program's role on PostgreSQL: it should only add to facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, literal_column, or_, select, text

from ajpes_reporting.database.tables import APPEND_ONLY, RENEWABLE, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_OWNS = "SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass('audit_records')"


def what_is_too_much(engine: Engine) -> str:
    """Why the role in use could change the record that it keeps; empty if it could not, and on SQLite."""
    if engine.dialect.name != "postgresql":
        return ""
    with engine.connect() as connection:
        user = connection.scalar(select(literal_column("current_user")))
        excess = _excess(connection)
    return f"the role {user} {excess}" if excess else ""


def _excess(connection: Connection) -> str:
    """The worst first: a superuser may do everything, and the owner can take the triggers away."""
    if connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
        return "is a superuser"
    if connection.scalar(text(_OWNS)):
        return "owns the tables, and could take away what keeps facts from being changed"
    changeable = [name for name in APPEND_ONLY if _may_change(connection, name)]
    return f"may change {', '.join(changeable)}" if changeable else ""


def _may_change(connection: Connection, table: str) -> bool:
    whole = func.has_table_privilege(table, "UPDATE, DELETE, TRUNCATE, TRIGGER")
    kept = set(metadata.tables[table].columns.keys()).difference(RENEWABLE.get(table, ()))
    parts = (func.has_column_privilege(table, column, "UPDATE") for column in sorted(kept))
    return bool(connection.scalar(select(or_(whole, *parts))))
