"""What a run that was killed has left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import submissions

if TYPE_CHECKING:
    from ajpes_reporting.pipeline.desk import Desk


def settle_interrupted(desk: Desk) -> None:
    """A submission still `sending` was cut off: nobody knows whether it arrived.

    Runs exclude one another, so no living run can be in the middle of it.
    """
    with writing(desk.engine) as connection:
        for submission in submissions.in_states(connection, desk.provider, frozenset({State.SENDING})):
            submissions.move(
                connection, submission, State.UNKNOWN, "the run was cut off while sending", at=desk.clock()
            )
