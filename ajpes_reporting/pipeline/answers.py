"""The one door for answers: whichever way one came, it is stored, read, matched and applied here.

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
from typing import TYPE_CHECKING, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ajpes_reporting.check.explain import MOST_EXPLAINED
from ajpes_reporting.check.file import explained
from ajpes_reporting.database.engine import blames_values, writing
from ajpes_reporting.domain.errors import Busy, UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import NOTHING, Message, _, _n, joined
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.journal.answers import Verdict
from ajpes_reporting.reports.answers import AnswerReader, Tally
from ajpes_reporting.reports.loose_answers import Contradiction, LooseReader
from ajpes_reporting.xmlread import SchemaBroken, UnreadableXml, read_root, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.domain.ports import RemoteAnswer
    from ajpes_reporting.journal.archive import Stored
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

T = TypeVar("T")

_ROWS_AT_ONCE = 1_000
_MOST_FAULTS_SHOWN = 5
_TRIMMED = _("blanks before its XML declaration, or NULs after its end, were passed over")


Claim = Callable[["Connection", "Reading"], tuple["Submission", Message]]
"""Says within the transaction which submission an answer belongs to, and what is odd about that, if anything.

It raises `AnswerProblem` if it belongs to none."""


class AnswerProblem(Exception):
    """An answer that cannot be applied. `status` and `note` are what the journal keeps of it.

    `reading` is what could be read of it.
    """

    def __init__(self, status: str, note: Message, reading: Reading | None = None) -> None:
        super().__init__(note)
        self.status = status
        self.note = note
        self.reading = reading


class NotAssignable(UsageError):
    """A person named a submission that an answer cannot belong to; nothing was changed."""


class Keeper(Protocol):
    """The writer of everything that an answer brings; it tries again as often as it likes."""

    def store(self, path: Path, name: str) -> Stored:
        """Copies a file into the archive."""
        ...

    def commit(self, work: Callable[[Connection], T], /) -> T:
        """Does work within a transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """An answer that has come in and lies at `path`; it stands nowhere yet.

    `remote` is the file of the authority that it is a copy of. `submission` is the one that it came back
    from, if it came in a call. `archived_as` is its name in the archive, if it has another one there.
    """

    path: Path
    via: str
    remote: RemoteAnswer | None = None
    submission: Submission | None = None
    archived_as: str = ""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
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
class AtOnce:
    """Writes down what an answer brings now or never."""

    context: Context

    def store(self, path: Path, name: str) -> Stored:
        """Copies a file into the archive."""
        return self.context.archive.store(path, name, self.context.clock())

    def commit(self, work: Callable[[Connection], T]) -> T:
        """Does work within a transaction."""
        with writing(self.context.engine) as connection:
            return work(connection)


@dataclass(frozen=True, slots=True)
class Taken:
    """The fate of one answer: applied to a submission, or set aside with the reason."""

    name: str
    status: str
    note: Message = NOTHING
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
    deviations: Message = NOTHING
    """Where it breaks its schema and how it was read nevertheless; empty for one that follows it."""

    def rows(self) -> Iterator[AnswerRow]:
        """The rows of the answer, as a stream."""
        with self._rows.open("rb") as file:
            while batch := marshal.load(file):  # noqa: S302 -- our own file of a moment ago
                yield from batch


def accept(context: Context, arrival: Arrival, folder: Path) -> Taken | None:
    """Stores an answer raw, then reads it and applies it, or sets it aside.

    Returns None if another run has stored this file of the authority meanwhile. Raises what `apply` does.
    """
    kept = keep(context, arrival, AtOnce(context))
    return None if kept is None else apply(context, kept, folder)


