"""The one door for answers: whichever way one came, it is read, matched and applied here.

Nothing in an answer can stop anything else. It is read to its end outside of any transaction, with
bounded memory, and only what was read then is taken in; whatever goes wrong on the way, foreseen or
not, sets it aside with the reason, kept and shown. What is wrong with this machine, its disk or its
database, is not the answer's fault: it stays `stored`, and the next run reads it again.
"""

from __future__ import annotations

import logging
import marshal
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ajpes_reporting.check.explain import MOST_EXPLAINED
from ajpes_reporting.check.file import explained
from ajpes_reporting.database.engine import blames_values, writing
from ajpes_reporting.domain.errors import Busy, UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.journal.answers import Verdict
from ajpes_reporting.reports.answers import AnswerReader, Tally
from ajpes_reporting.reports.loose_answers import Contradiction, LooseReader
from ajpes_reporting.xmlread import SchemaBroken, UnreadableXml, read_root, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Row

    from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

T = TypeVar("T")

_ROWS_AT_ONCE = 1_000
_MOST_FAULTS_SHOWN = 5
_TRIMMED = "blanks before its XML declaration, or NULs after its end, were passed over"


class Commit(Protocol):
    """Does work within a transaction, and tries again as often as its owner likes."""

    def __call__(self, work: Callable[[Connection], T], /) -> T: ...


Claim = Callable[["Connection", "Reading"], tuple["Submission", str]]
"""Says within the transaction which submission an answer belongs to, and what is odd about that, if anything.

It raises `AnswerProblem` if it belongs to none."""


class AnswerProblem(Exception):
    """An answer that cannot be applied. `status` and `note` are what the journal keeps of it.

    `reading` is what could be read of it.
    """

    def __init__(self, status: str, note: str, reading: Reading | None = None) -> None:
        super().__init__(note)
        self.status = status
        self.note = note
        self.reading = reading


