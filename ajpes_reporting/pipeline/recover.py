"""Recovers after a run that was killed, and after a journal that was put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import _
from ajpes_reporting.journal import orphans, submissions
from ajpes_reporting.pipeline.answers import recall

if TYPE_CHECKING:
    from ajpes_reporting.pipeline.context import Context


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
