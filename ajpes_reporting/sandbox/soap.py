"""The web service wsBlokIzmenjava (section 4.1): HTTPS on loopback, for clients with a certificate."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import shutil
import socket
import ssl
import tempfile
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from . import reading, schemas
from .judge import is_same_provider
from .reading import UnreadableError
from .schemas import SERVICE, SOAP
from .sftp import LOOPBACK, port_taken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedIOBase

    from .desk import Desk
    from .faults import Fault, Faults
    from .keys import Keys
    from .reading import Outline

_log = logging.getLogger(__name__)

PATH = "/wsBlokIzmenjava.asmx"
_OPERATION = f"{{{SERVICE}}}BlokPodOddaj"
_XML = "text/xml; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 16
_PAGE = b"<!DOCTYPE html><html><body><h1>Storitev trenutno ni na voljo</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    content_type: str
    body: bytes


class FaultError(Exception):
    """A call that gets a SOAP fault. `code` is Client or Server."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class BodyError(Exception):
    """A request body that cannot be read to its end; `status` is the HTTP status it gets."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Counter:
    """Answers calls of BlokPodOddaj that have been read into a file."""

    def __init__(self, desk: Desk, password: str) -> None:
        self._desk = desk
        self._password = password

    @property
    def largest_bytes(self) -> int:
        return self._desk.rules.largest_bytes

    def answer(self, path: Path, action: str, authorization: str) -> Reply:
        """The reply to one call: a BlokOdgovor, or a SOAP fault."""
        try:
            return Reply(200, _XML, _envelope(self._result(path, action, authorization)))
        except FaultError as fault:
            return fault_reply(fault.code, fault.text)

    def _result(self, path: Path, action: str, authorization: str) -> bytes:
        try:
            found = reading.outline(path)
        except UnreadableError as reason:
            self._desk.turn_away(self._desk.take(path, report="nodurs", via="soap"))
            raise FaultError("Client", str(reason)) from None
        self._check_call(found, action)
        self._check_credentials(found, authorization)
        submission = self._desk.take(path, report="nodurs", via="soap")
        answer = self._desk.judge_message(submission, path, found)
        return answer.partition(b"?>")[2].strip()

    def _check_call(self, found: Outline, action: str) -> None:
        if not found.is_soap or found.operation != _OPERATION:
            raise FaultError("Client", "Sporočilo ni klic metode BlokPodOddaj.")
        if action.strip('"') and not action.strip('"').endswith("/BlokPodOddaj"):
            raise FaultError("Client", "Glava SOAPAction ne označuje metode BlokPodOddaj.")

    def _check_credentials(self, found: Outline, authorization: str) -> None:
        """Ident() is registration number, user name and password; the last two may come by HTTP Basic."""
        number, *rest = found.credentials or [self._desk.provider.registration_number]
        username, password = _basic(authorization) or (*rest, "", "")[:2]
        right = hmac.compare_digest(password.encode(), self._password.encode())
        known = is_same_provider(number, self._desk.provider.registration_number)
        if not (right and known and username == self._desk.provider.username):
            raise FaultError("Client", "Identifikacija uporabnika ni uspela.")


class SoapServer:
    """The HTTPS server and its thread. `port` is 0 for a free one, until `start`."""

    def __init__(self, counter: Counter, keys: Keys, faults: Faults, spool: Path, port: int) -> None:
        self.port = port
        self._counter = counter
        self._keys = keys
        self._faults = faults
        self._spool = spool
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.port}{PATH}"

    def start(self) -> None:
        """Raises `SandboxError` if the port is taken."""
        # What a crash has left behind of messages is of no use to anybody.
        shutil.rmtree(self._spool, ignore_errors=True)
        self._spool.mkdir(mode=0o700)
        try:
            self._server = _Server(self.port, _tls(self._keys), self._counter, self._faults, self._spool)
        except OSError as reason:
            raise port_taken("SOAP", self.port, reason) from None
        self.port = self._server.server_address[1]
        self._server.url = self.url
        work = self._server.serve_forever
        self._thread = threading.Thread(target=work, args=(0.05,), name="sandbox soap")
        self._thread.start()

    def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.stopping.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None


def fault_reply(code: str, text: str) -> Reply:
    """SOAP 1.1, section 6.2: a fault has the status 500, whoever is to blame."""
    blame = f"<faultcode>soap:{code}</faultcode><faultstring>{escape(text)}</faultstring>"
    return Reply(500, _XML, _in_body(f"<soap:Fault>{blame}</soap:Fault>".encode()))


def _envelope(result: bytes) -> bytes:
    # The answer has no namespace of its own, so the service's must not reach into it.
    return _with_result(result.replace(b"<BlokOdgovor", b'<BlokOdgovor xmlns=""', 1))


def _with_result(result: bytes) -> bytes:
    before = f'<BlokPodOddajResponse xmlns="{SERVICE}"><BlokPodOddajResult>'.encode()
    return _in_body(before + result + b"</BlokPodOddajResult></BlokPodOddajResponse>")


def _in_body(content: bytes) -> bytes:
    start = f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP}"><soap:Body>'
    return start.encode() + content + b"</soap:Body></soap:Envelope>"


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return username, password


def _tls(keys: Keys) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(keys.server_certificate, keys.server_key)
    context.load_verify_locations(keys.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class _Server(ThreadingHTTPServer):
    """Connections over TLS, each in a thread; on `hang_up` all of them end."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, port: int, tls: ssl.SSLContext, counter: Counter, faults: Faults, spool: Path) -> None:
        super().__init__((LOOPBACK, port), _Call)
        self.counter = counter
        self.faults = faults
        self.spool = spool
        self.url = ""
        self.stopping = threading.Event()
        self._tls = tls
        self._connections: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        plain, address = super().get_request()
        # The handshake follows in the connection's own thread: a client that stalls in it stalls nobody.
        return self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def verify_request(self, request: object, client_address: object) -> bool:
        return self.faults.take("soap", "refuse") is None

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]  # TCP only
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]  # TCP only
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        # A client without a certificate, or one that has gone: its affair, not an error of ours.
        _log.info("a connection ended early", exc_info=True)

    def hang_up(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                _log.debug("a connection had ended already")


class _Call(BaseHTTPRequestHandler):
    """One connection: HTTP/1.1 with Content-Length or chunks, `Expect: 100-continue` included."""

    protocol_version = "HTTP/1.1"
    server_version = "ajpes-sandbox"
    sys_version = ""
    timeout = 60
    server: _Server
    request: ssl.SSLSocket

    def setup(self) -> None:
        self.request.settimeout(self.timeout)
        self.request.do_handshake()
        super().setup()

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == PATH and query.lower() == "wsdl":
            self._send(Reply(200, _XML, schemas.wsdl(self.server.url)))
        else:
            self._send(Reply(404, _HTML, b"<html><body>404</body></html>"))

    def do_POST(self) -> None:
        if self.server.faults.take("soap", "drop_request"):
            self.close_connection = True
        elif self.path.partition("?")[0] != PATH:
            self._refuse(404)
        else:
            self._receive()

    def log_message(self, format: str, *args: object) -> None:
        _log.debug(format, *args)

    def _receive(self) -> None:
        try:
            with tempfile.NamedTemporaryFile(dir=self.server.spool) as body:
                for block in _at_most(self.server.counter.largest_bytes, self._blocks()):
                    body.write(block)
                body.flush()
                self._reply(Path(body.name))
        except BodyError as error:
            self._refuse(error.status)

    def _reply(self, body: Path) -> None:
        fault = self.server.faults.take(
            "soap",
            "drop_answer",
            "slow",
            "html",
            "fault",
            "empty",
            "truncated",
            "redirect",
            "drip",
            "other_answer",
        )
        if fault is None:
            self._send(self._answer(body))
        else:
            reply = self._answer(body) if fault.is_after_processing else Reply(200, _XML, b"")
            self._play(fault, reply)

    def _answer(self, body: Path) -> Reply:
        action, authorization = (self.headers.get(name, "") for name in ("SOAPAction", "Authorization"))
        return self.server.counter.answer(body, action, authorization)

    def _play(self, fault: Fault, reply: Reply) -> None:
        status = fault.status or 200
        match fault.kind:
            case "drop_answer":
                self.close_connection = True
            case "slow":
                self.server.stopping.wait(fault.seconds or 0)
                self._send(reply)
            case "html":
                self._send(Reply(status, _HTML, _PAGE))
            case "fault":
                self._send(fault_reply(fault.code, "Napaka pri obdelavi."))
            case "empty":
                self._send(Reply(status, _XML, b""))
            case "truncated":
                self._send(Reply(reply.status, _XML, reply.body[: len(reply.body) // 2]))
            case "redirect":
                self._redirect(fault)
            case "drip":
                self._drip(reply, fault.seconds or 0.2)
            case "other_answer":
                self.server.stopping.wait(fault.seconds or 0)
                self._send(Reply(200, _XML, _with_result(self.server.faults.other_answer(fault))))

    def _redirect(self, fault: Fault) -> None:
        self.send_response(fault.status or 307)
        self.send_header("Location", fault.location or self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _drip(self, reply: Reply, seconds: float) -> None:
        self._send_head(reply)
        for at in range(len(reply.body)):
            self.wfile.write(reply.body[at : at + 1])
            if self.server.stopping.wait(seconds):
                break

    def _refuse(self, status: int) -> None:
        """Turns away a request whose body was not read, so the connection cannot go on."""
        self.close_connection = True
        self._send(Reply(status, _HTML, b""))

    def _send(self, reply: Reply) -> None:
        self._send_head(reply)
        self.wfile.write(reply.body)

    def _send_head(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _blocks(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return _chunks(self.rfile)
        size = _number(self.headers.get("Content-Length", ""), 10)
        if size > self.server.counter.largest_bytes:
            raise BodyError(413)
        return _exactly(self.rfile, size)


def _at_most(size: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
    for block in blocks:
        size -= len(block)
        if size < 0:
            raise BodyError(413)
        yield block


def _exactly(source: BufferedIOBase, size: int) -> Iterator[bytes]:
    while size > 0:
        block = source.read(min(size, _BLOCK))
        if not block:
            raise BodyError(400)
        size -= len(block)
        yield block


def _chunks(source: BufferedIOBase) -> Iterator[bytes]:
    while size := _number(_line(source).partition(";")[0], 16):
        yield from _exactly(source, size)
        _line(source)
    while _line(source):
        pass  # Trailers say nothing to us.


def _line(source: BufferedIOBase) -> str:
    line = source.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise BodyError(400)
    return line.decode("latin-1").strip()


def _number(text: str, base: int) -> int:
    """A number without sign or blanks; anything else cannot be the size of a body."""
    if not text.isalnum() or not text.isascii():
        raise BodyError(411 if not text else 400)
    try:
        return int(text, base)
    except ValueError:
        raise BodyError(400) from None
