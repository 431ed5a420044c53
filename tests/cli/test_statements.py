"""Bank statements on the command line: what a clerk reads, what a program gets, what the record keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.shipped import sample

FIRST, SECOND = (str(sample(f"statements/camt053-001-{version}.xml")) for version in ("02", "08"))


@pytest.fixture
def bank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A workspace that knows the accounts of the samples."""
    folder = tmp_path / "bank"
    assert run(["init", str(folder)]) == 0
    assert run(["-w", str(folder), "ledger", "import", str(sample("ledger/accounts.csv"))]) == 0
    capsys.readouterr()
    return str(folder)


def _imports(bank: str) -> list[str]:
    """The entries in the record about files of statements."""
    record = Path(bank) / "record.jsonl"
    assert run(["-w", bank, "audit", "export", "-o", str(record)]) == 0
    lines = record.read_text("utf-8").splitlines()
    record.unlink()
    return [line for line in lines if "camt053" in line]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Statements", "1,249.90 EUR", "the first one")),
        ("sl", ("Izpiski", "1.249,90 EUR", "prvi izpisek")),
    ],
)
def test_a_clerk_reads_balances_entries_and_whether_they_join(
    bank: str, capsys: pytest.CaptureFixture[str], language: str, words: tuple[str, ...]
) -> None:
    """The figures stand beside the paper statement on the desk."""
    assert run(["-w", bank, "--lang", language, "ledger", "import", FIRST]) == 0
    told = capsys.readouterr().out
    assert all(word in told for word in words)


def test_a_program_gets_the_same(bank: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One document, with amounts in cents."""
    assert run(["-w", bank, "--json", "ledger", "import", FIRST, SECOND]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["kind"], first["new"], second["new"]) == ("postings", 2, 3)
    (statement,) = second["statements"]
    assert statement == {
        "statement": "2026-002", "account": "010000000100478", "sequence": 2, "begins_on": "2026-11-11",
        "ends_on": "2026-11-30", "opening_cents": 124990, "credit_cents": 350, "debit_cents": 700,
        "closing_cents": 124640, "entries": 3, "not_booked": 0, "standing": "joined",
    }  # fmt: skip


def test_a_dry_run_changes_nothing(bank: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A clerk looks first."""
    for _time in range(2):
        assert run(["-w", bank, "ledger", "import", "--dry-run", FIRST, SECOND]) == 0
        assert "2 postings, 2 new" in capsys.readouterr().out
    assert not _imports(bank)


def test_a_gap_stops_the_import_unless_a_person_gives_a_reason(
    bank: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing is named, and whoever lets it pass is on record."""
    later = tmp_path / "camt053-later.xml"
    text = Path(SECOND).read_text("utf-8").replace("1249.90", "1300.00").replace("1246.40", "1296.50")
    later.write_text(text, "utf-8")
    assert run(["-w", bank, "ledger", "import", FIRST]) == 0
    assert run(["-w", bank, "ledger", "import", str(later)]) == 3
    told = capsys.readouterr().err
    assert all(words in told for words in ("2026-002", "1,300.00 EUR", "1,249.90 EUR", "50.10 EUR"))
    assert run(["-w", bank, "ledger", "import", str(later), "--restate", "--reason", "lost by the bank"]) == 0
    assert "does not join" in capsys.readouterr().out
    assert any("lost by the bank" in line for line in _imports(bank))