class NotAssignable(UsageError):
    """A person named a submission that an answer cannot belong to; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An answer that is stored, in the archive and in the journal, and lies at `path`.

    `submission` is the one that it came back from, if it came in a call, or that a person names; then it
    answers that one or none.
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
    deviations: str = ""
    """Where it breaks its schema and how it was read nevertheless; empty for one that follows it."""

    def rows(self) -> Iterator[AnswerRow]:
        """Its rows, as a stream."""
        with self._rows.open("rb") as file:
            while batch := marshal.load(file):  # noqa: S302 -- our own file of a moment ago
                yield from batch


def why_no_answer(context: Context, path: Path) -> str:
    """Why a file does not even begin like an answer; empty if it does, however it goes on."""
    try:
        name = read_root(path).local_name
    except UnreadableXml as error:
        return error.message
    if any(kind.is_answered_by(name) for kind in context.kinds):
        return ""
    return f"it is a {name[:40]} document"


def discard(context: Context, answer: int, reason: str) -> None:
    """Puts an answer away that was set aside, on a person's word; it stays in the archive and on the record.

    Raises `UsageError` if there is none with this number, or if it is not one that lies there.
    """
    with writing(context.engine) as connection:
        row = answers.owned(connection, context.provider, answer)
        if row.status not in (*answers.LIES_THERE, answers.STORED):
            raise UsageError(
                f"Answer {answer} is {row.status}; only what was set aside can be discarded.",
                "see `ajpes-reporting answers list`",
            )
        answers.set_aside(
            connection,
            context.provider,
            answer,
            answers.DISCARDED,
            reason,
            row.submission,
            at=context.clock(),
        )


def accept(
    context: Context,
    arrival: Arrival,
    folder: Path,
    *,
    claim: Claim | None = None,
    commit: Commit | None = None,
) -> Taken:
    """Reads an answer and applies it, or sets it aside.

    `claim` says within the transaction which submission it belongs to, or raises `AnswerProblem`; without
    it, its content decides. Raises what the database raises, and `Replaced`; the answer stays `stored` then.
    """
    claim = claim or partial(_match, context, arrival)
    commit = commit or partial(_commit, context)
    try:
        if arrival.submission is None:
            _refuse_duplicate(context, arrival)
        return take_in(context, arrival, folder, claim, commit)
    except AnswerProblem as problem:
        return _set_aside(context, arrival, problem, commit)
    except OSError as error:
        _log.error("Answer %d was not applied: %s. It is read again.", arrival.id, error.strerror or error)
        return Taken(arrival.name, answers.STORED, f"it could not be read now: {error.strerror or error}")


def assign(context: Context, answer: int, submission: int, reason: str, folder: Path) -> Taken:
    """Applies an answer that was set aside to the submission that a person names, on the record.

    Raises `UsageError` if it is not one that lies there, cannot be read, says that it belongs to another
    report, or if that submission was never sent, or has its answer.
    """
    with context.engine.connect() as connection:
        row = answers.owned(connection, context.provider, answer)
        named = submissions.owned(connection, context.provider, submission)
        _refuse_settled(connection, context, row, named)
    path = folder / f"answer-{answer}.xml"
    context.archive.extract(row.archive_path, path)
    arrival = Arrival(answer, row.sha256, row.remote_name or row.archive_path, path, named)
    claim = partial(_assigned, context, arrival, named, reason)
    try:
        return take_in(context, arrival, folder, claim, partial(_commit, context))
    except AnswerProblem as problem:
        raise UsageError(
            f"Answer {answer} was not applied: {problem.note}. Nothing was changed.",
            "ask AJPES what became of the report, then settle it with "
            f"`ajpes-reporting resolve {submission} --as delivered|never-arrived --reason …`",
        ) from None


def take_in(context: Context, arrival: Arrival, folder: Path, claim: Claim, commit: Commit) -> Taken:
    """Reads an answer to its end and applies it as a whole.

    Raises `AnswerProblem` for whatever is wrong with it, and what the database raises.
    """
    try:
        reading = _read(context, arrival, folder / f"answer-{arrival.id}.rows")
        return commit(lambda connection: _apply(connection, context, arrival, reading, claim))
    except (AnswerProblem, NotAssignable, OSError):
        raise
    except Exception as error:
        if not _is_its_own_fault(error):
            raise
        raise _unforeseen(arrival, error) from error


def _commit(context: Context, work: Callable[[Connection], T]) -> T:
    with writing(context.engine) as connection:
        return work(connection)


def _apply(
    connection: Connection, context: Context, arrival: Arrival, reading: Reading, claim: Claim
) -> Taken:
    submission, remark = claim(connection, reading)
    note = "; ".join(filter(None, (remark, reading.verdict.disagreement, reading.deviations)))
    applied = answers.apply(
        connection, arrival.id, submission, reading.rows(), reading.verdict, note, at=context.clock()
    )
    return Taken(arrival.name, answers.APPLIED, note, applied)


def _match(
    context: Context, arrival: Arrival, connection: Connection, reading: Reading
) -> tuple[Submission, str]:
    if not reading.head.period_key:
        raise AnswerProblem(answers.UNMATCHED, "it does not say which period it is about", reading)
    submission, note = answers.match(
        connection, context.provider, reading.kind.code, reading.head, arrival.id
    )
    if submission is None:
        raise AnswerProblem(answers.UNMATCHED, note, reading)
    return submission, note


def _refuse_settled(connection: Connection, context: Context, row: Row[Any], named: Submission) -> None:
    """Raises `NotAssignable` for an answer that counts already, for nothing, or for another submission."""
    if row.status not in answers.LIES_THERE:
        raise NotAssignable(
            f"Answer {row.id} is {row.status}; only what was set aside can be assigned.",
            "see `ajpes-reporting answers list`",
        )
    if (same := answers.applied_copy(connection, context.provider, row.sha256)) is not None:
        raise NotAssignable(
            f"Answer {row.id} is a copy of answer {same}, which was applied; an answer counts once.",
            f"put it away with `ajpes-reporting answers discard {row.id} --reason …`",
        )
    if row.submission not in (None, named.id):
        raise NotAssignable(
            f"Answer {row.id} came back as submission {row.submission} was sent, and not {named.id}.",
            f"see `ajpes-reporting show {row.submission}`",
        )


def _assigned(
    context: Context,
    arrival: Arrival,
    named: Submission,
    reason: str,
    connection: Connection,
    reading: Reading,
) -> tuple[Submission, str]:
    """The submission that a person names, ready for its answer. Raises `NotAssignable` if it cannot be it."""
    submission = submissions.get(connection, named.id)
    _refuse_other_report(arrival, reading, submission)
    _refuse_unanswerable(connection, submission)
    answers.note_assignment(
        connection, context.provider, arrival.id, submission.id, reason, at=context.clock()
    )
    if submission.state is State.UNREACHABLE:
        why = f"answer {arrival.id} shows that it did arrive"
        submission = submissions.move(connection, submission, State.UNKNOWN, why, at=context.clock())
    return submission, f"assigned by a person: {reason}"


def _refuse_other_report(arrival: Arrival, reading: Reading, submission: Submission) -> None:
    """A person may say what an answer leaves open, and not the contrary of what it says."""
    report, period = reading.kind.code, reading.head.period_key or submission.period
    if (report, period) != (submission.report, submission.period):
        raise NotAssignable(
            f"Answer {arrival.id} is about {report} for {period}; submission {submission.id} is "
            f"{submission.report} for {submission.period}. Nothing was changed.",
            "see `ajpes-reporting answers list` for the submissions that it may belong to",
        )


def _refuse_unanswerable(connection: Connection, submission: Submission) -> None:
    """Raises `NotAssignable` if AJPES cannot have it, has answered it, or has accepted a newer one since."""
    key, look = submission.id, f"see `ajpes-reporting show {submission.id}`"
    was_sent = submission.state.awaits_answer or submissions.was_handed_over(connection, key)
    if not was_sent:
        raise NotAssignable(f"Submission {key} was never sent from here. Nothing was changed.", look)
    if not (submission.state.awaits_answer or submission.state is State.UNREACHABLE):
        raise NotAssignable(
            f"Submission {key} is {submission.state.label} already. Nothing was changed.",
            f"{look}; an answer that counts for nothing is put away with `ajpes-reporting answers discard`",
        )
    if all(one.id != key for one in submissions.may_be_answered(connection, submission.provider)):
        raise NotAssignable(
            f"AJPES has accepted a newer report for {submission.period} since. Nothing was changed.", look
        )


def _set_aside(context: Context, arrival: Arrival, problem: AnswerProblem, commit: Commit) -> Taken:
    if arrival.submission is None:
        problem = _as_before(context, arrival, problem)
    owner = arrival.submission.id if arrival.submission else None
    about, deviations = None, ""
    if (reading := problem.reading) is not None:
        about, deviations = (reading.kind.code, reading.head.period_key), reading.deviations
    note = "; ".join(filter(None, (problem.note, deviations)))
    commit(
        lambda connection: answers.set_aside(
            connection, context.provider, arrival.id, problem.status, note, owner, about, at=context.clock()
        )
    )
    return Taken(arrival.name, problem.status, note)


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


def _refuse_duplicate(context: Context, arrival: Arrival) -> None:
    """An answer counts once: a copy of it says nothing about a submission that was sent later."""
    if _came_before(context, arrival, answers.APPLIED):
        raise AnswerProblem(answers.DUPLICATE, "the same answer was dealt with before")


def _as_before(context: Context, arrival: Arrival, problem: AnswerProblem) -> AnswerProblem:
    """A copy of an answer that fitted nothing, and still does not, is not shown a second time."""
    if problem.status == answers.UNMATCHED and _came_before(context, arrival, answers.UNMATCHED):
        return AnswerProblem(answers.DUPLICATE, f"the same answer came before; {problem.note}")
    return problem


def _came_before(context: Context, arrival: Arrival, status: str) -> bool:
    with context.engine.connect() as connection:
        return answers.is_duplicate(connection, context.provider, arrival.id, arrival.sha256, status)


def _read(context: Context, arrival: Arrival, waiting: Path) -> Reading:
    """Reads an answer to its end; its rows wait in a file. Raises `AnswerProblem`."""
    try:
        root = read_root(arrival.path)
    except UnreadableXml as error:
        raise AnswerProblem(answers.UNREADABLE, f"it is not XML: {error.message}") from None
    kind = next((kind for kind in context.kinds if kind.is_answered_by(root.local_name)), None)
    if kind is None:
        note = f"it is a {root.local_name[:40]} document, not an answer"
        raise AnswerProblem(answers.UNREADABLE, note)
    path = trimmed(arrival.path, waiting.with_suffix(".trimmed"))
    reading = _read_as(context, kind, path, waiting, plain=root.namespace is not None)
    if path != arrival.path:
        deviations = "; ".join(filter(None, (_TRIMMED, reading.deviations)))
        reading = replace(reading, deviations=deviations)
    _refuse_strangers(context, reading, is_claimed=arrival.submission is not None)
    return reading


def _read_as(context: Context, kind: ReportKind, path: Path, waiting: Path, *, plain: bool) -> Reading:
    """By its schema, or, where it breaks that, as far as it can be read and gives a verdict."""
    schema = context.schemas(kind.answer_schema)
    try:
        try:
            reader = AnswerReader(path, kind, schema, plain=plain)
            _keep(reader.rows(), waiting)
            return Reading(kind, reader.head, _verdict(reader.tally, reader.head), waiting)
        except SchemaBroken as broken:
            faults = explained(path, schema, broken.message, plain=plain, sound=broken.sound)
            return _read_loosely(kind, path, waiting, faults)
    except UnreadableXml as error:
        note = f"it is not whole XML: {error.message}{_so_far(path, kind)}"
        raise AnswerProblem(answers.UNREADABLE, note) from None


def _read_loosely(kind: ReportKind, path: Path, waiting: Path, faults: Sequence[Finding]) -> Reading:
    """What counts of an answer that breaks its schema. Raises `AnswerProblem` if it gives no verdict."""
    reader = LooseReader(path, kind)
    try:
        _keep(reader.rows(), waiting)
        missing = reader.why_no_verdict
    except Contradiction as contradiction:
        missing = f"it contradicts itself: {contradiction}"
    deviations = _deviations(faults, reader.notes)
    if missing:
        raise AnswerProblem(answers.UNREADABLE, f"{missing}; {deviations}")
    return Reading(kind, reader.head, _verdict(reader.tally, reader.head), waiting, deviations)


def _deviations(faults: Sequence[Finding], notes: Sequence[str]) -> str:
    """Where an answer breaks its schema and how it was read nevertheless, as far as that fits into a note."""
    shown = [_fault_in_words(fault) for fault in faults[:_MOST_FAULTS_SHOWN]]
    more = len(faults) - len(shown)
    if more:
        shown.append(f"and {'at least ' if len(faults) >= MOST_EXPLAINED else ''}{more} more")
    return "; ".join(["it does not follow its schema: " + shown[0], *shown[1:], *notes])


def _fault_in_words(fault: Finding) -> str:
    about = [part for part in (fault.record, fault.location or fault.field) if part]
    return f"{fault.message} ({', '.join(about)})" if about else fault.message


def _so_far(path: Path, kind: ReportKind) -> str:
    """What half an answer lets a person expect; it decides nothing, since the rest may say otherwise."""
    reader = LooseReader(path, kind)
    with suppress(UnreadableXml, Contradiction):
        deque(reader.rows(), maxlen=0)
    speaks_of_errors = reader.tally.errors or reader.head.declared_errors
    return "; what there is of it speaks of errors" if speaks_of_errors else ""


def _refuse_strangers(context: Context, reading: Reading, *, is_claimed: bool) -> None:
    """Raises `AnswerProblem` for another provider's; one whose submission is known need not name any."""
    provider = reading.head.provider
    if provider == context.provider or (is_claimed and not provider):
        return
    if provider:  # what else it says is about nothing of ours
        raise AnswerProblem(answers.UNMATCHED, f"it is about provider {provider[:40]}")
    raise AnswerProblem(answers.UNMATCHED, "it does not say which provider it is about", reading)


def _keep(rows: Iterable[AnswerRow], path: Path) -> None:
    stream = iter(rows)
    with path.open("wb") as file:
        while batch := [tuple(row) for row in islice(stream, _ROWS_AT_ONCE)]:
            marshal.dump(batch, file)
        marshal.dump([], file)


def _verdict(tally: Tally, head: AnswerHead) -> Verdict:
    return Verdict(
        tally.errors, tally.warnings, head.declared_errors, head.declared_warnings,
        tally.error_rows, tally.warning_rows,
    )  # fmt: skip
