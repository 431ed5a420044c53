"""Answers that come in: fetched, stored raw, checked, and only then applied.

An answer is recognised by what is in it, never by its name. One that fits nothing is kept and
shown. Nothing is removed from the authority's folders.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.check.file import FileKind, check_file
from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered, Replaced, UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.journal.answers import Verdict
from ajpes_reporting.pipeline.interrupted import settle_interrupted
from ajpes_reporting.pipeline.look import look_for_unknown
from ajpes_reporting.reports.answers import AnswerReader, AnswerRules
from ajpes_reporting.xmlread import Root, SchemaBroken, UnreadableXml, read_root, without_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.domain.answers import AnswerRow
    from ajpes_reporting.domain.ports import RemoteAnswer
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.desk import Desk
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.25


class AnswerProblem(Exception):
    """An answer that cannot be applied. `status` and `note` are what the journal keeps of it."""

    def __init__(self, status: str, note: str) -> None:
        super().__init__(note)
        self.status = status
        self.note = note


class Reading:
    """An answer that is being read, in one pass: its head first, then its rows, then what they come to.

    Its schema is checked on the way. Whatever is wrong is an `AnswerProblem`, and whoever has taken rows
    in by then takes them back.
    """

    def __init__(self, desk: Desk, path: Path, folder: Path) -> None:
        self._root, self._path = _plain_copy(path, folder)
        kind = next((kind for kind in desk.kinds if kind.answer_root == self._root.local_name), None)
        if kind is None:
            raise AnswerProblem(
                answers.UNREADABLE, f"it is a {self._root.local_name} document, not an answer"
            )
        self.kind = kind
        self._schema = desk.schemas(kind.answer_schema)
        with self._explained():
            self._reader = AnswerReader(self._path, kind, self._schema)
        self.head = self._reader.head
        if self.head.provider != desk.provider:
            raise self.unmatched(f"it is about provider {self.head.provider}")

    def rows(self) -> Iterator[AnswerRow]:
        """The rows, as a stream; once."""
        with self._explained():
            yield from self._reader.rows()

    def verdict(self) -> Verdict:
        """What it says as a whole, once the rows have come to their end."""
        tally = self._reader.tally
        return Verdict(
            tally.errors, tally.warnings, self.head.declared_errors, self.head.declared_warnings,
            tally.error_rows, tally.warning_rows,
        )  # fmt: skip

    def unmatched(self, note: str) -> AnswerProblem:
        """The problem that it fits nothing; one that is broken besides is called broken."""
        for _row in self.rows():
            pass
        return AnswerProblem(answers.UNMATCHED, note)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """A second pass finds the words for what is wrong; that is the exception."""
        try:
            yield
        except (SchemaBroken, UnreadableXml):
            kind, root = self.kind, Root(self._root.local_name, None, self._root.encoding)
            file_kind = FileKind(kind.answer_root, None, self._schema, lambda: AnswerRules(kind))
            shown = check_file(self._path, root, file_kind).log.shown
            problem = shown[0].message if shown else "it was changed while it was read"
            raise AnswerProblem(answers.UNREADABLE, f"it does not follow its schema: {problem}") from None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one answer: applied to a submission, or set aside with the reason."""

    name: str
    status: str
    note: str = ""
    submission: Submission | None = None


def collect(desk: Desk) -> list[Taken]:
    """Fetches and applies every answer that has come in over SFTP, and looks for what is unknown.

    Raises `ConfigurationError` if there are no folders, and `NotDelivered` if they cannot be reached;
    answers that were stored before are applied all the same, and what was fetched until then is kept.
    """
    with desk.exclusive(), desk.working_folder() as folder:
        settle_interrupted(desk)
        waiting = apply_waiting(desk, folder)
        if desk.answer_box() is None:
            raise ConfigurationError(
                "The settings have no [sftp]; there is nothing to collect from.", "fill in [sftp]"
            )
        look_for_unknown(desk)
        return waiting + fetch(desk, desk.kinds, folder)


def take_by_hand(desk: Desk, paths: Sequence[Path]) -> list[Taken]:
    """Takes in answers that came another way, such as by e-mail.

    Raises `UsageError` for a file that is not there; then none is taken in.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UsageError(f"There is no file {missing[0]}. Nothing was taken in.", "name files that exist")
    with desk.exclusive(), desk.working_folder() as folder:
        settle_interrupted(desk)
        return apply_waiting(desk, folder) + [_take_by_hand(desk, path, folder) for path in paths]


def fetch(desk: Desk, kinds: tuple[ReportKind, ...], folder: Path) -> list[Taken]:
    """New answers from the authority's folders for these kinds, stored and applied one by one."""
    box = desk.answer_box()
    if box is None:
        return []
    taken = []
    for kind in kinds:
        for remote, path in box.fetch_new(kind.name, lambda remote: _known(desk, remote), folder):
            if (one := _take_in(desk, remote, path, folder)) is not None:
                taken.append(one)
    return taken


