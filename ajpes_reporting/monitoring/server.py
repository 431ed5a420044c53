"""Answers `/metrics` and `/health` over HTTP. No client, however slow, can hold it or the schedule."""

from __future__ import annotations

import json
import logging
import socket
import threading
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prometheus_client.exposition import choose_encoder
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.monitoring.metrics import registry_of
from ajpes_reporting.network.address import parse_address
from ajpes_reporting.network.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry

    from ajpes_reporting.monitoring.heartbeat import Heartbeat
    from ajpes_reporting.monitoring.metrics import Watched

_log = logging.getLogger(__name__)

_SILENCE_SECONDS = 5.0
_CALL_SECONDS = 15.0
_MOST_AT_ONCE = 64
_PATIENCE_SECONDS = 3.0


@contextmanager
def served(listen: str, watched: Sequence[Watched], pulse: Heartbeat) -> Iterator[tuple[str, int]]:
    """Answers at `listen`, "HOST:PORT", as long as the block lasts; gives the address.

    Raises `ConfigurationError` if it is no address, or if it cannot be had.
    """
    host, port = parse_address(listen, "monitoring.listen")
    server = _open(host, port, watched, pulse)
    thread = threading.Thread(target=partial(server.serve_forever, 0.2), name="monitoring", daemon=True)
    thread.start()
    try:
        yield server.server_name, server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _open(host: str, port: int, watched: Sequence[Watched], pulse: Heartbeat) -> _Server:
    try:
        family, _kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return _Server(family, address, watched, pulse)
    except OSError as error:
        raise ConfigurationError(
            _(
                "monitoring.listen is {host}, port {port}, which this machine does not give: {reason}.",
                host=host,
                port=port,
                reason=system_reason(error),
            ),
            _("see what listens there, or name another port; nothing was started"),
        ) from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with the usual 5, a crowd keeps others waiting before they are accepted

    def __init__(
        self, family: socket.AddressFamily, address: Any, watched: Sequence[Watched], pulse: Heartbeat
    ) -> None:
        self.address_family = family
        self.watched, self.pulse = watched, pulse
        self.registry: CollectorRegistry = registry_of(watched)
        self.places: Places[socket.socket] = Places(_MOST_AT_ONCE, _PATIENCE_SECONDS)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Without the look-up of our own name, which may hang."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Closes a caller that has kept us waiting, or the new one, when all places are taken."""
        leaving = self.places.enter(request, str(client_address[0]))
        if leaving is not None:
            _cut(leaving)
        is_refused = leaving is request
        if is_refused:
            self.close_request(request)
        else:
            super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Every call has its end, also for a client that sends or takes one byte a second."""
        end = threading.Timer(_CALL_SECONDS, _cut, [request])
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self.places.leave(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no matter; a fault of ours goes into the log, not bare onto stderr."""
        _log.debug("A call for figures was not answered.", exc_info=True)


def _cut(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        _log.debug("The client had left already.")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "ajpes-reporting"
    sys_version = ""
    timeout = _SILENCE_SECONDS

    def parse_request(self) -> bool:
        """Whether the whole head of a request is there; from then on it is answered."""
        is_whole = super().parse_request()
        if is_whole:
            self.server.places.asked(self.connection)
        return is_whole

    def do_GET(self) -> None:
        """One of the two pages."""
        page = {"/metrics": self._metrics, "/health": self._health}.get(urlsplit(self.path).path)
        if page is None:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"/metrics, /health\n")
        else:
            page()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuses every request but GET, in one line."""
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        self.close_connection = True
        self._answer(status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are no events."""

    def _metrics(self) -> None:
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        self._answer(HTTPStatus.OK, content_type, encode(self.server.registry))

    def _health(self) -> None:
        reason = self.server.pulse.complaint() or _database_complaint(self.server.watched)
        document = {
            "status": "failing" if reason else "ok",
            "reason": reason,
            "last_tick_seconds_ago": round(self.server.pulse.seconds_since_beat(), 1),
        }
        status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
        self._answer(status, "application/json", json.dumps(document).encode() + b"\n")

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.end_headers()
        self.wfile.write(body)


def _database_complaint(watched: Sequence[Watched]) -> str:
    for one in watched:
        try:
            with one.context.engine.connect() as connection:
                connection.execute(select(1))
        except SQLAlchemyError:
            return f"the database of provider {one.context.provider} does not answer"
    return ""
