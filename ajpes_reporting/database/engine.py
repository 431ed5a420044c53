"""Connections: the same habits on SQLite and PostgreSQL.

SQLite is opened with foreign keys on, in WAL mode, and with every commit on the disk before it
counts. Python's own transaction handling there is switched off: it would start no transaction
for a SELECT, and a report must read one consistent snapshot.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError, TimeoutError

from ajpes_reporting.domain.errors import ConfigurationError, Replaced
from ajpes_reporting.extras import EXTRAS, not_installed
from ajpes_reporting.i18n import _
from ajpes_reporting.private import make_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy.engine.interfaces import ExecutionContext

_BUSY_TIMEOUT_MS = 30_000
_CACHE_KIB = 8_192
_TEMPORARY_CACHE_KIB = 4_096
# The session of a machine that is gone ends after about a minute.
KEEP_ALIVE = ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3")
# Whoever falls asleep in the middle of a transaction, or loses its machine, lets the others go on.
_QUEUE_UP = "; ".join(
    (
        "SET LOCAL idle_in_transaction_session_timeout = '{seconds:.0f}s'",
        *(f"SET LOCAL {setting}" for setting in KEEP_ALIVE),
        "LOCK TABLE submissions IN SHARE ROW EXCLUSIVE MODE",
    )
)

LONGEST_RUN_SECONDS = 3600.0

# SQLSTATE: a server that fails over takes reads alone for a while. And the classes of lost connections, of
# conflicts with others, of what is used up, of an administrator at work, of the system below.
_READ_ONLY = "25006"
_PASSING = ("08", "40", "53", "55", "57", "58")

_CONNECTING = {
    # Or a statement is planned once, for the first rows of an import, and read a million by that plan.
    "prepare_threshold": None,
    "client_encoding": "utf8",  # whatever an administrator has set for sessions of his own
    "tcp_user_timeout": 60_000,
}
_KNOWS_IDLE_SESSIONS = 140_000
_BINARY = 1  # as libpq numbers the formats of results


class _Fence(NamedTuple):
    """Whether the lock of a run is still its own, and how long it may sleep."""

    is_still_ours: Callable[[], bool] = lambda: True
    longest_seconds: float = LONGEST_RUN_SECONDS


_fence: ContextVar[_Fence] = ContextVar("fence", default=_Fence())  # noqa: B039 - it is never changed


def open_engine(url: str) -> Engine:
    """An engine for the database at `url`, of SQLite or PostgreSQL. Raises `ConfigurationError`."""
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        engine = create_engine(parsed, **_postgresql_habits(parsed) if _is_psycopg(parsed) else {})
    except (ArgumentError, ImportError) as error:
        if isinstance(error, ImportError) and error.name in EXTRAS:
            raise not_installed(error.name) from None
        raise ConfigurationError(
            _(
                "The database {database} cannot be used: {reason:foreign}.",
                database=address(parsed),
                reason=str(error),
            ),
            _("use SQLite or PostgreSQL"),
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _make_sqlite)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "before_cursor_execute", _ask_in_binary)
    return engine


def _is_psycopg(url: URL) -> bool:
    return url.drivername == "postgresql+psycopg"


def _postgresql_habits(url: URL) -> dict[str, Any]:
    """A session from the pool may have been ended while it lay there, and a machine may go without a word."""
    arguments = {name: value for name, value in _CONNECTING.items() if name not in url.query}
    return {"connect_args": arguments, "pool_pre_ping": True}


def address(url: URL) -> str:
    """Returns the database that a URL names, without parts that may be secret: password, options."""
    return url.set(query={}).render_as_string(hide_password=True)


def reason(error: Exception) -> str:
    """Why a database failed, on one line without a full stop.

    Without the statement, and without what PostgreSQL tells in detail: both may hold names.
    """
    failure = getattr(error, "orig", None) or error
    said = getattr(getattr(failure, "diag", None), "message_primary", None) or str(failure)
    return " ".join(said.split()).rstrip(".")


def blames_values(error: DBAPIError) -> bool:
    """Whether a database failed because of the values it was given, not of anything else."""
    return any(one.__name__ == "DataError" for one in type(error.orig).__mro__)


def may_pass(error: SQLAlchemyError) -> bool:
    """Whether a failure of the database may be over by itself: it restarts, fails over, is busy or full."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, TimeoutError)
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlstate", None) or ""
    return code == _READ_ONLY or code[:2] in _PASSING


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A read-only transaction that sees one moment of the database, whatever others write."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        with connection.begin():
            yield connection


