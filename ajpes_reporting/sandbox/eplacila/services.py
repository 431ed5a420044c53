"""The e-services that are registered at UJP (2.1, 3.1), and the credentials each was given."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LOOPBACK = ("http://127.0.0.1", "https://127.0.0.1", "http://localhost", "https://localhost")


@dataclass(frozen=True, slots=True)
class Service:
    """An e-service. `urls` are the beginnings of the addresses it registered; without a port, any port."""

    ids: int
    name: str
    registration_number: str
    tax_number: str
    account: str
    urls: tuple[str, ...] = _LOOPBACK
    is_active: bool = True
    has_new_flow: bool = True

    def has_registered(self, url: str) -> bool:
        return any(_begins(url, registered) for registered in self.urls)


# The first is the one to use; the others are there to be refused, each for another reason.
SERVICES = (
    Service(143, "Upravne takse (vzorec)", "5874831000", "12345679", "SI56011008450000124"),
    Service(144, "Spletna trgovina (vzorec)", "5860571000", "23456787", "SI56011008450000221"),
    Service(145, "Ukinjena storitev", "5874831000", "12345679", "SI56011008450000124", is_active=False),
    Service(
        146, "Storitev v starem toku", "5874831000", "12345679", "SI56011008450000124", has_new_flow=False
    ),
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials that UJP gives at registration. `api_key_file` and `secret_file` hold the same on disk."""

    service: Service
    api_key: str
    shared_secret: str
    api_key_file: Path
    secret_file: Path


class Register:
    """The registered e-services, by API key and by ids."""

    def __init__(self, services: Iterable[Service], folder: Path) -> None:
        given = [_credentials(service, folder) for service in services]
        self._by_key = {one.api_key: one for one in given}
        self._by_ids = {one.service.ids: one for one in given}

    def by_key(self, api_key: str) -> Credentials | None:
        return self._by_key.get(api_key)

    def by_ids(self, ids: int) -> Credentials | None:
        return self._by_ids.get(ids)

    def knows(self, registration_number: str) -> bool:
        return any(one.service.registration_number == registration_number for one in self._by_ids.values())


def _credentials(service: Service, folder: Path) -> Credentials:
    """Return the credentials of an e-service; they are made once and kept."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = folder / f"{service.ids}-api-key", folder / f"{service.ids}-shared-secret"
    for path in files:
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(16))
    api_key, shared_secret = (path.read_text().strip() for path in files)
    return Credentials(service, api_key, shared_secret, *files)


def _begins(url: str, registered: str) -> bool:
    given, known = urlsplit(url), urlsplit(registered)
    if (given.scheme, given.hostname) != (known.scheme, known.hostname):
        return False
    return known.port in (None, given.port) and given.path.startswith(known.path)
