"""One at a time for each provider, whatever started it, and the right to send that goes with it.

The lock belongs to a living process, not to a row: it is gone when the process is, even if that
was killed. On PostgreSQL it holds across machines; a process that lives and shows no sign of it
(paused, or its machine cut off) loses the lock after a while to one that does work. So whoever
holds it asks once more, at the last moment, whether it is still theirs.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting.database.engine import KEEP_ALIVE, LONGEST_RUN_SECONDS, fenced
from ajpes_reporting.domain.errors import Busy
from ajpes_reporting.private import open_private

if TYPE_CHECKING:
    from collections.abc import Iterator


class Purpose(Enum):
    """What is done by one at a time; the number keeps our locks apart from those of others."""

    RUN = 0x414A5052  # "AJPR"
    ALARMS = 0x414A5041  # "AJPA"; telling waits for no run, and no run for it


_SHORT_DIGITS = 7  # of a registration number; the other ones have ten
_PATIENCE_SECONDS = 3.0
_POLL_SECONDS = 0.1

_HELD_HERE = text(
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = :ours AND objid = :provider"
    " AND objsubid = 2 AND granted AND pid = pg_backend_pid()"
)
# Each sign of life is a statement, and moves `state_change`; the server's clock is the same for all.
_WITHOUT_LIFE = text(
    "SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.classid = :ours AND l.objid = :provider AND l.objsubid = 2"
    " AND l.granted AND a.datname = current_database() AND a.state = 'idle'"
    " AND a.state_change < clock_timestamp() - make_interval(secs => :longest)"
)


def lock_key(provider: str, purpose: Purpose) -> dict[str, int]:
    """The two numbers of a provider's lock on PostgreSQL; each has 31 bits, and a provider's may need 34.

    What goes beyond 31 bits is added to the purpose, which leaves room for it. A number of ten digits that
    begins with 000 is another one than the seven digits that follow, and counts from ten billion on.
    """
    number = int(provider)
    if len(provider) > _SHORT_DIGITS and number < 10**_SHORT_DIGITS:
        number += 10**10
    beyond, within = divmod(number, 2**31)
    return {"ours": purpose.value + beyond, "provider": within}


class Hold(Protocol):
    """The lock of a provider, while it is held."""

    def is_still_ours(self) -> bool:
        """Whether nobody else can have taken it meanwhile. Asking is a sign of life."""
        ...


@contextmanager
def alone(
    engine: Engine,
    provider: str,
    longest_seconds: float = LONGEST_RUN_SECONDS,
    purpose: Purpose = Purpose.RUN,
) -> Iterator[Hold]:
    """Holds the provider's lock for that purpose. Raises `Busy` if somebody else holds it.

    Whoever shows no sign of life for `longest_seconds` has lost it, and writes nothing any more.
    """
    if engine.dialect.name == "postgresql":
        held = _alone_on_postgresql(engine, provider, longest_seconds, purpose)
    else:
        held = _alone_on_this_machine(engine, provider, purpose)
    with held as hold, fenced(hold.is_still_ours, longest_seconds):
        yield hold


class _Session:
    """A session of PostgreSQL that holds the lock."""

    def __init__(self, connection: Connection, key: dict[str, int], longest_seconds: float) -> None:
        self._connection = connection
        self._key = key
        self._longest_seconds = longest_seconds
        self._last_sign = _seconds()

    def is_still_ours(self) -> bool:
        if _seconds() - self._last_sign > self._longest_seconds:
            return False  # somebody may be taking it at this moment
        try:
            held = self._connection.execute(_HELD_HERE, self._key).first() is not None
        except SQLAlchemyError:
            return False
        self._last_sign = _seconds()
        return held


@contextmanager
def _alone_on_postgresql(
    engine: Engine, provider: str, longest_seconds: float, purpose: Purpose
) -> Iterator[Hold]:
    key = lock_key(provider, purpose)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("; ".join(f"SET {setting}" for setting in KEEP_ALIVE))
        if not _taken_soon(connection, key) and not _taken_over(connection, key, longest_seconds):
            raise _busy(provider)
        try:
            yield _Session(connection, key, longest_seconds)
        finally:
            # A connection that was lost has taken its lock with it.
            with suppress(SQLAlchemyError):
                connection.execute(select(func.pg_advisory_unlock(*key.values())))


def _taken_soon(connection: Connection, key: dict[str, int]) -> bool:
    """The server needs a moment to notice that a process which held the lock was killed."""
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while not connection.execute(select(func.pg_try_advisory_lock(*key.values()))).scalar():
        if time.monotonic() > give_up:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _taken_over(connection: Connection, key: dict[str, int], longest_seconds: float) -> bool:
    """Ends the session of a run without any sign of life; it finds out when it wants to send."""
    lifeless = connection.execute(_WITHOUT_LIFE, {**key, "longest": longest_seconds}).scalars().all()
    for pid in lifeless:
        connection.execute(select(func.pg_terminate_backend(pid)))
    return bool(lifeless) and _taken_soon(connection, key)


class _File:
    """An open file that holds the lock on this machine."""

    def __init__(self, number: int, path: Path) -> None:
        self._number = number
        self._path = path

    def is_still_ours(self) -> bool:
        """Nobody takes it from a living process, unless the file itself was put away."""
        try:
            return os.path.samestat(os.fstat(self._number), self._path.stat())
        except FileNotFoundError:
            return False


@contextmanager
def _alone_on_this_machine(engine: Engine, provider: str, purpose: Purpose) -> Iterator[Hold]:
    mark = "" if purpose is Purpose.RUN else f".{purpose.name.lower()}"
    path = Path(f"{Path(engine.url.database or 'ajpes').resolve()}.{provider}{mark}.lock")
    with open_private(path, "w") as file:  # whoever may read it may take the lock
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(provider) from None
        yield _File(file.fileno(), path)


def _seconds() -> float:
    """A clock that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _busy(provider: str) -> Busy:
    return Busy(
        f"Another run for provider {provider} is at work. Nothing was done.",
        "wait until it has ended; see `ajpes-reporting status`",
    )
