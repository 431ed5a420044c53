"""The providers that may report here, each with keys, passwords and folders of its own."""

from __future__ import annotations

import hmac
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import SandboxError
from .validation import is_same_provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .folders import Folders
    from .keys import Keys


@dataclass(frozen=True, slots=True)
class Provider:
    """A bank that may report here. `username` is one for SOAP and SFTP."""

    registration_number: str
    name: str
    username: str


@dataclass(frozen=True, slots=True)
class Client:
    """A provider with its keys and its folders."""

    provider: Provider
    keys: Keys
    folders: Folders

    @property
    def certificate(self) -> bytes:
        """The client's certificate, as it comes in a handshake (DER)."""
        return ssl.PEM_cert_to_DER_cert(self.keys.client_certificate.read_text())

    def is_named(self, number: str, username: str) -> bool:
        own = self.provider
        return is_same_provider(number, own.registration_number) and username == own.username

    def knows(self, password: str) -> bool:
        """Whether this is its password for SOAP."""
        return hmac.compare_digest(password.encode(), self.keys.soap_password.read_bytes().strip())


class Clients:
    """The providers, by certificate, user name or number. Raises `SandboxError` if two are alike."""

    def __init__(self, clients: Iterable[Client]) -> None:
        self._clients = tuple(clients)
        for one in self._clients:
            for other in self._clients:
                if one is not other and _are_alike(one.provider, other.provider):
                    raise SandboxError(
                        f"{one.provider.registration_number} comes twice, or its user name "
                        f"{one.provider.username} does.",
                        "give each provider a number and a user name of its own",
                    )

    def __iter__(self) -> Iterator[Client]:
        return iter(self._clients)

    @property
    def first(self) -> Client:
        return self._clients[0]

    def by_certificate(self, certificate: bytes) -> Client | None:
        return next((one for one in self._clients if one.certificate == certificate), None)

    def by_username(self, username: str) -> Client | None:
        return next((one for one in self._clients if one.provider.username == username), None)

    def by_number(self, number: str) -> Client | None:
        found = (one for one in self._clients if is_same_provider(one.provider.registration_number, number))
        return next(found, None)


def _are_alike(one: Provider, other: Provider) -> bool:
    return one.username == other.username or is_same_provider(
        one.registration_number, other.registration_number
    )
