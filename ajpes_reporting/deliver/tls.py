"""Our side of mutual TLS: the bank's certificate, and whom we trust (instruction, section 4).

Certificate and key come as PEM files or as one PKCS#12 file. Both are read in memory and checked
before anything is sent; Python's `ssl` takes certificates from a file only, so they are handed
over in one that exists in memory alone (`memfd`) and never touches a disk.
"""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)

from ajpes_reporting.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_NEW_ONE = "Ask the issuer for a new certificate and put it in place of this file."


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Where our certificate lies: either `certificate` and `key` (PEM), or `pkcs12`.

    `certificate` may be followed by its chain in the same file; without `key` it holds the key too.
    `server_ca` is a PEM file with the only issuers we trust; without it the system's are trusted.
    `section` is that of `ajpes.toml` in which all this stands, for whoever has to correct it.
    """

    certificate: Path | None = None
    key: Path | None = None
    pkcs12: Path | None = None
    key_password: str | None = field(default=None, repr=False)
    server_ca: Path | None = None
    section: str = ""

    def named(self, *settings: str) -> str:
        """These settings by their full names, as words."""
        prefix = f"{self.section}." if self.section else ""
        return " and ".join(f"{prefix}{name}" for name in settings)


@dataclass(frozen=True, slots=True)
class CertificateDates:
    """Whose certificate it is, and from when until when it holds."""

    path: Path
    subject: str
    not_before: datetime
    not_after: datetime

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires; negative once it has."""
        return (self.not_after - now).days


def client_context(settings: TlsSettings, now: datetime) -> ssl.SSLContext:
    """A context for calls to the authority: TLS 1.2 or newer, its host name checked.

    Raises `ConfigurationError` if a file is missing or unreadable, if key and certificate do not
    belong together, or if our certificate does not hold at `now`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # IIS and Apache may ask for our certificate only after they have seen the request.
    context.post_handshake_auth = True
    _trust(context, settings)
    own = _read(settings)
    _check_dates(own.dates, now)
    try:
        with _in_memory(own.pem) as name:
            context.load_cert_chain(name)
    except ssl.SSLError as error:
        why = (error.reason or str(error)).replace("_", " ").lower()  # such as "ee key too small"
        raise ConfigurationError(
            f"OpenSSL does not take our certificate {own.dates.path}: {why}.", _NEW_ONE
        ) from error
    return context


def certificate_dates(settings: TlsSettings) -> CertificateDates:
    """Subject and dates of our own certificate, whether it still holds or not.

    Raises `ConfigurationError` as `client_context` does, except for the dates.
    """
    return _read(settings).dates


@dataclass(frozen=True, slots=True)
class _Own:
    """Our certificate, its chain and its key as one PEM text, the key in the clear."""

    dates: CertificateDates
    pem: bytes = field(repr=False)


def _read(settings: TlsSettings) -> _Own:
    if settings.pkcs12 is not None:
        return _read_pkcs12(settings.pkcs12, settings)
    if settings.certificate is not None:
        return _read_pem(settings.certificate, settings)
    raise ConfigurationError(
        "No client certificate is configured; the authority asks for one (instruction, section 4).",
        f"Set {settings.named('client_certificate', 'client_key')}, or {settings.named('client_pkcs12')}.",
    )


def _read_pem(certificate: Path, settings: TlsSettings) -> _Own:
    try:
        chain = x509.load_pem_x509_certificates(_bytes_of(certificate))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"{certificate} holds no certificate in PEM form.",
            "Give the file that begins with -----BEGIN CERTIFICATE-----.",
        ) from error
    key = settings.key or certificate
    return _own(certificate, chain, key, _read_key(key, settings))


def _read_key(path: Path, settings: TlsSettings) -> PrivateKeyTypes:
    password = settings.key_password
    try:
        return load_pem_private_key(_bytes_of(path), password.encode() if password else None)
    except TypeError as error:
        # cryptography's word for a password that is missing, or given without need.
        wrong = "has no password" if password else "is protected by a password"
        raise ConfigurationError(
            f"The private key {path} {wrong}.", f"Correct {settings.named('client_key_password')}."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"The private key {path} cannot be read: no key in PEM form, or another password.",
            f"Check {settings.named('client_key', 'client_key_password')}.",
        ) from error


def _read_pkcs12(path: Path, settings: TlsSettings) -> _Own:
    password = settings.key_password
    try:
        bundle = pkcs12.load_pkcs12(_bytes_of(path), password.encode() if password else None)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"{path} cannot be read: no PKCS#12 file, or another password.",
            f"Check {settings.named('client_pkcs12', 'client_key_password')}.",
        ) from error
    if bundle.cert is None or bundle.key is None:
        raise ConfigurationError(
            f"{path} holds no certificate with its private key.",
            "Export it again, with the private key.",
        )
    chain = [bundle.cert.certificate, *(each.certificate for each in bundle.additional_certs)]
    return _own(path, chain, path, bundle.key)


def _own(path: Path, chain: list[x509.Certificate], key_path: Path, key: PrivateKeyTypes) -> _Own:
    certificate = chain[0]
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if certificate.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise ConfigurationError(
            f"The key {key_path} does not belong to the certificate {path}.",
            "Give the key this certificate was issued for; the certificate itself comes first in its file.",
        )
    dates = CertificateDates(
        path,
        certificate.subject.rfc4514_string(),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    clear_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _Own(dates, b"".join(each.public_bytes(Encoding.PEM) for each in chain) + clear_key)


def _check_dates(dates: CertificateDates, now: datetime) -> None:
    if now >= dates.not_after:
        raise ConfigurationError(
            f"Our certificate {dates.path} expired on {_spoken(dates.not_after)}. Nothing was sent.", _NEW_ONE
        )
    if now < dates.not_before:
        raise ConfigurationError(
            f"Our certificate {dates.path} is valid only from {_spoken(dates.not_before)}. Nothing was sent.",
            "Check the clock of this machine, or wait until then.",
        )


def _trust(context: ssl.SSLContext, settings: TlsSettings) -> None:
    server_ca = settings.server_ca
    if server_ca is None:
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(cadata=_bytes_of(server_ca).decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError(
            f"{server_ca} holds no certificate in PEM form.",
            f"Put the certificate of the authority's issuer there ({settings.named('server_ca')}).",
        ) from error


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}.", "Check the path in ajpes.toml and who may read it."
        ) from error


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """The name of a file with this content that no other user can open and no disk holds."""
    descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _spoken(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
