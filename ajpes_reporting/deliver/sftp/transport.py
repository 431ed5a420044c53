"""The encrypted line to the exchange server, by paramiko, which forgets what an operator wants to know."""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko import AuthenticationException, BadAuthenticationType, SSHException
from paramiko.auth_handler import AuthHandler

from ajpes_reporting.deliver.connection_pool import TurnedAway
from ajpes_reporting.deliver.sftp.host_key import kind_of
from ajpes_reporting.domain.escaping import shown
from ajpes_reporting.i18n import NOTHING, Message, _, sentences

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence
    from threading import Event


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

    _parsed: Mapping[str, Any] | None = None
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

    @property
    def offered(self) -> Message:
        """The algorithms that the server offers, in words."""
        if self._parsed is None:
            return _("nothing that could be read")
        return _(
            "host keys: {host_keys}; key exchange: {key_exchange}; ciphers: {ciphers}",
            host_keys=list(self._parsed["server_key_algo_list"]),
            key_exchange=list(self._parsed["kex_algo_list"]),
            ciphers=list(self._parsed["server_encrypt_algo_list"]),
        )

    def _really_parse_kex_init(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        # paramiko tells this to its debug log alone.
        parsed: dict[str, Any] = super()._really_parse_kex_init(*arguments, **named)  # type: ignore[misc]  # not in its stubs
        self.host_keys = tuple(dict.fromkeys(kind_of(name) for name in parsed["server_key_algo_list"]))
        self._parsed = parsed
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


_log = logging.getLogger(__name__)

_KEY, _PASSWORD, _QUESTIONS = "publickey", "password", "keyboard-interactive"
_MOST_SHOWN = 1000
_NEW_PASSWORD = re.compile(r"\bnew password|\bre-?(type|enter)\b|nov[aeo]\w* geslo", re.IGNORECASE)
_HAS_EXPIRED = re.compile(
    r"password[^.]{0,30}\bexpired\b|\b(must|required to|have to) change\b|geslo[^.]{0,30}\bpotek",
    re.IGNORECASE,
)
_NO_MORE = re.compile(r"too many\b.{0,30}authenti|no more auth|auth\w* (has )?failed|denied", re.IGNORECASE)
_CODE = re.compile(
    r"\b(code|passcode|token|otp|totp|pin|one.?time|verification|authenticator|challenge|response|sms|koda|kodo"
    r"|enkratn\w*)\b",
    re.IGNORECASE,
)
_CHECK = _("check sftp.username and the key or password; ask the authority whether it knows them")
_NO_PERSON = _(
    "ask the authority for a login with a key, a password or both: nobody is there to type in a code"
)
_EXPIRED = _(
    "agree on a new password with the authority, and set sftp.password; nothing was changed from here"
)


class SignIn:
    """One login of `username`, with a key, a password, or both. `place` are host and port of the server."""

    def __init__(
        self,
        transport: Transport,
        place: Mapping[str, Any],
        username: str,
        key: paramiko.PKey | None,
        password: str | None,
    ) -> None:
        self._transport = transport
        self._place = place
        self._username = username
        self._key = key
        self._password = password
        self._taken: list[str] = []  # methods that brought us a step further
        self._refused: list[str] = []
        self._banner = b""
        self._has_answered = False

    def perform(self) -> None:
        """Signs in. Raises `TurnedAway` if that is not possible, saying why, and what paramiko raises."""
        every = (_KEY, _PASSWORD)  # where the server does not say what it takes
        name = self._username
        asked = self._try("none", lambda login, event: login.auth_none(name, event), every)
        while asked:
            asked = self._next_step(asked)

    def _next_step(self, asked: Sequence[str]) -> Sequence[str]:
        """Does one thing the server asks for; returns what it asks for then, nothing if we are in."""
        used = {*self._taken, *self._refused}
        name, key, password = self._username, self._key, self._password
        if key is not None and _KEY in asked and _KEY not in used:
            return self._try(_KEY, lambda login, event: login.auth_publickey(name, key, event), asked)
        if password is not None and not self._password_is_wrong:
            if _PASSWORD in asked and _PASSWORD not in used:
                return self._show_password(password, asked)
            if _QUESTIONS in asked and _QUESTIONS not in used:
                return self._try(
                    _QUESTIONS, lambda login, event: login.auth_interactive(name, self._answer, event), asked
                )
        raise self._turned_away(asked)

    def _try(self, method: str, begin: Callable[[Any, Event], None], asked: Sequence[str]) -> Sequence[str]:
        """Shows one thing; returns what is asked for then. What is refused is not shown again."""
        try:
            then = self._transport.attempt(begin)
        except BadAuthenticationType as error:
            self._refused.append(method)
            return error.allowed_types or asked
        except AuthenticationException as error:
            if "agree on a pubkey algorithm" in str(error):
                raise self._no_signature() from error
            if _NO_MORE.search(self._transport.farewell):
                raise self._broken_off(method) from error
            if not self._transport.said_no:
                raise  # it said nothing: it was too slow, or hung up
            self._refused.append(method)
            if not self._transport.is_active():
                raise self._turned_away(asked) from None
            return asked
        finally:
            self._show_banner()
        self._taken.append(method)
        return then

    def _broken_off(self, method: str) -> TurnedAway:
        """Some servers hang up in the place of a refusal, and say so: it counts as one."""
        return TurnedAway(
            _(
                "{host}, port {port}, broke off the login of {username:quoted} at {spoken}. "
                "It says: {farewell:foreign}",
                **self._place,
                username=self._username,
                spoken=_spoken(method),
                farewell=shown(self._transport.farewell),
            ),
            _CHECK,
        )

    def _no_signature(self) -> TurnedAway:
        return TurnedAway(
            _(
                "{host}, port {port}, takes no signature that the RSA key of sftp.private_key can "
                "make with SHA-2.",
                **self._place,
            ),
            _("ask the authority to take a key of the kind ssh-ed25519; SHA-1 is not supported here"),
        )

    def _show_password(self, password: str, asked: Sequence[str]) -> Sequence[str]:
        name = self._username
        try:
            return self._try(
                _PASSWORD, lambda login, event: login.auth_password(name, password, event), asked
            )
        except SSHException as error:
            if str(error) != "Illegal info request from server":  # so paramiko calls what it does not expect
                raise
        raise new_password_wanted(self._place, name)

    def _answer(self, _title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        """The answers to the server's questions: to none, or to one that asks for the password."""
        if not prompts:
            return []
        questions = " ".join(prompt for prompt, _echo in prompts)
        said = f"{instructions} {questions}".strip()[:_MOST_SHOWN]
        if _NEW_PASSWORD.search(questions) or wants_new_password(said):
            raise new_password_wanted(self._place, self._username, said)
        [(prompt, is_shown), *others] = prompts
        if others or is_shown or _CODE.search(prompt):
            raise TurnedAway(
                _(
                    "{host}, port {port}, asks what only a person can answer: {said:foreign}",
                    **self._place,
                    said=shown(said),
                ),
                _NO_PERSON,
            )
        if self._has_answered or self._password is None:
            self._refused.append(_QUESTIONS)
            raise self._turned_away(())
        self._has_answered = True
        return [self._password]

    @property
    def _password_is_wrong(self) -> bool:
        return _PASSWORD in self._refused or _QUESTIONS in self._refused

    def _turned_away(self, asked: Sequence[str]) -> TurnedAway:
        who = {**self._place, "username": self._username}
        takes = _("It takes: {methods}.", methods=list(asked)) if asked else NOTHING
        taken = [_spoken(method) for method in self._taken if method != "none"]
        if self._refusals:
            refused = [_spoken(method) for method in self._refusals]
            said = _(
                "{host}, port {port}, does not admit {username:quoted} with {refused:or}.",
                **who,
                refused=refused,
            )
            remedy = _CHECK
        elif taken:
            more = [_spoken(method) if method not in self._taken else _another(method) for method in asked]
            said = _(
                "{host}, port {port}, took {taken:and}, and demands more: {more:or}.",
                **self._place,
                taken=taken,
                more=more,
            )
            takes, remedy = NOTHING, self._what_to_set(asked)
        else:
            said = _(
                "{host}, port {port}, does not let {username:quoted} sign in with {configured:and}.",
                **who,
                configured=self._configured,
            )
            takes, remedy = takes or _("It takes: nothing that it names."), self._what_to_set(asked)
        farewell = self._transport.farewell
        says = _("It says: {text:foreign}", text=shown(farewell)) if farewell else NOTHING
        return TurnedAway(sentences((said, takes, says)), remedy)

    @property
    def _refusals(self) -> list[str]:
        """Returns the credentials that were refused; a closed method says nothing about key or password."""
        return [method for method in self._refused if method != "none"]

    @property
    def _configured(self) -> list[Message]:
        configured = (_KEY if self._key is not None else "", _PASSWORD if self._password is not None else "")
        return [_spoken(method) for method in configured if method]

    def _what_to_set(self, asked: Sequence[str]) -> Message:
        if self._key is None and _KEY in asked:
            return _("set sftp.private_key, and give its public key to the authority")
        if self._password is None and {_PASSWORD, _QUESTIONS} & set(asked):
            return _("set sftp.password too") if self._key is not None else _("set sftp.password")
        return _("ask the authority for a login with a key, a password or both, and nothing more")

    def _show_banner(self) -> None:
        """Logs what the server tells before the login, such as who may use it; once."""
        banner = self._transport.get_banner() or b""
        if banner and banner != self._banner:
            self._banner = banner
            self._transport.notice = text = banner[:_MOST_SHOWN].decode(errors="replace").strip()
            more = "…" if len(banner) > _MOST_SHOWN else ""
            _log.info("%s says before the login: %s%s", self._place["host"], shown(text), more)


def wants_new_password(said: str) -> bool:
    """Whether a server's text says that the password has expired."""
    return _HAS_EXPIRED.search(said) is not None


def new_password_wanted(place: Mapping[str, Any], username: str, said: str = "") -> TurnedAway:
    """Returns the error for a password that has expired; `said` is what the server says of it."""
    message = _(
        "{host}, port {port}, demands a new password for {username:quoted}.", **place, username=username
    )
    says = _("It says: {text:foreign}", text=shown(said)) if said else NOTHING
    return TurnedAway(sentences((message, says)), _EXPIRED)


def _another(method: str) -> Message:
    return _("another key") if method == _KEY else _("another password")


def _spoken(method: str) -> Message:
    match method:
        case "none":
            return _("its very beginning")
        case "publickey":
            return _("the key of sftp.private_key")
        case "password" | "keyboard-interactive":
            return _("the password of sftp.password")
    return Message(method, {})
