"""Signs requests (section 6.4.1) and verifies signatures (section 6.4.2)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from ajpes_reporting.eplacila.errors import NotAuthentic
from ajpes_reporting.eplacila.reading import read_moment
from ajpes_reporting.i18n import _
from ajpes_reporting.network.pem import normalized

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_ALPHABET = string.ascii_letters + string.digits
_NONCE_LENGTH = 15
_NONCE = re.compile("[A-Za-z0-9]{8,15}")
# Neither has a neighbour it could borrow a digit from: the signed text has no separators.
_TIMESTAMP = re.compile(
    r"[0-9]{10}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of an e-service: API key and shared secret, neither ever shown, and its number."""

    api_key: str = field(repr=False)
    shared_secret: str = field(repr=False)
    ids: int


def make_nonce() -> str:
    """Return 15 letters and digits that nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_NONCE_LENGTH))


def authorization(credentials: Credentials, url: str, nonce: str, at: datetime) -> str:
    """Return the header that proves who asks. `url` is the whole address with its query, as it is sent."""
    username = f"{credentials.api_key}.{nonce}.{int(at.timestamp())}"
    signed = f"{username}{credentials.shared_secret}{url}{credentials.ids}"
    password = hashlib.sha256(signed.encode()).hexdigest()
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Signature:
    """The section `auth` of an answer or a notice (section 6.4.2); `timestamp` is the text as it stands."""

    nonce: str
    timestamp: str
    value: bytes

    @property
    def moment(self) -> datetime:
        return read_moment(self.timestamp)


def read_signature(document: Mapping[str, Any]) -> Signature:
    """Return the signature of a document with names in lower case. Raises `NotAuthentic` if it has none."""
    auth = document.get("auth")
    if not isinstance(auth, dict):
        raise NotAuthentic(_("the message is not signed"))
    nonce, timestamp = str(auth.get("nonce")), str(auth.get("timestamp"))
    try:
        if not _NONCE.fullmatch(nonce) or not _TIMESTAMP.fullmatch(timestamp):
            raise ValueError
        signature = Signature(nonce, timestamp, base64.b64decode(str(auth.get("signature")), validate=True))
        read_moment(timestamp)
    except ValueError:
        raise NotAuthentic(_("the signature is not written as one")) from None
    return signature


class Verifier:
    """Tells documents that UJP has signed from all others."""

    def __init__(self, public_key: RSAPublicKey, api_key: str) -> None:
        self._public_key = public_key
        self._api_key = api_key

    def verify(self, signature: Signature, transaction_id: str = "") -> None:
        """Raise `NotAuthentic` unless UJP made this signature for this transaction, or for none."""
        signed = f"{self._api_key}{signature.nonce}{signature.timestamp}{transaction_id}".encode()
        try:
            self._public_key.verify(signature.value, signed, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            raise NotAuthentic(_("the signature is not that of UJP")) from None


def read_public_key(content: bytes) -> RSAPublicKey:
    """Return UJP's public key from PEM, or from the bare Base64 in which UJP sends it. Raises ValueError."""
    content = normalized(content)
    if b"-----BEGIN" in content:
        key = load_pem_public_key(content)
    else:
        key = load_der_public_key(base64.b64decode(b"".join(content.split()), validate=True))
    if not isinstance(key, RSAPublicKey):
        raise ValueError("it is no RSA key")
    return key
