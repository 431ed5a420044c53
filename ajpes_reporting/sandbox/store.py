"""The authority's own store: what it has received, and what it has accepted.

An auditor reads here, beside a running sandbox, that a report was received exactly once and that
every event stands as it was sent. Nothing of a refused submission is kept but the fact itself.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .reading import EventRecord, MonthRecord, ObligationFacts, ObligationRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAKEN, ACCEPTED, WITH_WARNINGS, REFUSED = "taken", "accepted", "accepted_with_warnings", "refused"
# A SOAP message that could not even be answered for; a SOAP message that a crash has cut off.
UNREADABLE, INTERRUPTED = "unreadable", "interrupted"

_TABLES = """
CREATE TABLE IF NOT EXISTS providers (
  registration_number TEXT PRIMARY KEY,
  name TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS submissions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  provider TEXT NOT NULL REFERENCES providers,
  report TEXT NOT NULL,             -- nodurs, spapp
  via TEXT NOT NULL,                -- soap, sftp
  file_name TEXT,                   -- as it stands in accepted/; none over SOAP
  received_at TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,             -- of the bytes that came, over SOAP the whole message
  content_sha256 TEXT,              -- of the report's root element alone
  period TEXT,
  verdict TEXT NOT NULL DEFAULT 'taken',
  errors INTEGER NOT NULL DEFAULT 0,
  warnings INTEGER NOT NULL DEFAULT 0,
  answer BLOB,
  answer_name TEXT,                 -- as it stands in iz_ajpes/; none over SOAP
  answer_due REAL,                  -- seconds since the epoch; empty: never
  answered_at TEXT
);
CREATE TABLE IF NOT EXISTS obligations (
  provider TEXT NOT NULL REFERENCES providers,
  obligation_id TEXT NOT NULL,
  issuer TEXT NOT NULL,
  tax_number TEXT NOT NULL,
  debtor_name TEXT NOT NULL,
  account TEXT NOT NULL,
  submission INTEGER NOT NULL REFERENCES submissions,
  PRIMARY KEY (provider, obligation_id)
);
CREATE TABLE IF NOT EXISTS events (
  provider TEXT NOT NULL,
  obligation_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  cancels TEXT,
  change_type TEXT NOT NULL,
  change_date TEXT NOT NULL,
  amount_cents INTEGER NOT NULL,
  recorded_at TEXT NOT NULL,
  model TEXT,
  reference TEXT,
  priority TEXT,
  creditor_account TEXT,
  creditor_name TEXT,
  submission INTEGER NOT NULL REFERENCES submissions,
  PRIMARY KEY (provider, obligation_id, event_id),
  FOREIGN KEY (provider, obligation_id) REFERENCES obligations
);
CREATE TABLE IF NOT EXISTS monthly_accounts (
  provider TEXT NOT NULL REFERENCES providers,
  month TEXT NOT NULL,
  account TEXT NOT NULL,
  credit_cents INTEGER NOT NULL,
  debit_cents INTEGER NOT NULL,
  balance_cents INTEGER NOT NULL,
  submission INTEGER NOT NULL REFERENCES submissions,
  PRIMARY KEY (provider, month, account)
);
"""
_EVENT_COLUMNS = ", ".join(EventRecord._fields)
_FACT_COLUMNS = ", ".join(ObligationFacts._fields)
_MONTH_COLUMNS = ", ".join(MonthRecord._fields)


@dataclass(frozen=True, slots=True)
class Submission:
    """One thing that was received; see the table's comments."""

    id: int
    provider: str
    report: str
    via: str
    file_name: str | None
    received_at: str
    size_bytes: int
    sha256: str
    content_sha256: str | None
    period: str | None
    verdict: str
    errors: int
    warnings: int
    answer_name: str | None
    answered_at: str | None

    @property
    def is_accepted(self) -> bool:
        return self.verdict in (ACCEPTED, WITH_WARNINGS)


