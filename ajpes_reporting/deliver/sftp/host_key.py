"""The pinned host keys: by which keys the exchange server proves itself, as people hand them over.

A public key, a line of known_hosts, what ssh-keygen shows, an SSH2 or PEM file, or a fingerprint alone. All
of these name one key for certain; whatever does not is told.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHA256 = re.compile(r"(?<!\w)SHA256:([A-Za-z0-9+/]{43})=?(?![A-Za-z0-9+/=])")
_MD5 = re.compile(r"(?<![\w:])(?:MD5:)?((?:[0-9a-f]{2}:){15}[0-9a-f]{2})(?![\w:])", re.IGNORECASE)
_KEY = re.compile(r"(?<!\S)(AAAA[A-Za-z0-9+/]{16,}={0,2})(?!\S)")
_SSH2 = re.compile(r"---- BEGIN SSH2 PUBLIC KEY ----(.*?)---- END SSH2 PUBLIC KEY ----", re.DOTALL)
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
_USABLE = re.compile(r"ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)")
_FROM_THE_LETTER = _("take it from the authority's letter, not from the network")
_ASK_FOR_ITSELF = _(
    "ask the authority for the host key itself (ssh-ed25519 AAAA…) or its fingerprint (SHA256:…)"
)


@dataclass(frozen=True, slots=True)
class Pins:
    """The host keys that count, by their fingerprints.

    `kinds` are those of the keys that were given whole; `any_kind` says that one is known by its
    fingerprint alone, so that its kind is not known.
    """

    fingerprints: tuple[str, ...]
    kinds: frozenset[str]
    any_kind: bool

    def admit(self, key: bytes) -> bool:
        """Whether a key that was shown is one of them."""
        return fingerprint(key) in self.fingerprints or _md5(key) in self.fingerprints

    def may_be(self, kind: str) -> bool:
        """Whether one of them may be of this kind."""
        return self.any_kind or kind in self.kinds

    def __str__(self) -> str:
        return " or ".join(self.fingerprints)


def fingerprint(key: bytes) -> str:
    """As OpenSSH writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def kind_of(algorithm: str) -> str:
    """The kind of key that signs by this algorithm: an RSA key signs by several."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm


def read_pins(texts: str | Sequence[str]) -> Pins:
    """The pins in a setting. Raises `ConfigurationError`, saying what is there instead."""
    fingerprints, kinds, any_kind = dict[str, None](), set[str](), False
    for text in (texts,) if isinstance(texts, str) else texts:
        for key_or_fingerprint in _read(text.lstrip("\ufeff")):
            if isinstance(key_or_fingerprint, str):
                fingerprints[key_or_fingerprint], any_kind = None, True
            else:
                fingerprints[fingerprint(key_or_fingerprint)] = None
                kinds.add(_kind(key_or_fingerprint))
    if not fingerprints:
        raise ConfigurationError(_("sftp.host_key is empty."), _FROM_THE_LETTER)
    return Pins(tuple(fingerprints), frozenset(kinds), any_kind)


def _read(text: str) -> Iterator[bytes | str]:
    """Each key as its bytes, or its fingerprint where there is nothing else."""
    for block in _SSH2.finditer(text):
        lines = [line.strip() for line in block[1].splitlines()]
        yield _decoded("".join(line for line in lines if ":" not in line and not line.endswith("\\")))
    for pem in _PEM.finditer(text):
        yield _from_pem(pem[0])
    for line in _PEM.sub("", _SSH2.sub("", text)).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield _read_line(line.strip())


def _read_line(line: str) -> bytes | str:
    if line.startswith("@"):
        raise ConfigurationError(
            _(
                "sftp.host_key begins with {first_word}, which pins no key of a server.",
                first_word=line.split()[0],
            ),
            _ASK_FOR_ITSELF,
        )
    found: list[bytes | str] = [_decoded(key) for key in _KEY.findall(line)]
    found += [f"SHA256:{digest}" for digest in _SHA256.findall(line)] if not found else []
    found += [f"MD5:{digest.lower()}" for digest in _MD5.findall(line)] if not found else []
    if len(found) != 1:
        raise ConfigurationError(
            _(
                "sftp.host_key is neither a public key (ssh-ed25519 AAAA…) nor a fingerprint "
                "(SHA256: and 43 characters)."
            ),
            _FROM_THE_LETTER,
        )
    return found[0]


def _decoded(text: str) -> bytes:
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        kind = _kind(key)
        if "-cert-" in kind:
            raise ConfigurationError(
                _("sftp.host_key is the certificate of a host key, which cannot be pinned."),
                _ASK_FOR_ITSELF,
            )
        if not _USABLE.fullmatch(kind):
            raise ConfigurationError(
                _("sftp.host_key is of the kind {kind}, which cannot be used any more.", kind=ascii(kind)),
                _("ask the authority for its ssh-ed25519, ecdsa or RSA host key"),
            )
        load_ssh_public_key(f"{kind} ".encode() + base64.b64encode(key))
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            _("sftp.host_key is not a whole public key; a part of it may be missing."), _FROM_THE_LETTER
        ) from error
    return key


def _from_pem(pem: str) -> bytes:
    try:
        line = load_pem_public_key(pem.encode()).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            _("sftp.host_key is a PEM file without a public key that SSH knows."), _FROM_THE_LETTER
        ) from error
    return _decoded(line.split()[1].decode())


def _kind(key: bytes) -> str:
    """The kind of key, as it names itself in its first field."""
    size = int.from_bytes(key[:4], "big")
    return key[4 : 4 + size].decode("ascii")


def _md5(key: bytes) -> str:
    """The fingerprint of older letters."""
    digest = hashlib.md5(key, usedforsecurity=False).hexdigest()
    return "MD5:" + ":".join(re.findall("..", digest))
