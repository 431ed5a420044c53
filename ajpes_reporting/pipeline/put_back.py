"""Looks for reports that the journal does not know, since it was put back, before another one is sent.

What the archive's log tells is compared as each run begins; see `recover`. Where the archive was put
back, too, the authority alone knows: its folders hold the report, or its answer.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.deliver.route import ClosedWay
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered
from ajpes_reporting.domain.periods import file_name
from ajpes_reporting.i18n import _
from ajpes_reporting.journal import answers, orphans, submissions
from ajpes_reporting.journal.orphans import Orphan
from ajpes_reporting.pipeline.collect import fetch
from ajpes_reporting.pipeline.reconcile import parcel_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.domain.ports import AnswerBox
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.context import Context, Run
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

_MAY_BE_PUT_BACK_AFTER = timedelta(minutes=15)


def look_for_orphans(current: Run, submission: Submission, *, decided_until: int) -> Run:
    """Takes down what the authority has of this period and the journal does not know.

    Its folders are asked where this report goes there first anyway, and otherwise if nothing has happened
    here for a while: a machine that was put back has slept, too. What a person decided about a submission up
    to the one numbered `decided_until` says nothing about what is found. Returns the run; its first way is
    closed if its folders could not be seen now, so that nothing goes there without having looked.
    """
    context, kind, period = current.context, current.kind, current.period
    with context.engine.connect() as connection:
        last_sign = orphans.last_sign_of_life(connection, context.provider, submission.id)
    first = context.ways(current.carriers, parcel_of(context, submission))[0]
    has_slept = last_sign is not None and context.clock() - last_sign > _MAY_BE_PUT_BACK_AFTER
    carriers, found, were_seen = list(current.carriers), list[Orphan](), False
    for box in context.answer_boxes(kind.name):
        goes_there = box.name == first.name
        if not (goes_there or has_slept):
            continue
        try:
            found += _lying_with_the_authority(context, box, kind, period)
            were_seen = True
        except (NotDelivered, ConfigurationError) as error:
            _log.info("The authority's folders were not seen: %s", error.message)
            if goes_there:
                carriers = [ClosedWay(way.name, error) if way is first else way for way in current.carriers]
    if were_seen:
        try:
            # The report may have been taken away, and its answer alone be left.
            fetch(context, (kind,), current.folder)
        except (NotDelivered, ConfigurationError) as error:
            _log.info("Answers were not fetched: %s", error.message)
    with context.engine.connect() as connection:
        found += _answered(connection, context.provider, kind, period)
    if found:
        with writing(context.engine) as connection:
            for orphan in found:
                orphans.take_down(connection, context.provider, orphan, decided_until, at=context.clock())
    return replace(current, carriers=carriers)


def _answered(connection: Connection, provider: str, kind: ReportKind, period: Period) -> list[Orphan]:
    """Returns reports that were answered and never sent from here: only AJPES knows them."""
    row = answers.to_what_was_never_sent(connection, provider, kind.code, period.key)
    if row is None:
        return []
    name = file_name(kind.name, period, provider)
    place = _("answered by AJPES (answer {answer})", answer=row.id)
    return [Orphan(kind.code, period.key, name, place, row.sha256, row.received_at)]


def _lying_with_the_authority(
    context: Context, box: AnswerBox, kind: ReportKind, period: Period
) -> list[Orphan]:
    """The files of that name that are none of those that were handed over there for this period."""
    name = file_name(kind.name, period, context.provider)
    with context.engine.connect() as connection:
        ours = submissions.handed_over(connection, context.provider, kind.code, period.key, box.name)
    return [
        Orphan(
            report=kind.code,
            period=period.key,
            file_name=name,
            place=_("in {path}", path=remote.path),
            mark=f"{remote.size_bytes} bytes",
            left_at=datetime.fromtimestamp(remote.modified_at, UTC),
        )
        for remote in box.strange_reports(kind.name, name, [parcel_of(context, one) for one in ours])
    ]
