"""Our private key for SFTP, as OpenSSL, OpenSSH and the editors of Windows leave it on a disk.

PKCS#8, the older PEM forms and OpenSSH's own are read, protected by a password or not, with notes round
them, a byte order mark, line ends of Windows; DER too. What is something else is told as what it is.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
import warnings
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
    load_ssh_private_key,
)
from cryptography.utils import CryptographyDeprecationWarning

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.network.pem import normalized

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_log = logging.getLogger(__name__)

_PEM = re.compile(r"-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_PUTTY, _SSH_COM = "PuTTY-User-Key-File-", "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY"
_PUBLIC = re.compile(
    r"^(?:ssh-|ecdsa-sha2-|sk-)\S+ AAAA|-----? ?BEGIN (?:[A-Z0-9]+ )*PUBLIC KEY", re.MULTILINE
)
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_LEAST_RSA_BITS, _SOUND_RSA_BITS = 1024, 2048
_OTHER_WAY = _("make a new one with `ssh-keygen -t ed25519`, and give its public key to the authority")

# A password is made costly to guess: a third of a second for each look would be felt. Nobody's key is kept
# for longer than somebody has it in hand.
_in_use: WeakValueDictionary[bytes, paramiko.PKey] = WeakValueDictionary()


def read_private_key(path: Path, password: str | None) -> paramiko.PKey:
    """The key in this file, with its certificate if one lies beside it (`…-cert.pub`).

    Raises `ConfigurationError` if there is none that can be used, saying what is there instead.
    """
    data = _content(path)
    mark = hashlib.sha256(data + (password or "").encode()).digest()
    if (key := _in_use.get(mark)) is None:
        key = _in_use[mark] = _for_paramiko(path, _decrypted(path, _loader(path, data), password))
    certificate = path.with_name(f"{path.name}-cert.pub")
    if certificate.exists():
        try:
            key.load_certificate(str(certificate))
        except (OSError, ValueError, paramiko.SSHException) as error:
            raise ConfigurationError(
                _(
                    "{certificate} is not the certificate of {file}.",
                    certificate=str(certificate),
                    file=path.name,
                ),
                _("put the authority's certificate for this key there, or remove the file"),
            ) from error
    return key


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            _("{path} cannot be read: {reason}.", path=str(path), reason=system_reason(error)),
            _("check sftp.private_key"),
        ) from error


def _loader(path: Path, data: bytes) -> Callable[[bytes | None], PrivateKeyTypes]:
    """Returns a loader of the key, given its password. Raises `ConfigurationError` if it is none."""
    text = normalized(data).decode("latin-1")
    if (found := _PEM.search(text)) is not None:
        pem = found[0].encode()
        load = load_ssh_private_key if found[1].startswith("OPENSSH") else load_pem_private_key
        return lambda password: load(pem + b"\n", password)
    if data.startswith(b"\x30"):
        return lambda password: load_der_private_key(data, password)
    raise _no_private_key(path, text)


def _no_private_key(path: Path, text: str) -> ConfigurationError:
    if _PUTTY in text:
        return ConfigurationError(
            _("{path} is a key of PuTTY.", path=str(path)),
            _(
                "convert it with `puttygen {file} -O private-openssh-new -o sftp_key`, and name "
                "the new file in sftp.private_key",
                file=path.name,
            ),
        )
    if _SSH_COM in text:
        return ConfigurationError(
            _("{path} is a key in the form of SSH.com.", path=str(path)),
            _(
                "convert it with `ssh-keygen -i -f {file} > sftp_key`, and name the new file in "
                "sftp.private_key",
                file=path.name,
            ),
        )
    if _PUBLIC.search(text):
        return ConfigurationError(
            _("{path} is a public key; that one is for the authority.", path=str(path)),
            _("name the private key that belongs to it in sftp.private_key"),
        )
    return ConfigurationError(_("{path} holds no private key.", path=str(path)), _("check sftp.private_key"))


def _decrypted(
    path: Path, load: Callable[[bytes | None], PrivateKeyTypes], password: str | None
) -> PrivateKeyTypes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # DSA keys are told below
            return load(password.encode() if password else None)
    except TypeError as error:  # there is a password and none is needed, or the other way round
        if not password:
            raise ConfigurationError(
                _("{path} is protected by a password.", path=str(path)), _("set sftp.private_key_password")
            ) from error
    except UnsupportedAlgorithm as error:
        raise ConfigurationError(
            _("{path} cannot be used: {error:foreign}.", path=str(path), error=str(error)), _OTHER_WAY
        ) from error
    except ValueError as error:
        what = _("the file is damaged, or has another password") if password else _("the file is damaged")
        raise ConfigurationError(
            _("{path} cannot be read: {reason}.", path=str(path), reason=what),
            _("check sftp.private_key and sftp.private_key_password"),
        ) from error
    _log.warning("%s is not protected: sftp.private_key_password is not needed for it", path)
    return _decrypted(path, load, None)


def _for_paramiko(path: Path, key: PrivateKeyTypes) -> paramiko.PKey:
    """The key as paramiko wants it. Raises `ConfigurationError` for a kind that no server takes."""
    kind: type[paramiko.PKey]
    if isinstance(key, rsa.RSAPrivateKey):
        _judge_length(path, key.key_size)
        kind = paramiko.RSAKey
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        kind = paramiko.Ed25519Key
    elif isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        kind = paramiko.ECDSAKey
    else:
        raise ConfigurationError(
            _("{path} is {kind}, which SFTP does not take.", path=str(path), kind=_spoken(key)),
            _OTHER_WAY,
        )
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return kind.from_private_key(io.StringIO(plain.decode()))


def _judge_length(path: Path, bits: int) -> None:
    if bits < _LEAST_RSA_BITS:
        raise ConfigurationError(
            _(
                "{path} is an RSA key of {bits} bits, at least {least} are needed.",
                path=str(path),
                bits=bits,
                least=_LEAST_RSA_BITS,
            ),
            _OTHER_WAY,
        )
    if bits < _SOUND_RSA_BITS:
        _log.warning("%s is an RSA key of %d bits, fewer than many servers take", path, bits)


def _spoken(key: PrivateKeyTypes) -> Message:
    if isinstance(key, dsa.DSAPrivateKey):
        return _("a DSA key")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _("a key on the curve {curve}", curve=key.curve.name)
    return _("a key of the kind {kind}", kind=type(key).__name__.removesuffix("PrivateKey"))
