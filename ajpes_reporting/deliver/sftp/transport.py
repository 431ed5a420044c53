"""The encrypted line to the exchange server, by paramiko, which forgets what an operator wants to know."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.auth_handler import AuthHandler

from ajpes_reporting.deliver.sftp.host_key import kind_of
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

# Without a handler, logging would print what paramiko says about a broken line, tracebacks and
# all, between the messages meant for the operator.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_WINDOW_BYTES = 4 << 20  # twice what is asked for at once
_PACKET_BYTES = 1 << 18
_FASTEST_CIPHER = "aes128-gcm@openssh.com"
_MOST_REMEMBERED = 200
_BEHIND_OURS_SECONDS = 5.0


class Transport(paramiko.Transport):
    """Remembers its socket, what the server offers, what it tells at the login, and as it hangs up.

    Of paramiko's own time limits (15 s for the greeting, 30 s for the login) none counts: they are put behind
    `patience_seconds`, so that whoever watches over the line ends a wait, and tells it.
    """

    offered = _("nothing that could be read")
    host_keys: tuple[str, ...] = ()
    farewell = ""
    notice = ""
    may_sign_in = False

    def __init__(self, line: socket.socket, patience_seconds: float) -> None:
        super().__init__(line, default_window_size=_WINDOW_BYTES, default_max_packet_size=_PACKET_BYTES)
        self.line = line
        self.daemon = True
        self.patience_seconds = patience_seconds
        put_off = patience_seconds + _BEHIND_OURS_SECONDS
        self.banner_timeout = self.handshake_timeout = self.auth_timeout = self.channel_timeout = put_off

    def prefer(self, kinds: Sequence[str]) -> None:
        """Asks for these kinds of host key first: a server has several, and shows the one asked for."""
        options = self.get_security_options()
        options.key_types = sorted(options.key_types, key=lambda name: kind_of(name) not in kinds)
        options.ciphers = sorted(options.ciphers, key=lambda cipher: cipher != _FASTEST_CIPHER)

    def attempt(self, begin: Callable[[Any, threading.Event], None]) -> list[str]:
        """Shows the server one thing, as `begin` says; returns what it asks for then, nothing if we are in.

        Raises what paramiko raises.
        """
        event = threading.Event()
        login: Any = _Login(self)
        self.auth_handler = login
        begin(login, event)
        then: list[str] = login.wait_for_response(event)
        return then

    @property
    def usable_host_keys(self) -> list[str]:
        """The kinds of host key that the server has and we can check."""
        ours = {kind_of(name) for name in self.get_security_options().key_types}
        return [kind for kind in self.host_keys if kind in ours]

    @property
    def summary(self) -> Message:
        """The server, and what both sides agreed on."""
        return _(
            "{server}; host key {host_key}, cipher {cipher}",
            server=self.remote_version,
            host_key=self.host_key_type,
            cipher=self.local_cipher,
        )

    @property
    def has_greeted(self) -> bool:
        """Whether the other side has said that it is an SSH server."""
        return bool(self.remote_version)

    @property
    def said_no(self) -> bool:
        """Whether the server has refused what was shown last, rather than said nothing to it."""
        handler: Any = self.auth_handler
        return handler is not None and handler.username is None  # so paramiko notes a refusal

    def _check_banner(self) -> None:
        packetizer: Any = self.packetizer
        read = packetizer.readline

        def readline(_seconds: float) -> str:
            """Each line in the time of the first one; what comes before the greeting is remembered."""
            line: str = read(self.banner_timeout)
            self.farewell = line[:_MOST_REMEMBERED].strip()
            return line

        packetizer.readline = readline
        super()._check_banner()  # type: ignore[misc]  # not in its stubs
        self.farewell = ""

    def _parse_disconnect(self, message: paramiko.Message) -> None:
        _code, self.farewell = message.get_int(), message.get_text()[:_MOST_REMEMBERED]

    def _really_parse_kex_init(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        # paramiko tells this to its debug log alone.
        parsed: dict[str, Any] = super()._really_parse_kex_init(*arguments, **named)  # type: ignore[misc]  # not in its stubs
        self.host_keys = tuple(dict.fromkeys(kind_of(name) for name in parsed["server_key_algo_list"]))
        self.offered = _(
            "host keys: {host_keys}; key exchange: {key_exchange}; ciphers: {ciphers}",
            host_keys=list(parsed["server_key_algo_list"]),
            key_exchange=list(parsed["kex_algo_list"]),
            ciphers=list(parsed["server_encrypt_algo_list"]),
        )
        return parsed


class _Login(AuthHandler):
    """An attempt to sign in, which asks for the service of logins only if none has done so before it.

    paramiko's asks with each attempt, which some servers take for a breach of the protocol.
    """

    transport: Transport

    def _request_auth(self) -> None:
        if not self.transport.may_sign_in:
            super()._request_auth()  # type: ignore[misc]  # not in its stubs
            return
        accepted = paramiko.Message()
        accepted.add_string("ssh-userauth")
        accepted.rewind()
        self._parse_service_accept(accepted)

    def _parse_service_accept(self, message: paramiko.Message) -> None:
        self.transport.may_sign_in = True
        super()._parse_service_accept(message)  # type: ignore[misc]  # not in its stubs
