"""A ready `ajpes.toml` for a running sandbox, and what the sandbox remembers of itself."""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING

from .errors import SandboxError
from .sftp import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

    from .clients import Client
    from .intake import IntakeRules
    from .styles import Style


@dataclass(frozen=True, slots=True)
class Ports:
    """Found once, then kept, so that an `ajpes.toml` stays right; 0 is any free port."""

    soap: int = 0
    sftp: int = 0


class FolderLock:
    """Keeps a second sandbox out of the folder; the kernel frees it when the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def take(self) -> None:
        """Take the lock. Raises `SandboxError` if this process or another one has it."""
        file = self._path.open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise SandboxError(
                f"A sandbox is running in {self._path.parent} already.", "stop it first"
            ) from None
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def remembered_ports(path: Path) -> Ports:
    """Return the ports of the last run. Raises `SandboxError` if the file is damaged."""
    try:
        return Ports(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Ports()
    except (ValueError, TypeError):
        raise SandboxError(f"{path} is not understood.", "remove it; new ports will be found") from None


def remember_ports(path: Path, ports: Ports) -> None:
    """Writes down the ports, so that a later start takes the same ones."""
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(asdict(ports)))
    whole.replace(path)


def style_settings(style: Style, wsdl: Path, folder: Path) -> dict[str, str]:
    """Return the settings of a style for a bank in `folder`, by section: the WSDL, and little else."""
    handed = "" if style.asks_as_shipped else f"wsdl = {_text(_path(wsdl, folder))}\n"
    return {
        section: handed * (section == "soap") + lines
        for section, lines in {"soap": "", **style.settings}.items()
    }


def settings(
    folder: Path, client: Client, rules: IntakeRules, url: str, ports: Ports, of_style: dict[str, str]
) -> str:
    """Return the text of an `ajpes.toml` in `folder`; keys inside the folder by their relative path."""
    provider, keys, text = client.provider, client.keys, _text

    def path(key: Path) -> str:
        return _path(key, folder)

    return f"""# Made by the sandbox: everything here leads to 127.0.0.1.

[provider]
registration_number = {text(provider.registration_number)}
name = {text(provider.name)}
account_prefixes = ["01"]

[database]
url = "sqlite:///ajpes.db"

[nodurs]
amounts = {text(rules.nodurs_amounts)}

[spapp]
amounts = {text(rules.spapp_amounts)}

[soap]
endpoint = {text(url)}
username = {text(provider.username)}
password = {text("file:" + path(keys.soap_password))}
client_certificate = {text(path(keys.client_certificate))}
client_key = {text(path(keys.client_key))}
server_ca = {text(path(keys.ca))}
{of_style.get("soap", "")}
[sftp]
host = {text(LOOPBACK)}
port = {ports.sftp}
username = {text(provider.username)}
private_key = {text(path(keys.sftp_key))}
host_key = {text(keys.ssh_host_public_key)}
folder = ""
{of_style.get("sftp", "")}"""


def _path(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _text(value: str) -> str:
    # JSON's strings are also TOML's.
    return json.dumps(value, ensure_ascii=False)
