"""Why there was no connection, in words an operator can act on."""

from __future__ import annotations

import re
import selectors
import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ajpes_reporting.i18n import NOTHING, Message, _, _n, joined

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_PATIENCE_SECONDS = 2.0  # only where a server sends no session tickets
_ALERT = re.compile(r"alert[ _]([a-z_ ]+?)\s*(?:\]|\(|$)")

# TLS alerts about our certificate (RFC 8446, section 6.2). The handshake has failed on the other
# side, whatever had been written by then: no request was taken.
_OUR_CERTIFICATE = {
    "bad certificate": _("the server cannot use our client certificate"),
    "unsupported certificate": _("the server does not take client certificates of this kind"),
    "certificate revoked": _("our client certificate has been revoked"),
    "certificate expired": _("our client certificate has expired"),
    "certificate unknown": _("the server does not accept our client certificate"),
    "unknown ca": _("the server does not trust the issuer of our client certificate"),
    "access denied": _("our client certificate is valid, but not admitted"),
    "certificate required": _("the server demands a client certificate and got none"),
    "no certificate": _("the server demands a client certificate and got none"),
    "decrypt error": _("the server could not verify our client certificate"),
}

# OpenSSL's X509_V_ERR_... numbers.
_NOT_YET, _EXPIRED, _REVOKED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 23, 62, 64
_SELF_SIGNED = 18
_UNTRUSTED = (_SELF_SIGNED, 19, 20, 21)
_MOST_NAMES = 3
_LONGEST_NAME = 120


class Explained(OSError):
    """A failure that comes with its words: a clause that says why, and what to do."""

    def __init__(self, reason: Message, remedy: Message) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Untrusted(ssl.SSLCertVerificationError):
    """The other side's certificate does not hold. `shown` is that certificate in DER, if it is known."""

    def __init__(self, error: ssl.SSLCertVerificationError, shown: bytes | None) -> None:
        super().__init__(*error.args)
        self.verify_code = error.verify_code
        self.verify_message = error.verify_message
        self.shown = shown


def connection_trouble(error: BaseException, section: str = "") -> tuple[Message, Message]:
    """Explains as a clause why a connection was not made, with the remedy.

    `section` is that of the settings which name certificates, as `client_certificate` and `server_ca`.
    """
    cause = root_cause(error)
    if isinstance(cause, Explained):
        return cause.reason, cause.remedy
    prefix = f"{section}." if section else ""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _their_certificate(cause, prefix)
    if refused := refused_certificate(cause):
        settings = [f"{prefix}client_certificate", f"{prefix}client_key"]
        return refused, _("check {settings:and}, then ask the authority", settings=settings)
    if isinstance(cause, ssl.SSLError):
        return _("no encrypted connection could be agreed ({error:foreign})", error=_plain(cause)), _(
            "check address and port"
        )
    if isinstance(cause, socket.gaierror):
        return _("the server's name cannot be resolved"), _(
            "check the host name, and the name server of this machine"
        )
    if isinstance(cause, ConnectionRefusedError):
        return _("the server refuses connections"), _(
            "check address and port; if they are right, try again later"
        )
    if isinstance(cause, TimeoutError):
        return _("the server did not answer in time"), _(
            "check address, port and firewall; then try again later"
        )
    return _("the connection failed ({error:foreign})", error=_plain(cause)), _(
        "check the network, then try again later"
    )


def refused_certificate(error: BaseException) -> Message:
    """Returns the other side's objection to our certificate, as a clause; empty if there is none."""
    cause = root_cause(error)
    if not isinstance(cause, ssl.SSLError):
        return NOTHING
    alert = _ALERT.search(str(cause).lower())
    return _OUR_CERTIFICATE.get(alert[1].replace("_", " "), NOTHING) if alert else NOTHING


def hear_objection(connection: ssl.SSLSocket) -> None:
    """Waits for what the other side has to say about our certificate; raises `OSError` if it objects.

    With TLS 1.3 the handshake ends, for us, before the other side has looked at our certificate.
    If it is content it sends session tickets, as a rule; if not, an alert. An alert that crosses a
    request of ours is easily lost, and then nobody knows whether the request was taken.
    """
    if connection.version() != "TLSv1.3" or not _readable(connection, _PATIENCE_SECONDS):
        return
    connection.settimeout(0)
    try:
        early = connection.recv(1)
    except ssl.SSLWantReadError:
        return  # those were the tickets
    raise ConnectionError(
        _("the server spoke before it was asked") if early else _("the server hung up after the handshake")
    )


