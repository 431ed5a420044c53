"""Whom we trust at the other end of a TLS connection; the one way to a context for every call.

- `server_ca` holds the only ones we trust: roots, issuing authorities without their root, or the very
  certificate of the server.
- A chain that brings an expired or unknown root is no worse than one without it, as long as one of ours
  is on the way.
- Names count as they stand in the subject alternative names; a common name counts where there are none, as
  certificates of a bank's own houses often are.
- Certificates are judged by RFC 5280 as OpenSSL does by default. Its strict mode, which Python 3.13 turns
  on in some places, refuses certificates of internal authorities that lack an identifier of their
  issuer's key, say, and protects nobody here.
"""

from __future__ import annotations

import ssl
import sys
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.network.pem import NoCertificate, read_certificates
from ajpes_reporting.network.trouble import Untrusted

if TYPE_CHECKING:
    from pathlib import Path


class _Line(ssl.SSLSocket):
    """Keeps the certificate that was turned down: whoever has to replace it wants to see it."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except ssl.SSLCertVerificationError as error:
            raise Untrusted(error, _shown(self)) from error


def tls_context(server_ca: Path | None, setting: str) -> ssl.SSLContext:
    """TLS 1.2 or newer, with the server's certificate and name checked.

    `server_ca` holds the only ones we trust; without it the issuers of the system are trusted.
    Raises `ConfigurationError`, naming `setting`, if the file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _Line
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if server_ca is None:
        context.load_default_certs()
        return context
    try:
        _load(context, server_ca.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            _(
                "{path} cannot be read: {reason} ({setting}).",
                path=str(server_ca),
                reason=system_reason(error),
                setting=setting,
            ),
            _("check the path in ajpes.toml and who may read it"),
        ) from error
    except NoCertificate as error:
        raise ConfigurationError(
            _(
                "{path} cannot be used ({setting}): {reason}.",
                path=str(server_ca),
                setting=setting,
                reason=error.reason,
            ),
            _("{remedy}; it is to be the certificate of the server's issuer", remedy=error.remedy),
        ) from error
    return context


def _load(context: ssl.SSLContext, content: bytes) -> None:
    """One by one, so that a broken one can be told from the others."""
    for certificate in read_certificates(content):
        try:
            context.load_verify_locations(cadata=certificate.der)
        except (ssl.SSLError, ValueError):  # the latter if nothing is left of it
            raise certificate.broken() from None


def _shown(line: ssl.SSLSocket) -> bytes | None:
    try:
        if sys.version_info >= (3, 13):
            return line.get_unverified_chain()[0]
        below: Any = line
        # Older versions of Python have it, too, and do not document it.
        return bytes(below._sslobj.get_unverified_chain()[0].public_bytes(ssl._ssl.ENCODING_DER))  # type: ignore[attr-defined]
    except (AttributeError, IndexError, TypeError, ValueError):
        return None
