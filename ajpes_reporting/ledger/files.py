"""Files into the ledger, CSV and bank statements: each goes in whole or not at all."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import rehearsing, writing
from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.domain.ports import no_progress
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger import camt053, csvfile, xlsxfile
from ajpes_reporting.ledger.audit_hook import not_audited
from ajpes_reporting.ledger.findings import Source
from ajpes_reporting.ledger.intake import take_in
from ajpes_reporting.ledger.kinds import EVENTS, KINDS, POSTINGS
from ajpes_reporting.ledger.reported import moved_months
from ajpes_reporting.ledger.statements import reading, take_in_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import ModuleType

    from sqlalchemy import Connection, Engine

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.domain.money import Amounts
    from ajpes_reporting.domain.ports import Progress
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.audit_hook import AuditHook
    from ajpes_reporting.ledger.contradictions import Restated
    from ajpes_reporting.ledger.intake import Taken
    from ajpes_reporting.ledger.kinds import Kind
    from ajpes_reporting.ledger.reported import MovedMonth
    from ajpes_reporting.ledger.restatement import Restatement
    from ajpes_reporting.ledger.statements import StatementSummary

_REMEDY = _("correct the rows and import the file again; what of it the ledger knows already is skipped")

_REMEDY_OF_STATEMENTS = _("do what is said above and import the file again; nothing of it was stored")


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """The result of importing a file. `kind` is "events", "accounts", "account_months" or "postings".

    Known rows were in the ledger already, or earlier in the file, with the same content.
    `warnings` are the first of `warning_count`, `restated` the first fields of what was restated.
    `renamed` obligations have another name of their debtor now.
    `moved`: months that AJPES has accepted, and of which the file changed the figures.
    `statements` are those of a file of bank statements, whose entries are its rows.
    """

    kind: str
    path: Path
    rows_read: int
    rows_new: int
    rows_known: int
    warnings: tuple[Finding, ...]
    warning_count: int
    renamed: int = 0
    rows_restated: int = 0
    restated: tuple[Restated, ...] = ()
    moved: tuple[MovedMonth, ...] = ()
    statements: tuple[StatementSummary, ...] = ()


def import_files(
    engine: Engine,
    provider: str,
    paths: Sequence[Path],
    rules: RuleSettings,
    progress: Progress = no_progress,
    note: AuditHook[ImportSummary] = not_audited,
    *,
    now: datetime,
    amounts: Amounts = "euros",
    restatement: Restatement | None = None,
    dry_run: bool = False,
) -> list[ImportSummary]:
    """Imports CSV files and workbooks, recognised by their headers, and statements; accounts first.

    Each file is stored in a transaction of its own, in which `note` may write down what was done. In a
    `dry_run` all of them go into one, and in the end nothing is stored. With a `restatement` rows may renew
    accounts and their months. `progress` is told rows; `amounts` says how the monthly report gives figures.
    Nothing may be recorded later than `now`.

    Raises UsageError if a file cannot be read, and LedgerRefused for the first that is refused, with its
    findings; the message says which files had been stored before it.
    """
    kinds = {path: _kind_of(path) for path in paths}
    stored: list[ImportSummary] = []
    with _transactions(engine, dry_run) as transaction:
        for path in sorted(kinds, key=lambda path: KINDS.index(kinds[path])):
            kind = kinds[path]
            try:
                with ExitStack() as stack:
                    # Statements are read and proved before anybody has to wait for the ledger.
                    read = stack.enter_context(reading(path, progress)) if camt053.is_xml(path) else None
                    connection = stack.enter_context(transaction())
                    before = () if kind is EVENTS else moved_months(connection, provider, amounts)
                    statements: tuple[StatementSummary, ...] = ()
                    if read is None:
                        lines = stack.enter_context(closing(_table(path).rows(path, kind)))
                        source = Source(path.name, _REMEDY, now)
                        taken = take_in(
                            connection, provider, kind, lines, source, rules, progress, restatement
                        )
                    else:
                        source = Source(path.name, _REMEDY_OF_STATEMENTS, now, has_lines=False)
                        taken, statements = take_in_statements(
                            connection, provider, read, source, rules, restatement
                        )
                    after = () if kind is EVENTS else moved_months(connection, provider, amounts)
                    moved = [month for month in after if month not in before]
                    summary = _summary(path, kind, taken, moved, statements)
                    note(connection, summary)
            except LedgerRefused as refused:
                if dry_run or not stored:
                    raise
                names = [summary.path.name for summary in stored]
                message = _("{refused} Stored before it: {files}.", refused=refused.message, files=names)
                raise LedgerRefused(message, refused.remedy, refused.findings) from refused
            stored.append(summary)
    return stored


def _kind_of(path: Path) -> Kind:
    return POSTINGS if camt053.is_xml(path) else _table(path).kind_of(path)


def _table(path: Path) -> ModuleType:
    """The module that reads a file of rows: a workbook is known by its content, whatever its name."""
    return xlsxfile if xlsxfile.is_workbook(path) else csvfile


@contextmanager
def _transactions(
    engine: Engine, dry_run: bool
) -> Iterator[Callable[[], AbstractContextManager[Connection]]]:
    """Yields the function that begins the transaction of each file."""
    if not dry_run:
        yield partial(writing, engine)
        return
    with rehearsing(engine) as connection:
        yield lambda: nullcontext(connection)


def _summary(
    path: Path,
    kind: Kind,
    taken: Taken,
    moved: Sequence[MovedMonth],
    statements: tuple[StatementSummary, ...],
) -> ImportSummary:
    return ImportSummary(
        kind.name, path, taken.rows_read, taken.rows_new, taken.rows_known, taken.warnings,
        taken.warning_count, taken.renamed, taken.rows_restated, taken.restated, tuple(moved),
        statements,
    )  # fmt: skip
