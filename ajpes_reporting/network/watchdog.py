"""Ends a call that takes too long, whatever it is waiting for.

Time limits on single reads and writes do not bound a call: a server that sends or takes one byte
a second satisfies each of them for ever.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class Watchdog:
    """Cuts the guarded connection after `seconds` of wall-clock time.

    `expired` then says why the call failed. Used as a context manager round the call.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self._guarded: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

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

    def __enter__(self) -> Watchdog:
        self._timer.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._release()

    def _cut(self) -> None:
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

    def _release(self) -> None:
        if self._guarded is not None:
            self._guarded.close()
            self._guarded = None
