"""One at a time tells alarms for a provider: two machines that look at once must not both tell.

A lock of its own, so that telling waits for no run, and no run for it. It belongs to a living
process, and is gone when the process is.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OURS = 0x414A5041  # "AJPA": keeps this lock apart from that of the runs
_KEEP_ALIVE = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"


@contextmanager
def our_turn(engine: Engine, provider: str) -> Iterator[bool]:
    """Gives whether it is our turn; if not, somebody else is telling at this moment."""
    take = _turn_on_postgresql if engine.dialect.name == "postgresql" else _turn_on_this_machine
    with take(engine, provider) as ours:
        yield ours


@contextmanager
def _turn_on_postgresql(engine: Engine, provider: str) -> Iterator[bool]:
    key = (_OURS, int(provider) % (2**31))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(_KEEP_ALIVE)
        if not connection.execute(select(func.pg_try_advisory_lock(*key))).scalar():
            yield False
            return
        try:
            yield True
        finally:
            # A connection that was lost has taken its lock with it.
            with suppress(DBAPIError):
                connection.execute(select(func.pg_advisory_unlock(*key)))


@contextmanager
def _turn_on_this_machine(engine: Engine, provider: str) -> Iterator[bool]:
    path = Path(f"{Path(engine.url.database or 'ajpes').resolve()}.{provider}.alarms.lock")
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
