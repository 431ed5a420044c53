"""Why there was no connection, in words an operator can act on."""

from __future__ import annotations

import re
import selectors
import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_PATIENCE_SECONDS = 2.0  # only where a server sends no session tickets
_ALERT = re.compile(r"alert[ _]([a-z_ ]+?)\s*(?:\]|\(|$)")

# TLS alerts about our certificate (RFC 8446, section 6.2). The handshake has failed on the other
# side, whatever had been written by then: no request was taken.
_OUR_CERTIFICATE = {
    "bad certificate": "it cannot use our client certificate",
    "unsupported certificate": "it does not take client certificates of this kind",
    "certificate revoked": "our client certificate has been revoked",
    "certificate expired": "our client certificate has expired",
    "certificate unknown": "it does not accept our client certificate",
    "unknown ca": "it does not trust the issuer of our client certificate",
    "access denied": "our client certificate is valid, but not admitted",
    "certificate required": "it demands a client certificate and got none",
    "no certificate": "it demands a client certificate and got none",
    "decrypt error": "it could not verify our client certificate",
}

# OpenSSL's X509_V_ERR_... numbers.
_NOT_YET, _EXPIRED, _REVOKED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 23, 62, 64
_SELF_SIGNED = 18
_UNTRUSTED = (_SELF_SIGNED, 19, 20, 21)
_MOST_NAMES = 3
_LONGEST_NAME = 120


class Explained(OSError):
    """A failure that comes with its words: a clause that says why, and what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
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


def connection_trouble(error: BaseException, section: str = "") -> tuple[str, str]:
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
        settings = f"{prefix}client_certificate and {prefix}client_key"
        return refused, f"Check {settings}, then ask the authority."
    if isinstance(cause, ssl.SSLError):
        return f"no encrypted connection could be agreed ({_plain(cause)})", "Check address and port."
    if isinstance(cause, socket.gaierror):
        return "its name cannot be resolved", "Check the host name, and the name server of this machine."
    if isinstance(cause, ConnectionRefusedError):
        return "it refuses connections", "Check address and port; if they are right, try again later."
    if isinstance(cause, TimeoutError):
        return "it did not answer in time", "Check address, port and firewall; then try again later."
    return f"the connection failed ({_plain(cause)})", "Check the network, then try again later."


def refused_certificate(error: BaseException) -> str:
    """Returns the other side's objection to our certificate, as a clause; empty if there is none."""
    cause = root_cause(error)
    if not isinstance(cause, ssl.SSLError):
        return ""
    alert = _ALERT.search(str(cause).lower())
    return _OUR_CERTIFICATE.get(alert[1].replace("_", " "), "") if alert else ""


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
    raise ConnectionError("it spoke before it was asked" if early else "it hung up after the handshake")


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


def _their_certificate(error: ssl.SSLCertVerificationError, prefix: str) -> tuple[str, str]:
    shown = _read(error.shown) if isinstance(error, Untrusted) and error.shown else None
    reason = f"its certificate {_clause(error, shown)}"
    if error.verify_code in _UNTRUSTED:
        return reason, (
            f"Put the right issuer into {prefix}server_ca, after asking the authority. If it is one of your "
            "own network, a proxy or firewall on the way opens what is encrypted: have this address excepted."
        )
    return reason, "Do not go round this: ask the authority, or check the host name in the settings."


def _clause(error: ssl.SSLCertVerificationError, shown: Certificate | None) -> str:
    """Explains a certificate's fault and describes it, so that nobody needs another tool."""
    code = error.verify_code
    if code in _UNTRUSTED:
        how = "is self-signed" if code == _SELF_SIGNED else "was issued by somebody we do not trust"
        return f"{how}: {shown.issuer.rfc4514_string()[:_LONGEST_NAME]}" if shown else how
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        what = "host name" if code == _OTHER_NAME else "address"
        return f"is for another {what}{_names(shown) if shown else ''}"
    if code == _EXPIRED and shown and shown.not_valid_after_utc > datetime.now(UTC):
        return "holds, and one of those that vouch for it has expired"
    if code == _EXPIRED:
        return f"has expired{f'; it held until {shown.not_valid_after_utc:%Y-%m-%d}' if shown else ''}"
    if code == _NOT_YET:
        return f"is not valid yet{f'; it holds from {shown.not_valid_before_utc:%Y-%m-%d}' if shown else ''}"
    return "has been revoked" if code == _REVOKED else f"does not hold: {error.verify_message}"


def _names(shown: Certificate) -> str:
    """The names that count, after a colon."""
    from cryptography import x509

    try:
        alternative = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (
            f": it has no subject alternative name, only the subject "
            f"{shown.subject.rfc4514_string()[:_LONGEST_NAME]}"
        )
    except ValueError:
        return ""
    names = [str(entry.value)[:_LONGEST_NAME] for entry in alternative]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f": {', '.join(names[:_MOST_NAMES])}{more}"


def _read(shown: bytes) -> Certificate | None:
    """Reads a stranger's certificate; None if it cannot be read."""
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(shown)
    except ValueError:
        return None


def _plain(error: BaseException) -> str:
    return str(error) or type(error).__name__
