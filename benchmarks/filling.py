"""Writes made-up ledgers straight into the tables, which takes seconds where an import takes minutes.

What lies there afterwards is what imports would have left: the same rows, the same indexes and the
same triggers.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any, Literal

import psycopg
from sqlalchemy import make_url

from ajpes_reporting.domain.rules import RuleSettings
from benchmarks import ledgers

Row = tuple[str | int | None, ...]
Contents = Literal["new", "scattered", "delivered", "accepted", "months", "postings"]
"""What a ledger holds.

`new`: events that no report has told yet, obligation by obligation, as one import leaves them.
`scattered`: the same day by day, as years of daily imports leave them.
`delivered`: new, all of it in a report that awaits its answer.
`accepted`: scattered, accepted day by day over three years, but for 1,000 events in as many obligations.
`months`: accounts with two imported months. `postings`: accounts with fifty postings in a month.
"""

MONTH, MONTH_BEFORE = "2025-10", "2025-09"
POSTINGS_PER_ACCOUNT = 50
STILL_PENDING = 1_000
ANSWERED_AT = f"{ledgers.DAY}T18:00:00+01:00"
_EDITION = 1  # of the rules, under which nearly all was found right; the first that a ledger meets
_BATCH = 10_000

_EVENT = (
    "obligation", "event_id", "cancels_event_id", "change_type", "change_date", "amount_cents", "recorded_at",
    "recorded_as", "reference_model", "reference", "priority", "creditor_account", "creditor_name",
    "clean_under",
)  # fmt: skip


def fill(url: str, contents: Contents, size: int) -> None:
    """Fills the empty tables of the database at `url`. `size` counts events or, for SPAPP, accounts."""
    with _filling(url) as database:
        database.insert("rule_editions", ("fingerprint",), [(RuleSettings().edition,)])
        if contents in ("months", "postings"):
            _fill_accounts(database, size)
            (_fill_months if contents == "months" else _fill_postings)(database, size)
        else:
            _fill_obligations(database, size)
            _fill_events(database, size, scattered=contents in ("scattered", "accepted"))
            _SETTLE[contents](database, size)


def _fill_obligations(database: _Database, size: int) -> None:
    debtors = (ledgers.debtor(number) for number in range(ledgers.debtor_count(size)))
    database.insert(
        "debtors", ("provider", "tax_number", "name"), ((ledgers.PROVIDER, *debtor) for debtor in debtors)
    )
    database.insert(
        "obligations",
        ("provider", "obligation_id", "issuer", "debtor", "debtor_account", "clean_under"),
        (
            (ledgers.PROVIDER, one.obligation_id, one.issuer, one.debtor + 1, one.debtor_account, _EDITION)
            for one in ledgers.obligations(size)
        ),
    )


def _fill_events(database: _Database, size: int, *, scattered: bool) -> None:
    rows = (
        (number + 1, *event, None if event.is_late else _EDITION)
        for number in range(ledgers.obligation_count(size))
        for event in ledgers.history(number)
    )
    if not scattered:
        database.insert("events", _EVENT, rows)
        return
    columns = ", ".join(_EVENT)
    database.run(f"CREATE TEMPORARY TABLE unsorted AS SELECT {columns} FROM events")
    database.insert("unsorted", _EVENT, rows)
    database.run(
        f"INSERT INTO events ({columns}) SELECT {columns} FROM unsorted"
        " ORDER BY substr(recorded_as, 1, 10), obligation"
    )
    database.run("DROP TABLE unsorted")


def _leave_pending(database: _Database, _size: int) -> None:
    database.run("INSERT INTO pending_events SELECT id FROM events")


def _await_answer(database: _Database, size: int) -> None:
    """All events are in one report, which is with the authority."""
    _leave_pending(database, size)
    at = database.as_moment(f"'{ledgers.DAY} 15:00:00.000000'")
    _submit(database, "delivered", f"SELECT '{ledgers.DAY}' AS day, {at} AS at, {size} AS told")
    database.run("INSERT INTO submission_events (submission, event) SELECT 1, id FROM events ORDER BY id")


def _accept_by_day(database: _Database, size: int) -> None:
    """Each day's events were reported on that day; the newest ones of some obligations were not."""
    step = max(1, ledgers.obligation_count(size) // STILL_PENDING)
    database.run(
        "INSERT INTO pending_events"
        f" SELECT max(id) FROM events WHERE obligation % {step} = 0 GROUP BY obligation LIMIT {STILL_PENDING}"
    )
    _submit(
        database,
        "accepted",
        "SELECT substr(recorded_as, 1, 10) AS day, min(recorded_at) AS at, count(*) AS told"
        " FROM events GROUP BY 1",
    )
    database.run(
        "INSERT INTO submission_events (submission, event) SELECT submissions.id, events.id"
        " FROM events JOIN submissions ON period = substr(recorded_as, 1, 10)"
        " WHERE events.id NOT IN (SELECT event FROM pending_events) ORDER BY 1, 2"
    )


def _submit(database: _Database, state: str, days: str) -> None:
    """A submission for each of the days that a query gives: the day, when it was made, its events."""
    database.run(
        "INSERT INTO submissions (provider, report, period, state, prepared_at, file_name, archive_path,"
        " size_bytes, sha256, content_sha256, record_count, totals)"
        f" SELECT '{ledgers.PROVIDER}', 'NODURS', day, '{state}', at, 'NODURS_' || day, '', 0, '', '',"
        f" told, '{{}}' FROM ({days}) AS days ORDER BY day"
    )


_SETTLE = {
    "new": _leave_pending,
    "scattered": _leave_pending,
    "delivered": _await_answer,
    "accepted": _accept_by_day,
}


def _fill_accounts(database: _Database, size: int) -> None:
    holders = ((number, ledgers.debtor(number)) for number in range(size))
    database.insert(
        "accounts",
        ("provider", "account", "holder_tax_number", "holder_name", "opened_on", "clean_under"),
        (
            (ledgers.PROVIDER, ledgers.account_number(number), *holder, "2019-03-01", _EDITION)
            for number, holder in holders
        ),
    )


def _fill_months(database: _Database, _size: int) -> None:
    """Two months that follow from each other, the later with turnover."""
    for month, credit, debit in (
        (MONTH_BEFORE, "0", "0"),
        (MONTH, "id * 7919 % 900000", "id * 104729 % 700000"),
    ):
        database.run(
            "INSERT INTO account_months (account, month, credit_turnover_cents, debit_turnover_cents,"
            f" closing_balance_cents, origin) SELECT id, '{month}', {credit}, {debit},"
            f" id * 31 % 5000000 + {credit} - {debit}, 'imported' FROM accounts ORDER BY id"
        )


def _fill_postings(database: _Database, size: int) -> None:
    """In order of booking, over all accounts, as a month's postings come in."""
    count = size * POSTINGS_PER_ACCOUNT
    day = f"'{MONTH}-' || substr(CAST(101 + n * 31 / {count} AS text), 2)"
    database.run(
        "INSERT INTO postings (provider, posting_id, account, booked_on, amount_cents)"
        f" SELECT '{ledgers.PROVIDER}', 'P-' || n, 1 + n * 7919 % {size},"
        f" {database.as_date(day)}, n * 104729 % 2000000 - 1000000 FROM {database.numbers(count)}"
    )


class _Database(ABC):
    """What bulk loading needs of a database; each kind fills in how."""

    @abstractmethod
    def insert(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
        """Adds many rows at once."""

    @abstractmethod
    def run(self, statement: str) -> None:
        """Executes one statement."""

    @abstractmethod
    def numbers(self, count: int) -> str:
        """A table of one column `n` that counts from 0."""

    @abstractmethod
    def as_date(self, text: str) -> str:
        """An expression of text as a date."""

    @abstractmethod
    def as_moment(self, text: str) -> str:
        """An expression of text in UTC as a moment."""


@contextmanager
def _filling(url: str) -> Iterator[_Database]:
    filling = _filling_sqlite if make_url(url).get_backend_name() == "sqlite" else _filling_postgresql
    with filling(url) as database:
        yield database


class _Sqlite(_Database):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
        places = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)

    def run(self, statement: str) -> None:
        self._connection.execute(statement)

    def numbers(self, count: int) -> str:
        return (
            "(WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted"
            f" WHERE n < {count - 1}) SELECT n FROM counted)"
        )

    def as_date(self, text: str) -> str:
        return text

    def as_moment(self, text: str) -> str:
        return text


@contextmanager
def _filling_sqlite(url: str) -> Iterator[_Sqlite]:
    """Without the triggers and without care for the disk; a ledger half filled is thrown away."""
    with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as connection:
        for setting in ("synchronous = OFF", "cache_size = -1000000"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("BEGIN")
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield _Sqlite(connection)
        for _, statement in triggers:
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class _Postgresql(_Database):
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def insert(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        rows = iter(rows)
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            while batch := "".join(map(_copied, islice(rows, _BATCH))):
                copy.write(batch)

    def run(self, statement: str) -> None:
        self._connection.execute(statement.encode())

    def numbers(self, count: int) -> str:
        return f"generate_series(CAST(0 AS bigint), {count - 1}) AS counted(n)"

    def as_date(self, text: str) -> str:
        return f"CAST({text} AS date)"

    def as_moment(self, text: str) -> str:
        return f"CAST({text} AS timestamptz)"


@contextmanager
def _filling_postgresql(url: str) -> Iterator[_Postgresql]:
    """Without a look at the foreign keys, and then with what autovacuum would have done by the next day."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        for setting in ("session_replication_role = replica", "TimeZone = 'UTC'", "work_mem = '512MB'"):
            connection.execute(f"SET {setting}".encode())
        with connection.transaction():
            yield _Postgresql(connection)
        connection.execute(b"VACUUM ANALYZE")


def _copied(row: Row) -> str:
    """A row as COPY reads it; none of the made-up values needs escaping there."""
    return "\t".join("\\N" if value is None else str(value) for value in row) + "\n"
