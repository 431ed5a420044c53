"""Answers that come in: fetched, stored raw, checked, and only then applied.

An answer is recognised by what is in it, never by its name. One that fits nothing is kept and
shown. Nothing is removed from the authority's folders.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.check.file import FileKind, check_file
from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered, UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.journal.answers import Verdict
from ajpes_reporting.pipeline.interrupted import settle_interrupted
from ajpes_reporting.pipeline.look import look_for_unknown
from ajpes_reporting.reports.answers import AnswerRules, read_rows
from ajpes_reporting.xmlread import Root, UnreadableXml, read_root, without_namespace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.domain.answers import AnswerHead
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


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer that was read and checked. `path` is a copy without namespaces."""

    path: Path
    kind: ReportKind
    head: AnswerHead
    verdict: Verdict


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
        except (NotDelivered, ConfigurationError):
            # The report is delivered, whatever happens to the folders now; `collect` looks again.
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


def read_answer(desk: Desk, path: Path, folder: Path) -> Reading:
    """Reads and checks an answer: its schema, its provider. Raises `AnswerProblem`."""
    root, plain = _plain_copy(path, folder)
    kind = next((kind for kind in desk.kinds if kind.answer_root == root.local_name), None)
    if kind is None:
        raise AnswerProblem(answers.UNREADABLE, f"it is a {root.local_name} document, not an answer")
    rules = AnswerRules(kind)
    report = check_file(
        plain, Root(root.local_name, None, root.encoding),
        FileKind(kind.answer_root, None, desk.schemas(kind.answer_schema), lambda: rules),
    )  # fmt: skip
    if report.log.error_count or rules.head is None:
        problem = report.log.shown[0].message if report.log.shown else "it has no head"
        raise AnswerProblem(answers.UNREADABLE, f"it does not follow its schema: {problem}")
    if rules.head.provider != desk.provider:
        raise AnswerProblem(answers.UNMATCHED, f"it is about provider {rules.head.provider}")
    verdict = Verdict(
        rules.errors, rules.warnings, rules.head.declared_errors, rules.head.declared_warnings,
        rules.error_rows, rules.warning_rows,
    )  # fmt: skip
    return Reading(plain, kind, rules.head, verdict)


def apply_rows(
    connection: Connection, desk: Desk, answer: int, submission: Submission, reading: Reading
) -> Submission:
    """Applies an answer that was read to the submission it belongs to."""
    rows = read_rows(reading.path, reading.kind)
    return answers.apply(connection, answer, submission, reading.verdict, rows, at=desk.clock())


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
        reading = read_answer(desk, path, folder)
        submission = _owner(desk, reading)
    except AnswerProblem as found:
        problem = _as_before(desk, answer, sha256, found)
        with writing(desk.engine) as connection:
            answers.set_aside(
                connection, desk.provider, answer, problem.status, problem.note, at=desk.clock()
            )
        return Taken(name, problem.status, problem.note)
    with writing(desk.engine) as connection:
        applied = apply_rows(connection, desk, answer, submission, reading)
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


def _owner(desk: Desk, reading: Reading) -> Submission:
    with desk.engine.connect() as connection:
        submission, note = answers.match(
            connection, desk.provider, reading.kind.code, reading.head.period_key, reading.head.prepared_at
        )
    if submission is None:
        raise AnswerProblem(answers.UNMATCHED, note)
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
