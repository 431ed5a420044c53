"""The one way into the ledger: for files, for a bank's own views and for corrections.

Rows are read and checked one by one, and put aside; the database compares them with each other and
with what it holds, set by set, and takes what is new. It does so while the next rows are read.
Whatever is wrong refuses the whole source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ajpes_reporting.abreast import feed
from ajpes_reporting.domain.findings import Finding
from ajpes_reporting.ledger.accounts import MergeAccountMonths, MergeAccounts, MergePostings
from ajpes_reporting.ledger.events import MergeEvents
from ajpes_reporting.ledger.findings import Found
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, EVENTS, POSTINGS
from ajpes_reporting.ledger.rows import reader_of
from ajpes_reporting.ledger.staging import load, staging

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection, Table

    from ajpes_reporting.domain.ports import Progress
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.findings import Source
    from ajpes_reporting.ledger.kinds import Kind
    from ajpes_reporting.ledger.merge import Merge
    from ajpes_reporting.ledger.rows import Reader
    from ajpes_reporting.ledger.staging import Row

_ROWS_AT_A_TIME = 10_000

Line = tuple[int, Sequence[str]]
"""A row: its place in the source, and its texts in the order of the kind's columns."""


_MERGES: dict[Kind, type[Merge]] = {
    EVENTS: MergeEvents,
    ACCOUNTS: MergeAccounts,
    ACCOUNT_MONTHS: MergeAccountMonths,
    POSTINGS: MergePostings,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a source. `warnings` are the first of `warning_count`."""

    rows_read: int
    rows_new: int
    warnings: tuple[Finding, ...]
    warning_count: int

    @property
    def rows_known(self) -> int:
        return self.rows_read - self.rows_new


class _Batch(NamedTuple):
    """Some rows of a source: what is right by itself, by the table it waits in, and what is wrong with
    the others, with their places."""

    rows_read: int
    ready: dict[Table, list[Row]]
    findings: list[tuple[Sequence[Finding], int | None]]


def take_in(
    connection: Connection,
    provider: str,
    kind: Kind,
    lines: Iterable[Line | Finding],
    source: Source,
    rules: RuleSettings,
    progress: Progress,
) -> Taken:
    """Takes all rows of a source into the ledger, within the caller's transaction.

    `lines` yields a finding in the place of a row that cannot even be divided into columns. It must not
    use the connection, which is at work meanwhile on the rows before.
    Raises LedgerRefused with its findings if anything is wrong; the caller then rolls back.
    """
    reader = reader_of(kind, connection, rules)
    found = Found(source)
    with staging(connection, _MERGES[kind].staged):
        merge = _MERGES[kind](connection, provider, found)
        batches = _batches(reader, lines, progress)
        (rows_read,) = feed(batches, lambda batches: _take(batches, connection, merge, found), ahead=1)
        rows_new = merge.finish(rows_read)
    return Taken(rows_read, rows_new, tuple(found.warnings), found.warning_count)


def _batches(reader: Reader, lines: Iterable[Line | Finding], progress: Progress) -> Iterator[_Batch]:
    stream = iter(lines)
    while (batch := _read(reader, islice(stream, _ROWS_AT_A_TIME))).rows_read:
        yield batch
        progress(batch.rows_read)


def _read(reader: Reader, lines: Iterable[Line | Finding]) -> _Batch:
    """Reads rows, each by itself."""
    findings: list[tuple[Sequence[Finding], int | None]] = []
    rows_read = 0
    for line in lines:
        rows_read += 1
        if isinstance(line, Finding):
            findings.append(((line,), None))
        elif found := tuple(reader.read(*line)):
            findings.append((found, line[0]))
    ready = {table: list(rows) for table, rows in reader.ready.items()}
    for rows in reader.ready.values():
        rows.clear()
    return _Batch(rows_read, ready, findings)


def _take(batches: Iterator[_Batch], connection: Connection, merge: Merge, found: Found) -> int:
    """Hands batch after batch over, until there are no more, or too many errors; says how many rows.

    Raises LedgerRefused if there were errors.
    """
    rows_read = 0
    for batch in batches:
        for findings, place in batch.findings:
            found.add(findings, place)
        for table, rows in batch.ready.items():
            load(connection, table, rows)
        merge.take(batch.rows_read)
        rows_read += batch.rows_read
        if found.is_full:
            break
    found.refuse_errors()
    return rows_read
