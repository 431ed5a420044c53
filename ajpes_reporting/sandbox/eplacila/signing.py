"""The simulator's RSA key, and what it signs: the section `auth` of answers and webhooks (6.4.2)."""

from __future__ import annotations

import base64
import secrets
import string
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ..errors import SandboxError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_PEM = serialization.Encoding.PEM
_LETTERS = string.ascii_letters + string.digits


class Signer:
    """Signs with the key in `folder`, which it makes if there is none. `public_key` is a PEM file."""

    def __init__(self, folder: Path, like: Literal["samples", "tables"]) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.public_key = folder / "eplacila-public.pem"
        self._key = _open_key(folder / "eplacila-private.pem")
        self.public_key.write_bytes(
            self._key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        self._like = like

    def auth(
        self, api_key: str, now: datetime, transaction_id: str = "", *, wrong: bool = False
    ) -> dict[str, str | int]:
        """The section `auth`; a `wrong` one has a signature over something else."""
        nonce = "".join(secrets.choice(_LETTERS) for _ in range(15))
        timestamp = self._timestamp(now)
        text = f"{api_key}{nonce}{timestamp}{transaction_id}" + ("x" if wrong else "")
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return {"nonce": nonce, "timestamp": timestamp, "signature": base64.b64encode(signature).decode()}

    def _timestamp(self, now: datetime) -> str | int:
        """6.4.2 says epoch seconds; the samples of 6.5 show seven digits of a second."""
        if self._like == "tables":
            return int(now.timestamp())
        return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06}0+00:00"


def _open_key(path: Path) -> rsa.RSAPrivateKey:
    if not path.exists():
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path.touch(mode=0o600)
        path.write_bytes(
            made.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SandboxError(f"{path} holds no RSA key.", "remove it; a new one will be made")
    return key
