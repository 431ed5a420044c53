"""Our side of mutual TLS: the bank's certificate, and whom we trust (instruction, section 4).

Certificate and key come as PEM files or as one PKCS#12 file. Both are read in memory and checked
before anything is sent; Python's `ssl` takes certificates from a file only, so they are handed
over in one that exists in memory alone (`memfd`) and never touches a disk.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.network.pem import (
    Certificate,
    NoCertificate,
    in_memory,
    read_certificates,
    read_private_key,
)
from ajpes_reporting.network.tls_context import tls_context

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_KEY_FORM = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
_NEW_ONE = _("ask the issuer for a new certificate and put it in place of this file")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The place of our certificate: either `certificate` and `key` (PEM), or `pkcs12`.

    `certificate` may be followed by its chain in the same file; without `key` it holds the key too.
    `server_ca` is a PEM file with the only ones we trust; without it the system's issuers are trusted.
    `setting` is how the keys of the settings begin that name these files.
    """

    certificate: Path | None = None
    key: Path | None = None
    pkcs12: Path | None = None
    key_password: str | None = field(default=None, repr=False)
    server_ca: Path | None = None
    setting: str = "client"

    def named(self, *names: str) -> list[str]:
        """These settings by their full names: "soap.client_certificate"."""
        return [f"{self.setting}_{name}" for name in names]

    @property
    def server_ca_setting(self) -> str:
        """The full name of that setting."""
        section = self.setting.rpartition(".")[0]
        return f"{section}.server_ca" if section else "server_ca"


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
    context = tls_context(settings.server_ca, settings.server_ca_setting)
    # IIS and Apache may ask for our certificate only after they have seen the request.
    context.post_handshake_auth = True
    own = _read(settings)
    _check_dates(own.dates, now)
    try:
        with in_memory(own.pem) as name:
            context.load_cert_chain(name)
    except ssl.SSLError as error:
        why = (error.reason or str(error)).replace("_", " ").lower()  # such as "ee key too small"
        raise ConfigurationError(
            _(
                "OpenSSL does not take our certificate {path}: {why:foreign}.",
                path=str(own.dates.path),
                why=why,
            ),
            _NEW_ONE,
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
        return _read_pkcs12(settings, settings.pkcs12)
    if settings.certificate is not None:
        return _read_pem(settings, settings.certificate)
    raise ConfigurationError(
        _("No client certificate is configured; the authority asks for one (instruction, section 4)."),
        _(
            "set {pem:and}, or {pkcs12}",
            pem=settings.named("certificate", "key"),
            pkcs12=settings.named("pkcs12"),
        ),
    )


def _read_pem(settings: TlsSettings, path: Path) -> _Own:
    setting = f"{settings.setting}_certificate"
    try:
        chain = [_certificate(each) for each in read_certificates(_bytes_of(path, setting))]
    except NoCertificate as error:
        raise ConfigurationError(
            _(
                "{path} cannot be used ({setting}): {reason}.",
                path=str(path),
                setting=setting,
                reason=error.reason,
            ),
            error.remedy,
        ) from error
    key_path = settings.key or path
    return _own(path, chain, key_path, _read_key(settings, key_path))


def _certificate(one: Certificate) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(one.der)
    except (ValueError, UnsupportedAlgorithm):
        raise one.broken() from None


def _read_key(settings: TlsSettings, path: Path) -> PrivateKeyTypes:
    content = _bytes_of(path, f"{settings.setting}_{'key' if settings.key else 'certificate'}")
    try:
        return read_private_key(content, settings.key_password)
    except TypeError as error:
        # cryptography's word for a password that is missing, or given without need.
        if settings.key_password:
            message = _("The private key {path} has no password.", path=str(path))
        else:
            message = _("The private key {path} is protected by a password.", path=str(path))
        raise ConfigurationError(
            message,
            _("correct {settings:and}", settings=settings.named("key_password")),
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            _(
                "The private key {path} cannot be read: no key in PEM form, or another password.",
                path=str(path),
            ),
            _("check {settings:and}", settings=settings.named("key", "key_password")),
        ) from error


def _read_pkcs12(settings: TlsSettings, path: Path) -> _Own:
    content = _bytes_of(path, f"{settings.setting}_pkcs12")
    password = settings.key_password.encode() if settings.key_password else None
    if b"-----BEGIN " in content:
        raise ConfigurationError(
            _("{path} is PEM and not PKCS#12 ({setting}_pkcs12).", path=str(path), setting=settings.setting),
            _(
                "name it in {certificate}, and its key in {key}",
                certificate=settings.named("certificate"),
                key=settings.named("key"),
            ),
        )
    try:
        bundle = pkcs12.load_pkcs12(content, password)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            _("{path} cannot be read: no PKCS#12 file, or another password.", path=str(path)),
            _("check {settings:and}", settings=settings.named("pkcs12", "key_password")),
        ) from error
    if bundle.cert is None or bundle.key is None:
        raise ConfigurationError(
            _("{path} holds no certificate with its private key.", path=str(path)),
            _("export it again, with the private key"),
        )
    chain = [bundle.cert.certificate, *(each.certificate for each in bundle.additional_certs)]
    return _own(path, chain, path, bundle.key)


def _own(path: Path, chain: list[x509.Certificate], key_path: Path, key: PrivateKeyTypes) -> _Own:
    wanted = key.public_key().public_bytes(*_KEY_FORM)
    # Whoever exports a chain does not always put the certificate itself first, as TLS does.
    chain.sort(key=lambda each: _public_key(each) != wanted)
    certificate = chain[0]
    if _public_key(certificate) != wanted:
        raise ConfigurationError(
            _(
                "The key {key} does not belong to the certificate {certificate}.",
                key=str(key_path),
                certificate=str(path),
            ),
            _("give the key this certificate was issued for"),
        )
    dates = CertificateDates(
        path,
        certificate.subject.rfc4514_string(),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    clear_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _Own(dates, b"".join(each.public_bytes(Encoding.PEM) for each in chain) + clear_key)


def _public_key(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.public_key().public_bytes(*_KEY_FORM)
    except (ValueError, UnsupportedAlgorithm):  # an issuer's may be of any kind
        return b""


def _check_dates(dates: CertificateDates, now: datetime) -> None:
    if now >= dates.not_after:
        raise ConfigurationError(
            _(
                "Our certificate {path} expired on {at:moment}. Nothing was sent.",
                path=str(dates.path),
                at=dates.not_after,
            ),
            _NEW_ONE,
        )
    if now < dates.not_before:
        raise ConfigurationError(
            _(
                "Our certificate {path} is valid only from {at:moment}. Nothing was sent.",
                path=str(dates.path),
                at=dates.not_before,
            ),
            _("check the clock of this machine, or wait until then"),
        )


def _bytes_of(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            _(
                "{path} cannot be read: {reason} ({setting}).",
                path=str(path),
                reason=system_reason(error),
                setting=setting,
            ),
            _("check the path in ajpes.toml and who may read it"),
        ) from error
