"""One at a time for each provider, whatever started it, and the right to send that goes with it.

The lock belongs to a living process, not to a row: it is gone when the process is, even if that
was killed. On PostgreSQL it holds across machines; a process that lives and shows no sign of it
(paused, or its machine cut off) loses the lock after a while to one that does work. So whoever
holds it asks once more, at the last moment, whether it is still theirs.

The session that holds it has nothing to do for hours. It is set free of an administrator's limits for such
sessions, and asks now and then whether the lock is there: that keeps it alive, and a loss is known at once.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection, Engine, func, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting.database.engine import KEEP_ALIVE, LONGEST_RUN_SECONDS, fenced, reason
from ajpes_reporting.database.tables import chores
from ajpes_reporting.domain.errors import Busy
from ajpes_reporting.i18n import _
from ajpes_reporting.private import open_private

if TYPE_CHECKING:
    from collections.abc import Iterator


class Purpose(Enum):
    """The work that is done by one at a time; the number keeps our locks apart from those of others."""

    RUN = 0x414A5052  # "AJPR"
    ALARMS = 0x414A5041  # "AJPA"; telling waits for no run, and no run for it


_SHORT_DIGITS = 7  # of a registration number; the other ones have ten
_log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0

_PATIENCE_SECONDS = 3.0
_POLL_SECONDS = 0.1

_HELD_HERE = text(
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = :ours AND objid = :provider"
    " AND objsubid = 2 AND granted AND pid = pg_backend_pid()"
)
# Only those that this version of the server knows.
_SET_FREE = text(
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout',"
    " 'idle_in_transaction_session_timeout', 'statement_timeout', 'lock_timeout', 'transaction_timeout')"
)
LAST_HOLDER = "whose lock it was last"
"""The note of who has held a provider's lock last, so that nobody takes it again after another one."""
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


class Lease(Protocol):
    """The lock of a provider, while it is held."""

    def is_still_ours(self) -> bool:
        """Whether nobody else can have taken it meanwhile. Asking is a sign of life."""
        ...

    def take_again(self) -> bool:
        """Takes the lock again that was lost with its session, unless somebody else has held it meanwhile."""
        ...


@contextmanager
def lease(
    engine: Engine,
    provider: str,
    longest_seconds: float = LONGEST_RUN_SECONDS,
    purpose: Purpose = Purpose.RUN,
    beat_seconds: float = BEAT_SECONDS,
) -> Iterator[Lease]:
    """Holds the provider's lock for that purpose. Raises `Busy` if somebody else holds it.

    Whoever shows no sign of life for `longest_seconds` has lost it, and writes nothing any more. A process
    that is awake shows one every `beat_seconds`.
    """
    if engine.dialect.name == "postgresql":
        held = _alone_on_postgresql(engine, provider, longest_seconds, purpose, beat_seconds)
    else:
        held = _alone_on_this_machine(engine, provider, purpose)
    with held as hold, fenced(hold.is_still_ours, longest_seconds):
        yield hold


class _Session:
    """A session of PostgreSQL that holds the lock, and the thread that keeps it alive."""

    def __init__(self, engine: Engine, provider: str, purpose: Purpose, longest_seconds: float) -> None:
        self._engine = engine
        self._provider = provider
        self._purpose = purpose
        self._key = lock_key(provider, purpose)
        self._longest_seconds = longest_seconds
        self._mark = secrets.token_hex(8)
        self._is_lost = False
        self._in_use = threading.Lock()  # a connection is used by one thread at a time
        self._ended = threading.Event()
        self._connection = _lock_connection(engine)
        self._last_sign = _seconds()

    def take(self) -> None:
        """Takes the lock. Raises `Busy` if a living process holds it."""
        soon = _taken_soon(self._connection, self._key)
        if not soon and not _taken_over(self._connection, self._key, self._longest_seconds):
            raise _busy(self._provider)
        self._last_sign = _seconds()
        self._leave_mark()

    def is_still_ours(self) -> bool:
        with self._in_use:
            if self._is_lost or _seconds() - self._last_sign > self._longest_seconds:
                return False  # somebody may be taking it at this moment
            try:
                self._is_lost = self._connection.execute(_HELD_HERE, self._key).first() is None
            except SQLAlchemyError as error:
                self._is_lost = True
                _log.warning("The session that holds the lock of this run was lost: %s", reason(error))
            self._last_sign = _seconds()
            return not self._is_lost

    def take_again(self) -> bool:
        if self.is_still_ours():
            return True
        with self._in_use, suppress(SQLAlchemyError):
            self._connection.invalidate()
            self._connection.close()
            self._connection = _lock_connection(self._engine)
            if not _taken_soon(self._connection, self._key) or not self._was_held_last():
                self._unlock()
                return False
            self._is_lost, self._last_sign = False, _seconds()
            _log.info("The lock of this run was taken again; nobody else had held it")
            return True
        return False

    def beat(self, seconds: float) -> None:
        """Shows a sign of life every so many seconds, until `close`."""
        while not self._ended.wait(seconds):
            self.is_still_ours()

    def close(self) -> None:
        """Gives the lock back."""
        self._ended.set()
        with self._in_use:
            self._unlock()
            self._connection.close()

    def _unlock(self) -> None:
        # A connection that was lost has taken its lock with it.
        with suppress(SQLAlchemyError):
            self._connection.execute(select(func.pg_advisory_unlock(*self._key.values())))

    def _leave_mark(self) -> None:
        """Notes who holds it now. Where nothing can be written, it cannot be taken again."""
        if self._purpose is not Purpose.RUN:
            return
        this = (chores.c.provider == self._provider, chores.c.name == LAST_HOLDER)
        values = {"done_at": datetime.now(UTC), "note": self._mark}
        with suppress(SQLAlchemyError):
            if self._connection.execute(update(chores).where(*this).values(values)).rowcount == 0:
                self._connection.execute(
                    insert(chores).values(provider=self._provider, name=LAST_HOLDER, **values)
                )

    def _was_held_last(self) -> bool:
        this = (chores.c.provider == self._provider, chores.c.name == LAST_HOLDER)
        return self._connection.execute(select(chores.c.note).where(*this)).scalar() == self._mark


def _lock_connection(engine: Engine) -> Connection:
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        connection.exec_driver_sql("; ".join(f"SET {setting}" for setting in KEEP_ALIVE))
        connection.execute(_SET_FREE)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _alone_on_postgresql(
    engine: Engine, provider: str, longest_seconds: float, purpose: Purpose, beat_seconds: float
) -> Iterator[Lease]:
    session = _Session(engine, provider, purpose, longest_seconds)
    beating = threading.Thread(
        target=session.beat, args=(beat_seconds,), name="sign of life of a run", daemon=True
    )
    try:
        session.take()
        beating.start()
        yield session
    finally:
        session.close()


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

    def take_again(self) -> bool:
        """Returns whether the lease is still there: it is lost only with the file itself."""
        return self.is_still_ours()


@contextmanager
def _alone_on_this_machine(engine: Engine, provider: str, purpose: Purpose) -> Iterator[Lease]:
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
        _("Another run for provider {provider} is at work. Nothing was done.", provider=provider),
        _("wait until it has ended; see `ajpes-reporting status`"),
    )
