"""A line to a server: straight, or through a proxy that the settings name.

A proxy is asked by CONNECT (RFC 9110, section 9.3.6) and finds the server by its name itself. Until a line
is there nothing has been said to the server: whatever goes wrong here, provably nothing arrived.
"""

from __future__ import annotations

import base64
import re
import socket
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from ajpes_reporting.i18n import Message, _
from ajpes_reporting.network.address import ascii_host
from ajpes_reporting.network.relay import relayed
from ajpes_reporting.network.trouble import Explained, connection_trouble
from ajpes_reporting.network.watchdog import Watchdog, watched

if TYPE_CHECKING:
    import ssl

_LONGEST_HEAD_BYTES = 16 * 1024
_HTTP = b"HTTP/1."
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9][0-9])[ \r\n]")
_LOGIN = re.compile(rb"^proxy-authenticate:[ \t]*([!-~]+)", re.IGNORECASE | re.MULTILINE)
# tinyproxy answers a wrong password with 401.
_LOGIN_WANTED = (HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, HTTPStatus.UNAUTHORIZED)
_NO_PROXY = (HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy on the way to one server. `setting` is the key of the settings that names it.

    With `context` it is itself spoken to over TLS.
    """

    host: str
    port: int
    setting: str
    context: ssl.SSLContext | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return _target(self.host, self.port)


def open_line(host: str, port: int, seconds: float, proxy: Proxy | None = None) -> socket.socket:
    """A connection to a server. `seconds` bound each try to connect and, with a proxy, all of it.

    Raises OSError; through a proxy it is `Explained`.
    """
    host = _name(host)
    if proxy is None:
        return socket.create_connection((host, port), seconds)
    with watched(seconds) as watchdog:
        try:
            line = _tunnel(_target(host, port), proxy, seconds, watchdog)
        except OSError as error:
            if isinstance(error, Explained) and not watchdog.expired:
                raise
            raise _not_reached(proxy, TimeoutError() if watchdog.expired else error) from error
    line.settimeout(seconds)
    return line


def _tunnel(target: str, proxy: Proxy, seconds: float, watchdog: Watchdog) -> socket.socket:
    line = socket.create_connection((proxy.host, proxy.port), seconds)
    try:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        watchdog.guard(line)
        if proxy.context is None:
            _ask(line, target, proxy)
            return line
        line = proxy.context.wrap_socket(line, server_hostname=proxy.host)
        _ask(line, target, proxy)
        return relayed(line)
    except BaseException:
        line.close()
        raise


def _ask(line: socket.socket, target: str, proxy: Proxy) -> None:
    """Has the proxy connect us; raises OSError if it does not."""
    line.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{_login(proxy)}\r\n".encode())
    head = _read_head(line, proxy)
    status = _STATUS.match(head)
    if status is None:
        raise _no_proxy(proxy, _("the proxy does not answer as a proxy does"))
    if not status[1].startswith(b"2"):
        raise _refused(int(status[1]), head, target, proxy)


def _login(proxy: Proxy) -> str:
    if proxy.username is None:
        return ""
    login = base64.b64encode(f"{proxy.username}:{proxy.password or ''}".encode())
    return f"Proxy-Authorization: Basic {login.decode()}\r\n"


def _read_head(line: socket.socket, proxy: Proxy) -> bytes:
    """Byte by byte: what follows is from the server, which may speak first, and is not ours to take."""
    head = b""
    while not head.endswith((b"\r\n\r\n", b"\n\n")):
        byte = line.recv(1)
        if not byte:
            raise _no_proxy(proxy, _("the proxy hung up before it had answered"))
        head += byte
        if not head.startswith(_HTTP[: len(head)]):
            raise _no_proxy(proxy, _("the proxy does not answer as a proxy does"))
        if len(head) > _LONGEST_HEAD_BYTES:
            raise _no_proxy(proxy, _("the proxy does not come to an end of its answer"))
    return head


def _refused(status: int, head: bytes, target: str, proxy: Proxy) -> Explained:
    """Explains a proxy's status other than success."""
    if status in _LOGIN_WANTED:
        return _not_admitted(status, head, proxy)
    if status == HTTPStatus.FORBIDDEN:
        return Explained(
            _(
                "the proxy {proxy} does not let us through to {target} (HTTP 403)",
                proxy=str(proxy),
                target=target,
            ),
            _("ask who runs the proxy to allow this machine to connect to {target}", target=target),
        )
    if status in _NO_PROXY:
        said = _("the proxy answered with HTTP {status}, and makes no connections for us", status=status)
        return _no_proxy(proxy, said)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Explained(
            _(
                "the proxy {proxy} could not reach {target} (HTTP {status})",
                proxy=str(proxy),
                target=target,
                status=status,
            ),
            _("check address and port; if they are right, ask who runs the proxy, and try again later"),
        )
    return _no_proxy(
        proxy, _("the proxy answered our request for a connection with HTTP {status}", status=status)
    )


def _not_admitted(status: int, head: bytes, proxy: Proxy) -> Explained:
    ways = [way.decode() for way in _LOGIN.findall(head)]
    keys = [f"{proxy.setting}_username", f"{proxy.setting}_password"]
    if ways and "basic" not in map(str.lower, ways):
        return Explained(
            _(
                "the proxy {proxy} takes a login by {ways} alone (HTTP {status})",
                proxy=str(proxy),
                ways=ways,
                status=status,
            ),
            _(
                "only Basic is supported here: ask who runs the proxy for that, or to let this "
                "machine through"
            ),
        )
    if proxy.username is None:
        return Explained(
            _(
                "the proxy {proxy} asks for user name and password (HTTP {status})",
                proxy=str(proxy),
                status=status,
            ),
            _("set {keys:and}", keys=keys),
        )
    return Explained(
        _(
            "the proxy {proxy} does not accept our user name and password (HTTP {status})",
            proxy=str(proxy),
            status=status,
        ),
        _("check {keys:and}", keys=keys),
    )


def _no_proxy(proxy: Proxy, reason: Message) -> Explained:
    return Explained(
        _("the proxy {proxy} cannot be used ({reason})", proxy=str(proxy), reason=reason),
        _("check {setting}: address, port, and http:// or https://", setting=proxy.setting),
    )


def _not_reached(proxy: Proxy, error: OSError) -> Explained:
    reason, _remedy = connection_trouble(error)
    if proxy.context is not None:
        remedy = _(
            "check {setting} (http:// or https://) and {setting}_ca, then ask who runs the proxy",
            setting=proxy.setting,
        )
    else:
        remedy = _(
            "check {setting} (http:// or https://), then ask who runs the proxy", setting=proxy.setting
        )
    return Explained(
        _("the proxy {proxy} was not reached ({reason})", proxy=str(proxy), reason=reason), remedy
    )


def _target(host: str, port: int) -> str:
    """HOST:PORT as it stands in a request: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _name(host: str) -> str:
    try:
        return ascii_host(host)
    except ValueError:
        raise Explained(
            _("{host:quoted} is no name of a host", host=host), _("check the host name in the settings")
        ) from None
