"""Brings a database to the tables this program needs, and tells whether it has them.

Alembic takes no lock of its own, so two machines that start at once would both create the
tables: the second waits here until the first is done, and then finds nothing left to do.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, func, inspect, select, text
from sqlalchemy.exc import DBAPIError

from ajpes_reporting.database.engine import address
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = max(path.name[:4] for path in Path(__file__).parent.glob("migrations/versions/[0-9]*.py"))
"""The newest revision, by the names of the files: asking for it costs no import of Alembic."""


_UPGRADING = 0x414A504553  # a lock of that number; "AJPES", to keep it apart from those of others


def upgrade(engine: Engine) -> None:
    """Creates or alters the tables, all of it or nothing. Facts in them stay as they are.

    Raises ConfigurationError if the database cannot be opened, if its user may not make tables, or
    if its tables are of a newer version of this program.
    """
    from alembic import command  # imported here: it is slow to load, and rarely needed
    from alembic.config import Config

    revision = current_revision(engine)
    if revision is not None and revision > HEAD:
        raise _too_new(engine, revision)
    config = Config()
    config.set_main_option("script_location", "ajpes_reporting.database:migrations")
    with upgrading(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def upgrading(engine: Engine) -> Iterator[Connection]:
    """A transaction that makes or alters tables; whoever else does so waits for its end.

    Raises ConfigurationError if the user may not make tables.
    """
    try:
        with engine.connect().execution_options(ajpes_immediate=True) as connection, connection.begin():
            _queue_up(connection)
            yield connection
    except DBAPIError as error:
        raise ConfigurationError(
            _(
                "The tables of the database {database} were not made: {reason:foreign}.",
                database=_address(engine),
                reason=_first_line(error),
            ),
            _("let `ajpes-reporting init` run as a user who owns the database, or who may make tables in it"),
        ) from error


def current_revision(engine: Engine) -> str | None:
    """The revision of the tables, None where there are none yet.

    Raises ConfigurationError if the database cannot be opened, or cannot keep every text.
    """
    try:
        with engine.connect() as connection:
            _require_utf_8(connection)
            if not inspect(connection).has_table("alembic_version"):
                return None
            revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return revision
    except DBAPIError as error:
        raise _cannot_open(engine, error) from error


def require_current(engine: Engine) -> None:
    """Raises ConfigurationError, saying what to do, unless the tables are those of this program."""
    revision = current_revision(engine)
    if revision == HEAD:
        return
    if revision is None:
        raise ConfigurationError(
            _("The database {database} has no tables yet.", database=_address(engine)),
            _("make them with `ajpes-reporting init`, or correct [database] url in ajpes.toml"),
        )
    if revision < HEAD:
        raise ConfigurationError(
            _(
                "The tables of the database {database} are of an older version of this program "
                "({revision}, needed is {needed}).",
                database=_address(engine),
                revision=revision,
                needed=HEAD,
            ),
            _("back the database up, then bring it up to date with `ajpes-reporting init`"),
        )
    raise _too_new(engine, revision)


def _require_utf_8(connection: Connection) -> None:
    """LATIN1 has no č, and what is SQL_ASCII is told by nobody; SQLite has no other encoding than ours."""
    if connection.dialect.name != "postgresql":
        return
    session: Any = connection.connection.driver_connection
    encoding = session.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise ConfigurationError(
            _(
                "The database {database} keeps text as {encoding}, which cannot hold every name that is "
                "reported. Nothing was changed in it.",
                database=_address(connection.engine),
                encoding=encoding,
            ),
            _(
                "make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, "
                "and name it in [database] url"
            ),
        )


def _queue_up(connection: Connection) -> None:
    """SQLite has done it: the transaction began by taking the write lock of the whole database."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_UPGRADING)))


def _too_new(engine: Engine, revision: str) -> ConfigurationError:
    return ConfigurationError(
        _(
            "The tables of the database {database} are of a newer version of this program "
            "({revision}, known here is {known}).",
            database=_address(engine),
            revision=revision,
            known=HEAD,
        ),
        _("install the newer version here too"),
    )


def _cannot_open(engine: Engine, error: DBAPIError) -> ConfigurationError:
    return ConfigurationError(
        _(
            "The database {database} cannot be used: {reason:foreign}.",
            database=_address(engine),
            reason=_first_line(error),
        ),
        _("check [database] url in ajpes.toml, that the database runs, and what its user may do there"),
    )


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]


def _address(engine: Engine) -> str:
    return address(engine.url)
