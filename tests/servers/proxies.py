"""Proxies that take CONNECT: Debian's tinyproxy, and small ones that behave as badly as they are told to."""

from __future__ import annotations

import contextlib
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 20
Talk = Callable[[socket.socket, bytes], None]

_CONFIGURATION = """
Port {port}
Listen 127.0.0.1
Timeout 60
LogLevel Error
PidFile "{folder}/pid"
LogFile "{folder}/log"
{rules}
"""


@dataclass(frozen=True)
class Tinyproxy:
    """A running proxy."""

    port: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """Ends it as a crash would, with every line that goes through it."""
        self.process.kill()
        self.process.wait(10)


def find_tinyproxy() -> str | None:
    """The path of tinyproxy; None: install tinyproxy."""
    return shutil.which("tinyproxy", path="/usr/bin:/usr/sbin:/usr/local/bin")


@contextmanager
def running_tinyproxy(program: str, folder: Path, *rules: str) -> Iterator[Tinyproxy]:
    """A proxy that lets this machine through; `rules` are further lines of its configuration."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tinyproxy.conf"
    path.write_text(_CONFIGURATION.format(port=port, folder=folder, rules="\n".join(rules)))
    with subprocess.Popen([program, "-d", "-c", str(path)], stdout=subprocess.DEVNULL) as process:
        try:
            _await(port, process)
            yield Tinyproxy(port, process)
        finally:
            process.kill()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError("tinyproxy did not start")


class SmallProxy:
    """Hands each connection, and the head of what it asks for, to `talk`; `asked` are these heads.

    With `context` it is spoken to over TLS.
    """

    def __init__(self, talk: Talk, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._talk = talk
        self._context = context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._lines: list[socket.socket] = []
        self.asked: list[bytes] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for line in (self._listener, *self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self._listener.close()  # the others are closed by the threads that wait for them

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                threading.Thread(target=self._receive, args=(line,), daemon=True).start()

    def _receive(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(line)
            self._lines.append(line)
            if self._context is not None:
                line = stack.enter_context(self._context.wrap_socket(line, server_side=True))
            head = b""
            while b"\r\n\r\n" not in head and (block := line.recv(4096)):
                head += block
            self.asked.append(head)
            self._talk(line, head)


def saying(answer: bytes, *, hangs_up: bool = True) -> Talk:
    """Answers every request with this, then hangs up, or falls silent."""

    def talk(line: socket.socket, _head: bytes) -> None:
        line.sendall(answer)
        while not hangs_up and line.recv(4096):
            pass

    return talk


def dripping(piece: bytes) -> Talk:
    """Sends this again and again, a byte at a time, without an end."""

    def talk(line: socket.socket, _head: bytes) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            line.sendall(piece)
            time.sleep(0.02)

    return talk


def connecting(port: int | None = None, *, waits_for_greeting: bool = False) -> Talk:
    """Connects as it is asked to, or to `port` on this machine whatever it is asked for.

    With `waits_for_greeting` the server's first words come in one packet with the answer.
    """

    def talk(line: socket.socket, head: bytes) -> None:
        asked = int(head.split()[1].rpartition(b":")[2])
        with socket.create_connection(("127.0.0.1", port or asked), 10) as server:
            greeting = server.recv(4096) if waits_for_greeting else b""
            line.sendall(b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n" + greeting)
            _carry(line, server)

    return talk


def _carry(line: socket.socket, server: socket.socket) -> None:
    """In one thread: OpenSSL bears no more."""
    while True:
        waits = isinstance(line, ssl.SSLSocket) and line.pending()
        for source in [line] if waits else select.select([line, server], [], [])[0]:
            block = source.recv(65536)
            if not block:
                return
            (server if source is line else line).sendall(block)
