"""The web service wsBlokIzmenjava (section 4.1): HTTPS on loopback, for clients with a certificate."""

from __future__ import annotations

import base64
import binascii
import logging
import shutil
import socket
import ssl
import tempfile
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from . import reading
from .reading import UnreadableError
from .schemas import SERVICE
from .sftp import LOOPBACK, port_taken
from .styles import Reply, style_of
from .styles.encoding import broken_mime
from .styles.result import contradiction, service_error
from .styles.wsdl import call_schema, imported_schemas, wsdl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedIOBase

    from .clients import Client, Clients
    from .faults import FaultInjector, InjectedFault
    from .intake import Intake
    from .keys import Keys
    from .reading import Outline
    from .styles import Style

_log = logging.getLogger(__name__)

PATH = "/wsBlokIzmenjava.asmx"
_XML = "text/xml; charset=utf-8"
_IMPORTED = f"{PATH.rpartition('/')[2]}?xsd={{}}"
_HTML = "text/html; charset=utf-8"
_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 16
_PAGE = b"<!DOCTYPE html><html><body><h1>Storitev trenutno ni na voljo</h1></body></html>"


class SoapFaultError(Exception):
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


@dataclass(frozen=True, slots=True)
class Request:
    """One call that has been read into a file: its headers, and whose certificate it came with."""

    path: Path
    content_type: str
    action: str
    authorization: str
    certificate: bytes


class SoapService:
    """The service behind the method BlokPodOddaj."""

    def __init__(self, intake: Intake, clients: Clients, style: Style) -> None:
        self.style = style
        self._intake = intake
        self._clients = clients
        self._schema = call_schema(style)

    @property
    def largest_bytes(self) -> int:
        return self._intake.rules.largest_bytes

    def takes(self, content_type: str) -> bool:
        """Whether a body of this type may be a message at all."""
        return self.style.binding.version.takes(content_type)

    def answer(self, call: Request, style: Style | None = None) -> Reply:
        """Return the reply to one call, in its own style or another one: an answer, or a fault."""
        style = style or self.style
        try:
            return style.reply(self._result(call, style))
        except SoapFaultError as fault:
            return style.fault(fault.code, fault.text)

    def _result(self, call: Request, style: Style) -> bytes:
        client = self._clients.by_certificate(call.certificate)
        try:
            found = reading.outline(call.path)
            self._check_call(found, call)
        except UnreadableError as reason:
            if client is not None:
                taken = self._intake.receive(call.path, provider=client.provider, report="nodurs", via="soap")
                self._intake.reject_unreadable(taken)
            raise SoapFaultError("Client", str(reason)) from None
        known = client is not None and self._is_who_it_says(client, found, call.authorization)
        if client is None or not known:
            return self._reject(style, 1, "Identifikacija uporabnika ni uspela.")
        if style.rejects_all:
            return self._reject(style, 12, "Oddaja podatkov je mogoča samo v času obratovanja storitve.")
        submission = self._intake.receive(call.path, provider=client.provider, report="nodurs", via="soap")
        answer = self._intake.validate_message(submission, client.provider, call.path, found)
        return style.deviation(answer).partition(b"?>")[2].strip()

    def _check_call(self, found: Outline, call: Request) -> None:
        soap, service = self.style.binding.version.namespace, f"{{{SERVICE}}}BlokPodOddaj"
        if found.root != f"{{{soap}}}Envelope" or found.operation != service:
            raise SoapFaultError("Client", "Sporočilo ni klic metode BlokPodOddaj.")
        action = self.style.binding.version.action(call.action, call.content_type)
        if not self.style.action.fits(action):
            raise SoapFaultError("Client", "Glava SOAPAction ne označuje metode BlokPodOddaj.")
        if errors := reading.schema_errors(call.path, self._schema):
            raise SoapFaultError("Client", f"Klic ne ustreza opisu storitve (WSDL): {errors[0]}.")

    def _is_who_it_says(self, client: Client, found: Outline, authorization: str) -> bool:
        """Ident() is registration number, user name and password; the last two may come by HTTP Basic."""
        entries = self.style.ident.entries(found.credentials)
        number, *rest = entries or [client.provider.registration_number]
        username, password = _basic(authorization) or (*rest, "", "")[:2]
        return client.knows(password) and client.is_named(number, username)

    def _reject(self, style: Style, number: int, text: str) -> bytes:
        """Turn a call away: in Ident, if the style has it so, otherwise by a fault."""
        if not style.rejects_all:
            raise SoapFaultError("Client", text)
        return service_error(number, text, self._intake.now())


