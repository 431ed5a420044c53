"""Alarms as people meet them: in a mail, at a webhook, in `status` and in `doctor`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.workspace import complete_workspace
from tests.alarms.conftest import Keys
from tests.servers.https import HttpsServer, answering, http
from tests.servers.smtp import PASSWORD, USER, MailServer

SETTINGS = """
[schedule]
reports = []

[alarms]
free_disk_bytes = 9000000000000000000

[mail]
server = "127.0.0.1"
port = {mail.port}
username = "{user}"
password = "file:mail-password"
server_ca = "{keys.ca}"
sender = "ajpes@bank.example"
recipients = ["clerk@bank.example"]

[webhook]
url = "https://127.0.0.1:{webhook.port}/alarms"
secret = "file:mail-password"
server_ca = "{keys.ca}"
"""


@pytest.fixture
def mail(keys: Keys) -> Iterator[MailServer]:
    with MailServer(str(keys.server)) as server:
        yield server


@pytest.fixture
def webhook(keys: Keys) -> Iterator[HttpsServer]:
    with HttpsServer(str(keys.server), None, answering(http(b"", "204 No Content"))) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, keys: Keys, mail: MailServer, webhook: HttpsServer) -> Iterator[Path]:
    """A workspace whose disk is never large enough, with both channels."""
    folder = tmp_path / "bank"
    with Sandbox(folder / "authority", poll_seconds=0.05) as authority:
        text = authority.settings(folder) + SETTINGS.format(mail=mail, webhook=webhook, keys=keys, user=USER)
        (folder / "ajpes.toml").write_text(text, encoding="utf-8")
        (folder / "mail-password").write_text(PASSWORD, encoding="utf-8")
        complete_workspace(folder)
        yield folder


def test_a_tick_tells_by_every_channel_once(
    folder: Path, mail: MailServer, webhook: HttpsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """From cron to mailbox and webhook, with real servers; the next tick is silent."""
    for _ in range(2):
        assert run(["-w", str(folder), "tick"]) == 0
    (sent,) = mail.mails
    assert "The disk of the workspace is nearly full" in sent.get_content()
    (request,) = webhook.requests
    assert [item["key"] for item in json.loads(request.body)["alarms"]] == ["disk"]
    capsys.readouterr()
    assert run(["-w", str(folder), "--json", "status"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["alarms"]
    assert (shown["key"], shown["severity"], shown["remedy"]) == ("disk", "warning", "make room")
    assert run(["-w", str(folder), "status"]) == 0
    assert capsys.readouterr().out.lstrip().startswith("Alarms")


def test_a_tick_says_which_channel_failed(
    folder: Path, mail: MailServer, webhook: HttpsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log of cron names it, and the other channel was told."""
    mail.refuses = "451 later"
    assert run(["-w", str(folder), "tick"]) == 1
    assert "did not take the mail: the server answered 451 later" in capsys.readouterr().err
    assert len(webhook.requests) == 1
    mail.refuses = ""
    assert run(["-w", str(folder), "tick"]) == 0
    assert len(mail.mails) == 1
    assert len(webhook.requests) == 1


def test_the_channels_can_be_tried(
    folder: Path, mail: MailServer, webhook: HttpsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever sets them up knows at once whether they work, and what does not."""
    assert run(["-w", str(folder), "doctor", "--test-alarm"]) == 0
    assert "This is a test" in mail.mails[0].get_content()
    assert json.loads(webhook.requests[0].body)["alarms"][0]["key"] == "test"
    (folder / "mail-password").write_text("wrong", encoding="utf-8")
    capsys.readouterr()
    assert run(["-w", str(folder), "--json", "doctor", "--test-alarm"]) == 1
    found = {item["subject"]: item["health"] for item in json.loads(capsys.readouterr().out)["checks"]}
    assert found == {"mail": "failed", "webhook": "ok"}
    (folder / "mail-password").unlink()
    assert run(["-w", str(folder), "doctor", "--test-alarm"]) == 2


def test_there_must_be_a_channel_to_be_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Silence would pass for success."""
    assert run(["init", str(tmp_path / "bank")]) == 0
    assert run(["-w", str(tmp_path / "bank"), "doctor", "--test-alarm"]) == 2
    assert "neither [mail] nor [webhook]" in capsys.readouterr().err


def test_the_doctor_shows_what_is_about_to_fail(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Disk, password and host key, each from the same check as its alarm."""
    path = folder / "ajpes.toml"
    text = path.read_text(encoding="utf-8").replace("[sftp]", "[sftp]\nhost_key_expires = 2020-01-01")
    path.write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert run(["-w", str(folder), "--json", "doctor"]) == 2
    found = {item["subject"]: item["health"] for item in json.loads(capsys.readouterr().out)["checks"]}
    assert (found["disk"], found["sftp.host_key"], found["telling"]) == ("warning", "failed", "ok")


def test_a_report_in_trouble_is_an_alarm_for_status_and_doctor(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both look for themselves, without a tick before; the doctor's exit code speaks of the machine alone."""
    faults = folder / "authority" / "faults.json"
    faults.write_text('[{"channel": "soap", "kind": "html", "times": 1}]', encoding="utf-8")
    (folder / "events.csv").write_text(
        "obligation_id,issuer,debtor_tax_number,debtor_name,debtor_account,event_id,change_type,change_date,"
        "amount_cents,recorded_at\nO-1,2,50123459,Kovinarstvo,010000000100187,1,01,2026-01-05,100,"
        "2026-01-05T08:00:00\n",
        encoding="utf-8",
    )
    assert run(["-w", str(folder), "ledger", "import", str(folder / "events.csv")]) == 0
    assert run(["-w", str(folder), "run", "nodurs"]) == 6
    capsys.readouterr()
    assert run(["-w", str(folder), "--json", "status"]) == 0
    keys = [item["key"].split()[0] for item in json.loads(capsys.readouterr().out)["alarms"]]
    assert "unknown" in keys
    assert run(["-w", str(folder), "--json", "doctor"]) == 0
    found = [item for item in json.loads(capsys.readouterr().out)["checks"] if item["subject"] == "unknown"]
    assert [item["health"] for item in found] == ["alarm"]


def test_status_loads_nothing_that_it_does_not_need(folder: Path) -> None:
    """A command that is called all day starts quickly: no certificates, no mail, no HTTP."""
    code = (
        "import sys; from ajpes_reporting.cli.main import run; "
        f"run(['-w', {str(folder)!r}, '--json', 'status']); "
        "print(sorted({'smtplib', 'httpx', 'cryptography.x509', 'zeep', 'paramiko'} & set(sys.modules)),"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stderr.strip() == "[]"
