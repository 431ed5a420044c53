"""What a sandbox keeps: over a restart, and over a kill in the middle of its work."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import tomllib
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from ajpes_reporting.sandbox import Sandbox, SandboxError
from tests.sandbox.conftest import SCHEMAS, answers, findings, letter, tls, validated
from tests.sandbox.letters import debtor, event, nodurs, obligation, one
from tests.sandbox.test_sftp import INCOMING, NAME, connect, place, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = one(event("1"), count=1, total=10000)
EVENTS = 40_000


def test_keys_ports_and_book_outlive_a_restart(tmp_path: Path) -> None:
    """Whoever made an ajpes.toml yesterday."""
    with Sandbox(tmp_path / "ajpes", poll_seconds=None) as sandbox:
        before = sandbox.settings(tmp_path)
        certificate = sandbox.keys.client_certificate.read_bytes()
        with httpx.Client(verify=tls(sandbox), trust_env=False) as client:
            client.post(sandbox.soap_url, content=letter(sandbox, GOOD))
    with Sandbox(tmp_path / "ajpes", poll_seconds=None) as sandbox:
        assert sandbox.settings(tmp_path) == before
        assert sandbox.keys.client_certificate.read_bytes() == certificate
        assert len(sandbox.store.events()) == 1
        with httpx.Client(verify=tls(sandbox), trust_env=False) as client:
            client.post(sandbox.soap_url, content=letter(sandbox, GOOD))
        connect(sandbox).close()
        assert len(sandbox.store.submissions()) == 2


def test_the_same_sandbox_can_be_stopped_and_started(sandbox: Sandbox) -> None:
    """A test of an outage: meanwhile connections are refused by the kernel itself."""
    sandbox.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sandbox.soap_port))
    sandbox.start()
    connect(sandbox).close()


def test_private_files_are_private(sandbox: Sandbox) -> None:
    """The bank, on a machine with other users."""
    keys = sandbox.keys
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    for path in (keys.client_key, keys.server_key, keys.client_pkcs12, keys.client_pkcs12_password,
                 keys.soap_password, keys.sftp_password, keys.sftp_key, keys.ssh_host_key,
                 keys.folder / "ca.key"):  # fmt: skip
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_keys_that_were_half_made_are_made_anew(tmp_path: Path) -> None:
    """Whoever pressed Ctrl-C at the first start."""
    (tmp_path / "ajpes" / "keys.new").mkdir(parents=True)
    (tmp_path / "ajpes" / "keys.new" / "ca.pem").write_text("half")
    with Sandbox(tmp_path / "ajpes", poll_seconds=None) as sandbox:
        assert sandbox.keys.ca.read_text().startswith("-----BEGIN CERTIFICATE-----")
        assert not (tmp_path / "ajpes" / "keys.new").exists()


@pytest.mark.parametrize("which", ["soap_port", "sftp_port"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, which: str) -> None:
    """The operator: who, where, and what to do; and nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sandbox = Sandbox(tmp_path / "ajpes", poll_seconds=None, **{which: port})
        with pytest.raises(SandboxError, match=f"127.0.0.1:{port}") as caught:
            sandbox.start()
        assert "sandbox.json" in caught.value.remedy
    sandbox.start()
    sandbox.stop()


def test_two_sandboxes_do_not_share_a_folder(sandbox: Sandbox) -> None:
    """The store, which would be written by two."""
    with pytest.raises(SandboxError, match="A sandbox is running"):
        Sandbox(sandbox.directory, poll_seconds=None).start()


def test_the_settings_lead_to_the_sandbox(sandbox: Sandbox, tmp_path: Path) -> None:
    """A new user: the ready ajpes.toml is right, and one's own is never overwritten."""
    path = tmp_path / "ajpes.toml"
    assert sandbox.write_settings(path)
    settings = tomllib.loads(path.read_text())
    assert settings["provider"]["registration_number"] == "5860571000"
    assert settings["soap"]["endpoint"] == f"https://127.0.0.1:{sandbox.soap_port}/wsBlokIzmenjava.asmx"
    assert (tmp_path / settings["soap"]["client_key"]).read_bytes() == sandbox.keys.client_key.read_bytes()
    assert settings["soap"]["password"] == "file:ajpes/keys/soap-password"
    assert settings["sftp"]["port"] == sandbox.sftp_port
    assert settings["sftp"]["host_key"].startswith("ssh-ed25519 AAAA")
    path.write_text("# mine")
    assert not sandbox.write_settings(path)
    assert path.read_text() == "# mine"


