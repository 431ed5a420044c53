"""The simulator's own store in SQLite: payments, notices to e-services, and the nonces that were used.

An auditor reads here, beside a running simulator, what was paid and what the e-service was told.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from ..errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS payments (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  transaction_id TEXT NOT NULL UNIQUE,
  ids INTEGER NOT NULL,
  order_id TEXT NOT NULL,
  registration_number TEXT NOT NULL,
  status INTEGER NOT NULL,          -- 6.5.3
  day TEXT NOT NULL,                -- of the last change, in Slovenia: what statements go by
  changed_at INTEGER NOT NULL,      -- all times in seconds since the epoch
  opened_at INTEGER NOT NULL,
  paid_at INTEGER,
  reversed_at INTEGER,
  amount_cents INTEGER NOT NULL,
  reversed_cents INTEGER NOT NULL,
  way TEXT,                         -- empty until the customer has chosen one
  ways TEXT NOT NULL,               -- JSON, those the customer may choose
  urlpar TEXT NOT NULL,
  success_url TEXT NOT NULL,
  failure_url TEXT NOT NULL,
  callback_url TEXT NOT NULL,
  remark TEXT,
  eid TEXT,
  details TEXT NOT NULL,            -- JSON, the rest of the order
  UNIQUE (ids, order_id)
);
CREATE INDEX IF NOT EXISTS payments_by_day ON payments (registration_number, ids, day);
CREATE INDEX IF NOT EXISTS payments_going_on ON payments (changed_at) WHERE status IN (3, 4);
CREATE TABLE IF NOT EXISTS notices (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  transaction_id TEXT NOT NULL REFERENCES payments (transaction_id),
  payment TEXT NOT NULL,            -- JSON, the payment as it was at that moment
  made_at INTEGER NOT NULL,
  due_at INTEGER,                   -- empty: told, or given up
  attempts INTEGER NOT NULL DEFAULT 0,
  answer TEXT                       -- HTTP status of the last attempt, or why there was none
);
CREATE INDEX IF NOT EXISTS notices_due ON notices (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS nonces (
  api_key TEXT NOT NULL,
  nonce TEXT NOT NULL,
  used_at INTEGER NOT NULL,
  PRIMARY KEY (api_key, nonce)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment; see the table's comments. `number` is 0 until it is entered."""

    number: int
    transaction_id: str
    ids: int
    order_id: str
    registration_number: str
    status: int
    day: str
    changed_at: int
    opened_at: int
    paid_at: int | None
    reversed_at: int | None
    amount_cents: int
    reversed_cents: int
    way: str | None
    ways: str
    urlpar: str
    success_url: str
    failure_url: str
    callback_url: str
    remark: str | None
    eid: str | None
    details: str

    @property
    def order(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.details)
        return found


@dataclass(frozen=True, slots=True)
class Notice:
    """One change of a payment that the e-service is to be told of."""

    number: int
    payment: Payment
    made_at: int
    due_at: int | None
    attempts: int
    answer: str | None


class OrderUsedError(Exception):
    """The e-service has used this order id before."""


_COLUMNS = tuple(field.name for field in fields(Payment))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM payments"  # noqa: S608 -- constants
_INSERT = f"INSERT INTO payments ({', '.join(_COLUMNS[1:])}) VALUES ({', '.join('?' * (len(_COLUMNS) - 1))})"  # noqa: S608 -- constants
_NOTICES = "SELECT number, payment, made_at, due_at, attempts, answer FROM notices"


