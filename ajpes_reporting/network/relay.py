"""TLS within TLS: a socket of the system for a line that is encrypted already.

Python's `ssl` puts encryption on sockets of the system alone, and paramiko reads and writes in two threads,
which OpenSSL does not bear. So whoever uses such a line is given the near end of a pair of sockets, and one
thread carries bytes between its other end and the line.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import suppress

_BLOCK_BYTES = 64 * 1024
_LONGEST_SILENCE_SECONDS = 7200  # above every limit on a whole call
_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def relayed(line: ssl.SSLSocket) -> socket.socket:
    """The near end. When either side closes, the other one is closed."""
    near, far = socket.socketpair()
    threading.Thread(target=_carry, args=(far, line), name="proxy", daemon=True).start()
    return near


def _carry(far: socket.socket, line: ssl.SSLSocket) -> None:
    far.setblocking(False)
    line.setblocking(False)
    there, back = _Way(far, line), _Way(line, far)
    with suppress(OSError), far, line:
        while not (there.ended or back.ended):
            if there.move() | back.move():
                continue
            if not _something_happens({far: _events(there, back), line: _events(back, there)}):
                return


class _Way:
    """One direction, with at most one block under way."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self._source = source
        self._target = target
        self.block = b""
        self.ended = False

    def move(self) -> bool:
        """As far as it goes without waiting; whether it went any way."""
        with suppress(*_LATER):
            if not self.block:
                self.block = self._source.recv(_BLOCK_BYTES)
                self.ended = not self.block
            if self.block:
                self.block = self.block[self._target.send(self.block) :]
                return True
        return False


def _events(outward: _Way, inward: _Way) -> int:
    """Returns the events to wait for at the end that `outward` reads and `inward` writes; 0 for none."""
    return (0 if outward.block else select.POLLIN) | (select.POLLOUT if inward.block else 0)


def _something_happens(wanted: dict[socket.socket, int]) -> bool:
    waiting = select.poll()
    for end, events in wanted.items():
        if events:
            waiting.register(end, events)
    return bool(waiting.poll(_LONGEST_SILENCE_SECONDS * 1000))
