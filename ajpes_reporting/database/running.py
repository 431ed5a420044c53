"""One run at a time for each provider, whatever started it.

The lock belongs to a living process, not to a row: it is gone when the process is, even if that
was killed. On PostgreSQL it holds across machines.
"""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError

from ajpes_reporting.domain.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator

_OURS = 0x414A5052  # "AJPR": keeps our locks apart from those of others in the same database
_PATIENCE_SECONDS = 3.0
_POLL_SECONDS = 0.1


@contextmanager
def alone(engine: Engine, provider: str) -> Iterator[None]:
    """Holds the provider's lock. Raises `Busy` if another run holds it."""
    hold = _alone_on_postgresql if engine.dialect.name == "postgresql" else _alone_on_this_machine
    with hold(engine, provider):
        yield


@contextmanager
def _alone_on_postgresql(engine: Engine, provider: str) -> Iterator[None]:
    key = (_OURS, int(provider) % (2**31))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not _taken_soon(connection, key):
            raise _busy(provider)
        try:
            yield
        finally:
            # A connection that was lost has taken its lock with it.
            with suppress(DBAPIError):
                connection.execute(select(func.pg_advisory_unlock(*key)))


def _taken_soon(connection: Connection, key: tuple[int, int]) -> bool:
    """The server needs a moment to notice that a process which held the lock was killed."""
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while not connection.execute(select(func.pg_try_advisory_lock(*key))).scalar():
        if time.monotonic() > give_up:
            return False
        time.sleep(_POLL_SECONDS)
    return True


@contextmanager
def _alone_on_this_machine(engine: Engine, provider: str) -> Iterator[None]:
    path = Path(f"{Path(engine.url.database or 'ajpes').resolve()}.{provider}.lock")
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(provider) from None
        yield


def _busy(provider: str) -> Busy:
    return Busy(
        f"Another run for provider {provider} is at work. Nothing was done.",
        "wait until it has ended; see `ajpes-reporting status`",
    )
