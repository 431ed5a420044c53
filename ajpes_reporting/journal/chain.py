"""The audit record: a chain in which each entry seals the one before it.

An entry commits in the same transaction as the change it explains. The hash covers every column
of the entry and the hash of its predecessor, so that no byte of the past can be edited unseen;
cutting off the end is seen too, since every state, every answer and every quiet day in the journal
must have its entry.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from ajpes_reporting.database.tables import answers, audit_records, due_reports, purged_files, submissions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

GENESIS = "0" * 64
STATE_CHANGED = "state"
ANSWER = "answer "  # and then its status
NOTHING_TO_REPORT = "nothing_to_report"
LATE_OUTCOME = "late outcome"
RELEASED = "released"
PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the audit record. `body` is JSON text; `at` is ISO 8601 with an offset."""

    seq: int
    at: str
    provider: str
    kind: str
    submission: int | None
    body: str
    previous_hash: str
    hash: str

    def expected_hash(self) -> str:
        """The hash that the other fields give."""
        sealed = [self.seq, self.at, self.provider, self.kind, self.submission, self.body, self.previous_hash]
        return hashlib.sha256(json.dumps(sealed, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainReport:
    """The verdict over the whole record. `head` is the hash to compare with one noted earlier."""

    entries: int
    head: str
    problems: tuple[str, ...]


def append(
    connection: Connection,
    *,
    at: datetime,
    provider: str,
    kind: str,
    body: Mapping[str, Any],
    submission: int | None = None,
) -> None:
    """Adds an entry within the running transaction, which must be one made by `writing`."""
    last = connection.execute(
        select(audit_records.c.seq, audit_records.c.hash).order_by(audit_records.c.seq.desc()).limit(1)
    ).one_or_none()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    text = json.dumps(body, ensure_ascii=False, sort_keys=True)
    entry = Entry(seq, at.isoformat(timespec="milliseconds"), provider, kind, submission, text, previous, "")
    connection.execute(
        audit_records.insert().values(
            seq=seq, at=entry.at, provider=provider, kind=kind, submission=submission, body=text,
            previous_hash=previous, hash=entry.expected_hash(),
        )
    )  # fmt: skip


def entries(connection: Connection) -> Iterator[Entry]:
    """The whole record in order, as a stream."""
    rows = connection.execute(
        select(audit_records).order_by(audit_records.c.seq), execution_options={"yield_per": 1_000}
    )
    return (Entry(**row._mapping) for row in rows)


def of_submission(connection: Connection, submission: int) -> list[Entry]:
    """What the record says about one submission, in order."""
    rows = connection.execute(
        select(audit_records).where(audit_records.c.submission == submission).order_by(audit_records.c.seq)
    )
    return [Entry(**row._mapping) for row in rows]


def verify(connection: Connection) -> ChainReport:
    """Checks every hash, that no number is missing, and that the states agree with the record."""
    walk = _Walk()
    try:
        for entry in entries(connection):
            walk.step(entry)
    except DBAPIError:  # SQLite gives out no text that is not UTF-8, however it came there
        walk.problems.append(f"the record is damaged after entry {walk.seq} and cannot be read further")
    walk.problems.extend(_unsealed(connection, walk))
    return ChainReport(walk.seq, walk.previous, tuple(walk.problems))


@dataclass(slots=True)
class _Walk:
    """Where a walk along the record stands, and what it has found."""

    seq: int = 0
    previous: str = GENESIS
    states: dict[int, str] = field(default_factory=dict)
    answers: set[tuple[str, Any]] = field(default_factory=set)
    quiet: set[tuple[str, Any, Any]] = field(default_factory=set)
    purged: dict[tuple[str, Any], Any] = field(default_factory=dict)  # the hash, by provider and path
    problems: list[str] = field(default_factory=list)

    def step(self, entry: Entry) -> None:
        if entry.seq != self.seq + 1:
            self.problems.append(f"entry {self.seq + 1} is missing; the next one is {entry.seq}")
        if entry.previous_hash != self.previous:
            self.problems.append(f"entry {entry.seq} does not follow the entry before it")
        if entry.hash != entry.expected_hash():
            self.problems.append(f"entry {entry.seq} was changed after it was written")
        elif entry.kind == STATE_CHANGED and entry.submission is not None:
            self.states[entry.submission] = str(told_by(entry).get("to", "something that cannot be read"))
        elif entry.kind.startswith(ANSWER):
            self.answers.add((entry.kind.removeprefix(ANSWER), told_by(entry).get("answer")))
        elif entry.kind == NOTHING_TO_REPORT:
            body = told_by(entry)
            self.quiet.add((entry.provider, body.get("report"), body.get("period")))
        elif entry.kind == PURGED:
            self._purged(entry.provider, told_by(entry))
        self.seq, self.previous = entry.seq, entry.hash

    def _purged(self, provider: str, body: dict[str, Any]) -> None:
        path = str(body.get("path"))
        if (provider, path) in self.purged:
            self.problems.append(f"the record says twice that the file {path} was purged")
        self.purged[provider, path] = body.get("sha256")


def told_by(entry: Entry) -> dict[str, Any]:
    """What an entry tells; whoever forged its hash too need not have written JSON."""
    try:
        told = json.loads(entry.body)
    except ValueError:
        told = None
    return told if isinstance(told, dict) else {}


def _unsealed(connection: Connection, walk: _Walk) -> Iterator[str]:
    """What the journal holds and the record does not: its end was cut off, or went another way."""
    yield from _states_that_differ(connection, walk.states)
    for row in connection.execute(select(answers.c.id, answers.c.status)):
        if ("stored", row.id) not in walk.answers:
            yield f"answer {row.id} is in the journal, but not in the record"
        elif row.status not in ("stored", "applied") and (row.status, row.id) not in walk.answers:
            yield f"answer {row.id} is {row.status}, but the record does not say so"
    quiet = select(due_reports).where(due_reports.c.settled_as == NOTHING_TO_REPORT)
    for row in connection.execute(quiet):
        if (row.provider, row.report, row.period) not in walk.quiet:
            yield f"{row.report} for {row.period} counts as quiet, but the record does not say so"
    yield from _purged_that_differ(connection, walk.purged)


def _states_that_differ(connection: Connection, recorded: Mapping[int, str]) -> Iterator[str]:
    known = set()
    for row in connection.execute(select(submissions.c.id, submissions.c.state)):
        known.add(row.id)
        if recorded.get(row.id) != row.state:
            yield (
                f"submission {row.id} is {row.state}, but the record ends with "
                f"{recorded.get(row.id, 'nothing about it')}"
            )
    for missing in sorted(set(recorded) - known):
        yield f"submission {missing} is in the record, but not in the journal"


def _purged_that_differ(connection: Connection, recorded: Mapping[tuple[str, Any], Any]) -> Iterator[str]:
    known = {(row.provider, row.path): row.sha256 for row in connection.execute(select(purged_files))}
    for key, sha256 in known.items():
        if recorded.get(key) != sha256:
            yield f"the file {key[1]} counts as purged, but the record does not say so"
    for _provider, path in sorted(set(recorded) - set(known)):
        yield f"the file {path} was purged by the record, but not by the journal"
