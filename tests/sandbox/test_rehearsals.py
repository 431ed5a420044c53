"""The first reports of a bank that was handed the WSDL of a style, and knows nothing else of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.config import open_workspaces
from ajpes_reporting.sandbox import STYLES, Provider, Sandbox
from ajpes_reporting.workspace import complete_workspace

HEADER = (
    "obligation_id,issuer,debtor_tax_number,debtor_name,debtor_account,event_id,cancels_event_id,"
    "change_type,change_date,amount_cents,recorded_at,priority\n"
)
# The debtor's tax number fails its check digit: a warning, in words with letters outside ASCII.
EVENT = "O-1,2,12345678,Mizarstvo Češnja s.p.,010000000100284,1,,01,2026-11-17,10000,2026-11-17T08:00:00,3\n"
# What is special about a reply is tried with a refusal, below.
BY_SOAP = [
    one.name for one in STYLES if not {"quirks", "result", "deviation", "encoding"} & one.changes.keys()
]
BY_SFTP = [one.name for one in STYLES if "quirks" in one.changes]
REPLIES = [
    "asmx", "typed", "text", "cdata", "json", "loose", "mime", "windows-1250", "false-declaration", "bom",
    "crlf", "nul", "typed loose mime", "json windows-1250",
]  # fmt: skip
TOGETHER = [
    "base64 fields json", "string single typed mime", "soap12 header text windows-1250",
    "rpc content unqualified cdata", "content-own imported basic loose", "content-bare repeated bom json",
]  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one event, round an authority's folder; its settings are yet to come."""
    folder = tmp_path_factory.mktemp("rehearsals") / "bank"
    with Sandbox(folder / "authority", poll_seconds=None) as authority:
        authority.write_settings(folder / "ajpes.toml")
    record(folder)
    (folder / "ajpes.toml").unlink()
    return folder


@pytest.fixture
def bank(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "bank"))


def record(folder: Path) -> None:
    complete_workspace(folder)
    (folder / "events.csv").write_text(HEADER + EVENT, encoding="utf-8")
    assert run(["-w", str(folder), "ledger", "import", str(folder / "events.csv")]) == 0


def told(capsys: pytest.CaptureFixture[str], bank: Path, *arguments: str) -> tuple[int, Any]:
    """The exit code of a command, and its document."""
    capsys.readouterr()
    code = run(["-w", str(bank), "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("style", [*BY_SOAP, *TOGETHER])
def test_the_first_report_is_accepted_by_settings_alone(
    bank: Path, capsys: pytest.CaptureFixture[str], style: str
) -> None:
    """The bank on its first day: what the WSDL asks for is sent, and what comes back is read."""
    with Sandbox(bank / "authority", style=style.split(), poll_seconds=None) as authority:
        assert authority.write_settings(bank / "ajpes.toml")
        code, document = told(capsys, bank, "run", "nodurs", "--via", "soap")
        state = document["submission"]["state"]
        if style == "service-error":
            assert (code, state, authority.store.submissions()) == (4, "refused", [])
            assert "v času obratovanja" in json.dumps(document, ensure_ascii=False)
        else:
            assert (code, state) == (0, "accepted_with_warnings"), document
            assert [row["amount_cents"] for row in authority.store.events()] == [10000]


@pytest.mark.parametrize("style", REPLIES)
def test_a_refusal_is_read_with_its_reason(
    bank: Path, capsys: pytest.CaptureFixture[str], style: str
) -> None:
    """The clerk: whatever is round it, the refusal counts, and its words are those of AJPES."""
    with Sandbox(
        bank / "authority", style=style.split(), nodurs_amounts="decimal", poll_seconds=None
    ) as authority:
        settings = authority.settings(bank).replace('amounts = "decimal"', 'amounts = "cents"')
        (bank / "ajpes.toml").write_text(settings)
        code, document = told(capsys, bank, "run", "nodurs", "--via", "soap")
        assert (code, document["submission"]["state"]) == (4, "refused"), document
        _, shown = told(capsys, bank, "show", "1")
        words = json.dumps(shown, ensure_ascii=False)
        assert "Zneski v datoteki niso v evrih z dvema decimalnima mestoma" in words
        assert "Kontrolna številka davčne številke dolžnika ni pravilna" in words
        assert authority.store.events() == []


@pytest.mark.parametrize("style", BY_SFTP)
def test_an_exchange_server_with_habits_gets_the_report_once(
    bank: Path, capsys: pytest.CaptureFixture[str], style: str
) -> None:
    """The bank whose account may do little: delivered, answered, and never sent again."""
    with Sandbox(bank / "authority", style=[style], poll_seconds=0.02) as authority:
        assert authority.write_settings(bank / "ajpes.toml")
        code, _ = told(capsys, bank, "run", "nodurs", "--via", "sftp")
        assert code in (0, 6)
        told(capsys, bank, "collect")
        _, shown = told(capsys, bank, "show", "1")
        assert shown["state"] == "accepted_with_warnings", shown
        assert len(authority.store.submissions()) == 1


def test_two_banks_rehearse_at_one_authority(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A service bureau: each reports by both ways with what is its own."""
    banks = [
        Provider("5860571000", "Banka A d.d.", "banka-a"),
        Provider("1572814000", "Banka B d.d.", "banka-b"),
    ]
    with Sandbox(tmp_path / "authority", providers=banks, style=["fields"], poll_seconds=0.02) as authority:
        for number, via in (("5860571000", "soap"), ("1572814000", "sftp")):
            (tmp_path / number).mkdir()
            assert authority.write_settings(tmp_path / number / "ajpes.toml", number)
            record(tmp_path / number)
            assert told(capsys, tmp_path / number, "run", "nodurs", "--via", via)[0] == 0
        assert [(one.provider, one.via) for one in authority.store.submissions()] == [
            ("5860571000", "soap"), ("1572814000", "sftp"),
        ]  # fmt: skip
        assert {one.verdict for one in authority.store.submissions()} == {"accepted_with_warnings"}
    (tmp_path / "ajpes.toml").write_text('workspaces = ["5860571000", "1572814000"]\n')
    assert len(open_workspaces(tmp_path)) == 2
