"""A row of the journal says what its entry says, also where row and file were changed together."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import zstandard
from sqlalchemy import text

from ajpes_reporting.database.engine import writing
from tests.journal.forging import unlock
from tests.pipeline.conftest import NOV_18, Bank, event

OTHER = b"<other/>"
SHA256 = hashlib.sha256(OTHER).hexdigest()


@pytest.fixture
def reported(bank: Bank) -> Bank:
    """A bank with one accepted report, by SOAP: its answer and the raw reply are kept."""
    bank.record(event("O-1", 1))
    bank.run()
    assert bank.problems() == ()
    return bank


def change(bank: Bank, sql: str, **values: str) -> None:
    with writing(bank.context.engine) as connection:
        connection.execute(text(sql), values)


def replace_file(bank: Bank, table: str, column: str = "archive_path") -> None:
    """Puts other bytes into the place of an archived file, well packed."""
    with bank.context.engine.connect() as connection:
        path = str(connection.scalar(text(f"SELECT {column} FROM {table} LIMIT 1")))
    target: Path = bank.context.archive.root / path
    target.write_bytes(zstandard.compress(OTHER))


@pytest.mark.parametrize(
    ("table", "hash_column", "path_column"),
    [
        ("submissions", "sha256", "archive_path"),
        ("answers", "sha256", "archive_path"),
        ("attempts", "evidence_sha256", "evidence_path"),
    ],
)
def test_a_file_that_was_changed_with_its_row_is_found(
    reported: Bank, table: str, hash_column: str, path_column: str
) -> None:
    """Whoever can write files and rows, but not the record, cannot make another report of ours."""
    if table == "attempts":
        reported = with_evidence(reported)
    change(
        reported, f"UPDATE {table} SET {hash_column} = :other WHERE {hash_column} IS NOT NULL", other=SHA256
    )
    replace_file(reported, f"{table} WHERE {hash_column} IS NOT NULL", path_column)
    assert any(f"another {hash_column}" in problem for problem in reported.problems())


def test_an_answer_that_was_removed_is_missed(reported: Bank) -> None:
    """What AJPES said cannot be made to vanish together with its file."""
    with writing(reported.context.engine) as connection:
        for table in ("answer_rows", "answers"):
            unlock(connection, table)
            connection.execute(text(f"DELETE FROM {table}"))
    assert "answer 1 is in the record, but not in the journal" in reported.problems()


def with_evidence(bank: Bank) -> Bank:
    """A second day, whose answer is a web page: that reply is evidence."""
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T08:00:00"), name="more.csv")
    bank.authority.faults.add("soap", "html", times=1)
    bank.run(period=NOV_18)
    assert bank.problems() == ()
    return bank


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE submissions SET size_bytes = size_bytes + 1",
        "UPDATE submissions SET file_name = 'NODURS_20261118_5860571.xml'",
        "UPDATE submissions SET record_count = 2",
        "UPDATE submissions SET totals = '{}'",
        "UPDATE submissions SET totals = 'nonsense'",
        "UPDATE submissions SET content_sha256 = sha256",
        "UPDATE submissions SET period = '2026-11-16'",
        "UPDATE submissions SET held_because = 'it was held'",
        "UPDATE submissions SET released_at = prepared_at",
        "UPDATE submissions SET archive_path = '2026/11/other.zst'",
        "UPDATE answers SET size_bytes = size_bytes + 1",
        "UPDATE answers SET via = 'hand'",
        "UPDATE answers SET remote_name = 'nodurs/other.xml'",
    ],
)
def test_a_row_that_was_changed_alone_is_found(reported: Bank, edit: str) -> None:
    """Figures and names in the journal are those that were written down when they were true."""
    change(reported, edit)
    assert reported.problems()
