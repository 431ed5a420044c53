"""Other ledgers, other providers, other reports: what must not need a rebuilding."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ajpes_reporting.config import open_workspace
from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.pipeline.foresee import rehearse
from ajpes_reporting.queries.pending import pending
from ajpes_reporting.reports.registry import by_code
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.wiring import open_context
from tests.pipeline.conftest import HEADER, NOV_17, NOV_18, Bank, Time, event, make_bank

COLUMNS = f"{HEADER},reference_model,reference,creditor_account,creditor_name"


@pytest.fixture
def core_system(tmp_path: Path) -> Path:
    """A bank's own database with a view of the contract's columns."""
    path = tmp_path / "core.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            f"CREATE TABLE blockings ({', '.join(f'{name} TEXT' for name in COLUMNS.split(','))})"
        )
        connection.execute(f"CREATE VIEW events AS SELECT {COLUMNS} FROM blockings")
    return path


@pytest.fixture
def bank_with_views(
    tmp_path: Path, database_url: str, clock: Time, authority: Sandbox, core_system: Path
) -> Iterator[Bank]:
    folder = tmp_path / "bank"
    folder.mkdir()
    bank = make_bank(folder, database_url, clock, authority, f'\n[ledger]\nurl = "sqlite:///{core_system}"\n')
    yield bank
    bank.context.engine.dispose()


def enter(core_system: Path, row: str) -> None:
    """The core system records an event."""
    values = [value or None for value in row.split(",")] + [None] * 4
    with sqlite3.connect(core_system) as connection:
        connection.execute(f"INSERT INTO blockings VALUES ({', '.join('?' * len(values))})", values)


def test_a_banks_own_views_are_reported_without_an_import(bank_with_views: Bank, core_system: Path) -> None:
    """A bank that gives views need not import anything."""
    enter(core_system, event("O-1", 1))
    assert bank_with_views.events_sent(bank_with_views.run()) == {"O-1": ["1"]}
    bank_with_views.time.pass_by(days=1)
    enter(core_system, event("O-1", 2, recorded="2026-11-18T07:00:00"))
    enter(core_system, event("O-2", 1, recorded="2026-11-18T07:00:00"))
    result = bank_with_views.run(period=NOV_18)
    assert bank_with_views.events_sent(result) == {"O-1": ["1", "2"], "O-2": ["1"]}


def test_what_a_banks_views_have_for_the_next_report_is_told_and_not_stored(
    bank_with_views: Bank, core_system: Path
) -> None:
    """A question finds what a run would find, and changes nothing."""
    enter(core_system, event("O-1", 1))
    with pending(bank_with_views.context) as asked:
        assert [item.obligation for item in asked.nodurs().obligations()] == ["O-1"]
    assert bank_with_views.pending() == 0


def test_a_dry_run_over_a_banks_views_changes_nothing(
    bank_with_views: Bank, core_system: Path, tmp_path: Path
) -> None:
    """`build` shows the file; the ledger stays as empty as it was."""
    enter(core_system, event("O-1", 1))
    built = rehearse(bank_with_views.context, by_code("NODURS"), NOV_17, tmp_path)
    assert built is not None
    assert built.record_count == 1
    assert bank_with_views.pending() == 0


def test_history_edited_in_a_banks_views_is_found_before_anything_is_sent(
    bank_with_views: Bank, core_system: Path
) -> None:
    """The core system overwrote an event: it is named here, not by the authority."""
    enter(core_system, event("O-1", 1))
    bank_with_views.run()
    bank_with_views.time.pass_by(days=1)
    with sqlite3.connect(core_system) as connection:
        connection.execute("UPDATE blockings SET amount_cents = '999'")
    with pytest.raises(LedgerRefused) as refused:
        bank_with_views.run(period=NOV_18)
    assert refused.value.findings[0].record == "O-1 / event 1"
    assert len(bank_with_views.authority.store.submissions()) == 1


def test_two_providers_in_one_installation_keep_apart(bank: Bank) -> None:
    """A service bureau: the same obligation id at two banks are two obligations."""
    bank.record(event("O-1", 1))
    path = bank.folder / "ajpes.toml"
    path.write_text(path.read_text("utf-8").replace("5860571000", "1572814"), "utf-8")
    other = Bank(bank.folder, open_context(open_workspace(bank.folder), bank.time), bank.time, bank.authority)
    other.record(event("O-1", 1, amount_cents=77_700), event("O-7", 1))
    assert bank.events_sent(bank.run()) == {"O-1": ["1"]}
    built = rehearse(other.context, by_code("NODURS"), NOV_17, bank.folder)
    assert built is not None
    assert built.record_count == 2
    assert built.path.name == "NODURS_20261117_1572814.xml"
    other.context.engine.dispose()
