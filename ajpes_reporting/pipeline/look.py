"""Look into the authority's folders before anything is sent again: it may have arrived.

First into the folder for reports, then into that for accepted ones; under its name, then by its bytes. What
these and the answers do not settle is left for a person. The folders may also hold a report that the journal
does not know at all, because it was put back together with the archive.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.deliver.route import ClosedWay
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered
from ajpes_reporting.domain.periods import file_name
from ajpes_reporting.domain.ports import (
    Carrier,
    Parcel,
    Sighting,
)
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, orphans, submissions
from ajpes_reporting.journal.orphans import Orphan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.desk import Desk
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

_MAY_BE_PUT_BACK_AFTER = timedelta(minutes=15)


def look_for_unknown(desk: Desk) -> None:
    """Looks for every submission of which nobody knows whether it arrived.

    Raises `NotDelivered` if the folders cannot be reached.
    """
    with desk.engine.connect() as connection:
        unknown = submissions.in_states(connection, desk.provider, frozenset({State.UNKNOWN}))
    for submission in unknown:
        look_for(desk, submission)


def look_for(desk: Desk, submission: Submission) -> None:
    """Settles what the folders tell of one submission. Raises `NotDelivered` if they cannot be reached."""
    box = desk.answer_box()
    if box is None:
        return
    with desk.engine.connect() as connection:
        last = submissions.attempts_of(connection, submission.id)[-1]
        has_twin = submissions.has_earlier_twin(connection, submission)
        in_doubt = submissions.sent_in_doubt(connection, submission)
    waits_as = last.handed_over_as or ""
    sighting = box.look(_parcel(desk, submission), waits_as)
    _settle(desk, submission, sighting, has_twin, in_doubt)


def look_for_orphans(
    desk: Desk, kind: ReportKind, period: Period, submission: Submission, carriers: Sequence[Carrier]
) -> list[Carrier]:
    """Takes down what the authority has of this period and the journal does not know.

    Its folders are asked where the report goes by SFTP first anyway, and otherwise if nothing has happened
    here for a while: a machine that was put back has slept, too. Returns the ways; one by SFTP that could not
    be reached now is closed, so that nothing goes there without having looked.
    """
    with desk.engine.connect() as connection:
        found = _answered(connection, desk.provider, kind, period)
        last_sign = orphans.last_sign_of_life(connection, desk.provider, submission.id)
    goes_there = carriers[0].name == "sftp"
    has_slept = last_sign is not None and desk.clock() - last_sign > _MAY_BE_PUT_BACK_AFTER
    ways = list(carriers)
    if goes_there or has_slept:
        try:
            found += _lying_with_the_authority(desk, kind, period)
        except (NotDelivered, ConfigurationError) as error:
            _log.warning("The authority's folders were not seen: %s", error.message)
            if goes_there:
                ways[0] = ClosedWay("sftp", error)
    if found:
        with writing(desk.engine) as connection:
            for orphan in found:
                orphans.take_down(connection, desk.provider, orphan, submission.id - 1, at=desk.clock())
    return ways


def _answered(connection: Connection, provider: str, kind: ReportKind, period: Period) -> list[Orphan]:
    """What was answered and never sent from here: the journal does not know it, but AJPES does."""
    row = answers.to_what_was_never_sent(connection, provider, kind.code, period.key)
    if row is None:
        return []
    name = file_name(kind.name, period, provider)
    place = f"answered by AJPES (answer {row.id})"
    return [Orphan(kind.code, period.key, name, place, row.sha256, row.received_at)]


def _lying_with_the_authority(desk: Desk, kind: ReportKind, period: Period) -> list[Orphan]:
    """The files of that name that are not ours: none of that size was handed over for this period."""
    if (box := desk.answer_box()) is None:
        return []
    name = file_name(kind.name, period, desk.provider)
    with desk.engine.connect() as connection:
        ours = submissions.sizes_handed_over(connection, desk.provider, kind.code, period.key, "sftp")
    return [
        Orphan(
            kind.code, period.key, name, f"in {remote.path}", f"{remote.size_bytes} bytes",
            datetime.fromtimestamp(remote.modified_at, UTC),
        )
        for remote in box.reports_named(kind.name, name)
        if remote.size_bytes not in ours
    ]  # fmt: skip


def _settle(desk: Desk, submission: Submission, sighting: Sighting, has_twin: bool, in_doubt: bool) -> None:
    to, why = None, ""
    if sighting.place and not has_twin:  # of the twin nobody could tell it apart
        to, why = State.DELIVERED, f"it lies in {sighting.place}"
    elif sighting.was_waiting:
        if in_doubt:
            return  # the attempt before it may have arrived all the same
        to, why = State.UNREACHABLE, "it still waited for its final name, and was taken back"
    if to is None or to is submission.state:
        return
    with writing(desk.engine) as connection:
        submissions.move(connection, submission, to, why, at=desk.clock())


def _parcel(desk: Desk, submission: Submission) -> Parcel:
    """The parcel as far as looking for it goes: its name, its size and its hash."""
    kind = next(kind for kind in desk.kinds if kind.code == submission.report)
    return Parcel(
        desk.archive.root / submission.archive_path,
        submission.file_name,
        kind.name,
        submission.size_bytes,
        submission.sha256,
    )
