"""Authentication of callers (6.4.1): Basic, with a password that is good for one request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING

from .codes import ApiError, Code, forbidden

if TYPE_CHECKING:
    from datetime import datetime

    from .services import Credentials, Register
    from .store import Store

_NONCE = re.compile(r"[A-Za-z0-9]{8,15}")
_EPOCH = re.compile(r"[0-9]{1,12}")
_SOURCE = "Avtentikacija"


class Authenticator:
    """Lets callers in. `tolerance` in seconds, to either side of the simulator's clock."""

    def __init__(self, register: Register, store: Store, tolerance: int) -> None:
        self._register = register
        self._store = store
        self._tolerance = tolerance

    def authenticate(self, key_in_path: str, header: str, url: str, now: datetime) -> Credentials:
        """The caller's credentials. `url` as sent, with its query. Raises `ApiError` 401 or 403."""
        username, password = _basic(header)
        api_key, nonce, timestamp = _parts(username)
        self._check_time(timestamp, now)
        if not _NONCE.fullmatch(nonce):
            raise _refused(Code.NONCE)
        credentials = self._register.by_key(api_key)
        if credentials is None:
            raise _refused(Code.CREDENTIALS)
        text = f"{username}{credentials.shared_secret}{url}{credentials.service.ids}"
        right = hashlib.sha256(text.encode()).hexdigest()
        if not hmac.compare_digest(right, password.lower()):
            raise _refused(Code.CREDENTIALS)
        # Only now: whoever does not know the secret must not be able to use up a nonce.
        if not self._store.use_nonce(api_key, nonce, int(now.timestamp()), 2 * self._tolerance):
            raise _refused(Code.NONCE)
        if key_in_path != api_key:
            raise forbidden(_SOURCE)
        return credentials

    def _check_time(self, timestamp: str, now: datetime) -> None:
        if not _EPOCH.fullmatch(timestamp) or abs(int(timestamp) - now.timestamp()) > self._tolerance:
            raise _refused(Code.TIMESTAMP)


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    try:
        username, colon, password = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise _refused(Code.CREDENTIALS) from None
    if scheme.lower() != "basic" or not colon:
        raise _refused(Code.CREDENTIALS)
    return username, password


def _parts(username: str) -> tuple[str, str, str]:
    """API key, nonce, timestamp. What is missing is empty, and refused for what it is."""
    api_key, _, rest = username.partition(".")
    nonce, _, timestamp = rest.partition(".")
    return api_key, nonce, timestamp


def _refused(code: Code) -> ApiError:
    return ApiError(401, code, _SOURCE)
