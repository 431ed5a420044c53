"""A copy of the database of one moment, and a database made from it.

SQLite is copied by its own backup interface and PostgreSQL by `pg_dump`, both from the snapshot of
a transaction, so that what the transaction reads is what the copy holds. Others write meanwhile.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, inspect, text

from ajpes_reporting.backup.files import copy_durably, put_in_place
from ajpes_reporting.database.engine import address
from ajpes_reporting.domain.errors import AjpesReportingError, ConfigurationError, UsageError
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ajpes_reporting.i18n import Message

# What must not stand on a command line, where every user of the machine can read it.
_SECRET = ("password", "sslpassword")


def dump(connection: Connection, target: Path) -> None:
    """Writes what this transaction sees into a file. Raises `AjpesReportingError`.

    The transaction must be a `snapshot`.
    """
    write = _dump_postgresql if connection.dialect.name == "postgresql" else _dump_sqlite
    try:
        put_in_place(target, lambda part: write(connection, part))
    except ConfigurationError:
        raise
    except AjpesReportingError as error:
        raise AjpesReportingError(
            _(
                "{message} The backup is not complete; one that was there before is as it was.",
                message=error.message,
            ),
            error.remedy,
        ) from error


def require_empty(engine: Engine) -> None:
    """Raises `UsageError` if something is in the database already: nothing is ever overwritten."""
    if engine.dialect.name == "sqlite":
        path = engine.url.database
        if path is not None and any(os.path.exists(path + end) for end in ("", "-wal", "-journal")):  # noqa: PTH110
            raise _not_empty(engine, _("move it away; it may be what a restoration left that was cut off"))
        return
    with engine.connect() as connection:
        if inspect(connection).get_table_names():
            raise _not_empty(engine, _("name an empty database in AJPES_REPORTING_DATABASE__URL"))


def load(engine: Engine, source: Path) -> None:
    """Makes the database from a copy whose hash was checked. Raises `AjpesReportingError`."""
    if engine.dialect.name == "sqlite":
        from pathlib import Path

        copy_durably(source, Path(str(engine.url.database)))
        return
    _run(
        engine.url,
        ["pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"],
        [source],
    )


def _dump_sqlite(connection: Connection, part: Path) -> None:
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)  # noqa: S101 - what SQLAlchemy's dialect uses
    try:
        with closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
    except sqlite3.Error as error:
        raise AjpesReportingError(
            _("The database could not be copied: {error:foreign}.", error=error),
            _("make room on the disk, then back up again"),
        ) from error


def _dump_postgresql(connection: Connection, part: Path) -> None:
    snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
    options = ["--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={part}"]
    _run(connection.engine.url, ["pg_dump", *options])


def _run(url: URL, command: Sequence[str], files: Sequence[Path] = ()) -> None:
    """Runs a program of PostgreSQL's; the password goes by its environment, which is ours alone."""
    if shutil.which(command[0]) is None:
        raise ConfigurationError(
            _(
                "{command} is not installed here; it is needed for a database of PostgreSQL.",
                command=command[0],
            ),
            _("install the Debian package postgresql-client, of the server's version or a newer one"),
        )
    parameters = _parameters(url)
    environment = {
        **os.environ,
        **({"PGPASSWORD": parameters["password"]} if "password" in parameters else {}),
    }
    from psycopg.conninfo import make_conninfo  # a bank on SQLite has no psycopg

    public = make_conninfo("", **{key: value for key, value in parameters.items() if key not in _SECRET})
    done = subprocess.run(  # noqa: S603 - a fixed program, and no shell
        [*command, "--no-password", f"--dbname={public}", *files],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        umask=0o077,
        check=False,
    )
    if done.returncode:
        raise AjpesReportingError(
            _(
                "{command} failed for the database {address}: {why}",
                command=command[0],
                address=address(url),
                why=_why(done),
            ),
            _(
                "correct that, then try again; {command} must be of the server's version or newer",
                command=command[0],
            ),
        )


def _parameters(url: URL) -> dict[str, Any]:
    """Returns the parts of the URL under libpq's names."""
    _arguments, parameters = url.get_dialect()().create_connect_args(url)
    return {key: str(value) for key, value in parameters.items() if value is not None}


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    """Returns the first line of an error: further lines may show rows, and rows hold names."""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    if not lines:
        return _("the program ended with {code}.", code=done.returncode)
    return f"{lines[0].rstrip('.')}."


def _not_empty(engine: Engine, remedy: Message) -> UsageError:
    return UsageError(
        _(
            "There is something in the database {address} already. Nothing was changed.",
            address=address(engine.url),
        ),
        remedy,
    )
