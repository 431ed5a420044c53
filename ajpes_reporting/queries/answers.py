"""Answers of AJPES: those that were set aside, with what each may belong to, and what has just come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.domain.answers import status_label
from ajpes_reporting.i18n import NOTHING, Message, _, _n
from ajpes_reporting.journal import answers, submissions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ajpes_reporting.domain.states import State
    from ajpes_reporting.pipeline.answers import Taken
    from ajpes_reporting.pipeline.context import Context

_MOST = 1_000


@dataclass(frozen=True, slots=True)
class AnswerSetAside:
    """An answer that is not applied; `candidates` are the submissions that it may belong to."""

    id: int
    received_at: datetime
    via: str
    name: str
    status: str
    note: Message
    submission: int | None
    file: str
    report: str | None
    period: str | None
    candidates: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AnswerTaken:
    """The fate of one answer that came in: `message` tells it, `note` says what is odd about the answer."""

    name: str
    status: str
    note: Message
    submission: int | None
    state: State | None
    message: Message


@dataclass(frozen=True, slots=True)
class Collected:
    """The answers that came in at one bank.

    `from_before` says how many answers lie there that came before and are not applied; nothing if none does.
    """

    taken: tuple[AnswerTaken, ...]
    from_before: Message
    needs_a_person: bool


def answers_set_aside(context: Context) -> tuple[AnswerSetAside, ...]:
    """Returns the answers that lie there, newest first: they fit nothing, cannot be read, or still wait."""
    with context.engine.connect() as connection:
        statuses = (*answers.LIES_THERE, answers.STORED)
        found = answers.set_aside_answers(connection, context.provider, _MOST, statuses)
        open_ones = submissions.may_be_answered(connection, context.provider)
    return tuple(
        AnswerSetAside(
            row.id,
            row.received_at,
            row.via,
            row.remote_name,
            row.status,
            row.note,
            row.submission,
            row.archive_path,
            row.report,
            row.period or None,
            tuple(answers.candidates(row, open_ones)),
        )
        for row in found
    )


def collected(context: Context, taken: Sequence[Taken]) -> Collected:
    """Returns what became of the answers that have just been taken in, and how many lie there from before."""
    with context.engine.connect() as connection:
        lying = answers.number_set_aside(connection, context.provider)
    from_before = lying - sum(item.status in answers.LIES_THERE for item in taken)
    lie_there = _n(
        "{count} answer lies there from before, not applied.",
        "{count} answers lie there from before, not applied.",
        from_before,
    )
    return Collected(
        tuple(map(_taken, taken)),
        lie_there if from_before > 0 else NOTHING,
        from_before > 0 or any(item.needs_a_person for item in taken),
    )


def _taken(item: Taken) -> AnswerTaken:
    one = item.submission
    if one is None:
        message = _(
            "{name} is kept, not applied ({status}): {note}.",
            name=item.name,
            status=status_label(item.status),
            note=item.note,
        )
        return AnswerTaken(item.name, item.status, item.note, None, None, message)
    message = _(
        "{name}: submission {number} ({report}) is {state}.",
        name=item.name,
        number=one.id,
        report=one.report,
        state=one.state.label,
    )
    return AnswerTaken(item.name, item.status, item.note, one.id, one.state, message)
