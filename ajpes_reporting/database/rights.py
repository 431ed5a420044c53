"""Checks the rights of the program's role on PostgreSQL: it should only add to facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, literal_column, or_, select, text

from ajpes_reporting.database.tables import APPEND_ONLY, RENEWABLE, metadata
from ajpes_reporting.i18n import NOTHING, Message, _

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_OWNS = "SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass('audit_records')"


def what_is_too_much(engine: Engine) -> Message:
    """Why the role in use could change the record that it keeps; empty if it could not, and on SQLite."""
    if engine.dialect.name != "postgresql":
        return NOTHING
    with engine.connect() as connection:
        return _excess(connection, connection.scalar(select(literal_column("current_user"))) or "")


def _excess(connection: Connection, role: str) -> Message:
    """The worst first: a superuser may do everything, and the owner can take the triggers away."""
    if connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
        return _("the role {role} is a superuser", role=role)
    if connection.scalar(text(_OWNS)):
        return _(
            "the role {role} owns the tables, and could take away what keeps facts from being changed",
            role=role,
        )
    changeable = [name for name in APPEND_ONLY if _may_change(connection, name)]
    return _("the role {role} may change {tables}", role=role, tables=changeable) if changeable else NOTHING


def _may_change(connection: Connection, table: str) -> bool:
    whole = func.has_table_privilege(table, "UPDATE, DELETE, TRUNCATE, TRIGGER")
    kept = set(metadata.tables[table].columns.keys()).difference(RENEWABLE.get(table, ()))
    parts = (func.has_column_privilege(table, column, "UPDATE") for column in sorted(kept))
    return bool(connection.scalar(select(or_(whole, *parts))))
