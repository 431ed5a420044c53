"""The exchange server: used by paramiko and by OpenSSH's own client."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import paramiko
import pytest

from ajpes_reporting.sandbox import Sandbox
from tests.sandbox.conftest import answers, findings, validated
from tests.sandbox.letters import event, one, row, spapp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GOOD = one(event("1"), count=1, total=10000)
NAME = "NODURS_20261117_5860571.xml"
INCOMING = "nodurs/v_ajpes"


def connect(sandbox: Sandbox, **credentials: Any) -> paramiko.SSHClient:
    """A login with the pinned host key; by the provider's key, unless told otherwise."""
    client = paramiko.SSHClient()
    kind, key = sandbox.keys.ssh_host_public_key.split()[:2]
    host_key = paramiko.PKey.from_type_string(kind, base64.b64decode(key))
    client.get_host_keys().add(f"[127.0.0.1]:{sandbox.sftp_port}", kind, host_key)
    how = credentials or {"key_filename": str(sandbox.keys.sftp_key)}
    try:
        client.connect(
            "127.0.0.1", sandbox.sftp_port, "banka",
            allow_agent=False, look_for_keys=False, timeout=10, **how,
        )  # fmt: skip
    except BaseException:
        client.close()
        raise
    return client


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[paramiko.SFTPClient]:
    with connect(sandbox) as client, client.open_sftp() as session:
        limit(session, seconds=10)
        yield session


def limit(session: paramiko.SFTPClient, seconds: float) -> None:
    """Waits for each reply so long and no longer."""
    channel = session.get_channel()
    assert channel is not None
    channel.settimeout(seconds)


def upload(session: paramiko.SFTPClient, content: str, path: str) -> None:
    session.putfo(io.BytesIO(content.encode()), path)


def test_a_report_is_taken_judged_and_answered(sandbox: Sandbox, session: paramiko.SFTPClient) -> None:
    """The bank on a day when the web service is down (section 4.2)."""
    upload(session, GOOD, f"{INCOMING}/{NAME}.part")
    session.rename(f"{INCOMING}/{NAME}.part", f"{INCOMING}/{NAME}")
    sandbox.process_now()
    assert session.listdir(INCOMING) == []
    assert session.listdir("nodurs/accepted") == [NAME]
    (answer,) = session.listdir("nodurs/iz_ajpes")
    assert answer == "Odgovor_20261117_170501_0001.xml"
    with session.open(f"nodurs/iz_ajpes/{answer}") as file:
        assert findings(validated(file.read()), "ERR") == []


def test_a_monthly_report_is_answered_in_its_own_folder(
    sandbox: Sandbox, session: paramiko.SFTPClient
) -> None:
    """The bank: the two reports do not mix."""
    report = spapp(row("070000000000187", "1", "0", "1"), debit="0", credit="1", balance="1")
    upload(session, report, "spapp/v_ajpes/SPAPP_202610_5860571.xml")
    sandbox.process_now()
    assert session.listdir("spapp/accepted") == ["SPAPP_202610_5860571.xml"]
    assert len(session.listdir("spapp/iz_ajpes")) == 1
    assert session.listdir("nodurs/iz_ajpes") == []


def test_rename_does_not_overwrite(session: paramiko.SFTPClient) -> None:
    """The bank: this is the guard against sending twice, as with OpenSSH."""
    upload(session, "first", f"{INCOMING}/{NAME}")
    upload(session, "second", f"{INCOMING}/{NAME}.part")
    with pytest.raises(OSError, match="taken") as caught:
        session.rename(f"{INCOMING}/{NAME}.part", f"{INCOMING}/{NAME}")
    assert not isinstance(caught.value, FileNotFoundError)
    assert sorted(session.listdir(INCOMING)) == [NAME, f"{NAME}.part"]
    with session.open(f"{INCOMING}/{NAME}") as file:
        assert file.read() == b"first"
    with pytest.raises(FileNotFoundError):
        session.rename(f"{INCOMING}/no.part", f"{INCOMING}/other")


