"""Alarms by e-mail: one mail for all that is to be told."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from typing import TYPE_CHECKING, Literal

from ajpes_reporting.domain.errors import AlarmNotTold, ConfigurationError
from ajpes_reporting.i18n import Message, _, _n
from ajpes_reporting.network.trouble import connection_trouble
from ajpes_reporting.network.watchdog import Watchdog, watched

if TYPE_CHECKING:
    from ajpes_reporting.alarms.notification import Notification

_log = logging.getLogger(__name__)

_WAITS_IN_A_CALL = 3
_LONGEST_REPLY = 200


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server and who is told. `timeout_seconds` bounds each wait, three times that the call."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    recipients: tuple[str, ...]
    context: ssl.SSLContext
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 20


class MailChannel:
    """Tells alarms by e-mail. Raises `ConfigurationError` if login and encryption do not fit."""

    def __init__(self, server: MailServer) -> None:
        if server.security == "none" and server.password is not None:
            raise ConfigurationError(
                _('mail.security is "none", and mail.password would be sent in the clear.'),
                _('set mail.security to "starttls" or "tls", or take out mail.password'),
            )
        if (server.username is None) != (server.password is None):
            raise ConfigurationError(
                _("Of mail.username and mail.password only one is set."), _("set both of them, or neither")
            )
        if server.password is not None and not server.password.isascii():
            raise ConfigurationError(
                _("mail.password holds letters outside ASCII, which many mail servers do not take."),
                _("choose another password, of plain letters, digits and signs"),
            )
        self._server = server

    def tell(self, notification: Notification) -> Message:
        """Sends one mail; returns who took it. Raises `AlarmNotTold`, or `ConfigurationError`."""
        mail = _written(self._server, notification)
        with watched(self._server.timeout_seconds * _WAITS_IN_A_CALL) as watchdog:
            try:
                refused = self._send(mail, watchdog)
            except (smtplib.SMTPException, OSError, UnicodeError) as error:  # the last for a host name
                raise self._not_told(TimeoutError() if watchdog.expired else error) from None
        wanted = len(self._server.recipients)
        if refused:
            _log.warning("%d of %d recipients of alarms were refused.", len(refused), wanted)
        return _n(
            "{server} took it for {taken} of {count} recipient",
            "{server} took it for {taken} of {count} recipients",
            wanted,
            server=self._server.host,
            taken=wanted - len(refused),
        )

    def _send(self, mail: EmailMessage, watchdog: Watchdog) -> dict[str, tuple[int, bytes]]:
        server = self._server
        with _Conversation(server, watchdog) as conversation:
            if server.security == "starttls":
                conversation.starttls(context=server.context)
            if server.username is not None and server.password is not None:
                conversation.login(server.username, server.password)
            return conversation.send_message(mail)

    def _not_told(self, error: Exception) -> AlarmNotTold:
        reason, remedy = _trouble(error)
        if self._server.password and self._server.password in reason:
            reason = reason.replace(self._server.password, "***")
        message = _(
            "The mail server {server}, port {port}, did not take the mail: {reason}.",
            server=self._server.host,
            port=self._server.port,
            reason=reason,
        )
        return AlarmNotTold(message, remedy)


class _Conversation(smtplib.SMTP):
    """A session whose connection is watched from its first byte, with TLS from there if so set."""

    def __init__(self, server: MailServer, watchdog: Watchdog) -> None:
        self._server = server
        self._watchdog = watchdog
        # Our name as the sender's domain: asking the network for it may take long.
        domain = parseaddr(server.sender)[1].rpartition("@")[2]
        super().__init__(server.host, server.port, local_hostname=domain, timeout=server.timeout_seconds)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        self._watchdog.guard(plain)
        if self._server.security != "tls":
            return plain
        return self._server.context.wrap_socket(plain, server_hostname=host)


def _written(server: MailServer, notification: Notification) -> EmailMessage:
    mail = EmailMessage()
    try:
        mail["From"], mail["To"] = server.sender, ", ".join(server.recipients)
        mail["Message-ID"] = make_msgid(domain=parseaddr(server.sender)[1].rpartition("@")[2] or "localhost")
    except (ValueError, IndexError):
        raise ConfigurationError(
            _("mail.sender or mail.recipients hold no addresses."), _("write them like name@example.org")
        ) from None
    mail["Subject"] = notification.subject
    mail["Date"] = format_datetime(notification.at)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices in return
    mail.set_content(notification.text)
    return mail


def _trouble(error: Exception) -> tuple[str, Message]:
    """Why it did not work, as a clause, and what to do."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # Its words may repeat what we sent.
        reason: str = _("the server refused the login ({code})", code=error.smtp_code)
        return reason, _("check mail.username and mail.password")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        reason = _("the server does not offer what is needed: STARTTLS, or a login")
        return reason, _("check mail.security and mail.port")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _("the server refused every recipient"), _("check mail.recipients and mail.sender")
    if isinstance(error, smtplib.SMTPResponseException):
        reason = _(
            "the server answered {code} {reply:foreign}", code=error.smtp_code, reply=_plain(error.smtp_error)
        )
        return reason, _("ask who runs the mail server")
    if isinstance(error, smtplib.SMTPException):
        return _("the server ended the conversation"), _(
            "check mail.security and mail.port, then ask who runs it"
        )
    reason = connection_trouble(error)[0]
    if isinstance(error, ssl.SSLCertVerificationError):
        return reason, _("check mail.server and mail.server_ca")
    return reason, _("check mail.server and mail.port")


def _plain(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())[:_LONGEST_REPLY]
