"""The files that came into the ledger, as the audit record tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ajpes_reporting.database.tables import audit_records
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import _
from ajpes_reporting.journal.chain import Entry, told_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

KINDS = ("import", "restatement")
"""The kinds of entries that a file leaves: one for what was new, one for what was restated."""

_ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Imported:
    """An entry of the audit record about a file that came in. `number` is its number in the record.

    `act` is "import" or "restatement"; `kind` that of the rows: "events", "accounts", "account_months" or
    "postings". `file` is empty for payments pulled from UJP, whose source `source` names instead. `gaps` are
    statements that did not join the one before them and were taken in with a `reason`.
    """

    number: int
    at: datetime
    act: str
    file: str
    source: str
    kind: str
    new: int
    known: int
    restated: int
    renamed: int
    statements: int
    gaps: int
    reason: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ImportedInFull:
    """One entry with all that the record has of it, as it was written there, and its seal."""

    imported: Imported
    record: dict[str, Any]
    hash: str


def stream_imports(connection: Connection, provider: str, most: int | None = None) -> Iterator[Imported]:
    """Yields a provider's imports, the newest first, at most so many."""
    query = (
        select(audit_records)
        .where(audit_records.c.provider == provider, audit_records.c.kind.in_(KINDS))
        .order_by(audit_records.c.seq.desc())
        .limit(most)
    )
    with connection.execute(query, execution_options={"yield_per": _ROWS_AT_A_TIME}) as rows:
        for row in rows:
            yield _imported(Entry(**row._mapping))


def import_of(connection: Connection, provider: str, number: int) -> ImportedInFull:
    """Returns one import by its number in the record. Raises `UsageError` if that is none of a provider's."""
    row = connection.execute(
        select(audit_records).where(
            audit_records.c.seq == number,
            audit_records.c.provider == provider,
            audit_records.c.kind.in_(KINDS),
        )
    ).one_or_none()
    if row is None:
        raise UsageError(
            _("Entry {number} of the record is no import.", number=number),
            _("see the numbers with `ajpes-reporting ledger imports`"),
        )
    entry = Entry(**row._mapping)
    return ImportedInFull(_imported(entry), told_by(entry), entry.hash)


def _imported(entry: Entry) -> Imported:
    told = told_by(entry)
    statements = told.get("statements", 0)
    return Imported(
        number=entry.seq,
        at=datetime.fromisoformat(entry.at),
        act=entry.kind,
        file=str(told.get("file", "")),
        source=_source(told),
        kind=str(told.get("kind", "")),
        new=_count(told.get("new")),
        known=_count(told.get("known")),
        restated=_count(told.get("restated")),
        renamed=_count(told.get("renamed")),
        statements=_count(statements),
        gaps=_count(told.get("gaps")),
        reason=str(told.get("reason") or ""),
        sha256=str(told.get("sha256", "")),
    )


def _source(told: dict[str, Any]) -> str:
    if "eplacila" in told:
        return _(
            "UJP e-plačila, {first} to {last}", first=str(told.get("from", "")), last=str(told.get("to", ""))
        )
    return str(told.get("file", ""))


def _count(value: object) -> int:
    """Returns a count; 0 for what is none: a forger of the record need not have written one."""
    return value if isinstance(value, int) else 0