class SoapServer:
    """The HTTPS server and its thread. `port` is 0 for a free one, until `start`."""

    def __init__(
        self, service: SoapService, keys: Keys, faults: FaultInjector, spool: Path, port: int
    ) -> None:
        self.port = port
        self._service = service
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
            self._server = _Server(self.port, _tls(self._keys), self._service, self._faults, self._spool)
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

    def __init__(
        self, port: int, tls: ssl.SSLContext, service: SoapService, faults: FaultInjector, spool: Path
    ) -> None:
        super().__init__((LOOPBACK, port), _Call)
        self.service = service
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
        found = self._description(query) if path == PATH else None
        if found is not None:
            self._send(Reply(200, _XML, found))
        else:
            self._send(Reply(404, _HTML, b"<html><body>404</body></html>"))

    def _description(self, query: str) -> bytes | None:
        """Return the WSDL, or a schema that it imports; None for any other query."""
        style = self.server.service.style
        if query.lower() == "wsdl":
            return wsdl(style, self.server.url, _IMPORTED)
        return imported_schemas(style, _IMPORTED).get(dict(parse_qsl(query)).get("xsd", ""))

    def do_POST(self) -> None:
        if self.server.faults.take("soap", "drop_request"):
            self.close_connection = True
        elif self.path.partition("?")[0] != PATH:
            self._refuse(404)
        elif not self.server.service.takes(self.headers.get("Content-Type", "")):
            self._refuse(415)
        else:
            self._receive()

    def log_message(self, format: str, *args: object) -> None:
        _log.debug(format, *args)

    def _receive(self) -> None:
        try:
            with tempfile.NamedTemporaryFile(dir=self.server.spool) as body:
                for block in _at_most(self.server.service.largest_bytes, self._blocks()):
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
            "style",
            "broken_mime",
            "contradiction",
        )
        if fault is None:
            self._send(self._answer(body))
        else:
            reply = self._answer(body, fault) if fault.is_after_processing else Reply(200, _XML, b"")
            self._play(fault, reply)

    def _answer(self, body: Path, fault: InjectedFault | None = None) -> Reply:
        names = ("Content-Type", "SOAPAction", "Authorization")
        content_type, action, authorization = (self.headers.get(name, "") for name in names)
        certificate = self.request.getpeercert(binary_form=True) or b""
        call = Request(body, content_type, action, authorization, certificate)
        return self.server.service.answer(call, self._style(fault) if fault is not None else None)

    def _style(self, fault: InjectedFault) -> Style:
        """Return the style of a reply on a bad day; the calls stay as they are."""
        own = self.server.service.style
        match fault.kind:
            case "style":
                return own.speaking_as(style_of(fault.style.split()))
            case "broken_mime":
                return replace(own, encoding=broken_mime)
            case "contradiction":
                return replace(own, result=contradiction(own.result))
        return own

    def _play(self, fault: InjectedFault, reply: Reply) -> None:
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
                self._send(self.server.service.style.fault(fault.code, "Obdelava ni uspela."))
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
                other = self.server.faults.other_answer(fault)
                self._send(self.server.service.style.reply_with(other))
            case "style" | "broken_mime" | "contradiction":
                self._send(reply)

    def _redirect(self, fault: InjectedFault) -> None:
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
        """Turn away a request whose body was not read, so that the connection cannot go on."""
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
        if size > self.server.service.largest_bytes:
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
