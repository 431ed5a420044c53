"""The one door for answers: whichever way one came, it is read, matched and applied here.

Nothing in an answer can stop anything else. It is read to its end outside of any transaction, with
bounded memory, and only what was read then is taken in; whatever goes wrong on the way, foreseen or
not, sets it aside with the reason, kept and shown. What is wrong with this machine, its disk or its
database, is not the answer's fault: it stays `stored`, and the next run reads it again.
"""

from __future__ import annotations

import logging
import marshal
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ajpes_reporting.check.file import explained
from ajpes_reporting.database.engine import blames_values, writing
from ajpes_reporting.domain.errors import Busy, UsageError
from ajpes_reporting.journal import answers
from ajpes_reporting.journal.answers import Verdict
from ajpes_reporting.reports.answers import AnswerReader
from ajpes_reporting.xmlread import SchemaBroken, UnreadableXml, read_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.desk import Desk
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

T = TypeVar("T")

_ROWS_AT_ONCE = 1_000


class Commit(Protocol):
    """Does work within a transaction, and tries again as often as its owner likes."""

    def __call__(self, work: Callable[[Connection], T], /) -> T: ...


class AnswerProblem(Exception):
    """An answer that cannot be applied. `status` and `note` are what the journal keeps of it."""

    def __init__(self, status: str, note: str) -> None:
        super().__init__(note)
        self.status = status
        self.note = note


@dataclass(frozen=True, slots=True)
class Arrival:
    """An answer that is stored, in the archive and in the journal, and lies at `path`.

    `submission` is the one that it came back from, if it came in a call; then it answers that one or none.
    """

    id: int
    sha256: str
    name: str
    path: Path
    submission: Submission | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one answer: applied to a submission, or set aside with the reason."""

    name: str
    status: str
    note: str = ""
    submission: Submission | None = None

    @property
    def needs_a_person(self) -> bool:
        """Whether it lies there now and says nothing to anybody."""
        return self.status not in (answers.APPLIED, answers.DUPLICATE)


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer that was read to its end."""

    kind: ReportKind
    head: AnswerHead
    verdict: Verdict
    _rows: Path

    def rows(self) -> Iterator[AnswerRow]:
        """Its rows, as a stream."""
        with self._rows.open("rb") as file:
            while batch := marshal.load(file):  # noqa: S302 -- our own file of a moment ago
                yield from batch


def why_no_answer(desk: Desk, path: Path) -> str:
    """Why a file does not even begin like an answer; empty if it does, however it goes on."""
    try:
        name = read_root(path).local_name
    except UnreadableXml as error:
        return error.message
    return "" if name in {kind.answer_root for kind in desk.kinds} else f"it is a {name[:40]} document"


def discard(desk: Desk, answer: int, reason: str) -> None:
    """Puts an answer away that was set aside, on a person's word; it stays in the archive and on the record.

    Raises `UsageError` if there is none with this number, or if it is not one that lies there.
    """
    with writing(desk.engine) as connection:
        row = answers.owned(connection, desk.provider, answer)
        if row.status not in (*answers.LIES_THERE, answers.STORED):
            raise UsageError(
                f"Answer {answer} is {row.status}; only what was set aside can be discarded.",
                "see `ajpes-reporting answers list`",
            )
        answers.set_aside(
            connection, desk.provider, answer, answers.DISCARDED, reason, row.submission, at=desk.clock()
        )


def accept(
    desk: Desk,
    arrival: Arrival,
    folder: Path,
    *,
    claim: Callable[[Connection, Reading], Submission] | None = None,
    commit: Commit | None = None,
) -> Taken:
    """Reads an answer and applies it, or sets it aside.

    `claim` says within the transaction which submission it belongs to, or raises `AnswerProblem`; without
    it, its content decides. Raises what the database raises, and `Replaced`; the answer stays `stored` then.
    """
    claim = claim or partial(_match, desk)
    commit = commit or partial(_commit, desk)
    try:
        if arrival.submission is None:
            _refuse_duplicate(desk, arrival)
        reading = _read(desk, arrival.path, folder / f"answer-{arrival.id}.rows")
        applied = commit(lambda connection: _apply(connection, desk, arrival, reading, claim))
    except AnswerProblem as problem:
        return _set_aside(desk, arrival, problem, commit)
    except OSError as error:
        _log.error("Answer %d was not applied: %s. It is read again.", arrival.id, error.strerror or error)
        return Taken(arrival.name, answers.STORED, f"it could not be read now: {error.strerror or error}")
    except Exception as error:
        if not _is_its_own_fault(error):
            raise
        return _set_aside(desk, arrival, _unforeseen(arrival, error), commit)
    return Taken(arrival.name, answers.APPLIED, submission=applied)


def _commit(desk: Desk, work: Callable[[Connection], T]) -> T:
    with writing(desk.engine) as connection:
        return work(connection)