def keep(context: Context, arrival: Arrival, keeper: Keeper) -> KeptAnswer | None:
    """Stores an answer raw, in the archive, then in the journal.

    Returns None if a file of the authority was stored before.
    """
    path, remote, key = arrival.path, arrival.remote, arrival.submission.id if arrival.submission else None
    stored = keeper.store(path, arrival.archived_as or path.name)

    def record(connection: Connection) -> int | None:
        if remote is not None and answers.already_fetched(connection, context.provider, remote):
            return None
        at = context.clock()
        return answers.store(connection, context.provider, stored, arrival.via, remote, key, at=at)

    number = keeper.commit(record)
    if number is None:
        return None
    name = remote.name if remote is not None else path.name
    return KeptAnswer(number, stored.sha256, name, path, arrival.submission)


def apply_waiting(context: Context, folder: Path) -> list[Taken]:
    """Applies answers that were stored when a run was cut off.

    One whose archived file is lost stays as it is: it must not keep reports from being sent.
    """
    with context.engine.connect() as connection:
        waiting = answers.waiting(connection, context.provider)
    taken = []
    for row in waiting:
        path = folder / f"answer-{row.id}.xml"
        try:
            context.archive.extract(row.archive_path, path)
        except UsageError as error:
            _log.error("Answer %d was not applied. %s", row.id, error.message)
            continue
        name = row.remote_name or row.archive_path
        taken.append(apply(context, KeptAnswer(row.id, row.sha256, name, path), folder))
    return taken


def answer_name(submission: Submission, attempt: int | str) -> str:
    """The name in the archive of an answer that came in a call: whose it is can be told from it alone.

    With the hash of the report, for numbers may come again in a database that was copied back, and an attempt
    that the archive tells of may get another one.
    """
    return f"answer-{submission.id}-{attempt}-{submission.sha256[:16]}-to-{submission.file_name}"


def recall(context: Context) -> None:
    """Puts on record the answers that a run had archived when it was killed, or its database went away.

    They came in a call, to submissions of which nobody knows what became; `apply_waiting` applies them.
    """
    with context.engine.connect() as connection:
        unknown = submissions.in_states(connection, context.provider, frozenset({State.UNKNOWN}))
        found = [
            (submission, stored)
            for submission in unknown
            for stored in context.archive.recall(answer_name(submission, "*"))
            if not answers.is_recorded(connection, context.provider, stored)
        ]
    for submission, stored in found:
        with writing(context.engine) as connection:
            via = submissions.attempts_of(connection, submission.id)[-1].via
            at, key = context.clock(), submission.id
            answers.store(connection, context.provider, stored, via, None, key, at=at)


def apply(
    context: Context,
    kept: KeptAnswer,
    folder: Path,
    claim: Claim | None = None,
    keeper: Keeper | None = None,
) -> Taken:
    """Reads an answer that is stored and applies it, or sets it aside.

    `claim` says within the transaction which submission it belongs to, or raises `AnswerProblem`; without
    it, its content decides. Raises what the database raises, and `Replaced`; the answer stays `stored` then.
    """
    keeper = keeper or AtOnce(context)
    try:
        if kept.submission is None:
            _refuse_duplicate(context, kept)
        return take_in(context, kept, folder, claim or partial(_match, context, kept), keeper)
    except AnswerProblem as problem:
        return _set_aside(context, kept, problem, keeper)
    except OSError as error:
        _log.error("Answer %d was not applied: %s. It is read again.", kept.id, error.strerror or error)
        reason = system_reason(error)
        return Taken(
            kept.name, answers.STORED, _("the answer could not be read now: {reason}", reason=reason)
        )


def take_in(context: Context, kept: KeptAnswer, folder: Path, claim: Claim, keeper: Keeper) -> Taken:
    """Reads an answer to its end and applies it as a whole.

    Raises `AnswerProblem` for whatever is wrong with it, and what the database raises.
    """
    try:
        reading = _read(context, kept, folder / f"answer-{kept.id}.rows")
        return keeper.commit(lambda connection: _apply(connection, context, kept, reading, claim))
    except (AnswerProblem, NotAssignable, OSError):
        raise
    except Exception as error:
        if not _is_its_own_fault(error):
            raise
        raise _unforeseen(kept, error) from error


