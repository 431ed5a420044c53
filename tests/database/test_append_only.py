"""Facts stay as they are, also for somebody who opens the database with another program."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
import pytest
from sqlalchemy import make_url, text

from ajpes_reporting.database.bulk import skipping_known
from ajpes_reporting.database.engine import open_engine, writing
from ajpes_reporting.database.tables import APPEND_ONLY, debtors

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = (
    "INSERT INTO rule_editions VALUES (1, 'f')",
    "INSERT INTO debtors VALUES (1, '5860571000', '12345679', 'DOLZNIK')",
    "INSERT INTO obligations VALUES (1, '5860571000', 'O-1', 3, 1, '010000100002123', 1)",
    "INSERT INTO events (id, obligation, event_id, change_type, change_date, amount_cents, recorded_at,"
    " recorded_as) VALUES (1, 1, '1', '01', '2026-11-17', 500, '2026-11-17 07:05:00', '2026-11-17T08:05:00')",
    "INSERT INTO former_names VALUES (1, 1, 1, '2026-11-17 12:00:00')",
    "INSERT INTO exclusions VALUES (1, '5860571000', 1, 'excluded', 'r', '2026-11-17 12:00:00')",
    "INSERT INTO withdrawn_events VALUES (1, '5860571000', '2026-11-17 12:00:00')",
    "INSERT INTO accounts VALUES"
    " (1, '5860571000', '010000100002123', '12345679', 'D', '2020-01-01', NULL, 1)",
    "INSERT INTO postings VALUES (1, '5860571000', 'P-1', 1, '2026-10-05', 700)",
    "INSERT INTO statements VALUES (1, 1, 'S', 1, 0, '2026-10-01', '2026-10-31', 0, 700, 1, 'first',"
    " 'f', 'a', '2026-11-17 12:00:00')",
    "INSERT INTO account_months VALUES (1, 1, '2026-09', 1, 2, 3, 'imported')",
    "INSERT INTO account_months VALUES (2, 1, '2026-10', 1, 2, 3, 'closed')",
    "INSERT INTO submissions (id, provider, report, period, state, prepared_at, file_name, archive_path,"
    " size_bytes, sha256, content_sha256, record_count, totals) VALUES (1, '5860571000', 'nodurs',"
    " '2026-11-17', 'prepared', '2026-11-17 12:00:00', 'f', 'p', 1, 'a', 'b', 1, '{}')",
    "INSERT INTO former_accounts VALUES (1, 1, '12345679', 'X', '2020-01-01', NULL, '2026-11-17', 'r')",
    "INSERT INTO former_account_months VALUES (1, 1, 4, 5, 6, '2026-11-17 12:00:00', 'r')",
    "INSERT INTO submission_events VALUES (1, 1)",
    "INSERT INTO reported_figures VALUES (1, 1, 1, 2, 3)",
    "INSERT INTO submission_findings VALUES (1, 1, 'error', 'r', 'f', 'u', 'm', 'd', 'l')",
    "INSERT INTO answers (id, provider, received_at, via, remote_name, remote_size, remote_modified_at,"
    " archive_path, size_bytes, sha256, status) VALUES (1, '5860571000', '2026-11-17 12:00:00', 'soap', 'n',"
    " 1, 1, 'p', 1, 'a', 'stored')",
    "INSERT INTO answer_rows (id, answer, severity, code, text) VALUES (1, 1, 'error', '1', 't')",
    "INSERT INTO audit_records VALUES (1, '2026-11-17', '5860571000', 'k', 1, '{}', 'p', 'h')",
    "INSERT INTO purged_files VALUES ('5860571000', '2026/11/f.zst', 'a', '2026-11-17 12:00:00')",
    "INSERT INTO orphans VALUES (1, '5860571000', 'NODURS', '2026-11-17', 'f', 'p', 'a',"
    " '2026-11-17 12:00:00', '2026-11-17 12:00:00', 1)",
    "INSERT INTO eplacila_payments (id, provider, order_id, state, amount_cents, reversed_cents, told_at)"
    " VALUES (1, '5860571000', 'N-1', 3, 0, 0, '2026-11-17 12:00:00')",
    "INSERT INTO eplacila_states VALUES (1, 1, 3, '2026-11-17 12:00:00', '2026-11-17 12:00:00')",
    "INSERT INTO eplacila_notices VALUES (1, '5860571000', 't', 'n', '1', 0, '2026-11-17 12:00:00')",
)


class Bare(Protocol):
    """A connection of the driver, without any of the program's settings."""

    def execute(self, statement: Any) -> Any: ...


@pytest.fixture
def bare(database_url: str) -> Iterator[Bare]:
    with _connect(database_url) as connection:
        for row in ROWS:
            connection.execute(row)
        yield connection


@contextmanager
def _connect(database_url: str) -> Iterator[Bare]:
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database), isolation_level=None)) as connection:
            yield connection
    else:
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as other:
            yield other


def _content(bare: Bare, table: str) -> list[Any]:
    return list(bare.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall())


