"""Certificates and keys as people keep them: with comments, in any encoding, or in another form."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ajpes_reporting.deliver.tls import TlsSettings, certificate_dates, client_context
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.eplacila.signing import read_public_key
from ajpes_reporting.network.tls_context import tls_context
from tests.deliver.conftest import NOW
from tests.network.test_tls_context import authority, leaf, root

BAG = "Bag Attributes\n    friendlyName: Žagar d.d., Čopova 3\nsubject=CN=banka č\n"
CERTIFICATES = root().pem + authority().pem

# How one and the same PEM text comes out of various programs.
SAVED: dict[str, Callable[[bytes], bytes]] = {
    "as openssl pkcs12 writes it": lambda pem: BAG.encode() + pem,
    "in cp1250": lambda pem: BAG.encode("cp1250") + pem,
    "with a BOM": lambda pem: b"\xef\xbb\xbf" + pem,
    "with CR LF": lambda pem: pem.replace(b"\n", b"\r\n"),
    "with CR alone": lambda pem: pem.replace(b"\n", b"\r"),
    "in UTF-16": lambda pem: (BAG + pem.decode()).encode("utf-16"),
    "in UTF-16, big": lambda pem: b"\xfe\xff" + (BAG + pem.decode()).encode("utf-16-be"),
    "with empty lines": lambda pem: b"\n\n" + pem.replace(b"-----BEGIN", b"\n\n-----BEGIN") + b"\n\n",
    "indented": lambda pem: b"".join(b"   " + line for line in pem.splitlines(keepends=True)),
    "without a last line end": lambda pem: pem.rstrip(),
}


@pytest.mark.parametrize("how", SAVED)
def test_every_pem_we_read_is_read_however_it_was_saved(tmp_path: Path, how: str) -> None:
    """A certificate is not refused for what stands beside it."""
    for name, content in (
        ("ca", CERTIFICATES),
        ("own", leaf().pem + authority().pem),
        ("key", leaf().key_pem),
    ):
        (tmp_path / name).write_bytes(SAVED[how](content))
    settings = TlsSettings(tmp_path / "own", tmp_path / "key", server_ca=tmp_path / "ca")
    context = client_context(settings, NOW)
    assert len(context.get_ca_certs()) == 2


@pytest.mark.parametrize("how", SAVED)
def test_the_key_of_web_payments_too(how: str) -> None:
    """UJP sends it by mail, and whoever saves it is not asked how."""
    key = _public_rsa_key()
    assert read_public_key(SAVED[how](key)) == read_public_key(key)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "  \n\n"])
def test_bare_base_64_however_it_was_saved(encoding: str, end: str) -> None:
    """The form in which UJP sends its key."""
    key = _public_rsa_key()
    text = end.join(key.decode().splitlines()[1:-1]) + end
    assert read_public_key(text.encode(encoding)) == read_public_key(key)


def test_der_is_taken_in_the_place_of_pem(tmp_path: Path) -> None:
    """Windows exports certificates so, under the same ending."""
    der = leaf().certificate.public_bytes(Encoding.DER)
    (tmp_path / "own.cer").write_bytes(der)
    (tmp_path / "key").write_bytes(leaf().key_pem)
    (tmp_path / "ca.cer").write_bytes(root().certificate.public_bytes(Encoding.DER))
    _openssl(
        "pkcs8",
        "-topk8",
        "-nocrypt",
        "-outform",
        "DER",
        "-in",
        tmp_path / "key",
        "-out",
        tmp_path / "key.der",
    )
    settings = TlsSettings(tmp_path / "own.cer", tmp_path / "key.der", server_ca=tmp_path / "ca.cer")
    assert len(client_context(settings, NOW).get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("make", "told", "remedy"),
    [
        (("crl2pkcs7", "-nocrl", "-certfile"), "a chain in PKCS#7 form", "openssl pkcs7"),
        (("crl2pkcs7", "-nocrl", "-outform", "DER", "-certfile"), "a chain in PKCS#7 form", "-inform DER"),
        (("x509", "-trustout", "-in"), "TRUSTED CERTIFICATE", "openssl x509"),
        (("pkcs12", "-export", "-passout", "pass:x", "-in"), "PKCS#12 form", "soap.client_pkcs12"),
        (("x509", "-x509toreq", "-in"), "a request for a certificate", "its issuer"),
        (("pkey", "-in"), "a private key", "BEGIN CERTIFICATE"),
        (("pkey", "-outform", "DER", "-in"), "a private key alone", "BEGIN CERTIFICATE"),
        (("pkey", "-pubout", "-in"), "no certificate in PEM form", "BEGIN CERTIFICATE"),
    ],
)
def test_another_form_is_told_with_what_makes_pem_of_it(
    tmp_path: Path, make: tuple[str, ...], told: str, remedy: str
) -> None:
    """Nobody has to guess what a file is that somebody else has sent."""
    made, source = tmp_path / "made", tmp_path / "source"
    source.write_bytes(leaf().key_pem + leaf().pem)
    more = ("-signkey", source) if "-x509toreq" in make else ()
    _openssl(*make, source, *more, "-out", made)
    with pytest.raises(ConfigurationError) as trusted:
        tls_context(made, "webhook.server_ca")
    with pytest.raises(ConfigurationError) as own:
        client_context(TlsSettings(made, source), NOW)
    for refused in (trusted.value, own.value):
        assert str(made) in refused.message
        assert told in refused.message
        assert remedy in refused.remedy
    assert "webhook.server_ca" in trusted.value.message


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda pem: pem[:200] + b"!" + pem[201:], "begins in line 4"),
        (lambda pem: pem.replace(pem[64:80], b"A" * 16), "begins in line 4"),
        (lambda pem: pem[:-40], "no end"),
        (lambda pem: b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "begins in line 4"),
    ],
)
def test_a_broken_certificate_among_others_is_told_by_its_line(
    tmp_path: Path, break_it: Callable[[bytes], bytes], told: str
) -> None:
    """Trusting less than is written there would be found out when a certificate changes."""
    for name, content in (("ca", CERTIFICATES), ("own", leaf().pem)):
        head = b"first\nsecond\nthird\n"
        (tmp_path / name).write_bytes(head + break_it(root().pem) + (content if told != "no end" else b""))
    (tmp_path / "key").write_bytes(leaf().key_pem)
    with pytest.raises(ConfigurationError, match=told):
        tls_context(tmp_path / "ca", "soap.server_ca")
    with pytest.raises(ConfigurationError, match=told):
        client_context(TlsSettings(tmp_path / "own", tmp_path / "key"), NOW)


def test_a_cut_certificate_before_a_whole_one_is_told(tmp_path: Path) -> None:
    """Its end is missing, so the next one's would pass for it."""
    (tmp_path / "ca").write_bytes(root().pem[:-40] + authority().pem)
    with pytest.raises(ConfigurationError, match=r"broken: the one that begins in line 1"):
        tls_context(tmp_path / "ca", "soap.server_ca")


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\0\0", b"\x30", b"0\x82", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----"]
)
def test_a_file_that_holds_nothing_ends_in_words(tmp_path: Path, content: bytes) -> None:
    """An empty or truncated file is the likeliest of all."""
    (tmp_path / "own").write_bytes(content)
    with pytest.raises(ConfigurationError, match="own"):
        tls_context(tmp_path / "own", "soap.server_ca")
    with pytest.raises(ConfigurationError, match="own"):
        client_context(TlsSettings(tmp_path / "own"), NOW)


def test_our_certificate_is_found_by_its_key_wherever_it_stands(tmp_path: Path) -> None:
    """Whoever exports a chain may put the root first."""
    own = tmp_path / "own"
    own.write_bytes(root().pem + authority().pem + leaf().pem + leaf().key_pem)
    settings = TlsSettings(own)
    assert certificate_dates(settings).subject == "CN=ajpes"
    client_context(settings, NOW)


def test_a_list_with_one_certificate_twice_is_a_list(tmp_path: Path) -> None:
    """Lists that were put together by hand have it so."""
    (tmp_path / "ca").write_bytes(CERTIFICATES * 2)
    assert len(tls_context(tmp_path / "ca", "soap.server_ca").get_ca_certs()) == 2


def _openssl(*arguments: object) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("install openssl")
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@functools.cache
def _public_rsa_key() -> bytes:
    key = rsa.generate_private_key(65537, 2048).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
