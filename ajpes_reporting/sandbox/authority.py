"""The bundled authority: AJPES on loopback, to try a client on before a bank does it for real.

It reads the instruction for itself and shares nothing with its clients but the schemas.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from .clients import Client, Clients, Provider
from .errors import SandboxError
from .faults import FaultInjector
from .folder_processor import FolderProcessor
from .folders import Folders
from .intake import Intake, IntakeRules
from .keys import open_client_keys, open_keys
from .schemas import load_schemas
from .sftp import SftpServer
from .soap import SoapServer, SoapService
from .store import Store
from .styles import style_of
from .styles.wsdl import imported_schemas, wsdl
from .workspace import FolderLock, Ports, remember_ports, remembered_ports, settings, style_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    from .keys import Keys

REGISTRATION_NUMBER = "5860571000"
WSDL = "wsBlokIzmenjava.wsdl"
NAME = "Banka Vzorec d.d."
USERNAME = "banka"


def _local_time() -> datetime:
    return datetime.now(UTC).astimezone()


class Sandbox:
    """AJPES in one folder: SOAP over mutual TLS, SFTP, and a store of what was received.

    All files lie in `directory` and are kept there: `keys/`, `book.sqlite`, the
    providers' `folders/`, the WSDL, `faults.json` and the ports in `sandbox.json`. A port of 0 is the
    remembered one, else a free one. `providers` are served instead of the one that the arguments before
    it describe, each with keys of its own in `keys/NUMBER`. `style` are names of `STYLES`.
    `nodurs_amounts` is "cents" or "decimal", `spapp_amounts`
    "euros", "decimal" or "cents". `clock` gives the time, with its zone, that answers bear.
    `poll_seconds` is the pause between two rounds of the folders; None leaves them to
    `process_now`. Use it as a context manager, or call `start` and `stop`.

    Raises `SandboxError` for providers or styles that cannot be together, and on start if a port is
    taken, or another sandbox runs in the folder.
    """

    def __init__(
        self,
        directory: Path,
        *,
        registration_number: str = REGISTRATION_NUMBER,
        name: str = NAME,
        username: str = USERNAME,
        providers: Sequence[Provider] = (),
        style: Iterable[str] = (),
        soap_port: int = 0,
        sftp_port: int = 0,
        nodurs_amounts: str = "cents",
        spapp_amounts: str = "euros",
        clock: Callable[[], datetime] = _local_time,
        poll_seconds: float | None = 0.2,
        largest_bytes: int = 1 << 30,
    ) -> None:
        self.style = style_of(style)
        self.directory = directory.resolve()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys = open_keys(self.directory / "keys")
        only = Provider(registration_number, name, username)
        self.clients = Clients(
            [
                self._client(one, open_client_keys(keys.folder, one.registration_number, one.username))
                for one in providers
            ]
            or [self._client(only, keys)]
        )
        self.store = Store(self.directory / "book.sqlite")
        for client in self.clients:
            self.store.register(client.provider.registration_number, client.provider.name)
        self.faults = FaultInjector(self.directory / "faults.json", self.style.quirks)
        self._rules = IntakeRules(nodurs_amounts, spapp_amounts, largest_bytes)
        schemas = load_schemas(self.style.binding.version.namespace)
        self._intake = Intake(self.store, schemas, self._rules, self.style, clock)
        self._poll_seconds = poll_seconds
        kept = remembered_ports(self._ports_file)
        self._sftp = SftpServer(self.clients, keys.ssh_host_key, self.faults, sftp_port or kept.sftp)
        service = SoapService(self._intake, self.clients, self.style)
        self._soap = SoapServer(
            service, self.keys, self.faults, self.directory / "spool", soap_port or kept.soap
        )
        self._processor = FolderProcessor(
            self.clients,
            self._intake,
            self.store,
            self.faults,
            is_open=self._sftp.is_being_written,
            told_at=self._intake.now,
        )
        self._lock = FolderLock(self.directory / "lock")

    @property
    def provider(self) -> Provider:
        """The first of the providers; the keys and folders below are its, too."""
        return self.clients.first.provider

    @property
    def keys(self) -> Keys:
        return self.clients.first.keys

    @property
    def folders(self) -> Folders:
        return self.clients.first.folders

    @property
    def soap_url(self) -> str:
        return self._soap.url

    @property
    def wsdl_url(self) -> str:
        return f"{self.soap_url}?wsdl"

    @property
    def wsdl_file(self) -> Path:
        """The WSDL as it is handed to a bank, with what it imports beside it."""
        return self.directory / WSDL

    @property
    def soap_port(self) -> int:
        return self._soap.port

    @property
    def sftp_port(self) -> int:
        return self._sftp.port

    @property
    def folder(self) -> Path:
        """The provider's folder, as it lies on this machine."""
        return self.folders.root

    def start(self) -> None:
        self._lock.take()
        try:
            self._start_all()
        except BaseException:
            self.stop()
            raise
        remember_ports(self._ports_file, Ports(self.soap_port, self.sftp_port))

    def stop(self) -> None:
        self._soap.stop()
        self._processor.stop()
        self._sftp.stop()
        self._lock.release()

    def process_now(self) -> None:
        """Process every file that waits in the folders, and publish every answer that is due."""
        self._processor.run_once()

    def settings(self, folder: Path, registration_number: str = "") -> str:
        """Return the text of an `ajpes.toml` that is to lie in `folder`.

        The settings are those of the first provider, or of the one with this number. Raises `SandboxError` if
        there is none.
        """
        client = self.clients.by_number(registration_number) if registration_number else self.clients.first
        if client is None:
            raise SandboxError(f"No provider {registration_number} reports here.")
        ports = Ports(self.soap_port, self.sftp_port)
        return settings(
            folder.resolve(), client, self._rules, self.soap_url, ports, self.style_settings(folder)
        )

    def style_settings(self, folder: Path) -> dict[str, str]:
        """Return the lines that a style adds to the sections of a workspace in `folder`, by section."""
        return style_settings(self.style, self.wsdl_file, folder.resolve())

    def write_settings(self, path: Path, registration_number: str = "") -> bool:
        """Write an `ajpes.toml` and return True; leave one that is there alone and return False."""
        if path.exists():
            return False
        path.write_text(self.settings(path.parent, registration_number), encoding="utf-8")
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _ports_file(self) -> Path:
        return self.directory / "sandbox.json"

    def _start_all(self) -> None:
        """Start all parts; first of all, finish whatever was interrupted, before anything new can come in."""
        for client in self.clients:
            client.folders.make()
        self._processor.finish_interrupted()
        self._sftp.start()
        self._soap.start()
        self._write_wsdl()
        self._processor.start(self._poll_seconds)

    def _client(self, provider: Provider, keys: Keys) -> Client:
        return Client(provider, keys, Folders(self.directory / "folders" / provider.registration_number))

    def _write_wsdl(self) -> None:
        for name, content in {WSDL: wsdl(self.style, self.soap_url), **imported_schemas(self.style)}.items():
            (self.directory / name).write_bytes(content)