def _is_refused(bare: Bare, table: str, statement: str) -> None:
    before = _content(bare, table)
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.RaiseException), match="append-only"):
        bare.execute(statement)
    assert _content(bare, table) == before


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_a_fact_is_never_updated(bare: Bare, table: str) -> None:
    """An auditor may trust that a row is what was first written."""
    keys = {"submission_events": "event", "withdrawn_events": "event", "reported_figures": "account"}
    column = {**keys, "audit_records": "hash", "purged_files": "path"}.get(table, "id")
    _is_refused(bare, table, f"UPDATE {table} SET {column} = {column}")


_STAYING = [*APPEND_ONLY, "accounts", "account_months", "answers"]


@pytest.mark.parametrize("table", _STAYING)
def test_a_fact_is_never_deleted(bare: Bare, table: str) -> None:
    """An auditor may trust that nothing is missing."""
    _is_refused(bare, table, f"DELETE FROM {table}")


@pytest.mark.parametrize("table", _STAYING)
def test_a_fact_is_never_replaced_or_truncated(bare: Bare, table: str) -> None:
    """Neither of the ways round a delete trigger is open."""
    if isinstance(bare, sqlite3.Connection):
        _is_refused(bare, table, f"REPLACE INTO {table} SELECT * FROM {table}")
    else:
        _is_refused(bare, table, f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("debtors", "(9, '5860571000', '12345679', 'DOLZNIK')"),
        ("obligations", "(9, '5860571000', 'O-1', 5, 1, '010000100002123', 1)"),
        ("postings", "(9, '5860571000', 'P-1', 1, '2026-10-05', 900)"),
        ("accounts", "(9, '5860571000', '010000100002123', '12345679', 'X', '2020-01-01', NULL, 1)"),
        ("account_months", "(9, 1, '2026-09', 7, 7, 7, 'imported')"),
        ("eplacila_notices", "(9, '5860571000', 't', 'n', '1', 4, '2026-11-17 12:00:00')"),
        ("audit_records", "(9, '2026-11-17', '5860571000', 'k', 1, '{\"a\":1}', 'p', 'h')"),
        (
            "events",
            "(9, 1, '1', NULL, '02', '2026-11-17', 9, '2026-11-17', 'x', NULL, NULL, NULL, NULL, NULL, 1)",
        ),
    ],
)
def test_a_fact_is_never_replaced_under_its_own_key(
    migrated_sqlite: Any, tmp_path: Any, table: str, row: str
) -> None:
    """REPLACE with another surrogate key would swap a fact for another one on SQLite."""
    path = tmp_path / "ajpes.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in ROWS:
            connection.execute(statement)
        _is_refused(connection, table, f"REPLACE INTO {table} VALUES {row}")


def test_an_account_closes_once(bare: Bare) -> None:
    """A bank may say that an account was closed, and may not take it back."""
    bare.execute("UPDATE accounts SET closed_on = '2026-10-31'")
    for later in ("'2026-11-30'", "NULL", "'2026-10-31'"):
        _is_refused(bare, "accounts", f"UPDATE accounts SET closed_on = {later}")


@pytest.mark.parametrize("column", ["provider", "account", "holder_tax_number", "holder_name"])
def test_nothing_else_of_an_account_changes_while_it_closes(bare: Bare, column: str) -> None:
    """An account cannot pass to another holder under cover of its closing."""
    _is_refused(bare, "accounts", f"UPDATE accounts SET closed_on = '2026-10-31', {column} = '1'")


def test_an_obligation_passes_to_another_spelling_of_its_debtors_name(bare: Bare) -> None:
    """A company that was renamed is reported under its new name."""
    bare.execute("INSERT INTO debtors VALUES (2, '5860571000', '12345679', 'DOLZNIK D.O.O.')")
    bare.execute("UPDATE obligations SET debtor = 2")
    assert _content(bare, "obligations")[0][4] == 2


@pytest.mark.parametrize(
    "change",
    [
        "debtor = 3",
        "debtor = 4",
        "debtor = 9",
        "debtor = 2, issuer = 5",
        "debtor = 2, clean_under = NULL",
        "debtor = 1",
    ],
)
def test_an_obligation_passes_to_nobody_else(bare: Bare, change: str) -> None:
    """Nobody's debt is laid on somebody else, and nothing else changes under cover of a name."""
    bare.execute("INSERT INTO debtors VALUES (2, '5860571000', '12345679', 'DOLZNIK D.O.O.')")
    bare.execute("INSERT INTO debtors VALUES (3, '5860571000', '50123459', 'DOLZNIK D.O.O.')")
    bare.execute("INSERT INTO debtors VALUES (4, '5026024000', '12345679', 'DOLZNIK D.O.O.')")
    _is_refused(bare, "obligations", f"UPDATE obligations SET {change}")


