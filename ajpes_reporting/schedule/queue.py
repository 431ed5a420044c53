"""The queue that workers on several machines share: Procrastinate's tables, in a schema of their own.

It holds only who does what now. What is due stands in the table of due reports, so a queue that
was lost costs nothing: the next tick fills it again.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from procrastinate import PsycopgConnector
from procrastinate.schema import SchemaManager
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ajpes_reporting.database.engine import reason
from ajpes_reporting.database.upgrade import upgrading
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import AsyncConnection
    from sqlalchemy import Connection, Engine

SCHEMA = "ajpes_queue"
_LONGEST_WAIT_SECONDS = 10.0


def make_queue(engine: Engine) -> None:
    """Makes the queue's tables, or brings them up to date; does nothing if they are.

    Raises `ConfigurationError` if the database is not PostgreSQL, or its user may not make them.
    """
    require_postgresql(engine)
    with upgrading(engine) as connection:
        known = _revision(connection)
        if known is None:
            connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
        for script in _scripts_after(known):
            _apply(connection, script)
        if known != _newest():
            connection.exec_driver_sql(f"COMMENT ON SCHEMA {SCHEMA} IS '{_newest()}'")


def require_queue(engine: Engine) -> None:
    """Raises `ConfigurationError`, saying what to do, unless the queue is there and up to date."""
    require_postgresql(engine)
    try:
        with engine.connect() as connection:
            known = _revision(connection)
    except DBAPIError as error:
        raise ConfigurationError(
            _("The queue cannot be looked at: {reason:foreign}.", reason=reason(error))
        ) from error
    if known != _newest():
        raise ConfigurationError(
            _("The queue of the workers is not there, or is of another version of Procrastinate."),
            _("bring it up to date with `ajpes-reporting init`, as the owner of the tables"),
        )


def require_postgresql(engine: Engine) -> None:
    """Raises `ConfigurationError` for any other database."""
    if engine.dialect.name != "postgresql":
        raise ConfigurationError(
            _('schedule.engine is "procrastinate", and the database is not PostgreSQL.'),
            _('set database.url to a PostgreSQL database, or schedule.engine to "embedded"'),
        )


def connect(engine: Engine) -> PsycopgConnector:
    """Procrastinate's connections to the queue in the engine's database."""
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return PsycopgConnector(
        conninfo=address,
        configure=_look_into_the_queue,
        min_size=1,
        max_size=4,
        timeout=_LONGEST_WAIT_SECONDS,
    )


async def _look_into_the_queue(connection: AsyncConnection) -> None:
    await connection.execute(f"SET search_path TO {SCHEMA}")
    await connection.commit()


def _revision(connection: Connection) -> str | None:
    """The newest change of the tables that was made here, None where there is no queue yet."""
    query = text("SELECT coalesce(obj_description(oid), '') FROM pg_namespace WHERE nspname = :schema")
    known: str | None = connection.execute(query, {"schema": SCHEMA}).scalar()
    return known


def _scripts_after(known: str | None) -> Iterator[str]:
    """The whole of the tables for a new queue, else the changes that are newer than it."""
    if known is None:
        yield SchemaManager.get_schema()
        return
    for name in _changes():
        if name > known:
            yield (_folder() / name).read_text(encoding="utf-8")


def _apply(connection: Connection, script: str) -> None:
    connection.exec_driver_sql(f"SET LOCAL search_path TO {SCHEMA}")
    # Several statements, with percent signs in them: as they are, without parameters.
    connection.exec_driver_sql(script, execution_options={"no_parameters": True})


def _newest() -> str:
    return _changes()[-1]


def _changes() -> list[str]:
    """Procrastinate's changes of its tables, by file name, oldest first."""
    return sorted(path.name for path in _folder().iterdir() if path.name.endswith(".sql"))


def _folder() -> resources.abc.Traversable:
    return resources.files("procrastinate.sql") / "migrations"