def test_a_file_that_is_still_written_is_not_taken(sandbox: Sandbox, session: paramiko.SFTPClient) -> None:
    """A client that uploads under the final name: half a report must not be validated."""
    with session.open(f"{INCOMING}/{NAME}", "w") as file:
        file.write(GOOD[:100])
        sandbox.process_now()
        assert sandbox.store.submissions() == []
        file.write(GOOD[100:])
    sandbox.process_now()
    assert [found.verdict for found in sandbox.store.submissions()] == ["accepted"]


def test_two_files_of_one_name_are_both_kept(sandbox: Sandbox, session: paramiko.SFTPClient) -> None:
    """An auditor: the newest has the plain name, earlier ones step aside."""
    for content in ("1", "2", "3"):
        upload(session, content, f"{INCOMING}/{NAME}")
        sandbox.process_now()
    stem = NAME.removesuffix(".xml")
    kept = {
        name: session.open(f"nodurs/accepted/{name}").read() for name in session.listdir("nodurs/accepted")
    }
    assert kept == {NAME: b"3", f"{stem}_0001.xml": b"1", f"{stem}_0002.xml": b"2"}
    assert len(session.listdir("nodurs/iz_ajpes")) == 3


def test_the_provider_sees_its_own_folder_only(sandbox: Sandbox, session: paramiko.SFTPClient) -> None:
    """The other providers, and the sandbox's keys."""
    assert sorted(session.listdir("/")) == ["nodurs", "spapp"]
    assert sorted(session.listdir("../../..")) == ["nodurs", "spapp"]
    with pytest.raises(OSError, match="links"):
        session.symlink(str(sandbox.keys.sftp_key), "key")


def test_the_password_lets_in_too(sandbox: Sandbox) -> None:
    """Banks that were given a password."""
    with connect(sandbox, password=sandbox.keys.sftp_password.read_text()) as client:
        assert client.get_transport() is not None


def test_a_wrong_key_or_password_does_not(sandbox: Sandbox) -> None:
    """The provider, whose folder this is."""
    with pytest.raises(paramiko.AuthenticationException):
        connect(sandbox, password="wrong")
    with pytest.raises(paramiko.AuthenticationException):
        connect(sandbox, pkey=paramiko.ECDSAKey.generate())


def test_the_rounds_are_made_without_being_asked(tmp_path: Path) -> None:
    """A person who tries the sandbox by hand."""
    with Sandbox(tmp_path / "ajpes", poll_seconds=0.05) as sandbox:
        place(GOOD, sandbox.folder / INCOMING / NAME)
        wait_until(lambda: len(answers(sandbox, "nodurs")) == 1)


def test_openssh_delivers_and_fetches(sandbox: Sandbox, tmp_path: Path) -> None:
    """Every bank that scripts the sftp command."""
    if not (sftp := shutil.which("sftp")):
        pytest.skip("install openssh-client")
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sandbox.sftp_port} {sandbox.keys.ssh_host_public_key}\n")
    report = tmp_path / NAME
    report.write_text(GOOD)

    def batch(*commands: str) -> subprocess.CompletedProcess[str]:
        options = [f"UserKnownHostsFile={known}", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes"]
        return subprocess.run(
            [sftp, "-q", "-F", "none", "-P", str(sandbox.sftp_port), "-i", str(sandbox.keys.sftp_key),
             *(part for option in options for part in ("-o", option)), "-b", "-", "banka@127.0.0.1"],
            input="\n".join(commands), capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    put = batch(f"put {report} {INCOMING}/x.part", f"rename -l {INCOMING}/x.part {INCOMING}/{NAME}")
    assert put.returncode == 0, put.stderr
    again = batch(f"put {report} {INCOMING}/x.part", f"rename -l {INCOMING}/x.part {INCOMING}/{NAME}")
    assert again.returncode != 0
    sandbox.process_now()
    got = batch(f"get nodurs/iz_ajpes/* {tmp_path}/")
    assert got.returncode == 0, got.stderr
    (answer,) = tmp_path.glob("Odgovor_*")
    assert findings(validated(answer.read_bytes()), "ERR") == []


def place(content: str, path: Path) -> None:
    """Puts a file in its place as a whole, as a client does that renames."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(content)
    unfinished.rename(path)


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