def _apply(
    connection: Connection, context: Context, kept: KeptAnswer, reading: Reading, claim: Claim
) -> Taken:
    submission, remark = claim(connection, reading)
    note = joined((remark, reading.verdict.disagreement, reading.deviations))
    applied = answers.apply(
        connection, kept.id, submission, reading.rows(), reading.verdict, note, at=context.clock()
    )
    return Taken(kept.name, answers.APPLIED, note, applied)


def _match(
    context: Context, kept: KeptAnswer, connection: Connection, reading: Reading
) -> tuple[Submission, Message]:
    if not reading.head.period_key:
        raise AnswerProblem(answers.UNMATCHED, _("the answer does not say which period it is about"), reading)
    submission, note = answers.match(connection, context.provider, reading.kind.code, reading.head, kept.id)
    if submission is None:
        raise AnswerProblem(answers.UNMATCHED, note, reading)
    return submission, note


def _set_aside(context: Context, kept: KeptAnswer, problem: AnswerProblem, keeper: Keeper) -> Taken:
    if kept.submission is None:
        problem = _as_before(context, kept, problem)
    owner = kept.submission.id if kept.submission else None
    about, deviations = None, NOTHING
    if (reading := problem.reading) is not None:
        about, deviations = (reading.kind.code, reading.head.period_key), reading.deviations
    note = joined((problem.note, deviations))
    keeper.commit(
        lambda connection: answers.set_aside(
            connection, context.provider, kept.id, problem.status, note, owner, about, at=context.clock()
        )
    )
    return Taken(kept.name, problem.status, note)


def _is_its_own_fault(error: Exception) -> bool:
    """Whether an error says something about the answer, and not about the database or the run itself."""
    if isinstance(error, DBAPIError):
        return blames_values(error)
    return not isinstance(error, SQLAlchemyError | Busy | MemoryError)


def _unforeseen(kept: KeptAnswer, error: Exception) -> AnswerProblem:
    _log.error(
        "Answer %d was set aside, nobody foresaw why: %s.",
        kept.id,
        type(error).__name__,
        extra={"answer": kept.id},
    )
    _log.debug("How it came to that:", exc_info=error)
    note = _("the answer makes no sense to this program ({error})", error=type(error).__name__)
    return AnswerProblem(answers.UNREADABLE, note)


def _refuse_duplicate(context: Context, kept: KeptAnswer) -> None:
    """An answer counts once: a copy of it says nothing about a submission that was sent later."""
    if _came_before(context, kept, answers.APPLIED):
        raise AnswerProblem(answers.DUPLICATE, _("the same answer was dealt with before"))


def _as_before(context: Context, kept: KeptAnswer, problem: AnswerProblem) -> AnswerProblem:
    """A copy of an answer that fitted nothing, and still does not, is not shown a second time."""
    if problem.status == answers.UNMATCHED and _came_before(context, kept, answers.UNMATCHED):
        note = joined((_("the same answer came before"), problem.note))
        return AnswerProblem(answers.DUPLICATE, note)
    return problem


def _came_before(context: Context, kept: KeptAnswer, status: str) -> bool:
    with context.engine.connect() as connection:
        return answers.is_duplicate(connection, context.provider, kept.id, kept.sha256, status)


