"""OpenSSH's own sshd on a free loopback port, for SFTP alone; it goes with the folder it lives in.

Runs as whoever runs the tests, root or not, with its own configuration and host keys.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 20
FOLDERS = tuple(
    f"{report}/{box}" for report in ("nodurs", "spapp") for box in ("v_ajpes", "iz_ajpes", "accepted")
)

_CONFIGURATION = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_ed25519
HostKey {folder}/host_rsa
AuthorizedKeysFile {folder}/client.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
ForceCommand internal-sftp -d {root}
"""


@dataclass(frozen=True)
class Sshd:
    """A running server: how to reach it, how to log in, and the folder that a login sees.

    `host_key` is the line of the ed25519 host key, `private_key` opens the door for `username`. `denying` has
    the ports on which it refuses some requests, as "remove,rename".
    """

    port: int
    username: str
    root: Path
    private_key: Path
    host_key: str
    rsa_host_key: str
    pid: int
    denying: dict[str, int] = field(default_factory=dict)

    def clear(self) -> None:
        """Empties the folders, so that the next test finds them as a new provider does."""
        shutil.rmtree(self.root, ignore_errors=True)
        for name in FOLDERS:
            (self.root / name).mkdir(parents=True)

    def box(self, report: str, name: str) -> Path:
        return self.root / report / name

    def logins(self) -> int:
        """How many have been admitted, as the server's own log tells."""
        return (self.root.parent / "log").read_text().count("Accepted publickey")

    def kill_sessions(self) -> None:
        """Ends everything that serves a login, as a crash would; the server itself goes on listening."""
        for pid in _descendants(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def find_sshd() -> str | None:
    """The path of sshd; None: install openssh-server."""
    return shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@contextmanager
def running_sshd(program: str, folder: Path, denied: Sequence[str] = ()) -> Iterator[Sshd]:
    """A server with the folders of section 4.2, for as long as the context lasts.

    For each of `denied`, it listens on another port and refuses these requests there.
    """
    root = folder / "provider"
    for name, kind in (("host_ed25519", "ed25519"), ("host_rsa", "rsa"), ("client", "ed25519")):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(folder / name)], check=True)
    port = _free_port()
    configuration = folder / "sshd_config"
    text = _CONFIGURATION.format(port=port, folder=folder, root=root)
    denying = {requests: _free_port() for requests in denied}
    ports = "".join(f"Port {other}\n" for other in denying.values())
    rules = "".join(
        f"Match LocalPort {other}\nForceCommand internal-sftp -d {root} -P {requests}\n"
        for requests, other in denying.items()
    )
    configuration.write_text(ports + text + _penalties(program) + rules)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks its unprivileged part
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(configuration)], stderr=log)
    try:
        _await_banner(port, process, folder / "log")
        public = (folder / "host_ed25519.pub").read_text().strip()
        rsa = (folder / "host_rsa.pub").read_text().strip()
        server = Sshd(port, getpass.getuser(), root, folder / "client", public, rsa, process.pid, denying)
        server.clear()
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return
    for child in map(int, children):
        yield from _descendants(child)
        yield child


def _penalties(program: str) -> str:
    """Newer servers shut out an address whose logins break off, which is what the tests do to them."""
    said = subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", said)
    is_newer = found is not None and (int(found[1]), int(found[2])) >= (9, 8)
    return "PerSourcePenalties no\n" if is_newer else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_banner(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            if probe.recv(4) == b"SSH-":
                return
        time.sleep(0.05)
    raise RuntimeError(f"sshd did not start: {log.read_text()}")