@contextmanager
def scratch(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one moment and may make temporary tables; nothing is stored in the end.

    Unlike in `rehearsing`, nobody waits for it, and it must not write into any table that is kept.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        transaction = connection.begin()
        try:
            yield connection
        finally:
            transaction.rollback()


@contextmanager
def fenced(is_still_ours: Callable[[], bool], longest_seconds: float) -> Iterator[None]:
    """Inside, every transaction asks this before it writes, and sleeps no longer; see `writing`."""
    before = _fence.set(_Fence(is_still_ours, longest_seconds))
    try:
        yield
    finally:
        _fence.reset(before)


@contextmanager
def writing(engine: Engine, *, though_replaced: bool = False) -> Iterator[Connection]:
    """A transaction that writes: all of it is stored, or nothing.

    Raises `Replaced` if it is begun by a run whose place another one has taken: what that run has read
    may be out of date. It asks when the others have to wait for it, so none of them can come in between.
    `though_replaced`: what happened to a call of its own is written down all the same.

    Writers queue, one at a time, and each reads one snapshot of the database: the record of what
    happened is a chain, and a report records exactly the events it selected. SQLite takes its
    write lock at once; PostgreSQL locks a table before it takes its snapshot (a LOCK takes none).
    Not the record itself: to lock it so, the program's role would need the right to change it.
    """
    with _writing_connection(engine) as connection, connection.begin():
        _queue_up(connection)
        if not though_replaced:
            _refuse_if_replaced()
        yield connection


@contextmanager
def rehearsing(engine: Engine) -> Iterator[Connection]:
    """Opens a transaction like that of `writing`, and stores nothing in the end."""
    with _writing_connection(engine) as connection:
        transaction = connection.begin()
        try:
            _queue_up(connection)
            yield connection
        finally:
            transaction.rollback()


def _writing_connection(engine: Engine) -> Connection:
    connection = engine.connect().execution_options(ajpes_immediate=True)
    if engine.dialect.name == "postgresql":
        return connection.execution_options(isolation_level="REPEATABLE READ")
    return connection


def _queue_up(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_QUEUE_UP.format(seconds=_fence.get().longest_seconds))


def _refuse_if_replaced() -> None:
    if not _fence.get().is_still_ours():
        raise Replaced(
            _(
                "This run was away for too long, or lost its connection to the database: another one may have"
                " taken its place. It has stopped."
            ),
            _("run again; the schedule does so by itself"),
        )


def _make_sqlite(_dialect: Any, _record: Any, arguments: Sequence[str], options: Mapping[str, Any]) -> None:
    """A file that SQLite made would be as wide as the umask; its logs are as narrow as this one."""
    name = arguments[0]
    if name != ":memory:" and not options.get("uri"):
        with suppress(OSError):  # SQLite says why it cannot be
            make_file(Path(name))


def _prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")  # first: all others may have to wait
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA recursive_triggers = ON")  # or REPLACE would slip past the triggers
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    # A million rows go into indexes in no order: with less, SQLite writes the same pages again and again.
    cursor.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    # With less, a batch of an import goes to the disk; with more, a report of millions takes more memory.
    cursor.execute(f"PRAGMA temp.cache_size = -{_TEMPORARY_CACHE_KIB}")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Once for the life of a database file. SQLite waits for nobody there, so we do."""
    give_up = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def _prepare_postgresql(dbapi_connection: Any, _record: Any) -> None:
    """Sets ISO dates, no compilation of statements and no end for an idle session.

    An administrator may have the server write 17.11.2026, and to give the format with each date would take
    longer. Its compiler takes longer over a report's statements than it gains.
    """
    dbapi_connection.autocommit = True
    with dbapi_connection.cursor() as cursor:
        cursor.execute("SET datestyle TO ISO; SET jit TO off")
        if dbapi_connection.info.server_version >= _KNOWS_IDLE_SESSIONS:
            cursor.execute("SET idle_session_timeout TO 0")  # one in the pool waits for the authority with us
    dbapi_connection.autocommit = False


def _ask_in_binary(
    _connection: Connection, cursor: Any, _sql: str, _values: Any, context: ExecutionContext, _many: bool
) -> None:
    if context.execution_options.get("ajpes_binary"):
        cursor.format = _BINARY


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("ajpes_immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
