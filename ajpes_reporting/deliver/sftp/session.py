"""A session with the exchange server: whom we talk to, who we are, how long we wait."""

from __future__ import annotations

import errno
import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from ajpes_reporting.deliver.connection_pool import TurnedAway, borrowed
from ajpes_reporting.deliver.sftp.client import LISTING_LIMITS, Client, ListingLimits
from ajpes_reporting.deliver.sftp.folders import AS_INSTRUCTED, Folders
from ajpes_reporting.deliver.sftp.host_key import fingerprint, read_pins
from ajpes_reporting.deliver.sftp.private_key import read_private_key
from ajpes_reporting.deliver.sftp.protocol import Refused
from ajpes_reporting.deliver.sftp.transport import SignIn, Transport, new_password_wanted, wants_new_password
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered
from ajpes_reporting.domain.escaping import shown
from ajpes_reporting.i18n import NOTHING, Message, _, sentences
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.network.line import Proxy, open_line
from ajpes_reporting.network.trouble import connection_trouble
from ajpes_reporting.network.watchdog import Watchdog, watched

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from pathlib import Path

# With larger ones a report takes a fifth longer: for each copy of a block the system is asked for memory.
_WRITE_BYTES = 124 << 10
_KEEPALIVE_SECONDS = 30
# A session that has lain idle for longer is asked first whether it is still there.
_FRESH_SECONDS = 2.0
# The other side closes at once, as a rule.
_NOTICED_SECONDS = 1.0

# No line fails so, but a disk that is full, over its quota, or read only.
_OUR_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# Whatever the line or the other side can do to us. OSError also stands for the server's refusals.
TROUBLE = (OSError, EOFError, UnicodeDecodeError, paramiko.SSHException, paramiko.SFTPError)


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpServer:
    """The exchange server: its address, its proof, our credentials, and our time limits.

    `host_key` is the pinned key as in a .pub file ("ssh-ed25519 AAAA…") or its fingerprint
    ("SHA256:…"), or several of them. `private_key`, `password` or both are given. `folder` is the
    provider's folder on the server; nodurs/v_ajpes lies below it, or whatever `folders` says in their place.
    `upload` says whether a report is written under another name and renamed, or written under its own.
    `reports` are those that may go by it, "nodurs": their folders are looked at.
    `probe` says whether a file that is no report may be written and removed, to see whether a run could.
    `connect_timeout_seconds` bounds everything up to the open session, `operation_timeout_seconds`
    each wait in it, `call_timeout_seconds` each use of it.
    `listing_limits` bounds what is read of one folder's listing.
    `largest_write_bytes` bounds what is written at once, if the server itself takes more than 32 KiB.
    """

    host: str
    username: str
    host_key: str | tuple[str, ...]
    port: int = 22
    private_key: Path | None = None
    private_key_password: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    folder: str = ""
    folders: Folders = AS_INSTRUCTED
    upload: Literal["rename", "direct"] = "rename"
    probe: bool = True
    reports: tuple[str, ...]
    connect_timeout_seconds: float
    operation_timeout_seconds: float
    call_timeout_seconds: float
    largest_answer_bytes: int
    largest_write_bytes: int = _WRITE_BYTES
    listing_limits: ListingLimits = LISTING_LIMITS
    proxy: Proxy | None = None

    @property
    def login(self) -> Hashable:
        """The values that two sessions must share to be the same one."""
        credentials = (self.private_key, self.private_key_password, self.password)
        return (self.host, self.port, self.username, self.host_key, *credentials)


