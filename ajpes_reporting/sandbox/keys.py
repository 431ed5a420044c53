"""Certificates, SSH keys and passwords of the sandbox: made once, kept for good.

They protect nothing but a loopback port; they are made with the same care as real ones, so that
a client finds here what it will find in production.
"""

from __future__ import annotations

import ipaddress
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_YEARS = 10
# A client that plays a day of the past must find these certificates valid, too.
_BEGINNING = datetime(2010, 1, 1, tzinfo=UTC)
_PEM = serialization.Encoding.PEM
_BARE = serialization.NoEncryption()


@dataclass(frozen=True, slots=True)
class Keys:
    """Paths of everything secret or certified. Private files have mode 0600, the folders 0700.

    The authority's lie in `shared`, a provider's in `folder`; for a single provider they are the same.
    """

    folder: Path
    shared: Path

    @property
    def ca(self) -> Path:
        return self.shared / "ca.pem"

    @property
    def ca_key(self) -> Path:
        return self.shared / "ca.key"

    @property
    def server_certificate(self) -> Path:
        return self.shared / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.shared / "server.key"

    @property
    def client_certificate(self) -> Path:
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        return self.folder / "client.key"

    @property
    def client_pkcs12(self) -> Path:
        return self.folder / "client.p12"

    @property
    def client_pkcs12_password(self) -> Path:
        return self.folder / "client-p12-password"

    @property
    def ssh_host_key(self) -> Path:
        return self.shared / "ssh_host_ed25519"

    @property
    def sftp_key(self) -> Path:
        return self.folder / "sftp_ed25519"

    @property
    def soap_password(self) -> Path:
        return self.folder / "soap-password"

    @property
    def sftp_password(self) -> Path:
        return self.folder / "sftp-password"

    @property
    def ssh_host_public_key(self) -> str:
        """The host key to pin, "ssh-ed25519 AAAA…"."""
        return self.ssh_host_key.with_suffix(".pub").read_text().strip()

    @property
    def sftp_public_key(self) -> str:
        return self.sftp_key.with_suffix(".pub").read_text().strip()


def open_keys(folder: Path) -> Keys:
    """The keys of an authority in `folder`, with those of one provider; they are made if they are not there.

    They are made beside it and moved in place as a whole: a start that was interrupted leaves
    no half of them.
    """

    def make(unfinished: Path) -> None:
        keys = Keys(unfinished, unfinished)
        authority = _make_authority(keys)
        _make_ssh_key(keys.ssh_host_key)
        _make_client(keys, "banka", *authority)

    _make_whole(folder, make)
    return Keys(folder, folder)


def open_client_keys(shared: Path, registration_number: str, username: str) -> Keys:
    """The keys of one provider among several, in a folder of its own beside the authority's."""
    folder = shared / registration_number

    def make(unfinished: Path) -> None:
        keys = Keys(unfinished, shared)
        authority = x509.load_pem_x509_certificate(keys.ca.read_bytes())
        key = serialization.load_pem_private_key(keys.ca_key.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("this authority has made another kind of key for itself")
        _make_client(keys, username, authority, key)

    _make_whole(folder, make)
    return Keys(folder, shared)


def _make_whole(folder: Path, make: Callable[[Path], None]) -> None:
    if folder.is_dir():
        return
    unfinished = folder.with_name(folder.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    make(unfinished)
    unfinished.rename(folder)


def _make_authority(keys: Keys) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("AJPES sandbox CA")
    authority = _authority(name, key)
    _write_private(keys.ca_key, _private_pem(key))
    keys.ca.write_bytes(authority.public_bytes(_PEM))
    hosts: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _issue(authority, key, server_key, "127.0.0.1", ExtendedKeyUsageOID.SERVER_AUTH, hosts)
    _write_private(keys.server_key, _private_pem(server_key))
    keys.server_certificate.write_bytes(server.public_bytes(_PEM))
    return authority, key


def _make_client(
    keys: Keys, username: str, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> None:
    for path in (keys.soap_password, keys.sftp_password, keys.client_pkcs12_password):
        _write_private(path, secrets.token_urlsafe(18).encode())
    _make_ssh_key(keys.sftp_key)
    key = ec.generate_private_key(ec.SECP256R1())
    client = _issue(authority, authority_key, key, username, ExtendedKeyUsageOID.CLIENT_AUTH, [])
    _write_private(keys.client_key, _private_pem(key))
    keys.client_certificate.write_bytes(client.public_bytes(_PEM))
    _write_private(keys.client_pkcs12, _bundle(keys, key, client, authority))


def _authority(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return (
        _draft(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _issue(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    name: str,
    purpose: x509.ObjectIdentifier,
    hosts: list[x509.GeneralName],
) -> x509.Certificate:
    draft = _draft(_name(name), authority.subject, key)
    if hosts:
        draft = draft.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        draft.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    # The machine's own time, not the sandbox's clock: TLS compares with nothing else.
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGINNING)
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _bundle(
    keys: Keys, key: ec.EllipticCurvePrivateKey, client: x509.Certificate, authority: x509.Certificate
) -> bytes:
    password = keys.client_pkcs12_password.read_bytes()
    encryption = serialization.BestAvailableEncryption(password)
    return pkcs12.serialize_key_and_certificates(b"banka", key, client, [authority], encryption)


def _make_ssh_key(path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    _write_private(path, key.private_bytes(_PEM, serialization.PrivateFormat.OpenSSH, _BARE))
    openssh = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    path.with_suffix(".pub").write_bytes(key.public_key().public_bytes(*openssh) + b"\n")


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, _BARE)


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