class Store:
    """The store in one file. Each call opens the file for itself, so threads need not agree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with self._open() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_TABLES)
        except sqlite3.Error as reason:
            raise SandboxError(
                f"{path} cannot be used as the simulator's store: {reason}.",
                "move it away; a new one will be made",
            ) from None

    # --- Payments ---

    def payment(self, transaction_id: str) -> Payment | None:
        return self._one("transaction_id = ?", transaction_id)

    def payment_of_order(self, ids: int, order_id: str) -> Payment | None:
        return self._one("ids = ? AND order_id = ?", ids, order_id)

    def payments(self) -> list[Payment]:
        """All of them, newest first."""
        with self._open() as connection:
            return [Payment(*row) for row in connection.execute(f"{_SELECT} ORDER BY number DESC")]

    def newest(self, limit: int) -> list[Payment]:
        with self._open() as connection:
            rows = connection.execute(f"{_SELECT} ORDER BY number DESC LIMIT ?", (limit,))
            return [Payment(*row) for row in rows]

    def enter(self, payments: Iterable[Payment]) -> None:
        """Enters new ones, all or none. Raises `OrderUsedError`."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(
                    _INSERT, ([getattr(one, name) for name in _COLUMNS[1:]] for one in payments)
                )
            except sqlite3.IntegrityError:
                raise OrderUsedError from None
            connection.execute("COMMIT")

    def change(
        self, transaction_id: str, since: Collection[int], *, notice_due: int | None = None, **new: object
    ) -> Payment | None:
        """Changes a payment that is in one of the states `since`, and enters the notice of it with it.

        None if it is in another state, or there is none. `notice_due` None: nobody is told.
        """
        given = ", ".join(f"{name} = ?" for name in new)
        states = ", ".join(str(int(state)) for state in since)
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            done = connection.execute(
                f"UPDATE payments SET {given} WHERE transaction_id = ? AND status IN ({states})",  # noqa: S608 -- names of ours
                (*new.values(), transaction_id),
            )
            if not done.rowcount:
                return None
            row = connection.execute(f"{_SELECT} WHERE transaction_id = ?", (transaction_id,)).fetchone()
            payment = Payment(*row)
            if notice_due is not None:
                connection.execute(
                    "INSERT INTO notices (transaction_id, payment, made_at, due_at) VALUES (?, ?, ?, ?)",
                    (transaction_id, json.dumps(asdict(payment)), payment.changed_at, notice_due),
                )
            connection.execute("COMMIT")
            return payment

    def going_on_since(self, moment: int) -> list[Payment]:
        """Payments in states 3 and 4 that have not changed after that moment."""
        with self._open() as connection:
            rows = connection.execute(f"{_SELECT} WHERE status IN (3, 4) AND changed_at <= ?", (moment,))
            return [Payment(*row) for row in rows]

    def last_paid_at(self, ids: int) -> int | None:
        with self._open() as connection:
            row = connection.execute("SELECT max(paid_at) FROM payments WHERE ids = ?", (ids,)).fetchone()
            found: int | None = row[0]
            return found

    def between(
        self, registration_number: str, ids: int, days: tuple[str, str], statuses: Collection[int]
    ) -> Iterator[Payment]:
        """Payments of one e-service whose last change was on these days, both included, as a stream."""
        states = ", ".join(str(int(state)) for state in statuses)
        with self._open() as connection:
            rows = connection.execute(
                f"{_SELECT} WHERE registration_number = ? AND ids = ? AND day BETWEEN ? AND ?"
                f" AND status IN ({states}) ORDER BY day, number",
                (registration_number, ids, *days),
            )
            for row in rows:
                yield Payment(*row)

    # --- Notices ---

    def notices(self, transaction_id: str) -> list[Notice]:
        """Return the notices about a payment, sent and due, oldest first."""
        with self._open() as connection:
            rows = connection.execute(
                f"{_NOTICES} WHERE transaction_id = ? ORDER BY number", (transaction_id,)
            )
            return [_notice(row) for row in rows]

    def notices_due(self, now: int) -> list[Notice]:
        with self._open() as connection:
            rows = connection.execute(f"{_NOTICES} WHERE due_at <= ? ORDER BY due_at, number", (now,))
            return [_notice(row) for row in rows]

    def record_attempt(self, number: int, answer: str, due_at: int | None) -> None:
        """After an attempt: how it ended, and when the next is due."""
        with self._open() as connection:
            connection.execute(
                "UPDATE notices SET attempts = attempts + 1, answer = ?, due_at = ? WHERE number = ?",
                (answer, due_at, number),
            )

    # --- Nonces ---

    def use_nonce(self, api_key: str, nonce: str, now: int, kept_seconds: int) -> bool:
        """Record a nonce; return False if it was used before. Nonces too old for the clock are removed."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM nonces WHERE used_at < ?", (now - kept_seconds,))
            done = connection.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?, ?)", (api_key, nonce, now))
            connection.execute("COMMIT")
            return bool(done.rowcount)

    def _one(self, condition: str, *values: object) -> Payment | None:
        with self._open() as connection:
            row = connection.execute(f"{_SELECT} WHERE {condition}", values).fetchone()
            return Payment(*row) if row else None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # A stream of payments is read by whichever thread the server has free.
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=60, check_same_thread=False)
        with closing(connection):
            connection.execute("PRAGMA foreign_keys = ON")
            yield connection


def _notice(row: tuple[Any, ...]) -> Notice:
    number, payment, *rest = row
    return Notice(number, Payment(**json.loads(payment)), *rest)
