"""Why there was no connection, in words an operator can act on."""

from __future__ import annotations

import re
import selectors
import socket
import ssl

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
_THEIR_CERTIFICATE = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed",
    19: "its certificate was issued by somebody we do not trust",
    20: "its certificate was issued by somebody we do not trust",
    21: "its certificate was issued by somebody we do not trust",
    23: "its certificate has been revoked",
    62: "its certificate is for another host name",
    64: "its certificate is for another address",
}
_UNTRUSTED = {18, 19, 20, 21}


def connection_trouble(error: BaseException, section: str = "") -> tuple[str, str]:
    """What kept the connection from being made, as a clause, and what to do about it.

    `section` is that of the settings which name certificates, as `client_certificate` and `server_ca`.
    """
    cause = root_cause(error)
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
    """What the other side holds against our certificate, as a clause; empty if it said nothing such."""
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
    """What the system said, below the errors that httpx and httpcore put on top; else the error."""
    below: BaseException | None = error
    while below is not None and not isinstance(below, OSError):
        # httpcore raises "from None", which hides the cause and leaves the context.
        below = below.__cause__ or below.__context__
    return below or error


def _their_certificate(error: ssl.SSLCertVerificationError, prefix: str) -> tuple[str, str]:
    reason = _THEIR_CERTIFICATE.get(
        error.verify_code, f"its certificate does not hold: {error.verify_message}"
    )
    if error.verify_code in _UNTRUSTED:
        return reason, f"Put the right issuer into {prefix}server_ca, after asking the authority."
    return reason, "Do not go round this: ask the authority, or check the host name in the settings."


def _plain(error: BaseException) -> str:
    return str(error) or type(error).__name__
