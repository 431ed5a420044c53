"""A bank behind a proxy: set in the settings, used by every command, and told of by the doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.shipped import sample
from ajpes_reporting.workspace import complete_workspace
from tests.servers.proxies import SmallProxy, connecting, saying

LEDGER = ("accounts.csv", "account-months.csv", "postings.csv", "events.csv")


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Path]:
    """A workspace with the sample ledger, wired to the bundled authority."""
    folder = tmp_path / "bank"
    with Sandbox(folder / "authority", poll_seconds=0.05) as authority:
        authority.write_settings(folder / "ajpes.toml")
        complete_workspace(folder)
        files = [str(sample(f"ledger/{name}")) for name in LEDGER]
        assert run(["-w", str(folder), "ledger", "import", *files]) == 0
        yield folder


def through(bank: Path, **lines: str) -> None:
    """Sets one line at the head of a section each."""
    path = bank / "ajpes.toml"
    text = path.read_text("utf-8")
    for section, line in lines.items():
        text = text.replace(f"[{section}]\n", f"[{section}]\n{line}\n")
    path.write_text(text, "utf-8")


def looked(bank: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    """The doctor's exit code, and what it says of each way."""
    capsys.readouterr()
    code = run(["-w", str(bank), "--json", "doctor"])
    found = json.loads(capsys.readouterr().out)["checks"]
    return code, {item["subject"]: item["detail"] for item in found if item["subject"] in ("SOAP", "SFTP")}


def test_both_reports_go_through_the_proxy_of_the_settings(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two lines and a file with a password, and nothing else is changed."""
    with SmallProxy(connecting()) as proxy:
        (bank / "proxy-password").write_text("Geslo-1\r\n", encoding="utf-8-sig")
        lines = (
            f'proxy = "http://127.0.0.1:{proxy.port}"\nproxy_username = "banka"\n'
            'proxy_password = "file:proxy-password"'
        )
        through(bank, soap=lines, sftp=lines)
        code, ways = looked(bank, capsys)
        assert code == 0
        assert all(f"; through the proxy http://127.0.0.1:{proxy.port}" in told for told in ways.values())
        assert run(["-w", str(bank), "run", "nodurs", "--via", "soap"]) == 0
        assert run(["-w", str(bank), "run", "spapp", "--month", "202610"]) == 0
    assert len(proxy.asked) >= 4
    assert all(b"\r\nProxy-Authorization: Basic YmFua2E6R2VzbG8tMQ==\r\n" in head for head in proxy.asked)


def test_a_proxy_that_lets_nothing_out_closes_one_way_and_not_the_other(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Provably nothing was sent, so the report goes by SFTP, and the clerk reads whom to ask."""
    with SmallProxy(saying(b"HTTP/1.1 403 Forbidden\r\n\r\n")) as proxy:
        through(bank, soap=f'proxy = "http://127.0.0.1:{proxy.port}"')
        code, ways = looked(bank, capsys)
        assert code == 5
        assert "does not let us through to" in ways["SOAP"]
        assert run(["-w", str(bank), "run", "nodurs", "--via", "soap"]) == 5
        told = capsys.readouterr().out
        assert f"the proxy 127.0.0.1:{proxy.port} does not let us through to" in told
        assert "Nothing arrived at AJPES" in told
        assert run(["-w", str(bank), "run", "nodurs"]) == 0
        assert "by SFTP: delivered" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        'proxy = "http://127.0.0.1:9"\nproxy_username = "banka"',
        'proxy = "http://127.0.0.1:9"\nproxy_password = "env:HOME"',
        'proxy = "http://127.0.0.1:9"\nproxy_username = "a:b"\nproxy_password = "env:HOME"',
        'proxy = "http://127.0.0.1:9"\nproxy_username = "a"\nproxy_password = "file:gone"',
        'proxy = "https://127.0.0.1:9"\nproxy_ca = "gone.pem"',
    ],
)
def test_half_a_login_or_a_missing_file_closes_its_own_way(
    bank: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    """It is told as a wrong setting, and the other way is open."""
    through(bank, soap=line)
    code, ways = looked(bank, capsys)
    assert code == 2
    assert "soap.proxy_" in ways["SOAP"]
    assert run(["-w", str(bank), "run", "nodurs"]) == 0
    assert "by SFTP: delivered" in capsys.readouterr().out
