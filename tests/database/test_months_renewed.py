"""A ledger of an earlier version, whose months lost balances, is put right by the upgrade."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.upgrade import upgrade, upgrading

BANK = "5860571000"
A, B = "010000000100187", "010000000100284"

# What the program of then left: August imported for A, nothing in September, 50.00 on 10 October; B has only
# postings. All three months were accepted, then -30.00 came late into B's August.
ROWS = (
    f"INSERT INTO accounts VALUES (1, '{BANK}', '{A}', '12345679', 'D', '2020-01-01', NULL, 1)",
    f"INSERT INTO accounts VALUES (2, '{BANK}', '{B}', '12345679', 'D', '2020-01-01', NULL, 1)",
    "INSERT INTO account_months VALUES (1, 1, '2026-08', 0, 0, 100000, 'imported')",
    "INSERT INTO account_months VALUES (2, 1, '2026-10', 5000, 0, 5000, 'closed')",
    "INSERT INTO account_months VALUES (3, 2, '2026-08', 10000, 0, 10000, 'closed')",
    "INSERT INTO account_months VALUES (4, 2, '2026-09', 1000, 0, 11000, 'closed')",
    "INSERT INTO account_months VALUES (5, 2, '2026-10', 0, 0, 11000, 'closed')",
    f"INSERT INTO postings VALUES (1, '{BANK}', 'P-1', 1, '2026-10-10', 5000)",
    f"INSERT INTO postings VALUES (2, '{BANK}', 'P-2', 2, '2026-08-05', 10000)",
    f"INSERT INTO postings VALUES (3, '{BANK}', 'P-3', 2, '2026-09-05', 1000)",
    f"INSERT INTO postings VALUES (4, '{BANK}', 'P-4', 2, '2026-08-20', -3000)",
    *(
        "INSERT INTO submissions (id, provider, report, period, state, prepared_at, file_name, archive_path,"
        f" size_bytes, sha256, content_sha256, record_count, totals) VALUES ({key}, '{BANK}', 'SPAPP',"
        f" '2026-{7 + key:02}', 'accepted', '2026-11-17 12:00:00', 'f', 'p', 1, 'a', 'b', 1, '{{}}')"
        for key in (1, 2, 3)
    ),
)


@pytest.fixture
def renewed(empty_database_url: str) -> Engine:
    engine = open_engine(empty_database_url)
    config = Config()
    config.set_main_option("script_location", "ajpes_reporting.database:migrations")
    with upgrading(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0010")
        for row in ROWS:
            connection.execute(text(row))
    upgrade(engine)
    return engine


def test_the_upgrade_puts_lost_balances_right_and_notes_what_was_reported(renewed: Engine) -> None:
    """Nobody goes on from a balance that was lost; what AJPES accepted stays known."""
    with renewed.connect() as connection:
        months = connection.execute(
            text(
                "SELECT account, month, credit_turnover_cents, debit_turnover_cents, closing_balance_cents"
                " FROM account_months ORDER BY account, month"
            )
        ).all()
        noted = connection.execute(text("SELECT * FROM reported_figures ORDER BY account, submission")).all()
    renewed.dispose()
    # A: 1000 + 50 in October. B: 100 - 30 = 70, + 10 = 80, and 80 carried on.
    assert [tuple(row) for row in months] == [
        (1, "2026-08", 0, 0, 100000), (1, "2026-10", 5000, 0, 105000),
        (2, "2026-08", 10000, 3000, 7000), (2, "2026-09", 1000, 0, 8000), (2, "2026-10", 0, 0, 8000),
    ]  # fmt: skip
    assert [tuple(row) for row in noted] == [
        (3, 1, 5000, 0, 5000), (1, 2, 10000, 0, 10000), (2, 2, 1000, 0, 11000), (3, 2, 0, 0, 11000),
    ]  # fmt: skip
