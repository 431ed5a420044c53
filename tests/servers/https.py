"""An HTTPS server with mutual TLS on loopback that behaves as badly as it is told to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

Behaviour = Callable[["Visit"], None]


@dataclass(frozen=True)
class Request:
    """One whole request as it arrived; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


class Visit:
    """One connection, as the server sees it."""

    def __init__(self, line: ssl.SSLSocket, requests: list[Request]) -> None:
        self._line = line
        self._requests = requests
        self._read = b""
        self.leaving = threading.Event()

    def read_head(self) -> tuple[str, dict[str, str]]:
        while b"\r\n\r\n" not in self._read:
            self._take()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        return first, {
            name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)
        }

    def read_request(self) -> Request:
        line, headers = self.read_head()
        request = Request(line, headers, self.read_body(int(headers["content-length"])))
        self._requests.append(request)
        return request

    def read_body(self, size_bytes: int) -> bytes:
        body = [self._read]
        missing = size_bytes - len(self._read)
        while missing > 0:
            block = self._line.recv(min(missing, 1 << 20))
            if not block:
                raise ConnectionError("the client left")
            body.append(block)
            missing -= len(block)
        return b"".join(body)

    def send(self, data: bytes) -> None:
        self._line.sendall(data)

    def _take(self) -> None:
        block = self._line.recv(65536)
        if not block:
            raise ConnectionError("the client left")
        self._read += block


class HttpsServer:
    """`behaviour` is what it does with a connection once the handshake is done.

    `requests` are those that arrived whole. `client_ca`: PEM of whose client certificates it takes.
    """

    def __init__(self, certificate: str, client_ca: str | None, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[Request] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        if client_ca:
            self.context.load_verify_locations(client_ca)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._visits: list[Visit] = []
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
        for visit in self._visits:
            visit.leaving.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                threading.Thread(target=self._receive, args=(line,), daemon=True).start()

    def _receive(self, plain: socket.socket) -> None:
        # What goes wrong here is the client's doing, and seen from there.
        with contextlib.suppress(OSError), plain, self.context.wrap_socket(plain, server_side=True) as line:
            visit = Visit(line, self.requests)
            self._visits.append(visit)
            self.behaviour(visit)


def http(
    body: bytes, status: str = "200 OK", content_type: str = "text/xml; charset=utf-8", **more: str
) -> bytes:
    """A whole HTTP response."""
    headers = {"Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def answering(response: bytes) -> Behaviour:
    """Reads the request whole, then sends this."""

    def behave(visit: Visit) -> None:
        visit.read_request()
        visit.send(response)

    return behave
