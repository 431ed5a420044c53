"""Archived files whose time is over: which they are, and the note of those that were removed.

A period is kept or goes as a whole. Its age is that of the youngest thing the journal knows of
it: a settlement, a report, an attempt, an answer. Dates of files play no part.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, insert, select

from ajpes_reporting.database.tables import answers, attempts, due_reports, purged_files, submissions
from ajpes_reporting.domain.states import AWAITING_STATES
from ajpes_reporting.i18n import _
from ajpes_reporting.journal import chain
from ajpes_reporting.journal.answers import STORED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

_PURGED_BECAUSE = "its time was over"


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file of the archive that a row of the journal speaks of. The hash is of the plain bytes."""

    path: str
    sha256: str
    owner: str  # such as "submission 3", as an operator would say it
    submission: int | None


@dataclass(slots=True)
class _Case:
    """Everything the journal knows of one period, or of one answer that fits none."""

    settled: bool
    moments: list[datetime]
    files: list[ArchivedFile] = field(default_factory=list)

    def is_over(self, before: datetime) -> bool:
        return self.settled and all(moment < before for moment in self.moments)


def archived_files(connection: Connection, provider: str) -> Iterator[ArchivedFile]:
    """Every file of a provider that the journal speaks of, purged or not; one that is shared comes twice."""
    for row in connection.execute(_reports(provider)):
        yield _report_file(row)
    for row in connection.execute(_answers(provider)):
        yield _answer_file(row)
    for row in connection.execute(_attempts(provider)):
        if row.evidence_path is not None:
            yield _evidence_file(row)


def over(connection: Connection, provider: str, before: datetime) -> list[ArchivedFile]:
    """The files that may go: of settled periods of which everything happened before that moment.

    Nothing of a period that is open, unknown or awaiting an answer is among them, no file that
    anything younger shares, and none that was purged already.
    """
    cases = list(_cases(connection, provider))
    kept = {file.path for case in cases if not case.is_over(before) for file in case.files}
    gone = paths(connection, provider)
    found = {file.path: file for case in cases if case.is_over(before) for file in case.files}
    return [file for path, file in sorted(found.items()) if path not in kept and path not in gone]


def note(connection: Connection, provider: str, files: Iterable[ArchivedFile], *, at: datetime) -> None:
    """Records, before it is done, that these files are removed."""
    for file in files:
        values = {"provider": provider, "path": file.path, "sha256": file.sha256, "purged_at": at}
        connection.execute(insert(purged_files).values(values))
        body = {"path": file.path, "sha256": file.sha256, "of": file.owner, "why": _PURGED_BECAUSE}
        chain.append(
            connection, at=at, provider=provider, kind=chain.PURGED, body=body, submission=file.submission
        )


def paths(connection: Connection, provider: str) -> dict[str, str]:
    """The files that were purged, each with its hash."""
    rows = connection.execute(select(purged_files).where(purged_files.c.provider == provider))
    return {row.path: row.sha256 for row in rows}


def times(connection: Connection, provider: str, among: Collection[str]) -> dict[str, datetime]:
    """Those of some files that were purged, by path, and when."""
    rows = connection.execute(
        select(purged_files).where(purged_files.c.provider == provider, purged_files.c.path.in_(among))
    )
    return {row.path: row.purged_at for row in rows}


def _cases(connection: Connection, provider: str) -> Iterator[_Case]:
    periods = _Periods(_settled_at(connection, provider))
    for row in connection.execute(_reports(provider)):
        periods.add_report(row)
    for row in connection.execute(_attempts(provider)):
        periods.add_attempt(row)
    strays = [row for row in connection.execute(_answers(provider)) if not periods.add_answer(row)]
    yield from periods.cases.values()
    for row in strays:
        yield _stray(row, periods.awaiting_since)


def _stray(row: Row[Any], awaiting_since: list[datetime]) -> _Case:
    """An answer that fits nothing. It may still be about a report that was waiting when it came."""
    may_belong = any(since <= row.received_at for since in awaiting_since)
    return _Case(row.status != STORED and not may_belong, [row.received_at], [_answer_file(row)])


class _Periods:
    """The cases of the periods, filled row by row: first the reports, then what belongs to them."""

    def __init__(self, settled_at: Mapping[tuple[str, str], datetime]) -> None:
        self._settled_at = settled_at
        self._of_submission: dict[int, _Case] = {}
        self.cases: dict[tuple[str, str], _Case] = defaultdict(lambda: _Case(False, []))
        self.awaiting_since: list[datetime] = []

    def add_report(self, row: Row[Any]) -> None:
        key = (row.report, row.period)
        if key not in self.cases and key in self._settled_at:
            self.cases[key] = _Case(True, [self._settled_at[key]])
        case = self._of_submission[row.id] = self.cases[key]
        case.moments.append(row.prepared_at)
        case.files.append(_report_file(row))
        if row.state in AWAITING_STATES:
            case.settled = False
            self.awaiting_since.append(row.prepared_at)

    def add_attempt(self, row: Row[Any]) -> None:
        case = self._of_submission[row.submission]
        case.moments += [moment for moment in (row.started_at, row.finished_at) if moment is not None]
        if row.evidence_path is not None:
            case.files.append(_evidence_file(row))

    def add_answer(self, row: Row[Any]) -> bool:
        """Tells whether the answer belongs to a report."""
        if row.submission is None:
            return False
        case = self._of_submission[row.submission]
        case.moments.append(row.received_at)
        case.settled = case.settled and row.status != STORED
        case.files.append(_answer_file(row))
        return True


def _settled_at(connection: Connection, provider: str) -> dict[tuple[str, str], datetime]:
    rows = connection.execute(
        select(due_reports).where(due_reports.c.provider == provider, due_reports.c.settled_at.is_not(None))
    )
    return {(row.report, row.period): row.settled_at for row in rows}


def _reports(provider: str) -> Select[Any]:
    return select(submissions).where(submissions.c.provider == provider).order_by(submissions.c.id)


def _answers(provider: str) -> Select[Any]:
    return select(answers).where(answers.c.provider == provider).order_by(answers.c.id)


def _attempts(provider: str) -> Select[Any]:
    return (
        select(attempts)
        .join(submissions, submissions.c.id == attempts.c.submission)
        .where(submissions.c.provider == provider)
        .order_by(attempts.c.id)
    )


def _report_file(row: Row[Any]) -> ArchivedFile:
    return ArchivedFile(row.archive_path, row.sha256, _("submission {number}", number=row.id), row.id)


def _answer_file(row: Row[Any]) -> ArchivedFile:
    return ArchivedFile(row.archive_path, row.sha256, _("answer {number}", number=row.id), row.submission)


def _evidence_file(row: Row[Any]) -> ArchivedFile:
    return ArchivedFile(
        row.evidence_path, row.evidence_sha256, _("attempt {number}", number=row.id), row.submission
    )
