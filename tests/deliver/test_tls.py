"""Our certificate: read from PEM and PKCS#12, and checked before anything is sent."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from ajpes_reporting.deliver.tls import TlsSettings, certificate_dates, client_context
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.domain.outcomes import Delivered
from ajpes_reporting.domain.ports import Parcel
from tests.deliver.conftest import LONG_AGO, NOW, Keys, MakeServer, carrier_for

SECRET = "skrivnost"


@pytest.fixture
def bundle(keys: Keys, tmp_path: Path) -> Path:
    """Our certificate and its key as one PKCS#12 file with a password."""
    certificate, *chain = x509.load_pem_x509_certificates(keys.client.read_bytes())
    key = _key(keys.client)
    path = tmp_path / "client.p12"
    encryption = BestAvailableEncryption(SECRET.encode())
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"bank", key, certificate, chain, encryption))
    return path


@pytest.fixture
def protected(keys: Keys, tmp_path: Path) -> TlsSettings:
    """Certificate and key in two PEM files, the key with a password."""
    certificate, key_path = tmp_path / "client.crt", tmp_path / "client.key"
    [first, *_] = x509.load_pem_x509_certificates(keys.client.read_bytes())
    certificate.write_bytes(first.public_bytes(Encoding.PEM))
    key = _key(keys.client)
    key_path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET.encode()))
    )
    return TlsSettings(certificate, key_path, key_password=SECRET, server_ca=keys.ca)


def test_a_pkcs12_file_opens_the_door(
    make_server: MakeServer, keys: Keys, bundle: Path, parcel: Parcel, replies: Path
) -> None:
    """Qualified certificates are handed out as PKCS#12, and nobody should have to convert them."""
    settings = TlsSettings(pkcs12=bundle, key_password=SECRET, server_ca=keys.ca)
    carrier = carrier_for(make_server().port, client_context(settings, NOW), replies)
    assert isinstance(carrier.deliver(parcel), Delivered)


def test_a_protected_pem_key_opens_the_door(
    make_server: MakeServer, protected: TlsSettings, parcel: Parcel, replies: Path
) -> None:
    """A key file on a shared disk is worth nothing without its password."""
    carrier = carrier_for(make_server().port, client_context(protected, NOW), replies)
    assert isinstance(carrier.deliver(parcel), Delivered)


def test_the_decrypted_key_never_touches_a_disk(keys: Keys, bundle: Path) -> None:
    """A key in the clear in a temporary file outlives the run that made it."""
    with _writing_opens() as opened:
        client_context(TlsSettings(pkcs12=bundle, key_password=SECRET, server_ca=keys.ca), NOW)
    assert opened == []


def test_only_the_configured_issuer_is_trusted(keys: Keys) -> None:
    """A certificate of any public issuer does not make a server the authority."""
    context = client_context(TlsSettings(certificate=keys.client, server_ca=keys.ca), NOW)
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_an_expired_certificate_is_found_before_anything_is_sent(keys: Keys) -> None:
    """The message names file, date and remedy; the authority's would not."""
    with pytest.raises(ConfigurationError) as raised:
        client_context(TlsSettings(certificate=keys.expired_client, server_ca=keys.ca), NOW)
    assert str(keys.expired_client) in raised.value.message
    assert "expired on 2020-01-01 01:00" in raised.value.message
    assert "Nothing was sent" in raised.value.message
    assert "new certificate" in raised.value.remedy


def test_a_certificate_of_the_future_is_found_too(keys: Keys) -> None:
    """Usually it is this machine's clock that is wrong."""
    with pytest.raises(ConfigurationError, match="valid only from"):
        client_context(TlsSettings(certificate=keys.client, server_ca=keys.ca), LONG_AGO.replace(year=1990))


def test_days_left_are_told_also_of_an_expired_certificate(keys: Keys) -> None:
    """The doctor warns in time, and says afterwards what has happened."""
    dates = certificate_dates(TlsSettings(certificate=keys.expired_client))
    assert dates.not_after == LONG_AGO
    assert dates.days_left(LONG_AGO - timedelta(days=30, hours=1)) == 30
    assert dates.days_left(LONG_AGO + timedelta(days=1)) == -1
    assert "trustme" in dates.subject


@pytest.mark.parametrize("password", [None, "ne-pravo"])
def test_a_missing_or_wrong_password_is_told(
    protected: TlsSettings, bundle: Path, password: str | None
) -> None:
    """Nobody is asked at a terminal that is not there, and the password itself is not shown."""
    pem = TlsSettings(protected.certificate, protected.key, key_password=password)
    for settings in (pem, TlsSettings(pkcs12=bundle, key_password=password)):
        with pytest.raises(ConfigurationError) as raised:
            client_context(settings, NOW)
        assert "key_password" in raised.value.remedy
        assert "ne-pravo" not in raised.value.message + raised.value.remedy


def test_a_password_without_need_is_told(keys: Keys) -> None:
    """It is likely that another key was meant."""
    with pytest.raises(ConfigurationError, match="no password"):
        client_context(TlsSettings(certificate=keys.client, key_password=SECRET), NOW)


def test_a_key_of_another_certificate_is_told(keys: Keys) -> None:
    """After a renewal only one of the two files was replaced."""
    with pytest.raises(ConfigurationError, match="does not belong"):
        client_context(TlsSettings(certificate=keys.client, key=keys.foreign_client), NOW)


def test_files_that_are_not_what_they_should_be_are_told(keys: Keys, tmp_path: Path) -> None:
    """Each message names the file and what it should be."""
    missing, text = tmp_path / "missing.pem", tmp_path / "text.pem"
    text.write_text("nothing")
    key = _key(keys.client)
    lonely = tmp_path / "lonely.p12"
    lonely.write_bytes(pkcs12.serialize_key_and_certificates(b"x", key, None, None, NoEncryption()))
    for settings, words in (
        (TlsSettings(certificate=missing), "missing.pem cannot be read"),
        (TlsSettings(certificate=text), r"text.pem cannot be used \(.*\): the file holds no certificate"),
        (TlsSettings(certificate=keys.client, key=text), "text.pem cannot be read"),
        (TlsSettings(certificate=keys.client, key=missing), "missing.pem cannot be read"),
        (
            TlsSettings(certificate=keys.client, server_ca=text),
            r"text.pem cannot be used \(.*\): the file holds no certificate",
        ),
        (TlsSettings(certificate=keys.client, server_ca=missing), "missing.pem cannot be read"),
        (TlsSettings(pkcs12=text), "no PKCS#12 file"),
        (TlsSettings(pkcs12=keys.client), "is PEM and not PKCS#12"),
        (TlsSettings(pkcs12=lonely), "no certificate with its private key"),
        (TlsSettings(), "No client certificate"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            client_context(settings, NOW)


def _key(path: Path) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key


_watchers: list[list[str]] = []


@contextmanager
def _writing_opens() -> Iterator[list[str]]:
    """Collects what is opened for writing meanwhile; descriptors without a name do not count."""
    if not _watchers:
        sys.addaudithook(_watch)
    opened: list[str] = []
    _watchers.append(opened)
    yield opened
    _watchers[-1] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if (
        event == "open" and not isinstance(arguments[0], int) and set(str(arguments[1])) & set("wax+")
    ) or event in ("tempfile.mkstemp", "tempfile.mkdtemp"):
        _watchers[-1].append(str(arguments[0]))
