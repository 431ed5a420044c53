"""Ends a call that takes too long, whatever it is waiting for.

Time limits on single reads and writes do not bound a call: a server that sends or takes one byte
a second satisfies each of them for ever.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Watchdog:
    """Cuts the guarded connection after `seconds` of wall-clock time.

    `expired` then says why the call failed. `watched` starts it.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self._guarded: socket.socket | None = None
        self._lock = threading.Lock()

    def guard(self, connection: socket.socket) -> None:
        """Takes a connection into care: as soon as there is one, and before TLS is put on it.

        Kept as a duplicate: `ssl` detaches the socket it wraps, and shutting down an `SSLSocket`
        takes its encryption away while another thread may still be writing.
        """
        with self._lock:
            self._release()
            self._guarded = connection.dup()
            if self.expired:
                self._shut_down()

    def cut(self) -> None:
        """Shuts the connection down, and whatever is guarded later: the time is over."""
        with self._lock:
            self.expired = True
            self._shut_down()

    def _shut_down(self) -> None:
        if self._guarded is None:
            return
        try:
            self._guarded.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it had ended by itself

    def end(self) -> None:
        """Lets go of the connection: the call has ended."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        if self._guarded is not None:
            self._guarded.close()
            self._guarded = None


@contextmanager
def watched(seconds: float) -> Iterator[Watchdog]:
    """Starts a watchdog round a call, which ends it."""
    watchdog = Watchdog(seconds)
    timer = threading.Timer(seconds, watchdog.cut)
    timer.daemon = True
    timer.start()
    try:
        yield watchdog
    finally:
        timer.cancel()
        watchdog.end()
