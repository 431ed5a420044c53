"""A session with the exchange server: whom we talk to, who we are, how long we wait."""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from ajpes_reporting.deliver.client import Client
from ajpes_reporting.deliver.folders import AS_INSTRUCTED, Folders
from ajpes_reporting.deliver.listing import DEFAULT, Limits
from ajpes_reporting.deliver.wire import Refused
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered
from ajpes_reporting.network.line import Proxy, open_line
from ajpes_reporting.network.trouble import connection_trouble
from ajpes_reporting.network.watchdog import Watchdog

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

# Without a handler, logging would print what paramiko says about a broken line, tracebacks and
# all, between the messages meant for the operator.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_WINDOW_BYTES = 4 << 20  # twice what is asked for at once
_PACKET_BYTES = 1 << 18
# With larger ones a report takes a fifth longer: for each copy of a block the system is asked for memory.
_WRITE_BYTES = 124 << 10
_FASTEST_CIPHER = "aes128-gcm@openssh.com"
_KEEPALIVE_SECONDS = 30

# Whatever the line or the other side can do to us. OSError also stands for the server's refusals.
TROUBLE = (OSError, EOFError, UnicodeDecodeError, paramiko.SSHException, paramiko.SFTPError)


@dataclass(frozen=True, slots=True)
class SftpServer:
    """Where the exchange server is, how it proves itself, how we do, and how long we wait.

    `host_key` is the pinned key as in a .pub file ("ssh-ed25519 AAAA…") or its fingerprint
    ("SHA256:…"). Either `private_key` or `password` is given. `folder` is the provider's folder
    on the server; nodurs/v_ajpes lies below it, or whatever `folders` says in their place.
    `upload` says whether a report is written under another name and renamed, or written under its own.
    `probe` says whether a file that is no report may be written and removed, to see whether a run could.
    `connect_timeout_seconds` bounds everything up to the open session, `operation_timeout_seconds`
    each wait in it, `call_timeout_seconds` the whole session.
    `listing` bounds what is read of one folder's listing.
    `largest_write_bytes` bounds what is written at once, if the server itself takes more than 32 KiB.
    """

    host: str
    username: str
    host_key: str
    port: int = 22
    private_key: Path | None = None
    private_key_password: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    folder: str = ""
    folders: Folders = AS_INSTRUCTED
    upload: Literal["rename", "direct"] = "rename"
    probe: bool = True
    connect_timeout_seconds: float = 30
    operation_timeout_seconds: float = 120
    call_timeout_seconds: float = 3600
    largest_answer_bytes: int = 1 << 30
    largest_write_bytes: int = _WRITE_BYTES
    listing: Limits = DEFAULT
    proxy: Proxy | None = None


class SftpSessions:
    """Opens sessions with one server.

    Raises `ConfigurationError` if the private key or the pinned host key cannot be used.
    """

    def __init__(self, server: SftpServer) -> None:
        self._server = server
        self._pin = _read_pin(server.host_key)
        self._key = _read_private_key(server)

    @contextmanager
    def open(self) -> Iterator[Client]:
        """A session as a context. Raises `NotDelivered` for any trouble with it, also inside."""
        with Watchdog(self._server.call_timeout_seconds) as watchdog:
            try:
                with self._connection(watchdog) as transport:
                    yield self._start(transport)
            except TROUBLE as error:
                raise self._not_delivered(error, watchdog) from error

    @contextmanager
    def _connection(self, watchdog: Watchdog) -> Iterator[_Transport]:
        server = self._server
        with open_line(server.host, server.port, server.connect_timeout_seconds, server.proxy) as line:
            watchdog.guard(line)
            transport = _Transport(line, _WINDOW_BYTES, _PACKET_BYTES)
            try:
                yield transport
            finally:
                transport.close()

    def _start(self, transport: _Transport) -> Client:
        """From the first byte to the open session. Not every step there has a limit of its own."""
        with Watchdog(self._server.connect_timeout_seconds) as watchdog:
            watchdog.guard(transport.line)
            try:
                self._check_host_key(transport)
                self._log_in(transport)
                return self._open_channel(transport)
            except TROUBLE as error:
                if watchdog.expired:
                    raise TimeoutError("the session was not open in time") from None
                if isinstance(error, IncompatiblePeer):
                    raise self._incompatible(error, transport) from error
                raise

    def _check_host_key(self, transport: _Transport) -> None:
        options = transport.get_security_options()
        # The pinned kind first: a server has several host keys and shows the one asked for first.
        options.key_types = sorted(options.key_types, key=lambda kind: kind not in self._pin.kinds)
        options.ciphers = sorted(options.ciphers, key=lambda cipher: cipher != _FASTEST_CIPHER)
        transport.start_client(timeout=self._server.connect_timeout_seconds)
        shown = _fingerprint(transport.get_remote_server_key().asbytes())
        if shown != self._pin.fingerprint:
            raise NotDelivered(
                f"{self._name} showed the host key {shown}, and {self._pin.fingerprint} is pinned. "
                "Nothing was sent, not even the login.",
                "Ask the authority, by telephone, whether its key has changed; "
                "only then change sftp.host_key.",
            )

    def _log_in(self, transport: _Transport) -> None:
        if self._key is not None:
            missing = transport.auth_publickey(self._server.username, self._key)
        else:
            missing = transport.auth_password(self._server.username, self._server.password or "")
        if missing:
            raise NotDelivered(
                f"{self._name} took the login, and demands more: {', '.join(missing)}.",
                "Ask the authority for a login without a second step.",
            )

    def _open_channel(self, transport: _Transport) -> Client:
        transport.set_keepalive(_KEEPALIVE_SECONDS)
        sftp = Client.from_transport(transport)
        channel = sftp.get_channel() if sftp else None
        if sftp is None or channel is None:
            raise paramiko.SSHException("no channel was opened")
        channel.settimeout(self._server.operation_timeout_seconds)
        sftp.listing, sftp.told = self._server.listing, set()
        return sftp

    def _not_delivered(self, error: BaseException, watchdog: Watchdog) -> NotDelivered:
        if watchdog.expired:
            return NotDelivered(
                f"The session with {self._name} was not over after {watchdog.seconds:g} seconds and was cut.",
                "Try again later; if the file is very large, raise sftp.call_timeout_seconds.",
            )
        if isinstance(error, paramiko.AuthenticationException):
            return self._not_admitted(error)
        if isinstance(error, UnicodeDecodeError):
            return NotDelivered(
                f"{self._name} sent a text that is not in UTF-8.",
                "Ask the authority in which language its server speaks; it must be UTF-8.",
            )
        if isinstance(error, Refused):
            return NotDelivered(f"{self._name} refused to {error.wanted}: {error}.", error.remedy)
        if isinstance(error, paramiko.SFTPError):
            return NotDelivered(
                f"{self._name} does not keep to SFTP: {error}.",
                "Ask the authority which server it runs, and in which version.",
            )
        reason, remedy = connection_trouble(error)
        proxy = self._server.proxy
        via = f" through the proxy {proxy}," if proxy and str(proxy) not in reason else ""
        return NotDelivered(f"The exchange server {self._name}{via} was not reached: {reason}.", remedy)

    def _not_admitted(self, error: paramiko.AuthenticationException) -> NotDelivered:
        way = "the key of sftp.private_key" if self._key is not None else "the password of sftp.password"
        kinds = getattr(error, "allowed_types", None)
        takes = f" It takes: {', '.join(kinds)}." if kinds else ""
        return NotDelivered(
            f"{self._name} does not admit {self._server.username!r} with {way}.{takes}",
            "Check sftp.username and the key or password; ask the authority whether it knows them.",
        )

    def _incompatible(self, error: Exception, transport: _Transport) -> NotDelivered:
        return NotDelivered(
            f"{self._name} and this machine have nothing in common: {error}. It offers {transport.offered}.",
            "Ask the authority to allow current algorithms; ssh-rsa with SHA-1 is not supported here.",
        )

    @property
    def _name(self) -> str:
        return f"{self._server.host}, port {self._server.port},"


