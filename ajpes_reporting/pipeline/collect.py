"""Answers that come in: fetched, stored raw, and only then taken in through `answers.accept`.

An answer is recognised by what is in it, never by its name. One that fits nothing is kept and
shown. Nothing is removed from the authority's folders.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting.database.engine import writing
from ajpes_reporting.deliver import registry
from ajpes_reporting.deliver.kept import kept_connections
from ajpes_reporting.domain.errors import (
    ConfigurationError,
    NotAllFetched,
    NotDelivered,
    Replaced,
    UsageError,
)
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.pipeline.answers import Arrival, Taken, accept, why_no_answer
from ajpes_reporting.pipeline.interrupted import settle_interrupted
from ajpes_reporting.pipeline.look import look_for_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ajpes_reporting.domain.ports import RemoteAnswer
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.desk import Desk
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
_LONGEST_NAME = 60  # of four bytes each: the archive adds to it, and a disk takes 255 bytes


def collect(desk: Desk) -> list[Taken]:
    """Fetches and applies every answer that has come into the folders, and looks for what is unknown.

    Raises `ConfigurationError` if there are no folders, and `NotDelivered` if they cannot be reached;
    answers that were stored before are applied all the same, and what was fetched until then is kept.
    """
    with desk.exclusive(), kept_connections(), desk.working_folder() as folder:
        settle_interrupted(desk)
        waiting = apply_waiting(desk, folder)
        if not any(desk.answer_boxes(kind.name) for kind in desk.kinds):
            sections = registry.sections([way.name for way in registry.WAYS if way.answers_later])
            raise ConfigurationError(
                f"The settings have no {sections}; there is nothing to collect from.", f"fill in {sections}"
            )
        look_for_unknown(desk)
        return waiting + fetch(desk, desk.kinds, folder)


def take_by_hand(desk: Desk, paths: Sequence[Path]) -> list[Taken]:
    """Takes in answers that came another way, such as by e-mail.

    Raises `UsageError` for a file that is not there, or does not even begin like an answer: a slip, of
    which nobody wants to be reminded. Then none is taken in.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UsageError(f"There is no file {missing[0]}. Nothing was taken in.", "name files that exist")
    for path in paths:
        if not (why := why_no_answer(desk, path)):
            continue
        known = " or ".join(kind.answer_root for kind in desk.kinds)
        raise UsageError(
            f"{path} is not an answer of AJPES: {why}. Nothing was taken in.",
            f"name files whose first element is {known};"
            " a table of facts goes in with `ajpes-reporting ledger import`",
        )
    with desk.exclusive(), desk.working_folder() as folder:
        settle_interrupted(desk)
        return apply_waiting(desk, folder) + [_take_by_hand(desk, path, folder) for path in paths]


def fetch(desk: Desk, kinds: tuple[ReportKind, ...], folder: Path) -> list[Taken]:
    """New answers from the authority's folders for these kinds, stored and applied one by one.

    Raises `NotDelivered` if a folder cannot be reached or has no end, `ConfigurationError` if the settings
    keep us out of it, when the others have been read.
    """
    taken: list[Taken] = []
    trouble: NotDelivered | ConfigurationError | None = None
    for report, box in [(kind.name, box) for kind in kinds for box in desk.answer_boxes(kind.name)]:
        try:
            for remote, path in box.fetch_new(report, lambda remotes: _known(desk, remotes), folder):
                if (one := _take_in(desk, box.name, remote, path, folder)) is not None:
                    taken.append(one)
        except (NotDelivered, ConfigurationError) as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return taken


def wait_for_answer(desk: Desk, submission: Submission, folder: Path) -> None:
    """Looks for the answer to a submission for a short while; it may also come much later."""
    kinds = tuple(kind for kind in desk.kinds if kind.code == submission.report)
    give_up = time.monotonic() + desk.answer_wait_seconds
    may_break = True  # once: the session that delivered may end, and a new one be as good as ever
    while True:
        try:
            fetch(desk, kinds, folder)
        except NotAllFetched:
            pass  # another file that stays there does not keep the answer from coming
        except NotDelivered:
            if not may_break:
                return
            may_break = False
        except (ConfigurationError, Replaced, SQLAlchemyError):
            # The report is delivered, whatever happens to the folders or this run; `collect` looks again.
            return
        with desk.engine.connect() as connection:
            if not submissions.get(connection, submission.id).state.awaits_answer:
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
        name = row.remote_name or row.archive_path
        taken.append(accept(desk, Arrival(row.id, row.sha256, name, path), folder))
    return taken


def _known(desk: Desk, remotes: Sequence[RemoteAnswer]) -> set[RemoteAnswer]:
    with desk.engine.connect() as connection:
        return answers.fetched_among(connection, desk.provider, remotes)


def _take_in(desk: Desk, via: str, remote: RemoteAnswer, path: Path, folder: Path) -> Taken | None:
    """Stores and applies one; nothing if another run has done so while this one was paused."""
    stored = desk.archive.store(path, path.name, desk.clock())
    with writing(desk.engine) as connection:
        if answers.already_fetched(connection, desk.provider, remote):
            return None
        answer = answers.store(connection, desk.provider, stored, via, remote, None, at=desk.clock())
    return accept(desk, Arrival(answer, stored.sha256, remote.name, path), folder)


def _take_by_hand(desk: Desk, path: Path, folder: Path) -> Taken:
    stored = desk.archive.store(path, path.name[-_LONGEST_NAME:], desk.clock())
    with writing(desk.engine) as connection:
        answer = answers.store(connection, desk.provider, stored, "hand", None, None, at=desk.clock())
    return accept(desk, Arrival(answer, stored.sha256, path.name, path), folder)
