"""Answers that come in, from the authority's folders or by hand; `answers.accept` takes them in.

An answer is recognised by what is in it, never by its name. One that fits nothing is kept and
shown. Nothing is removed from the authority's folders.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting.deliver import registry
from ajpes_reporting.deliver.connection_pool import kept_connections
from ajpes_reporting.domain.errors import (
    ConfigurationError,
    NotAllFetched,
    NotDelivered,
    Replaced,
    UsageError,
)
from ajpes_reporting.i18n import NOTHING, _
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.pipeline.answers import Arrival, Taken, accept, apply_waiting
from ajpes_reporting.pipeline.reconcile import look_for_unknown, recover_interrupted
from ajpes_reporting.xmlread import UnreadableXml, read_root

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ajpes_reporting.domain.ports import RemoteAnswer
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
_LONGEST_NAME = 60  # of four bytes each: the archive adds to it, and a disk takes 255 bytes


def collect(context: Context) -> list[Taken]:
    """Fetches and applies every answer that has come into the folders, and looks for what is unknown.

    Raises `ConfigurationError` if there are no folders, and `NotDelivered` if they cannot be reached;
    answers that were stored before are applied all the same, and what was fetched until then is kept.
    """
    with context.exclusive(), kept_connections(), context.working_folder() as folder:
        recover_interrupted(context)
        waiting = apply_waiting(context, folder)
        if not any(context.answer_boxes(kind.name) for kind in context.kinds):
            sections = registry.sections([way.name for way in registry.WAYS if way.answers_later()])
            raise ConfigurationError(
                _("The settings have no {sections}; there is nothing to collect from.", sections=sections),
                _("fill in {sections}", sections=sections),
            )
        look_for_unknown(context)
        return waiting + fetch(context, context.kinds, folder)


def take_by_hand(context: Context, paths: Sequence[Path]) -> list[Taken]:
    """Takes in answers that came another way, such as by e-mail.

    Raises `UsageError` for a file that is not there, or does not even begin like an answer: a slip, of
    which nobody wants to be reminded. Then none is taken in.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UsageError(
            _("There is no file {file}. Nothing was taken in.", file=str(missing[0])),
            _("name files that exist"),
        )
    for path in paths:
        if not (why := _why_no_answer(context, path)):
            continue
        raise UsageError(
            _(
                "{file} is not an answer of AJPES: {reason}. Nothing was taken in.",
                file=str(path),
                reason=why,
            ),
            _(
                "name files whose first element is {roots:or};"
                " a table of facts goes in with `ajpes-reporting ledger import`",
                roots=[kind.answer_root for kind in context.kinds],
            ),
        )
    with context.exclusive(), context.working_folder() as folder:
        recover_interrupted(context)
        taken = apply_waiting(context, folder)
        for path in paths:
            arrival = Arrival(path, "hand", archived_as=path.name[-_LONGEST_NAME:])
            if (one := accept(context, arrival, folder)) is not None:
                taken.append(one)
        return taken


def fetch(context: Context, kinds: tuple[ReportKind, ...], folder: Path) -> list[Taken]:
    """New answers from the authority's folders for these kinds, stored and applied one by one.

    Raises `NotDelivered` if a folder cannot be reached or has no end, `ConfigurationError` if the settings
    keep us out of it, when the others have been read.
    """
    taken: list[Taken] = []
    trouble: NotDelivered | ConfigurationError | None = None
    for report, box in [(kind.name, box) for kind in kinds for box in context.answer_boxes(kind.name)]:
        try:
            for remote, path in box.fetch_new(report, lambda remotes: _known(context, remotes), folder):
                if (one := accept(context, Arrival(path, box.name, remote), folder)) is not None:
                    taken.append(one)
        except (NotDelivered, ConfigurationError) as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return taken


def wait_for_answer(context: Context, submission: Submission, folder: Path) -> None:
    """Looks for the answer to a submission for a short while; it may also come much later."""
    kinds = (context.kind(submission.report),)
    give_up = time.monotonic() + context.answer_wait_seconds
    may_break = True  # once: the session that delivered may end, and a new one be as good as ever
    while True:
        try:
            fetch(context, kinds, folder)
        except NotAllFetched:
            pass  # another file that stays there does not keep the answer from coming
        except NotDelivered:
            if not may_break:
                return
            may_break = False
        except (ConfigurationError, Replaced, SQLAlchemyError):
            # The report is delivered, whatever happens to the folders or this run; `collect` looks again.
            return
        with context.engine.connect() as connection:
            if not submissions.get(connection, submission.id).state.awaits_answer:
                return
        if time.monotonic() >= give_up:
            return
        time.sleep(_POLL_SECONDS)


def _known(context: Context, remotes: Sequence[RemoteAnswer]) -> set[RemoteAnswer]:
    with context.engine.connect() as connection:
        return answers.fetched_among(connection, context.provider, remotes)


def _why_no_answer(context: Context, path: Path) -> Message:
    """Why a file does not even begin like an answer; empty if it does, however it goes on."""
    try:
        name = read_root(path).local_name
    except UnreadableXml as error:
        return _("{reason}", reason=error.message)
    if any(kind.is_answered_by(name) for kind in context.kinds):
        return NOTHING
    return _("the file is a {root} document", root=name[:40])