def describe(sftp: Client) -> str:
    """What both sides of a session agreed on, and what the server offers."""
    channel = sftp.get_channel()
    transport = channel.get_transport() if channel else None
    return str(transport.summary) if isinstance(transport, _Transport) else ""


class _Transport(paramiko.Transport):
    """Remembers its socket, and what the server offers, for the case that nothing fits."""

    offered = "nothing that could be read"

    def __init__(self, line: socket.socket, window_bytes: int, packet_bytes: int) -> None:
        super().__init__(line, default_window_size=window_bytes, default_max_packet_size=packet_bytes)
        self.line = line
        self.daemon = True

    @property
    def summary(self) -> str:
        return (
            f"{self.remote_version}; host key {self.host_key_type}, cipher {self.local_cipher}; "
            f"it offers {self.offered}"
        )

    def _really_parse_kex_init(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        # paramiko tells this to its debug log alone.
        parsed: dict[str, Any] = super()._really_parse_kex_init(*arguments, **named)  # type: ignore[misc]  # not in its stubs
        self.offered = "; ".join(
            f"{what}: {', '.join(parsed[name])}"
            for what, name in (
                ("host keys", "server_key_algo_list"),
                ("key exchange", "kex_algo_list"),
                ("ciphers", "server_encrypt_algo_list"),
            )
        )
        return parsed


@dataclass(frozen=True, slots=True)
class _Pin:
    """The host key that counts: its fingerprint, and its algorithms if we know its kind."""

    fingerprint: str
    kinds: tuple[str, ...] = ()


def _read_pin(text: str) -> _Pin:
    text = text.strip("\ufeff \t\r\n")  # what comes along when it is copied from a file of Windows
    if text.startswith("SHA256:"):
        return _Pin(text.rstrip("="))
    try:
        kind, encoded, *_comment = text.split()
        blob = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ConfigurationError(
            "sftp.host_key is neither a public key (ssh-ed25519 AAAA…) nor a fingerprint (SHA256:…).",
            "Take it from the authority's letter, not from the network.",
        ) from error
    return _Pin(_fingerprint(blob), ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,))


def _fingerprint(blob: bytes) -> str:
    """As OpenSSH writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _read_private_key(server: SftpServer) -> paramiko.PKey | None:
    if server.private_key is None:
        if server.password is None:
            raise ConfigurationError("There is no login for SFTP.", "Set sftp.private_key or sftp.password.")
        return None
    password = server.private_key_password.encode() if server.private_key_password else None
    try:
        # Its stubs say str, its code says bytes.
        return paramiko.PKey.from_path(server.private_key, password)  # type: ignore[arg-type]
    except OSError as error:
        raise ConfigurationError(
            f"{server.private_key} cannot be read: {error.strerror}.", "Check sftp.private_key."
        ) from error
    except (TypeError, ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        raise ConfigurationError(
            f"{server.private_key} cannot be read: no private key, or another password for it.",
            "Check sftp.private_key and sftp.private_key_password.",
        ) from error
