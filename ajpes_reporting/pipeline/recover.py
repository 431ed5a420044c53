"""What a run that was killed has left behind, and what a journal that was put back does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, orphans, submissions

if TYPE_CHECKING:
    from ajpes_reporting.journal.archive import Stored
    from ajpes_reporting.journal.submissions import Submission
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
            to, why = State.UNKNOWN, "the run was cut off while sending"
            if attempt.handed_over_at is None:
                to, why = State.UNREACHABLE, "the run was cut off before it had handed anything over"
            submissions.move(connection, submission, to, why, at=context.clock())
    recall_answers(context)


def answer_name(submission: Submission, attempt: int | str) -> str:
    """The name in the archive of an answer that came in a call: whose it is can be told from it alone.

    With the hash of the report, for numbers may come again in a database that was copied back, and an attempt
    that the archive tells of may get another one.
    """
    return f"answer-{submission.id}-{attempt}-{submission.sha256[:16]}-to-{submission.file_name}"


def recall_answers(context: Context) -> None:
    """Puts on record the answers that a run had archived when it was killed, or its database went away.

    They are applied as any other that was stored; see `apply_waiting`.
    """
    for submission, via, stored in _forgotten(context):
        with writing(context.engine) as connection:
            answers.store(connection, context.provider, stored, via, None, submission.id, at=context.clock())


def _forgotten(context: Context) -> list[tuple[Submission, str, Stored]]:
    """Archived answers to submissions of which nobody knows what became, and that are on no record."""
    found = []
    with context.engine.connect() as connection:
        for submission in submissions.in_states(connection, context.provider, frozenset({State.UNKNOWN})):
            via = submissions.attempts_of(connection, submission.id)[-1].via
            for stored in context.archive.recall(answer_name(submission, "*")):
                if not answers.is_recorded(connection, context.provider, stored):
                    found.append((submission, via, stored))
    return found