class SftpSessions:
    """Opens sessions with one server.

    Raises `ConfigurationError` if the private key or the pinned host key cannot be used.
    """

    def __init__(self, server: SftpServer) -> None:
        self._server = server
        self._pins = read_pins(server.host_key)
        self._key = _read_key(server)

    @contextmanager
    def open(self) -> Iterator[Client]:
        """A session as a context: the one that the run keeps, or a new one.

        Raises `NotDelivered` for any trouble with it, also inside; then it is not used again.
        """
        name = f"{self._server.host}, port {self._server.port}"
        with (
            watched(self._server.call_timeout_seconds) as watchdog,
            borrowed(self._server.login, name, self._connect) as session,
        ):
            try:
                watchdog.guard(session.transport.line)
                yield session.client
            except TROUBLE as error:
                raise self._not_delivered(error, watchdog, session.transport) from error

    def _connect(self) -> _Session:
        """From the first byte to the open session. Not every step there has a limit of its own."""
        with watched(self._server.connect_timeout_seconds) as watchdog:
            transport = self._proven_server(watchdog)
            try:
                with self._told(transport, watchdog):
                    SignIn(
                        transport, self._place, self._server.username, self._key, self._server.password
                    ).perform()
                    return _Session(transport, self._open_channel(transport, watchdog))
            except BaseException:
                _close(transport)
                raise

    def _proven_server(self, watchdog: Watchdog) -> Transport:
        """A line to the server, once it has shown a host key that is pinned.

        A server shows one of its keys at a time: the pinned kinds are asked for first, and where a pin does
        not say its kind, the others, each once, before it is called another server.
        """
        seen: dict[str, str] = {}
        wanted = sorted(self._pins.kinds)
        while True:
            transport = self._handshake(wanted, watchdog)
            key = transport.get_remote_server_key()
            if self._pins.admit(key.asbytes()):
                return transport
            _hang_up(transport)
            seen[key.get_name()] = fingerprint(key.asbytes())
            others = [kind for kind in transport.usable_host_keys if self._pins.may_be(kind)]
            wanted = [kind for kind in others if kind not in seen][:1]
            if not wanted:
                raise self._another_server(list(seen.values()))

    def _handshake(self, wanted: Sequence[str], watchdog: Watchdog) -> Transport:
        server = self._server
        try:
            line = open_line(server.host, server.port, server.connect_timeout_seconds, server.proxy)
        except OSError as error:
            raise self._not_reached(error) from error
        watchdog.guard(line)
        transport = Transport(line, server.connect_timeout_seconds)
        try:
            with self._told(transport, watchdog):
                transport.prefer(wanted)
                transport.start_client()
        except BaseException:
            _close(transport)
            raise
        return transport

    def _open_channel(self, transport: Transport, watchdog: Watchdog) -> Client:
        transport.set_keepalive(_KEEPALIVE_SECONDS)
        try:
            sftp = Client.from_transport(transport)
            channel = sftp.get_channel() if sftp else None
        except TROUBLE as error:
            if wants_new_password(transport.notice):
                raise new_password_wanted(self._place, self._server.username, transport.notice) from error
            if watchdog.expired:
                raise
            if not transport.is_active():
                raise NotDelivered(
                    _(
                        "{host}, port {port}, took the login, and hung up before the SFTP session was open.",
                        **self._place,
                    ),
                    _(
                        "try again later; if it stays so, ask the authority "
                        "whether {username:quoted} may use SFTP",
                        username=self._server.username,
                    ),
                ) from error
            raise TurnedAway(
                _(
                    "{host}, port {port}, took the login, and opened no SFTP session: {plain:foreign}.",
                    **self._place,
                    plain=_plain(error),
                ),
                _("ask the authority whether {username:quoted} may use SFTP", username=self._server.username),
            ) from error
        if sftp is None or channel is None:
            raise paramiko.SSHException("no channel was opened")
        channel.settimeout(self._server.operation_timeout_seconds)
        sftp.listing_limits, sftp.told = self._server.listing_limits, set()
        return sftp

    @contextmanager
    def _told(self, transport: Transport, watchdog: Watchdog) -> Iterator[None]:
        """Tells what goes wrong before the session is open. Whatever it is, nothing has been sent."""
        try:
            yield
        except TROUBLE as error:
            if watchdog.expired:
                raise NotDelivered(
                    _(
                        "The exchange server {host}, port {port}, was not reached: it did not answer "
                        "in time.",
                        **self._place,
                    ),
                    _(
                        "check address, port and firewall, then try again later; if the server is that "
                        "slow, raise sftp.connect_timeout_seconds"
                    ),
                ) from error
            if isinstance(error, IncompatiblePeer):
                raise self._incompatible(error, transport) from error
            if not transport.has_greeted and "Error reading SSH protocol banner" in str(error):
                raise self._too_busy(transport) from error
            if transport.farewell or not transport.is_active():
                raise self._hung_up(error, transport) from error
            raise self._not_reached(error) from error

    def _another_server(self, shown_keys: list[str]) -> TurnedAway:
        return TurnedAway(
            _(
                "{host}, port {port}, showed the host key {shown_keys:and}, and {pins} is pinned. "
                "Nothing was "
                "sent, not even the login.",
                **self._place,
                shown_keys=shown_keys,
                pins=str(self._pins),
            ),
            _("ask the authority, by telephone, whether its key has changed; only then change sftp.host_key"),
        )

    def _incompatible(self, error: Exception, transport: Transport) -> NotDelivered:
        return NotDelivered(
            _(
                "{host}, port {port}, and this machine have nothing in common: {error:foreign}. "
                "It offers {offered}.",
                **self._place,
                error=str(error),
                offered=transport.offered,
            ),
            _("ask the authority to allow current algorithms; ssh-rsa with SHA-1 is not supported here"),
        )

    def _too_busy(self, transport: Transport) -> NotDelivered:
        return NotDelivered(
            _with_farewell(
                _(
                    "The exchange server {host}, port {port}, was not reached: it hung up before the login "
                    "began, as one does that has too many connections, or does not admit this "
                    "machine's address.",
                    **self._place,
                ),
                transport,
            ),
            _("try again later; if it stays so, ask the authority whether our address is let in"),
        )

    def _hung_up(self, error: BaseException, transport: Transport) -> NotDelivered:
        reason, remedy = connection_trouble(error)
        if isinstance(error, EOFError | paramiko.AuthenticationException):
            reason = _("the server ended the connection before the session was open")
        return NotDelivered(_with_farewell(self._unreached(reason), transport), remedy)

    def _not_delivered(self, error: BaseException, watchdog: Watchdog, transport: Transport) -> NotDelivered:
        """Tells what went wrong in an open session."""
        if watchdog.expired:
            return NotDelivered(
                _(
                    "The session with {host}, port {port}, was not over after {seconds} seconds and was cut.",
                    **self._place,
                    seconds=format(watchdog.seconds, "g"),
                ),
                _("try again later; if the file is very large, raise sftp.call_timeout_seconds"),
            )
        if isinstance(error, OSError) and error.errno in _OUR_DISK:
            return NotDelivered(
                _(
                    "What {host}, port {port}, gives us cannot be kept: {reason}.",
                    **self._place,
                    reason=system_reason(error),
                ),
                _("make room on the disk of this machine, or have the disk repaired, then run again"),
            )
        if isinstance(error, UnicodeDecodeError):
            return NotDelivered(
                _("{host}, port {port}, sent a text that is not in UTF-8.", **self._place),
                _("ask the authority in which language its server speaks; it must be UTF-8"),
            )
        if isinstance(error, Refused):
            return NotDelivered(
                _(
                    "{host}, port {port}, refused to {wanted}: {error:foreign}.",
                    **self._place,
                    wanted=error.wanted,
                    error=error.reason,
                ),
                error.remedy,
            )
        if isinstance(error, paramiko.SFTPError):
            return NotDelivered(
                _(
                    "{host}, port {port}, does not keep to SFTP: {error:foreign}.",
                    **self._place,
                    error=str(error),
                ),
                _("ask the authority which server it runs, and in which version"),
            )
        if isinstance(error, EOFError | paramiko.SSHException) or str(error) == "Socket is closed":
            return NotDelivered(
                _with_farewell(self._cut_off(), transport),
                _("try again later; if it stays so, ask the authority why its server hangs up"),
            )
        reason, remedy = connection_trouble(error)
        return NotDelivered(_with_farewell(self._unreached(reason), transport), remedy)

    def _not_reached(self, error: BaseException) -> NotDelivered:
        reason, remedy = connection_trouble(error)
        return NotDelivered(self._unreached(reason), remedy)

    def _unreached(self, reason: Message) -> Message:
        proxy = self._server.proxy
        if proxy is None or str(proxy) in reason:
            return _(
                "The exchange server {host}, port {port}, was not reached: {reason}.",
                **self._place,
                reason=reason,
            )
        return _(
            "The exchange server {host}, port {port}, through the proxy {proxy}, was not reached: {reason}.",
            **self._place,
            proxy=str(proxy),
            reason=reason,
        )

    def _cut_off(self) -> Message:
        if self._server.proxy is None:
            return _("{host}, port {port}, hung up in the middle of the session.", **self._place)
        return _(
            "{host}, port {port}, through the proxy {proxy}, hung up in the middle of the session.",
            **self._place,
            proxy=str(self._server.proxy),
        )

    @property
    def _place(self) -> dict[str, Any]:
        """The server's address, as the sentences here say it."""
        return {"host": self._server.host, "port": self._server.port}


