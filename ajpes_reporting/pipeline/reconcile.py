"""Puts in order what earlier runs left behind, before anything is sent again.

A run that was killed is recovered. A report of which nobody knows whether it arrived is looked for in the
authority's folders: first in that for reports, then in that for accepted ones; under its name, then by its
bytes. What these and the answers do not settle is left for a person.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered
from ajpes_reporting.domain.ports import Parcel, Sighting
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import NOTHING, _
from ajpes_reporting.journal import orphans, submissions
from ajpes_reporting.pipeline.answers import recall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.domain.ports import AnswerBox
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.context import Context

_log = logging.getLogger(__name__)


def look_for_unknown(context: Context) -> None:
    """Looks for every submission of which nobody knows whether it arrived.

    Raises `NotDelivered` if the folders cannot be reached.
    """
    with context.engine.connect() as connection:
        unknown = submissions.in_states(connection, context.provider, frozenset({State.UNKNOWN}))
    for submission in unknown:
        reconcile(context, submission)


def reconcile(context: Context, submission: Submission) -> None:
    """Records what the folders tell of one submission. Raises `NotDelivered` if none can be reached."""
    parcel = parcel_of(context, submission)
    boxes = context.answer_boxes(parcel.report)
    if not boxes:
        return
    with context.engine.connect() as connection:
        last = submissions.attempts_of(connection, submission.id)[-1]
        has_twin = submissions.has_earlier_twin(connection, submission)
        in_doubt = submissions.sent_in_doubt(connection, submission)
    sighting = _look_into(boxes, parcel, last.via, last.handed_over_as or "")
    _record_sighting(context, submission, sighting, has_twin, in_doubt)


def _look_into(boxes: Sequence[AnswerBox], parcel: Parcel, via: str, waits_as: str) -> Sighting:
    """Looks into all boxes; only that of the way it went may hold a waiting file."""
    seen, troubles = list[Sighting](), list[NotDelivered | ConfigurationError]()
    for box in boxes:
        try:
            seen.append(box.look(parcel, waits_as if box.name == via else ""))
        except (NotDelivered, ConfigurationError) as error:
            troubles.append(error)
    if not seen:
        raise troubles[0]
    for trouble in troubles:
        _log.info("Not all of the authority's folders were seen: %s", trouble.message)
    place = next((one.place for one in seen if one.place), "")
    return Sighting(place, any(one.was_waiting for one in seen))


def _record_sighting(
    context: Context, submission: Submission, sighting: Sighting, has_twin: bool, in_doubt: bool
) -> None:
    to, why = None, NOTHING
    if sighting.place and not has_twin:  # of the twin nobody could tell it apart
        to, why = State.DELIVERED, _("the file lies in {place}", place=sighting.place)
    elif sighting.was_waiting:
        if in_doubt:
            return  # the attempt before it may have arrived all the same
        to, why = State.UNREACHABLE, _("the file still waited for its final name, and was taken back")
    if to is None or to is submission.state:
        return
    with writing(context.engine) as connection:
        submissions.move(connection, submission, to, why, at=context.clock())


def parcel_of(context: Context, submission: Submission) -> Parcel:
    """The parcel as far as looking for it goes: its name, its size and its hash."""
    return Parcel(
        context.archive.root / submission.archive_path,
        submission.file_name,
        context.kind(submission.report).name,
        submission.size_bytes,
        submission.sha256,
    )


def recover_interrupted(context: Context) -> None:
    """A submission still `sending` was cut off: what became of it depends on how far it had come.

    Runs exclude one another, so no living run can be in the middle of it; one that lost its right
    to send finds that out before it hands anything over. Before that, the archive is asked what was handed
    over, as the journal may have been put back; see `orphans.reconcile` for what is raised.
    """
    with writing(context.engine) as connection:
        orphans.reconcile(connection, context.provider, context.archive, at=context.clock())
        for submission in submissions.in_states(connection, context.provider, frozenset({State.SENDING})):
            attempt = submissions.attempts_of(connection, submission.id)[-1]
            to, why = State.UNKNOWN, _("the run was cut off while sending")
            if attempt.handed_over_at is None:
                to, why = State.UNREACHABLE, _("the run was cut off before it had handed anything over")
            submissions.move(connection, submission, to, why, at=context.clock())
    recall(context)
