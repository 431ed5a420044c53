"""A TCP proxy on loopback that cuts the line, or falls silent, after a number of bytes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_RESET = struct.pack("ii", 1, 0)


class CuttingProxy:
    """Forwards to `target_port`; the first `faulty_connections` connections break as told.

    `cut_after_sent` counts bytes from client to server, `cut_after_received` those back; the byte
    at the limit still passes. With `silent` the line stays open there, but nothing passes any more.
    `at_limit` is called there, and the line left alone, where somebody else is to be the cause.
    The connections before number `silent_before` pass nothing any more, as soon as that is set.
    `sent` and `received` count what passed over the first connection. `most_at_once` says how many
    connections the client had open at the same time.
    """

    def __init__(
        self,
        target_port: int,
        *,
        cut_after_sent: int | None = None,
        cut_after_received: int | None = None,
        silent: bool = False,
        at_limit: Callable[[], None] | None = None,
        faulty_connections: int = 1,
    ) -> None:
        self._target_port = target_port
        self._limits = {"sent": cut_after_sent, "received": cut_after_received}
        self._silent = silent
        self._at_limit = at_limit
        self._faulty = faulty_connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lines: list[socket.socket] = []
        self.connections = 0
        self.most_at_once = self._open = 0
        self.silent_before = 0
        self.sent = 0
        self.received = 0
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._lines:
            _reset(line)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
                self._lines += [client, server]
                number, self.connections = self.connections, self.connections + 1
                self._open += 1
                self.most_at_once = max(self.most_at_once, self._open)
                for direction, source, target in (("sent", client, server), ("received", server, client)):
                    arguments = (direction, source, target, number)
                    threading.Thread(target=self._forward, args=arguments, daemon=True).start()

    def _forward(self, direction: str, source: socket.socket, target: socket.socket, number: int) -> None:
        limit = self._limits[direction] if number < self._faulty else None
        passed = 0
        try:
            while block := source.recv(65536 if limit is None else max(1, min(65536, limit - passed))):
                if number < self.silent_before:
                    continue
                target.sendall(block)
                passed += len(block)
                if number == 0:
                    setattr(self, direction, passed)
                if limit is not None and passed >= limit:
                    limit = None
                    if self._at_limit is None:
                        self._break(source, target)
                        return
                    self._at_limit()
            target.shutdown(socket.SHUT_WR)
        except OSError:
            self._break(source, target)  # one end has failed, and the other is to notice
        finally:
            self._open -= direction == "sent"

    def _break(self, *lines: socket.socket) -> None:
        if not self._silent:
            for line in lines:
                _reset(line)


def _reset(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # close() alone would wait for the thread that still reads from it.
        line.shutdown(socket.SHUT_RD)
    line.close()
