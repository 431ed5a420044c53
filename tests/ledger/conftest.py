"""Ledgers to import into, and rows to import."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from ajpes_reporting.database.tables import metadata
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger.files import import_files
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, EVENTS, POSTINGS, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import Engine

    from ajpes_reporting.ledger.files import ImportSummary

PROVIDER = "5860571000"
LATER = datetime(2101, 1, 1, tzinfo=UTC)  # later than whatever is recorded here

EVENT = {
    "obligation_id": "O-314",
    "issuer": "3",
    "debtor_tax_number": "78439388",
    "debtor_name": "KRATEK NAZIV DOLŽNIKA",
    "debtor_account": "010000100002123",
    "event_id": "7",
    "cancels_event_id": "",
    "change_type": "01",
    "change_date": "2026-11-17",
    "amount_cents": "28843416",
    "recorded_at": "2026-11-17T08:05:00",
    "reference_model": "99",
    "reference": "",
    "priority": "3",
    "creditor_account": "110228000164691",
    "creditor_name": "KRATEK NAZIV UPNIKA",
}
ACCOUNT = {
    "account": "010000100002123",
    "holder_tax_number": "78439388",
    "holder_name": "KRATEK NAZIV DOLŽNIKA",
    "opened_on": "2020-01-15",
    "closed_on": "",
}
MONTH = {
    "account": "010000100002123",
    "month": "2026-10",
    "credit_turnover_cents": "4000",
    "debit_turnover_cents": "1000",
    "closing_balance_cents": "3000",
}
POSTING = {
    "posting_id": "P-1",
    "account": "010000100002123",
    "booked_on": "2026-10-05",
    "amount_cents": "4000",
}
ROW: dict[Kind, dict[str, str]] = {EVENTS: EVENT, ACCOUNTS: ACCOUNT, ACCOUNT_MONTHS: MONTH, POSTINGS: POSTING}

Row = dict[str, str]


class Ledger:
    """A ledger with its tables, and the ways to put rows into it that a clerk has."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.now = LATER

    def file(self, kind: Kind, *rows: Row, name: str | None = None) -> Path:
        """A CSV file; a row says only what differs from the usual one of its kind."""
        path = self.folder / (name or f"{kind.name}.csv")
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, kind.columns)
            writer.writeheader()
            writer.writerows({**ROW[kind], **row} for row in rows)
        return path

    def take(self, kind: Kind, *rows: Row) -> ImportSummary:
        """Imports one file with these rows."""
        return self.take_files(self.file(kind, *rows))[0]

    def take_files(self, *paths: Path, provider: str = PROVIDER) -> list[ImportSummary]:
        return import_files(self.engine, provider, paths, RuleSettings(), now=self.now)

    def content(self) -> dict[str, Sequence[Any]]:
        """Every row of every table, to show that something changed, or that nothing did."""
        with self.engine.connect() as connection:
            return {
                name: connection.execute(select(table).order_by(*table.primary_key.columns)).all()
                for name, table in metadata.tables.items()
            }


@pytest.fixture
def ledger(engine: Engine, tmp_path: Path) -> Ledger:
    return Ledger(engine, tmp_path)


@pytest.fixture
def text_file(tmp_path: Path) -> Callable[[str], Path]:
    """A file with exactly this text."""

    def write(text: str) -> Path:
        path = tmp_path / "input.csv"
        path.write_bytes(text.encode())
        return path

    return write
