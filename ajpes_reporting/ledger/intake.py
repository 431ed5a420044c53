"""The one way into the ledger: for files, for a bank's own views and for corrections.

Rows are read and checked one by one, and put aside; the database compares them with each other and
with what it holds, set by set, and takes what is new. It does so while the next rows are read.
Whatever is wrong refuses the whole source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ajpes_reporting.database.bulk import skipping_known
from ajpes_reporting.domain.findings import Finding
from ajpes_reporting.ledger.accounts import MergeAccountMonths, MergeAccounts, MergePostings
from ajpes_reporting.ledger.events import MergeEvents
from ajpes_reporting.ledger.findings import Found
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, EVENTS, POSTINGS
from ajpes_reporting.ledger.rows import reader_of
from ajpes_reporting.ledger.staging import loading, staging

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

    from ajpes_reporting.domain.ports import Progress
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.contradictions import Restated
    from ajpes_reporting.ledger.findings import Source
    from ajpes_reporting.ledger.kinds import Kind
    from ajpes_reporting.ledger.merge import Merge
    from ajpes_reporting.ledger.restatement import Restatement
    from ajpes_reporting.ledger.rows import Reader

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
    """The fate of a source: `warnings` are the first of `warning_count`, `restated` the first fields.

    `renamed`: so many obligations are reported under another spelling of their debtor's name from now on.
    """

    rows_read: int
    rows_new: int
    warnings: tuple[Finding, ...]
    warning_count: int
    renamed: int = 0
    rows_restated: int = 0
    restated: tuple[Restated, ...] = ()

    @property
    def rows_known(self) -> int:
        return self.rows_read - self.rows_new - self.rows_restated


def take_in(
    connection: Connection,
    provider: str,
    kind: Kind,
    lines: Iterable[Line | Finding],
    source: Source,
    rules: RuleSettings,
    progress: Progress,
    restatement: Restatement | None = None,
) -> Taken:
    """Takes all rows of a source into the ledger, within the caller's transaction.

    `lines` yields a finding in the place of a row that cannot even be divided into columns. It must not
    use the connection, which is at work meanwhile on the rows before. With a `restatement`
    rows may contradict what is known of accounts and their months; see `Merge`.
    Raises LedgerRefused with its findings if anything is wrong; the caller then rolls back.
    """
    reader = reader_of(kind, connection, rules)
    found = Found(source)
    way = _MERGES[kind]
    with staging(connection, way.staged), skipping_known(connection, *way.into):
        merge = way(connection, provider, found)
        merge.restatement = restatement
        rows_read = _take(connection, reader, iter(lines), merge, found, progress)
        rows_new = merge.finish(rows_read)
    return Taken(
        rows_read, rows_new, tuple(found.warnings), found.warning_count,
        merge.renamed, merge.rows_restated, merge.restated,
    )  # fmt: skip


def _take(
    connection: Connection,
    reader: Reader,
    lines: Iterator[Line | Finding],
    merge: Merge,
    found: Found,
    progress: Progress,
) -> int:
    """Takes batch after batch, until there are no more, or too many errors; says how many rows they had.

    While the database takes one in, on a thread of its own, the next one is read. It is loaded when the
    database has done, and not on that thread: SQLite wants the interpreter for each row, as reading does.
    Raises LedgerRefused if there were errors.
    """
    rows_read = 0
    with _thread() as thread:
        taking = thread.submit(merge.take, 0)
        while (batch := _read(reader, islice(lines, _ROWS_AT_A_TIME))).rows and not found.is_full:
            ready = _ready(connection, reader)
            taking.result()
            for findings, place in batch.findings:
                found.add(findings, place)
            _load(ready)
            taking = thread.submit(merge.take, batch.rows)
            rows_read += batch.rows
            progress(batch.rows)
        taking.result()
    found.refuse_errors()
    return rows_read


@contextmanager
def _thread() -> Iterator[ThreadPoolExecutor]:
    """Gives a thread that is idle afterwards, however impatient a person is.

    If a second Ctrl-C freed the connection for the rollback while the thread has it, SQLite would be closed
    in the middle of a statement.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="merge") as thread:
        try:
            yield thread
        finally:
            _outlast(thread)


def _outlast(thread: ThreadPoolExecutor) -> None:
    """Waits until the thread has done all its work.

    A thread whose joining was interrupted cannot be joined again: Python takes it for ended.
    """
    interrupted: KeyboardInterrupt | None = None
    last: Future[object] | None = None
    while last is None or not last.done():
        try:
            last = last or thread.submit(object)  # its turn comes after all others
            wait((last,))
        except KeyboardInterrupt as again:
            interrupted = again
    if interrupted:
        raise interrupted


class _Batch(NamedTuple):
    """The number of rows that were read, and the findings about them, each with its place."""

    rows: int
    findings: list[tuple[Sequence[Finding], int | None]]


def _read(reader: Reader, lines: Iterable[Line | Finding]) -> _Batch:
    """Reads rows, each by itself; those that are right gather in the reader."""
    findings: list[tuple[Sequence[Finding], int | None]] = []
    rows = 0
    for line in lines:
        rows += 1
        if isinstance(line, Finding):
            findings.append(((line,), None))
        elif found := tuple(reader.read(*line)):
            findings.append((found, line[0]))
    return _Batch(rows, findings)


def _ready(connection: Connection, reader: Reader) -> list[Callable[[], object]]:
    """Returns loads of the rows that the reader has gathered; the reader begins anew."""
    loads = [loading(connection, table, rows) for table, rows in reader.ready.items()]
    for rows in reader.ready.values():
        rows.clear()
    return loads


def _load(ready: list[Callable[[], object]]) -> None:
    """Loads it, and holds on to no row while the next ones are read."""
    while ready:
        ready.pop()()
