"""The bundled authority: AJPES on loopback, to try a client on before a bank does it for real.

It reads the instruction for itself and shares nothing with its clients but the schemas.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from .book import Book
from .desk import Desk, Provider, Rules
from .faults import Faults
from .folders import Clerk, Folders
from .keys import open_keys
from .schemas import load_schemas
from .sftp import SftpServer
from .soap import Counter, SoapServer
from .workspace import FolderLock, Ports, remember_ports, remembered_ports, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

REGISTRATION_NUMBER = "5860571000"
NAME = "Banka Vzorec d.d."
USERNAME = "banka"


def _local_time() -> datetime:
    return datetime.now(UTC).astimezone()


class Sandbox:
    """AJPES in one folder: SOAP over mutual TLS, SFTP, and a book of what was received.

    Everything it makes lies in `directory` and is kept there: `keys/`, `book.sqlite`, the
    provider's `folders/`, `faults.json` and the ports in `sandbox.json`. A port of 0 is the
    remembered one, else a free one. `nodurs_amounts` is "cents" or "decimal", `spapp_amounts`
    "euros", "decimal" or "cents". `clock` gives the time, with its zone, that answers bear.
    `poll_seconds` is the pause between two rounds of the folders; None leaves them to
    `process_now`. Use it as a context manager, or call `start` and `stop`.

    Raises `SandboxError` on start if a port is taken, or another sandbox runs in the folder.
    """

    def __init__(
        self,
        directory: Path,
        *,
        registration_number: str = REGISTRATION_NUMBER,
        name: str = NAME,
        username: str = USERNAME,
        soap_port: int = 0,
        sftp_port: int = 0,
        nodurs_amounts: str = "cents",
        spapp_amounts: str = "euros",
        clock: Callable[[], datetime] = _local_time,
        poll_seconds: float | None = 0.2,
        largest_bytes: int = 1 << 30,
    ) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.provider = Provider(registration_number, name, username)
        self.keys = open_keys(self.directory / "keys")
        self.book = Book(self.directory / "book.sqlite")
        self.book.register(registration_number, name)
        self.faults = Faults(self.directory / "faults.json")
        self.folders = Folders(self.directory / "folders" / registration_number)
        self._rules = Rules(nodurs_amounts, spapp_amounts, largest_bytes)
        self._desk = Desk(self.book, load_schemas(), self._rules, self.provider, clock)
        self._clock = clock
        self._poll_seconds = poll_seconds
        kept = remembered_ports(self._ports_file)
        self._sftp = SftpServer(self.folders, self.keys, username, self.faults, sftp_port or kept.sftp)
        self._soap = self._make_soap(soap_port or kept.soap)
        self._clerk = self._make_clerk()
        self._lock = FolderLock(self.directory / "lock")

    @property
    def soap_url(self) -> str:
        return self._soap.url

    @property
    def wsdl_url(self) -> str:
        return f"{self.soap_url}?wsdl"

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
        self._clerk.stop()
        self._sftp.stop()
        self._lock.release()

    def process_now(self) -> None:
        """Processes every file that waits in the folders and puts out every answer that is due."""
        self._clerk.make_round()

    def settings(self, folder: Path) -> str:
        """The text of an `ajpes.toml` for this sandbox that is to lie in `folder`."""
        return settings(
            folder.resolve(), self.keys, self.provider, self._rules, self.soap_url, self.sftp_port
        )

    def write_settings(self, path: Path) -> bool:
        """Writes an `ajpes.toml`; one that is there already is left alone, and the reply is False."""
        if path.exists():
            return False
        path.write_text(self.settings(path.parent), encoding="utf-8")
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

    def _make_clerk(self) -> Clerk:
        return Clerk(
            self.folders,
            self._desk,
            self.book,
            self.faults,
            is_open=self._sftp.is_being_written,
            told_at=lambda: self._clock().isoformat(timespec="seconds"),
        )

    def _make_soap(self, port: int) -> SoapServer:
        counter = Counter(self._desk, self.keys.soap_password.read_text().strip())
        return SoapServer(counter, self.keys, self.faults, self.directory / "spool", port)

    def _start_all(self) -> None:
        """First what was interrupted is finished, before anything new can come in."""
        self.folders.make()
        self._clerk.finish_interrupted()
        self._sftp.start()
        self._soap.start()
        self._clerk.start(self._poll_seconds)