def describe(sftp: Client) -> Message:
    """Describes the algorithms that both sides of a session agreed on."""
    channel = sftp.get_channel()
    transport = channel.get_transport() if channel else None
    return transport.summary if isinstance(transport, Transport) else NOTHING


@dataclass(frozen=True, slots=True)
class _Session:
    """A login with its one channel."""

    transport: Transport
    client: Client

    def is_alive(self, idle_seconds: float) -> bool:
        channel = self.client.get_channel()
        if channel is None or channel.closed or channel.eof_received or not self.transport.is_active():
            return False
        return idle_seconds < _FRESH_SECONDS or self._answers()

    def close(self) -> None:
        _close(self.transport)

    def _answers(self) -> bool:
        """Whether the server still answers: a line may have died in silence, and nothing has begun yet."""
        with watched(self.transport.patience_seconds) as watchdog:
            watchdog.guard(self.transport.line)
            try:
                self.client.normalize(".")
            except TROUBLE as error:
                return isinstance(error, Refused)
            return True


def _hang_up(transport: Transport) -> None:
    """Closes a line and lets the server notice: it may admit one connection at a time."""
    _say_the_end(transport)
    transport.join(_NOTICED_SECONDS)
    _close(transport)


def _close(transport: Transport) -> None:
    _say_the_end(transport)
    transport.close()
    transport.line.close()


def _say_the_end(transport: Transport) -> None:
    """A watchdog has a duplicate of the line in hand: to close ours alone would tell the server nothing."""
    with suppress(OSError):
        transport.line.shutdown(socket.SHUT_WR)


def _with_farewell(message: Message, transport: Transport) -> Message:
    """Returns the server's last words as a sentence; empty if it said nothing."""
    if not transport.farewell:
        return message
    return sentences((message, _("It said: {text:foreign}", text=shown(transport.farewell))))


def _plain(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _read_key(server: SftpServer) -> paramiko.PKey | None:
    if server.private_key is not None:
        return read_private_key(server.private_key, server.private_key_password)
    if server.password is None:
        raise ConfigurationError(_("There is no login for SFTP."), _("set sftp.private_key or sftp.password"))
    return None