def wait_for_answer(desk: Desk, submission: Submission, folder: Path) -> None:
    """Looks for the answer to a submission for a short while; it may also come much later."""
    kinds = tuple(kind for kind in desk.kinds if kind.code == submission.report)
    give_up = time.monotonic() + desk.answer_wait_seconds
    while True:
        try:
            fetch(desk, kinds, folder)
        except (NotDelivered, ConfigurationError, Replaced):
            # The report is delivered, whatever happens to the folders or this run; `collect` looks again.
            return
        with desk.engine.connect() as connection:
            if submissions.get(connection, submission.id).state is not State.DELIVERED:
                return
        if time.monotonic() >= give_up:
            return
        time.sleep(_POLL_SECONDS)


def apply_waiting(desk: Desk, folder: Path) -> list[Taken]:
    """Applies answers that were stored when a run was cut off.

    One whose archived file is lost stays as it is: it must not keep reports from being sent.
    """
    with desk.engine.connect() as connection:
        waiting = answers.waiting(connection, desk.provider)
    taken = []
    for row in waiting:
        path = folder / f"answer-{row.id}.xml"
        try:
            desk.archive.extract(row.archive_path, path)
        except UsageError as error:
            _log.error("Answer %d was not applied. %s", row.id, error.message)
            continue
        taken.append(_apply(desk, row.id, row.sha256, row.remote_name or row.archive_path, path, folder))
    return taken


def apply_answer(
    connection: Connection, desk: Desk, answer: int, submission: Submission, reading: Reading
) -> Submission:
    """Reads an answer to its end and applies it to the submission it belongs to.

    Raises `AnswerProblem` if it turns out not to follow its schema; the transaction must end with that.
    """
    return answers.apply(connection, answer, submission, reading.rows(), reading.verdict, at=desk.clock())


def _known(desk: Desk, remote: RemoteAnswer) -> bool:
    with desk.engine.connect() as connection:
        return answers.already_fetched(connection, desk.provider, remote)


def _take_in(desk: Desk, remote: RemoteAnswer, path: Path, folder: Path) -> Taken | None:
    """Stores and applies one; nothing if another run has done so while this one was paused."""
    stored = desk.archive.store(path, path.name, desk.clock())
    with writing(desk.engine) as connection:
        if answers.already_fetched(connection, desk.provider, remote):
            return None
        answer = answers.store(connection, desk.provider, stored, "sftp", remote, None, at=desk.clock())
    return _apply(desk, answer, stored.sha256, remote.name, path, folder)


def _take_by_hand(desk: Desk, path: Path, folder: Path) -> Taken:
    stored = desk.archive.store(path, path.name, desk.clock())
    with writing(desk.engine) as connection:
        answer = answers.store(connection, desk.provider, stored, "hand", None, None, at=desk.clock())
    return _apply(desk, answer, stored.sha256, path.name, path, folder)


def _apply(desk: Desk, answer: int, sha256: str, name: str, path: Path, folder: Path) -> Taken:
    try:
        _refuse_duplicate(desk, answer, sha256)
        reading = Reading(desk, path, folder)
        with writing(desk.engine) as connection:
            submission = _owner(connection, desk, reading)
            applied = apply_answer(connection, desk, answer, submission, reading)
    except AnswerProblem as found:
        problem = _as_before(desk, answer, sha256, found)
        with writing(desk.engine) as connection:
            answers.set_aside(
                connection, desk.provider, answer, problem.status, problem.note, at=desk.clock()
            )
        return Taken(name, problem.status, problem.note)
    return Taken(name, answers.APPLIED, submission=applied)


def _refuse_duplicate(desk: Desk, answer: int, sha256: str) -> None:
    """An answer counts once: a copy of it says nothing about a submission that was sent later."""
    if _came_before(desk, answer, sha256, answers.APPLIED):
        raise AnswerProblem(answers.DUPLICATE, "the same answer was dealt with before")


def _as_before(desk: Desk, answer: int, sha256: str, problem: AnswerProblem) -> AnswerProblem:
    """A copy of an answer that fitted nothing, and still does not, is not shown a second time."""
    if problem.status == answers.UNMATCHED and _came_before(desk, answer, sha256, answers.UNMATCHED):
        return AnswerProblem(answers.DUPLICATE, f"the same answer came before; {problem.note}")
    return problem


def _came_before(desk: Desk, answer: int, sha256: str, status: str) -> bool:
    with desk.engine.connect() as connection:
        return answers.is_duplicate(connection, desk.provider, answer, sha256, status)


def _owner(connection: Connection, desk: Desk, reading: Reading) -> Submission:
    submission, note = answers.match(
        connection, desk.provider, reading.kind.code, reading.head.period_key, reading.head.prepared_at
    )
    if submission is None:
        raise reading.unmatched(note)
    return submission


def _plain_copy(path: Path, folder: Path) -> tuple[Root, Path]:
    try:
        root = read_root(path)
        if root.namespace is None:
            return root, path
        plain = folder / f"plain-{path.name}"
        without_namespace(path, plain)
        return root, plain
    except UnreadableXml as error:
        raise AnswerProblem(answers.UNREADABLE, f"it is not XML: {error.message}") from None
