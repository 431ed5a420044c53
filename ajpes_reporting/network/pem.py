"""Certificates and keys as people keep them in files.

A file may hold anything beside its blocks: what `openssl` tells of a certificate, names with č, š and ž
in whatever encoding, a byte order mark, line ends of Windows. It may be UTF-16, or a single certificate
or key in DER, where PEM was asked for.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_BEGIN = b"-----BEGIN "
_MARKS = b"\xef\xbb\xbf\xff\xfe"  # the bytes of every byte order mark; none of them is ASCII
_CERTIFICATE = (b"CERTIFICATE", b"X509 CERTIFICATE")
_PKCS_7 = (
    _("the file holds a chain in PKCS#7 form"),
    _("make PEM of it: `openssl pkcs7 -in FILE -print_certs -out NEW`, with `-inform DER` if it is binary"),
)
# What lies there instead, and how it becomes what is wanted.
_INSTEAD = {
    b"PKCS7": _PKCS_7,
    b"CMS": _PKCS_7,
    b"TRUSTED CERTIFICATE": (
        _("the file holds a certificate with OpenSSL's own marks of trust (TRUSTED CERTIFICATE)"),
        _("make a plain one of it: `openssl x509 -in FILE -out NEW`"),
    ),
    b"CERTIFICATE REQUEST": (
        _("the file holds a request for a certificate"),
        _("give the certificate that its issuer has sent in return"),
    ),
}
_NO_CERTIFICATE = (
    _("the file holds no certificate in PEM form"),
    _("give the file that begins with -----BEGIN CERTIFICATE-----"),
)

# How DER begins, after the head of its outermost sequence (X.509, RFC 5652, RFC 7292, RFC 5958).
_DER_HEAD = re.compile(rb"\x30(?:[\x00-\x7f]|\x80|\x81.|\x82..|\x83...)", re.DOTALL)
_DER_INSTEAD = {
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02": _PKCS_7,
    b"\x02\x01\x03": (
        _("the file holds certificate and key in PKCS#12 form"),
        _("name it in soap.client_pkcs12, or make PEM of it: `openssl pkcs12 -in FILE -out NEW`"),
    ),
    b"\x02\x01": (_("the file holds a private key alone"), _NO_CERTIFICATE[1]),
}


class NoCertificate(ValueError):
    """A file does not hold what it should; told as a clause about it, and what to do."""

    def __init__(self, reason: Message, remedy: Message) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Certificate(NamedTuple):
    """A certificate in DER, and where it stands in its file."""

    der: bytes
    place: Message

    def broken(self) -> NoCertificate:
        """Returns the error about a file that turns out to be no certificate or key."""
        return NoCertificate(
            _("the file holds a certificate that is broken: {place}", place=self.place),
            _("take it from its issuer again, as a whole"),
        )


def read_certificates(content: bytes) -> list[Certificate]:
    """Every certificate of a file, at least one; what they hold is not looked at.

    Raises `NoCertificate` if there is none, or if one of them is cut or garbled.
    """
    content = _plain(content)
    if head := _DER_HEAD.match(content):
        return [_in_der(content, head.end())]
    found = list(_certificates(content))
    if len(_BLOCK.findall(content)) < content.count(_BEGIN):
        raise NoCertificate(_("the file holds a block that has no end"), _("copy the file again, as a whole"))
    if not found:
        raise _instead(content)
    return found


def read_private_key(content: bytes, password: str | None) -> PrivateKeyTypes:
    """The first private key of a file. Raises TypeError and ValueError as cryptography does."""
    content = _plain(content)
    secret = password.encode() if password else None
    if _DER_HEAD.match(content):
        return load_der_private_key(content, secret)
    for block in _BLOCK.finditer(content):
        if block[1].endswith(b"PRIVATE KEY"):
            return load_pem_private_key(_trimmed_lines(block[0]), secret)
    return load_pem_private_key(content, secret)


@contextmanager
def in_memory(pem: bytes) -> Iterator[str]:
    """The name of a file with this content that no other user can open and no disk holds."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(pem)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def as_pem(certificates: bytes, key: bytes) -> bytes:
    """Certificates and their key, out of files that may have been saved in any way, as OpenSSL reads them.

    Raises `NoCertificate`, and for the key TypeError and ValueError.
    """
    chain = "".join(ssl.DER_cert_to_PEM_cert(each.der) for each in read_certificates(certificates))
    clear = read_private_key(key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return chain.encode() + clear


def normalized(content: bytes) -> bytes:
    """PEM, or bare Base64, without what an editor has put round or between its lines."""
    return _trimmed_lines(_plain(content).lstrip(_MARKS))


def _plain(content: bytes) -> bytes:
    """Returns UTF-16 as ASCII, by leaving out NULs, which mean something in DER alone."""
    return content if _DER_HEAD.match(content) else content.replace(b"\0", b"")


def _trimmed_lines(block: bytes) -> bytes:
    return b"\n".join(line.strip() for line in block.splitlines()) + b"\n"


def _certificates(content: bytes) -> Iterator[Certificate]:
    for block in _BLOCK.finditer(content):
        if block[1] in _INSTEAD:
            raise _no_certificate(_INSTEAD[block[1]])
        if block[1] in _CERTIFICATE:
            line = len(content[: block.start()].splitlines()) + 1
            yield _decoded(block[2], _("the one that begins in line {line}", line=line))


def _decoded(base_64: bytes, place: Message) -> Certificate:
    try:
        return Certificate(base64.b64decode(b"".join(base_64.split()), validate=True), place)
    except binascii.Error:
        raise Certificate(b"", place).broken() from None


def _in_der(content: bytes, head_bytes: int) -> Certificate:
    for beginning, what in _DER_INSTEAD.items():
        if content.startswith(beginning, head_bytes):
            raise _no_certificate(what)
    return Certificate(content, _("the one in it"))


def _instead(content: bytes) -> NoCertificate:
    if b"PRIVATE KEY-----" in content:
        return NoCertificate(
            _("the file holds no certificate in PEM form, but a private key"), _NO_CERTIFICATE[1]
        )
    return _no_certificate(_NO_CERTIFICATE)


def _no_certificate(what: tuple[Message, Message]) -> NoCertificate:
    return NoCertificate(*what)
