"""Connections that are kept while a run lasts, so that it signs in once and not for each look.

Within `kept_connections()` a connection that was borrowed is put back for the next borrower: a report goes
out, its answer is waited for and fetched, all over one. One that broke, or whose borrower failed, is closed
and made anew when it is needed again, after a pause if that happens more than once: servers admit so many
logins a minute. Outside of it a connection lasts as long as its borrower needs it.

Each thread keeps its own: a run lives in one, and nobody else shares its connections.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ajpes_reporting.domain.errors import NotDelivered

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

_log = logging.getLogger(__name__)

# Before the second, third … connection of a run. What broke once is asked again at once.
_PAUSES_SECONDS = (0.0, 2.0, 4.0, 6.0)


class TurnedAway(NotDelivered):
    """The other side does not let us in, or is not the one we expect; asking again changes nothing.

    Within a run it is not asked again: a password that is wrong several times closes the account.
    """


class Connection(Protocol):
    """Something that can be kept."""

    def is_alive(self, idle_seconds: float) -> bool:
        """Whether it still works, having lain idle for so long; asks the other side if in doubt."""
        ...

    def close(self) -> None:
        """Ends it, whatever state it is in."""
        ...


AnyConnection = TypeVar("AnyConnection", bound=Connection)


@contextmanager
def kept_connections() -> Iterator[None]:
    """Keeps every connection that is borrowed in this thread until the end; the outermost one counts."""
    if _pool() is not None:
        yield
        return
    _here.pool = pool = _Pool()
    try:
        yield
    finally:
        _here.pool = None
        pool.clear()


@contextmanager
def borrowed(key: Hashable, name: str, connect: Callable[[], AnyConnection]) -> Iterator[AnyConnection]:
    """The connection with this key, kept or new, as a context; closed if that is left by an exception.

    `name` says in the log what is connected to. Raises what `connect` raises.
    """
    pool = _pool()
    connection = connect() if pool is None else pool.take(key, name, connect)
    try:
        yield connection
    except BaseException:
        connection.close()
        raise
    if pool is None:
        connection.close()
    else:
        pool.put_back(key, connection)


class _Pool:
    """The connections of one run, with the time they were returned, and the servers that refused it."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[Connection, float]] = {}
        self._turned_away: dict[Hashable, TurnedAway] = {}
        self._made: Counter[Hashable] = Counter()

    def take(self, key: Hashable, name: str, connect: Callable[[], Any]) -> Any:
        connection, put_back_at = self._kept.pop(key, (None, 0.0))
        if connection is not None:
            if connection.is_alive(time.monotonic() - put_back_at):
                return connection
            connection.close()
        return self._make(key, name, connect)

    def put_back(self, key: Hashable, connection: Connection) -> None:
        if key in self._kept:
            connection.close()  # two were in use at once
        else:
            self._kept[key] = connection, time.monotonic()

    def clear(self) -> None:
        for connection, _put_back_at in self._kept.values():
            connection.close()
        self._kept.clear()

    def _make(self, key: Hashable, name: str, connect: Callable[[], Any]) -> Any:
        if (before := self._turned_away.get(key)) is not None:
            raise TurnedAway(before.message, before.remedy)
        if made := self._made[key]:
            _log.info("The connection to %s has ended; connecting again (no. %d in this run)", name, made + 1)
            time.sleep(_PAUSES_SECONDS[min(made, len(_PAUSES_SECONDS)) - 1])
        try:
            connection = connect()
        except TurnedAway as error:
            self._turned_away[key] = error
            raise
        self._made[key] += 1
        return connection


_here = threading.local()


def _pool() -> _Pool | None:
    """Returns the pool of the run in this thread; None outside of a run."""
    pool: _Pool | None = getattr(_here, "pool", None)
    return pool
