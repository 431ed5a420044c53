"""Whom we trust: real handshakes with chains as authorities, proxies and old servers send them."""

from __future__ import annotations

import functools
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ajpes_reporting.network.tls_context import tls_context
from ajpes_reporting.network.trouble import connection_trouble
from tests.servers.https import HttpsServer

PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
EXPIRED = datetime(2021, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and under which name it issues others."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    names: tuple[str, ...] = (),
    is_ca: bool = False,
    until: datetime = FUTURE,
    since: datetime = PAST,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Issued:
    """A certificate with as little in it as an internal authority may put there: no key identifiers."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if is_ca:
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    if names:
        alternatives = [
            x509.IPAddress(ip_address(each)) if each[0].isdigit() else x509.DNSName(each) for each in names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return Issued(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


@functools.cache
def root() -> Issued:
    return issue("Korenski", is_ca=True)


@functools.cache
def authority() -> Issued:
    return issue("Izdajatelj", root(), is_ca=True)


@functools.cache
def leaf() -> Issued:
    return issue("ajpes", authority(), names=("localhost",))


def handshake(
    folder: Path,
    server: Issued,
    chain: tuple[Issued, ...],
    trusted: tuple[Issued, ...],
    host: str = "localhost",
) -> str:
    """Empty if the two agree; otherwise what an operator is told. The server sends itself and `chain`."""
    files = folder / "server.pem", folder / "ca.pem"
    files[0].write_bytes(server.pem + b"".join(each.pem for each in chain) + server.key_pem)
    files[1].write_bytes(b"".join(each.pem for each in trusted))
    context = tls_context(files[1], "soap.server_ca")
    with HttpsServer(str(files[0]), None, lambda visit: visit.send(b"x")) as running:
        try:
            with (
                socket.create_connection(("127.0.0.1", running.port), 10) as line,
                context.wrap_socket(line, server_hostname=host),
            ):
                return ""
        except ssl.SSLError as error:
            return connection_trouble(error)[0]


def test_the_issuing_authority_alone_is_enough(tmp_path: Path) -> None:
    """A bank is sent the certificate of the issuer, and nobody knows where its root is."""
    assert handshake(tmp_path, leaf(), (authority(),), (authority(),)) == ""
    assert handshake(tmp_path, leaf(), (), (authority(),)) == ""
    assert handshake(tmp_path, leaf(), (authority(), root()), (authority(),)) == ""


@pytest.mark.parametrize("is_self_signed", [True, False])
def test_the_very_certificate_of_the_server_may_be_pinned(tmp_path: Path, is_self_signed: bool) -> None:
    """A test host has a certificate of its own making, handed over with the letter."""
    server = issue("wwwt", None if is_self_signed else authority(), names=("localhost",))
    assert handshake(tmp_path, server, (), (server,)) == ""
    other = issue("wwwt", None if is_self_signed else authority(), names=("localhost",))
    assert handshake(tmp_path, other, (), (server,)) != ""


def test_a_pinned_certificate_must_still_bear_the_name_of_its_host(tmp_path: Path) -> None:
    """To trust a certificate is not to trust it everywhere."""
    server = issue("wwwt", names=("elsewhere.example",))
    assert "another host name: elsewhere.example" in handshake(tmp_path, server, (), (server,))


def test_an_expired_cross_signed_root_in_the_chain_does_no_harm(tmp_path: Path) -> None:
    """In 2021 half of the world sent such a chain; ours is on the way, so the rest does not count."""
    old = issue("Stari korenski", is_ca=True, until=EXPIRED)
    crossed = issue("Korenski", old, is_ca=True, key=root().key, until=EXPIRED)
    assert handshake(tmp_path, leaf(), (authority(), crossed), (root(),)) == ""
    assert handshake(tmp_path, leaf(), (authority(), crossed), (old, root())) == ""
    assert handshake(tmp_path, leaf(), (authority(), crossed), (authority(),)) == ""
    assert "expired" in handshake(tmp_path, leaf(), (authority(), crossed), (old,))


def test_a_server_that_sends_itself_alone_is_known_by_the_whole_chain_here(tmp_path: Path) -> None:
    """Many a server forgets its intermediate; a bank that has it needs nobody to mend that."""
    assert handshake(tmp_path, leaf(), (), (root(), authority())) == ""
    told = handshake(tmp_path, leaf(), (), (root(),))
    assert "issued by somebody we do not trust: CN=Izdajatelj" in told


def test_certificates_without_key_identifiers_and_usage_are_taken(tmp_path: Path) -> None:
    """Internal authorities issue them; Python's newer strictness would refuse each of these chains."""
    assert not list(authority().certificate.extensions)[1:]
    assert handshake(tmp_path, leaf(), (authority(),), (root(),)) == ""


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (("localhost",), "localhost"),
        (("*.ajpes.example",), "www.ajpes.example"),
        (("127.0.0.1",), "127.0.0.1"),
        (("xn--oddaja-e1a.example",), "xn--oddaja-e1a.example"),
        (("other.example", "localhost"), "localhost"),
    ],
)
def test_names_are_matched_as_they_stand(tmp_path: Path, names: tuple[str, ...], host: str) -> None:
    """Wildcards, addresses and names with č are all in use."""
    server = issue("ajpes", authority(), names=names)
    assert handshake(tmp_path, server, (authority(),), (root(),), host) == ""


@pytest.mark.parametrize(
    ("names", "host", "told"),
    [
        (("*.ajpes.example",), "ajpes.example", "another host name: *.ajpes.example"),
        (("*.ajpes.example",), "a.b.ajpes.example", "another host name"),
        (("10.0.0.1",), "127.0.0.1", "another address: 10.0.0.1"),
        (("a.si", "b.si", "c.si", "d.si"), "localhost", "another host name: a.si, b.si, c.si and 1 more"),
        ((), "127.0.0.1", "no subject alternative name, only the subject CN=localhost"),
    ],
)
def test_a_certificate_for_somebody_else_says_for_whom(
    tmp_path: Path, names: tuple[str, ...], host: str, told: str
) -> None:
    """An operator sees at once whether the address or the certificate is wrong."""
    server = issue("localhost", authority(), names=names)
    assert told in handshake(tmp_path, server, (authority(),), (root(),), host)


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        (PAST, EXPIRED, "has expired; it held until 30 September 2021"),
        (datetime(2039, 1, 1, tzinfo=UTC), FUTURE, "is not valid yet; it holds from 1 January 2039"),
    ],
)
def test_a_certificate_out_of_its_time_says_when(
    tmp_path: Path, since: datetime, until: datetime, told: str
) -> None:
    """The day tells whether the certificate or the clock of this machine is to blame."""
    server = issue("ajpes", authority(), names=("localhost",), since=since, until=until)
    assert told in handshake(tmp_path, server, (authority(),), (root(),))


def test_an_expired_issuer_is_told_from_an_expired_certificate(tmp_path: Path) -> None:
    """Nobody renews the wrong one."""
    old = issue("Stari izdajatelj", root(), is_ca=True, until=EXPIRED)
    server = issue("ajpes", old, names=("localhost",))
    assert "those that vouch for it has expired" in handshake(tmp_path, server, (old,), (root(),))


def test_whoever_opens_the_line_on_the_way_is_named(tmp_path: Path) -> None:
    """A firewall that reads along shows its own issuer, and the operator knows whom to ask."""
    firewall = issue("Banka Inspection CA", is_ca=True)
    server = issue("ajpes", firewall, names=("localhost",))
    assert "do not trust: CN=Banka Inspection CA" in handshake(tmp_path, server, (firewall,), (root(),))
