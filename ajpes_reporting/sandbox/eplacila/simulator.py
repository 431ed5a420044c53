"""The bundled UJP e-plačila as one thing that is started and stopped."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from ..errors import SandboxError
from ..faults import FaultInjector
from ..sftp import LOOPBACK
from ..workspace import FolderLock
from .answers import AnswerWriter
from .api import Api
from .application import application
from .authentication import Authenticator
from .pages import Pages
from .payments import Payments
from .rules import Rules
from .server import HttpServer
from .services import SERVICES, Credentials, Register, Service
from .signing import Signer
from .store import Store
from .webhooks import WebhookSender

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType


def _now() -> datetime:
    return datetime.now(UTC)


class Simulator:
    """UJP e-plačila in one folder: the interface, the pages, the webhooks, and a store of payments.

    All files lie in `directory` and are kept there: `keys/`, `book.sqlite`,
    `faults.json` and the port in `till.json`. A port of 0 is the remembered one, else a free one.
    `clock` gives the time in UTC. `poll_seconds` is the pause between two rounds, in which
    webhooks are sent and idle payments given up; None leaves them to `process_now`.
    `callback_ca` is a PEM file of the authority that e-services' servers are certified by, if it
    is not a public one. Use it as a context manager, or call `start` and `stop`.

    Raises `SandboxError` on start if the port is taken, or another simulator runs in the folder.
    """

    def __init__(
        self,
        directory: Path,
        *,
        services: Sequence[Service] = SERVICES,
        rules: Rules | None = None,
        port: int = 0,
        clock: Callable[[], datetime] = _now,
        poll_seconds: float | None = 0.2,
        callback_ca: Path | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        rules = rules or Rules()
        self.store = Store(self.directory / "book.sqlite")
        self.faults = FaultInjector(self.directory / "faults.json")
        self._signer = Signer(self.directory / "keys", rules.like)
        self._register = Register(services, self.directory / "keys")
        self._first = services[0].ids
        self.payments = Payments(self.store, rules, clock)
        writer = AnswerWriter(rules)
        self.authenticator = Authenticator(self._register, self.store, rules.clock_tolerance)
        api = Api(
            self.authenticator, self._register, self.payments, self.store, self._signer, writer, rules, clock
        )
        pages = Pages(self.payments, self.store, self._register)
        tls = ssl.create_default_context(cafile=str(callback_ca)) if callback_ca else True
        self._webhooks = WebhookSender(
            self.store, self.payments, self._register, self._signer, writer, rules, self.faults, clock, tls
        )
        self._application = application(api, pages, self.faults, rules)
        self._poll_seconds = poll_seconds
        self._server = HttpServer(port or self._remembered_port())
        self._lock = FolderLock(self.directory / "lock")

    @property
    def url(self) -> str:
        """The address, such as http://127.0.0.1:8443; the interface lies under /api/v1."""
        return f"http://{LOOPBACK}:{self._server.port}"

    @property
    def public_key(self) -> Path:
        """PEM of the key that answers and webhooks are signed with."""
        return self._signer.public_key

    def credentials(self, ids: int | None = None) -> Credentials:
        """Return the credentials of the first e-service, or the one with these ids. Raises `LookupError`."""
        found = self._register.by_ids(self._first if ids is None else ids)
        if found is None:
            raise LookupError(f"nobody is registered as {ids}")
        return found

    def process_now(self) -> None:
        """Give up idle payments, and send every webhook that is due."""
        self._webhooks.process_now()

    def settings(self) -> str:
        """Return the section `[eplacila]` of an `ajpes.toml` that leads here."""
        credentials = self.credentials()
        return "\n".join(
            (
                "[eplacila]",
                f"base_url = {_text(self.url)}",
                f"ids = {credentials.service.ids}",
                f"recipient = {_text(credentials.service.registration_number)}",
                f"api_key = {_text(f'file:{credentials.api_key_file}')}",
                f"shared_secret = {_text(f'file:{credentials.secret_file}')}",
                f"public_key = {_text(str(self.public_key))}",
                "",
            )
        )

    def start(self) -> None:
        self._lock.take()
        try:
            self._server.start(self._application)
            self._webhooks.start(self._poll_seconds)
        except BaseException:
            self.stop()
            raise
        self._port_file.write_text(json.dumps({"port": self._server.port}))

    def stop(self) -> None:
        self._webhooks.stop()
        self._server.stop()
        self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _port_file(self) -> Path:
        return self.directory / "till.json"

    def _remembered_port(self) -> int:
        try:
            port = int(json.loads(self._port_file.read_bytes())["port"])
        except FileNotFoundError:
            return 0
        except (ValueError, TypeError, KeyError):
            port = -1
        if port not in range(1 << 16):
            raise SandboxError(f"{self._port_file} is not understood.", "remove it; a new port will be found")
        return port


def _text(value: str) -> str:
    # JSON's strings are also TOML's.
    return json.dumps(value, ensure_ascii=False)
