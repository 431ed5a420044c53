"""CSV files into the ledger: each goes in whole or not at all."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.domain.ports import no_progress
from ajpes_reporting.ledger import csvfile
from ajpes_reporting.ledger.findings import Source
from ajpes_reporting.ledger.intake import take_in
from ajpes_reporting.ledger.kinds import KINDS
from ajpes_reporting.ledger.note import no_note

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Engine

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.domain.ports import Progress
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.kinds import Kind
    from ajpes_reporting.ledger.note import Note

_REMEDY = "correct the rows and import the file again; what of it the ledger knows already is skipped"


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What a file brought. `kind` is "events", "accounts", "account_months" or "postings".

    Known rows were in the ledger already, or earlier in the file, with the same content.
    `warnings` are the first of `warning_count`. `renamed` obligations have another name of their debtor now.
    """

    kind: str
    path: Path
    rows_read: int
    rows_new: int
    rows_known: int
    warnings: tuple[Finding, ...]
    warning_count: int
    renamed: int = 0


def import_files(
    engine: Engine,
    provider: str,
    paths: Sequence[Path],
    rules: RuleSettings,
    progress: Progress = no_progress,
    note: Note[ImportSummary] = no_note,
    *,
    now: datetime,
) -> list[ImportSummary]:
    """Imports CSV files, recognised by their headers; accounts first, whatever the order of `paths`.

    Each file is stored in a transaction of its own, in which `note` may write down what was done.
    `progress` is told rows. Nothing may be recorded later than `now`. Raises UsageError if
    a file cannot be read, and LedgerRefused for the first that is refused, with its findings; the
    message says which files had been stored before it.
    """
    kinds = {path: csvfile.kind_of(path) for path in paths}
    stored: list[ImportSummary] = []
    for path in sorted(kinds, key=lambda path: KINDS.index(kinds[path])):
        try:
            stored.append(_import_file(engine, provider, path, kinds[path], rules, progress, note, now))
        except LedgerRefused as refused:
            message = f"{refused.message}{_stored_before(stored)}"
            raise LedgerRefused(message, refused.remedy, refused.findings) from refused
    return stored


def _import_file(
    engine: Engine,
    provider: str,
    path: Path,
    kind: Kind,
    rules: RuleSettings,
    progress: Progress,
    note: Note[ImportSummary],
    now: datetime,
) -> ImportSummary:
    source = Source(path.name, _REMEDY, now)
    with writing(engine) as connection, closing(csvfile.rows(path, kind)) as lines:
        taken = take_in(connection, provider, kind, lines, source, rules, progress)
        summary = ImportSummary(
            kind.name,
            path,
            taken.rows_read,
            taken.rows_new,
            taken.rows_known,
            taken.warnings,
            taken.warning_count,
            taken.renamed,
        )
        note(connection, summary)
    return summary


def _stored_before(stored: Sequence[ImportSummary]) -> str:
    return f" Stored before it: {', '.join(summary.path.name for summary in stored)}." if stored else ""