def _readable(connection: ssl.SSLSocket, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(connection.pending() or selector.select(seconds))


def root_cause(error: BaseException) -> BaseException:
    """Returns the system's error below those of httpx and httpcore; else the error itself."""
    below: BaseException | None = error
    while below is not None and not isinstance(below, OSError):
        # httpcore raises "from None", which hides the cause and leaves the context.
        below = below.__cause__ or below.__context__
    return below or error


def _their_certificate(error: ssl.SSLCertVerificationError, prefix: str) -> tuple[Message, Message]:
    shown = _read(error.shown) if isinstance(error, Untrusted) and error.shown else None
    reason = _clause(error, shown)
    if error.verify_code in _UNTRUSTED:
        return reason, _(
            "put the right issuer into {setting}, after asking the authority; if it is one of your "
            "own network, a "
            "proxy or firewall on the way opens what is encrypted: have this address excepted",
            setting=f"{prefix}server_ca",
        )
    return reason, _("do not go round this: ask the authority, or check the host name in the settings")


def _clause(error: ssl.SSLCertVerificationError, shown: Certificate | None) -> Message:
    """Explains a certificate's fault and describes it, so that nobody needs another tool."""
    code = error.verify_code
    if code in _UNTRUSTED:
        return _untrusted(shown, is_self_signed=code == _SELF_SIGNED)
    if code == _OTHER_NAME:
        return joined((_("the server's certificate is for another host name"), _names(shown)), ": ")
    if code == _OTHER_ADDRESS:
        return joined((_("the server's certificate is for another address"), _names(shown)), ": ")
    if code == _EXPIRED and shown and shown.not_valid_after_utc > datetime.now(UTC):
        return _("the server's certificate holds, and one of those that vouch for it has expired")
    if code == _EXPIRED:
        if shown is None:
            return _("the server's certificate has expired")
        until = shown.not_valid_after_utc.date()
        return _("the server's certificate has expired; it held until {day:date}", day=until)
    if code == _NOT_YET:
        if shown is None:
            return _("the server's certificate is not valid yet")
        since = shown.not_valid_before_utc.date()
        return _("the server's certificate is not valid yet; it holds from {day:date}", day=since)
    if code == _REVOKED:
        return _("the server's certificate has been revoked")
    return _("the server's certificate does not hold ({reason:foreign})", reason=error.verify_message)


def _untrusted(shown: Certificate | None, *, is_self_signed: bool) -> Message:
    issuer = shown.issuer.rfc4514_string()[:_LONGEST_NAME] if shown else ""
    if is_self_signed:
        return joined((_("the server's certificate is self-signed"), issuer), ": ")
    return joined((_("the server's certificate was issued by somebody we do not trust"), issuer), ": ")


def _names(shown: Certificate | None) -> Message:
    """The names that count, as what follows a colon; nothing if they are not known."""
    from cryptography import x509

    if shown is None:
        return NOTHING
    try:
        alternative = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return _(
            "the certificate has no subject alternative name, only the subject {subject}",
            subject=shown.subject.rfc4514_string()[:_LONGEST_NAME],
        )
    except ValueError:
        return NOTHING
    names = [str(entry.value)[:_LONGEST_NAME] for entry in alternative]
    if (more := len(names) - _MOST_NAMES) > 0:
        return _n("{names} and {count} more", "{names} and {count} more", more, names=names[:_MOST_NAMES])
    return joined(names, ", ")


def _read(shown: bytes) -> Certificate | None:
    """Reads a stranger's certificate; None if it cannot be read."""
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(shown)
    except ValueError:
        return None


def _plain(error: BaseException) -> str:
    """Returns the words of an error: ours where it is ours, else those of the system or a library."""
    if error.args and isinstance(error.args[0], Message):
        return error.args[0]
    return str(error) or type(error).__name__