def _apply(
    connection: Connection,
    desk: Desk,
    arrival: Arrival,
    reading: Reading,
    claim: Callable[[Connection, Reading], Submission],
) -> Submission:
    submission = claim(connection, reading)
    return answers.apply(connection, arrival.id, submission, reading.rows(), reading.verdict, at=desk.clock())


def _match(desk: Desk, connection: Connection, reading: Reading) -> Submission:
    submission, note = answers.match(
        connection, desk.provider, reading.kind.code, reading.head.period_key, reading.head.prepared_at
    )
    if submission is None:
        raise AnswerProblem(answers.UNMATCHED, note)
    return submission


def _set_aside(desk: Desk, arrival: Arrival, problem: AnswerProblem, commit: Commit) -> Taken:
    if arrival.submission is None:
        problem = _as_before(desk, arrival, problem)
    owner = arrival.submission.id if arrival.submission else None
    commit(
        lambda connection: answers.set_aside(
            connection, desk.provider, arrival.id, problem.status, problem.note, owner, at=desk.clock()
        )
    )
    return Taken(arrival.name, problem.status, problem.note)


def _is_its_own_fault(error: Exception) -> bool:
    """What the database or the run itself could not do says nothing about the answer."""
    if isinstance(error, DBAPIError):
        return blames_values(error)
    return not isinstance(error, SQLAlchemyError | Busy | MemoryError)


def _unforeseen(arrival: Arrival, error: Exception) -> AnswerProblem:
    _log.error(
        "Answer %d was set aside, nobody foresaw why: %s.", arrival.id, type(error).__name__,
        extra={"answer": arrival.id},
    )  # fmt: skip
    _log.debug("How it came to that:", exc_info=error)
    return AnswerProblem(answers.UNREADABLE, f"it makes no sense to this program ({type(error).__name__})")


def _refuse_duplicate(desk: Desk, arrival: Arrival) -> None:
    """An answer counts once: a copy of it says nothing about a submission that was sent later."""
    if _came_before(desk, arrival, answers.APPLIED):
        raise AnswerProblem(answers.DUPLICATE, "the same answer was dealt with before")


def _as_before(desk: Desk, arrival: Arrival, problem: AnswerProblem) -> AnswerProblem:
    """A copy of an answer that fitted nothing, and still does not, is not shown a second time."""
    if problem.status == answers.UNMATCHED and _came_before(desk, arrival, answers.UNMATCHED):
        return AnswerProblem(answers.DUPLICATE, f"the same answer came before; {problem.note}")
    return problem


def _came_before(desk: Desk, arrival: Arrival, status: str) -> bool:
    with desk.engine.connect() as connection:
        return answers.is_duplicate(connection, desk.provider, arrival.id, arrival.sha256, status)


def _read(desk: Desk, path: Path, waiting: Path) -> Reading:
    """Reads an answer to its end; its rows wait in a file. Raises `AnswerProblem`."""
    try:
        root = read_root(path)
    except UnreadableXml as error:
        raise AnswerProblem(answers.UNREADABLE, f"it is not XML: {error.message}") from None
    kind = next((kind for kind in desk.kinds if kind.answer_root == root.local_name), None)
    if kind is None:
        note = f"it is a {root.local_name[:40]} document, not an answer"
        raise AnswerProblem(answers.UNREADABLE, note)
    plain = root.namespace is not None
    schema = desk.schemas(kind.answer_schema)
    try:
        reader = AnswerReader(path, kind, schema, plain=plain)
        _keep(reader.rows(), waiting)
    except UnreadableXml as error:
        raise AnswerProblem(answers.UNREADABLE, f"it is not whole XML: {error.message}") from None
    except SchemaBroken as broken:
        [first, *_] = explained(path, schema, broken.message, plain=plain, sound=broken.sound)
        where = f" ({first.record})" if first.record else ""
        raise AnswerProblem(
            answers.UNREADABLE, f"it does not follow its schema: {first.message}{where}"
        ) from None
    reading = Reading(kind, reader.head, _verdict(reader), waiting)
    if reading.head.provider != desk.provider:
        raise AnswerProblem(answers.UNMATCHED, f"it is about provider {reading.head.provider}")
    return reading


def _keep(rows: Iterable[AnswerRow], path: Path) -> None:
    stream = iter(rows)
    with path.open("wb") as file:
        while batch := [tuple(row) for row in islice(stream, _ROWS_AT_ONCE)]:
            marshal.dump(batch, file)
        marshal.dump([], file)


def _verdict(reader: AnswerReader) -> Verdict:
    tally, head = reader.tally, reader.head
    return Verdict(
        tally.errors, tally.warnings, head.declared_errors, head.declared_warnings,
        tally.error_rows, tally.warning_rows,
    )  # fmt: skip