@dataclass(frozen=True, slots=True)
class KnownObligation:
    """An obligation as it was accepted so far; events by their id."""

    facts: ObligationFacts
    events: dict[str, EventRecord]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a submission. `answer_due` is in seconds since the epoch, None for never."""

    outcome: str
    period: str | None
    content_sha256: str | None
    errors: int
    warnings: int
    answer: bytes
    answer_name: str | None = None
    answer_due: float | None = None


class Store:
    """The store in one SQLite file. Each call opens the file for itself, so threads need not agree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_TABLES)

    # --- For the auditor ---

    def submissions(self, report: str | None = None, via: str | None = None) -> list[Submission]:
        """Return everything received, oldest first; of one report (nodurs, spapp) or one way (soap, sftp)."""
        columns = ", ".join(Submission.__slots__)
        query = f"SELECT {columns} FROM submissions WHERE report = ifnull(?, report)"  # noqa: S608 -- constants
        rows = self._rows(f"{query} AND via = ifnull(?, via) ORDER BY id", report, via)
        return [Submission(**row) for row in rows]

    def answer(self, submission_id: int) -> bytes | None:
        """Return the answer as it was, or would have been, given."""
        rows = self._rows("SELECT answer FROM submissions WHERE id = ?", submission_id)
        answer: bytes | None = rows[0]["answer"] if rows else None
        return answer

    def obligations(self) -> list[sqlite3.Row]:
        return self._rows("SELECT * FROM obligations ORDER BY provider, obligation_id")

    def events(self, obligation_id: str | None = None) -> list[sqlite3.Row]:
        """Return every accepted event, in the order of acceptance, or those of one obligation."""
        query = "SELECT * FROM events WHERE obligation_id = ifnull(?, obligation_id) ORDER BY rowid"
        return self._rows(query, obligation_id)

    def monthly_accounts(self, month: str | None = None) -> list[sqlite3.Row]:
        """Return the accepted months of accounts, or those of one month (YYYYMM)."""
        query = "SELECT * FROM monthly_accounts WHERE month = ifnull(?, month) ORDER BY month, account"
        return self._rows(query, month)

    # --- For the authority ---

    def register(self, registration_number: str, name: str) -> None:
        with self._open() as connection:
            connection.execute(
                "INSERT INTO providers VALUES (?, ?) ON CONFLICT DO UPDATE SET name = excluded.name",
                (registration_number, name),
            )

    def add(
        self,
        *,
        provider: str,
        report: str,
        via: str,
        file_name: str | None,
        received_at: str,
        size_bytes: int,
        sha256: str,
    ) -> int:
        """Add a submission before anything is done with it; return its number."""
        with self._open() as connection:
            cursor = connection.execute(
                "INSERT INTO submissions (provider, report, via, file_name, received_at, size_bytes, sha256)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (provider, report, via, file_name, received_at, size_bytes, sha256),
            )
            return int(cursor.lastrowid or 0)

    def remove(self, submission_id: int) -> None:
        """Undo `add`, for a file that was never moved out of its folder."""
        with self._open() as connection:
            connection.execute("DELETE FROM submissions WHERE id = ?", (submission_id,))

    def mark_interrupted(self) -> None:
        """Mark SOAP messages that were being validated when the process ended: their data was not kept."""
        with self._open() as connection:
            connection.execute(
                "UPDATE submissions SET verdict = ? WHERE verdict = ? AND via = 'soap'", (INTERRUPTED, TAKEN)
            )

    def unvalidated(self) -> list[Submission]:
        return [one for one in self.submissions() if one.verdict == TAKEN]

    def answers_due(self, now: float) -> list[sqlite3.Row]:
        """Return the answers that are due by `now`, in seconds since the epoch."""
        query = "SELECT id, provider, report, answer_name, answer FROM submissions WHERE answer_due <= ?"
        return self._rows(f"{query} AND answered_at IS NULL ORDER BY id", now)

    def mark_answered(self, submission_id: int, at: str) -> None:
        with self._open() as connection:
            connection.execute("UPDATE submissions SET answered_at = ? WHERE id = ?", (at, submission_id))

    @contextmanager
    def transaction(self, submission_id: int) -> Iterator[SubmissionTransaction]:
        """Give the transaction in which one submission is validated and stored, as a whole or not at all."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SAVEPOINT validating")
            yield SubmissionTransaction(connection, submission_id)
            connection.execute("COMMIT")

    def _rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._open() as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=60)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            yield connection


class SubmissionTransaction:
    """The transaction in which one submission is validated; without a commit nothing of it stays."""

    def __init__(self, connection: sqlite3.Connection, submission_id: int) -> None:
        self._connection = connection
        self._submission = submission_id

    def known(self, provider: str, obligation_id: str) -> KnownObligation | None:
        key = (provider, obligation_id)
        facts = self._connection.execute(
            f"SELECT {_FACT_COLUMNS} FROM obligations WHERE provider = ? AND obligation_id = ?",  # noqa: S608 -- constants
            key,
        ).fetchone()
        if facts is None:
            return None
        rows = self._connection.execute(
            f"SELECT {_EVENT_COLUMNS} FROM events WHERE provider = ? AND obligation_id = ?",  # noqa: S608 -- constants
            key,
        )
        return KnownObligation(ObligationFacts(*facts), {row[0]: EventRecord(*row) for row in rows})

    def write_obligation(
        self, provider: str, record: ObligationRecord, known: KnownObligation | None
    ) -> None:
        """Add the obligation, if it is new, and its new events. A debtor may have been renamed."""
        if known is None:
            row = (provider, record.obligation_id, *record.facts, self._submission)
            self._connection.execute("INSERT INTO obligations VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        elif known.facts.debtor_name != record.facts.debtor_name:
            self._connection.execute(
                "UPDATE obligations SET debtor_name = ? WHERE provider = ? AND obligation_id = ?",
                (record.facts.debtor_name, provider, record.obligation_id),
            )
        old = known.events if known else {}
        self._connection.executemany(
            f"INSERT INTO events VALUES ({', '.join('?' * 14)})",  # noqa: S608 -- question marks
            (
                (provider, record.obligation_id, *event, self._submission)
                for event in record.events
                if event.event_id not in old
            ),
        )

    def clear_month(self, provider: str, month: str) -> None:
        """Remove the rows of a month: a later report of it takes the place of the earlier one."""
        self._connection.execute(
            "DELETE FROM monthly_accounts WHERE provider = ? AND month = ?", (provider, month)
        )

    def write_month(self, provider: str, month: str, record: MonthRecord) -> None:
        self._connection.execute(
            "INSERT INTO monthly_accounts VALUES (?, ?, ?, ?, ?, ?, ?)",
            (provider, month, *record, self._submission),
        )

    def record_verdict(self, verdict: Verdict) -> None:
        """Store the verdict; of a submission that is not accepted, nothing else."""
        if verdict.outcome not in (ACCEPTED, WITH_WARNINGS):
            self._connection.execute("ROLLBACK TO validating")
        self._connection.execute(
            "UPDATE submissions SET verdict = ?, period = ?, content_sha256 = ?, errors = ?, warnings = ?,"
            " answer = ?, answer_name = ?, answer_due = ? WHERE id = ?",
            (
                verdict.outcome,
                verdict.period,
                verdict.content_sha256,
                verdict.errors,
                verdict.warnings,
                verdict.answer,
                verdict.answer_name,
                verdict.answer_due,
                self._submission,
            ),
        )