def _read(context: Context, kept: KeptAnswer, waiting: Path) -> Reading:
    """Reads an answer to its end; its rows wait in a file. Raises `AnswerProblem`."""
    try:
        root = read_root(kept.path)
    except UnreadableXml as error:
        note = _("the answer is not XML ({reason})", reason=error.message)
        raise AnswerProblem(answers.UNREADABLE, note) from None
    kind = next((kind for kind in context.kinds if kind.is_answered_by(root.local_name)), None)
    if kind is None:
        note = _("the file is a {root} document, not an answer", root=root.local_name[:40])
        raise AnswerProblem(answers.UNREADABLE, note)
    path = trimmed(kept.path, waiting.with_suffix(".trimmed"))
    reading = _read_as(context, kind, path, waiting, plain=root.namespace is not None)
    if path != kept.path:
        deviations = joined((_TRIMMED, reading.deviations))
        reading = replace(reading, deviations=deviations)
    _refuse_strangers(context, reading, is_claimed=kept.submission is not None)
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
        note = joined(
            (_("the answer is not whole XML ({reason})", reason=error.message), _so_far(path, kind))
        )
        raise AnswerProblem(answers.UNREADABLE, note) from None


def _read_loosely(kind: ReportKind, path: Path, waiting: Path, faults: Sequence[Finding]) -> Reading:
    """Reads an answer that breaks its schema. Raises `AnswerProblem` if it gives no verdict."""
    reader = LooseReader(path, kind)
    try:
        _keep(reader.rows(), waiting)
        missing = reader.why_no_verdict
    except Contradiction as contradiction:
        missing = _("the answer contradicts itself ({reason})", reason=contradiction.args[0])
    deviations = _deviations(faults, reader.notes)
    if missing:
        raise AnswerProblem(answers.UNREADABLE, joined((missing, deviations)))
    return Reading(kind, reader.head, _verdict(reader.tally, reader.head), waiting, deviations)


def _deviations(faults: Sequence[Finding], notes: Sequence[str]) -> Message:
    """Returns where an answer breaks its schema and how it was read, as far as that fits into a note."""
    first, *others = [_violation_in_words(fault) for fault in faults[:_MOST_FAULTS_SHOWN]]
    more = len(faults) - 1 - len(others)
    if more and len(faults) >= MOST_EXPLAINED:
        others.append(_n("and at least {count} more", "and at least {count} more", more))
    elif more:
        others.append(_n("and {count} more", "and {count} more", more))
    return joined((_("the answer does not follow its schema: {violation}", violation=first), *others, *notes))


def _violation_in_words(finding: Finding) -> str:
    about = [part for part in (finding.record, finding.location or finding.field) if part]
    return _("{message} ({places})", message=finding.message, places=about) if about else finding.message


def _so_far(path: Path, kind: ReportKind) -> Message:
    """Returns the expectation from half an answer; it decides nothing, since the rest may say otherwise."""
    reader = LooseReader(path, kind)
    with suppress(UnreadableXml, Contradiction):
        deque(reader.rows(), maxlen=0)
    speaks_of_errors = reader.tally.errors or reader.head.declared_errors
    return _("what there is of it speaks of errors") if speaks_of_errors else NOTHING


def _refuse_strangers(context: Context, reading: Reading, *, is_claimed: bool) -> None:
    """Raises `AnswerProblem` for another provider's; one whose submission is known need not name any."""
    provider = reading.head.provider
    if provider == context.provider or (is_claimed and not provider):
        return
    if provider:  # what else it says is about nothing of ours
        note = _("the answer is about provider {provider}", provider=provider[:40])
        raise AnswerProblem(answers.UNMATCHED, note)
    raise AnswerProblem(answers.UNMATCHED, _("the answer does not say which provider it is about"), reading)


def _keep(rows: Iterable[AnswerRow], path: Path) -> None:
    stream = iter(rows)
    with path.open("wb") as file:
        while batch := [tuple(row) for row in islice(stream, _ROWS_AT_ONCE)]:
            marshal.dump(batch, file)
        marshal.dump([], file)


def _verdict(tally: Tally, head: AnswerHead) -> Verdict:
    return Verdict(
        errors=tally.errors,
        warnings=tally.warnings,
        declared_errors=head.declared_errors,
        declared_warnings=head.declared_warnings,
        error_rows=tally.error_rows,
        warning_rows=tally.warning_rows,
    )