def test_settings_elsewhere_name_keys_by_their_whole_path(sandbox: Sandbox, tmp_path: Path) -> None:
    """A workspace beside the sandbox."""
    other = tmp_path / "workspace"
    other.mkdir()
    settings = tomllib.loads(sandbox.settings(other))
    assert settings["soap"]["client_certificate"] == str(sandbox.keys.client_certificate)


def test_a_kill_while_judging_a_file_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The bank: what was taken is validated once, and answered once, after the next start."""
    folder = tmp_path / "ajpes"
    with _process(folder) as (process, _):
        place(_large(), folder / "folders/5860571000" / INCOMING / NAME)
        wait_until(lambda: (folder / "folders/5860571000/nodurs/accepted" / NAME).exists())
        process.kill()
        process.wait()
    assert _verdicts(folder) == ["taken"]
    with Sandbox(folder, poll_seconds=None) as sandbox:
        sandbox.process_now()
        sandbox.process_now()
        assert [found.verdict for found in sandbox.store.submissions()] == ["accepted"]
        assert len(sandbox.store.events()) == EVENTS
        (answer,) = answers(sandbox, "nodurs")
        assert findings(validated(answer.read_bytes()), "ERR") == []


def test_a_kill_while_judging_a_message_keeps_nothing_of_it(tmp_path: Path) -> None:
    """The bank: the store is whole, and says that something had come."""
    folder = tmp_path / "ajpes"
    if not (curl := shutil.which("curl")):
        pytest.skip("install curl")
    with _process(folder) as (process, port):
        sandbox = Sandbox(folder)  # Never started: only its keys and its store are used.
        url = f"https://127.0.0.1:{port}/wsBlokIzmenjava.asmx"
        body = tmp_path / "call.xml"
        body.write_bytes(letter(sandbox, _large()))
        with subprocess.Popen(
            [curl, "-s", "--noproxy", "*", "--cacert", sandbox.keys.ca, "--cert",
             sandbox.keys.client_certificate, "--key", sandbox.keys.client_key,
             "--data-binary", f"@{body}", url],
        ) as call:  # fmt: skip
            wait_until(lambda: len(sandbox.store.submissions()) == 1)
            process.kill()
            call.wait()
    with Sandbox(folder, poll_seconds=None) as sandbox:
        assert [found.verdict for found in sandbox.store.submissions()] == ["interrupted"]
        assert (sandbox.store.obligations(), sandbox.store.events()) == ([], [])
        assert list((folder / "spool").iterdir()) == []


def test_an_entry_without_its_move_is_taken_as_if_for_the_first_time(sandbox: Sandbox) -> None:
    """The bank: a kill between the entry and the move must not count the file twice."""
    path = sandbox.folder / INCOMING / NAME
    path.write_text(GOOD)
    sandbox.store.add(
        provider="5860571000", report="nodurs", via="sftp", file_name=NAME,
        received_at="", size_bytes=1, sha256="",
    )  # fmt: skip
    sandbox.stop()
    sandbox.start()
    sandbox.process_now()
    assert [found.verdict for found in sandbox.store.submissions()] == ["accepted"]


@contextmanager
def _process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A sandbox in a process of its own, to be killed; and its SOAP port."""
    script = f"""
import signal
from pathlib import Path
from ajpes_reporting.sandbox import Sandbox
with Sandbox(Path({str(folder)!r}), poll_seconds=0.01) as sandbox:
    print(sandbox.soap_port, flush=True)
    signal.pause()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=SCHEMAS.parent) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def _large() -> str:
    blocks = [
        obligation(f"O-{at}", *(event(str(number)) for number in range(10))) for at in range(EVENTS // 10)
    ]
    return nodurs(debtor(*blocks), count=EVENTS, total=EVENTS * 10000)


def _verdicts(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "book.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [verdict for (verdict,) in connection.execute("SELECT verdict FROM submissions")]