def test_an_account_is_restated_only_when_what_stood_there_is_kept(bare: Bare) -> None:
    """A holder's name may be put right, and nobody can make the old one disappear."""
    _is_refused(bare, "accounts", "UPDATE accounts SET holder_name = 'N'")
    bare.execute(
        "INSERT INTO former_accounts SELECT 2, id, holder_tax_number, holder_name, opened_on, closed_on,"
        " '2026-11-17', 'r' FROM accounts"
    )
    for column in ("id", "provider", "account"):
        _is_refused(bare, "accounts", f"UPDATE accounts SET holder_name = 'N', {column} = '9'")
    bare.execute("UPDATE accounts SET holder_name = 'N'")
    assert _content(bare, "accounts")[0][4] == "N"
    _is_refused(bare, "accounts", "UPDATE accounts SET holder_name = 'D'")


def test_a_month_is_restated_only_when_its_figures_are_kept(bare: Bare) -> None:
    """Figures may be put right, and those that were reported stay readable, each time."""
    restate = "UPDATE account_months SET closing_balance_cents = 7 WHERE id = 1"
    _is_refused(bare, "account_months", restate)
    keep = "INSERT INTO former_account_months SELECT {}, id, 1, 2, closing_balance_cents, '2026-11-17', 'r'"
    bare.execute(f"{keep.format(2)} FROM account_months WHERE id = 1")
    for change in ("origin = 'closed'", "month = '2026-08'", "account = 9", "id = 9"):
        _is_refused(bare, "account_months", f"UPDATE account_months SET {change} WHERE id = 1")
    bare.execute(restate)
    assert _content(bare, "account_months")[0][5] == 7
    back = "UPDATE account_months SET closing_balance_cents = 3 WHERE id = 1"
    _is_refused(bare, "account_months", back)
    bare.execute(f"{keep.format(3)} FROM account_months WHERE id = 1")
    bare.execute(back)


def test_an_answer_keeps_its_number_while_its_status_changes(bare: Bare) -> None:
    """Its rows know it by that."""
    bare.execute("UPDATE answers SET status = 'applied'")
    _is_refused(bare, "answers", "UPDATE answers SET id = 2")


def test_a_month_summed_up_may_be_renewed(bare: Bare) -> None:
    """Postings that came late are not lost for the month."""
    bare.execute("UPDATE account_months SET credit_turnover_cents = 8 WHERE origin = 'closed'")
    assert _content(bare, "account_months")[1][3] == 8


@pytest.mark.parametrize(
    "change",
    [
        "credit_turnover_cents = 8 WHERE origin = 'imported'",
        "origin = 'closed' WHERE origin = 'imported'",
        "month = '2026-08' WHERE origin = 'closed'",
        "account = 9 WHERE origin = 'closed'",
    ],
)
def test_a_month_that_the_bank_gave_is_not_changed(bare: Bare, change: str) -> None:
    """Figures from the bank's own books win for good."""
    _is_refused(bare, "account_months", f"UPDATE account_months SET {change}")


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        (
            "events",
            "INSERT INTO events (id, obligation, event_id, change_type, change_date, amount_cents, "
            "recorded_at, recorded_as) SELECT 9, 9, '9', '01', change_date, 9, recorded_at, 'x' FROM events",
        ),
        ("pending_events", "INSERT INTO pending_events VALUES (9)"),
        ("pending_events", "UPDATE pending_events SET event = 9"),
        ("postings", "INSERT INTO postings VALUES (9, '5860571000', 'P-9', 9, '2026-10-05', 900)"),
        ("account_months", "INSERT INTO account_months VALUES (9, 9, '2026-10', 1, 1, 1, 'closed')"),
        ("submission_events", "INSERT INTO submission_events VALUES (1, 9)"),
        (
            "answer_rows",
            "INSERT INTO answer_rows (id, answer, severity, code, text) VALUES (9, 9, 'error', '1', 't')",
        ),
    ],
)
def test_a_fact_belongs_to_a_fact_that_is_there(bare: Bare, table: str, statement: str) -> None:
    """An auditor never meets an event without its obligation, also where no key of the database asks."""
    if isinstance(bare, sqlite3.Connection):
        bare.execute("PRAGMA foreign_keys = ON")  # SQLite asks only whoever wants to be asked
    bare.execute("INSERT INTO pending_events VALUES (1)")
    before = _content(bare, table)
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.ForeignKeyViolation)):
        bare.execute(statement)
    assert _content(bare, table) == before


def test_the_guard_is_back_when_an_import_ends(migrated_sqlite: Path, tmp_path: Path) -> None:
    """What is put aside while an import adds its rows is never missing for anybody else."""
    path = shutil.copy(migrated_sqlite, tmp_path / "ajpes.db")
    engine = open_engine(f"sqlite:///{path}")
    row = "INTO debtors VALUES (1, '5860571000', '12345679', 'DOLZNIK')"
    with writing(engine) as connection, skipping_known(connection, debtors):
        for added in (1, 0):
            known = text(f"INSERT {row} ON CONFLICT DO NOTHING")
            assert connection.execute(known).rowcount == added
    with pytest.raises(ZeroDivisionError), writing(engine) as connection, skipping_known(connection, debtors):
        raise ZeroDivisionError
    engine.dispose()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        _is_refused(other, "debtors", f"REPLACE {row}")
