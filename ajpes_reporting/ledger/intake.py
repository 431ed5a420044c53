"""The one way into the ledger: for files, for a bank's own views and for corrections.

Rows are read and checked one by one and put aside; then the database compares them with each
other and with what it holds, set by set, and takes what is new. Whatever is wrong refuses the
whole source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from ajpes_reporting.domain.findings import Finding
from ajpes_reporting.ledger.accounts import merge_account_months, merge_accounts, merge_postings
from ajpes_reporting.ledger.events import merge_events
from ajpes_reporting.ledger.findings import Found
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, EVENTS, POSTINGS
from ajpes_reporting.ledger.rows import reader_of
from ajpes_reporting.ledger.staging import load, settle, staging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ajpes_reporting.domain.ports import Progress
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.findings import Source
    from ajpes_reporting.ledger.kinds import Kind
    from ajpes_reporting.ledger.rows import Reader

_ROWS_AT_A_TIME = 5_000

Line = tuple[int, Sequence[str]]
"""A row: its place in the source, and its texts in the order of the kind's columns."""

_Merge = Callable[[Connection, str, int, Found], int]
_MERGES: dict[Kind, _Merge] = {
    EVENTS: merge_events,
    ACCOUNTS: merge_accounts,
    ACCOUNT_MONTHS: merge_account_months,
    POSTINGS: merge_postings,
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

    `lines` yields a finding in the place of a row that cannot even be divided into columns.
    Raises LedgerRefused with its findings if anything is wrong; the caller then rolls back.
    """
    reader = reader_of(kind, connection, rules)
    found = Found(source)
    with staging(connection, tuple(reader.ready)):
        rows_read = _stage(connection, reader, lines, found, progress)
        found.refuse_errors()
        settle(connection, tuple(reader.ready))
        rows_new = _MERGES[kind](connection, provider, rows_read, found)
    return Taken(rows_read, rows_new, tuple(found.warnings), found.warning_count)


def _stage(
    connection: Connection, reader: Reader, lines: Iterable[Line | Finding], found: Found, progress: Progress
) -> int:
    """Reads rows until there are no more, or too many errors; says how many they were."""
    rows_read = 0
    for rows_read, line in enumerate(lines, 1):
        if isinstance(line, Finding):
            found.add((line,))
        elif findings := reader.read(*line):
            found.add(findings, line[0])
        if found.is_full:
            break
        if rows_read % _ROWS_AT_A_TIME == 0:
            _load_ready(connection, reader)
            progress(_ROWS_AT_A_TIME)
    _load_ready(connection, reader)
    progress(rows_read % _ROWS_AT_A_TIME)
    return rows_read


def _load_ready(connection: Connection, reader: Reader) -> None:
    for table, rows in reader.ready.items():
        load(connection, table, rows)
        rows.clear()
