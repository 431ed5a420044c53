"""Sees of most events at once that nothing is wrong with them.

A million events hold few hours and few creditors, and an obligation's events mostly the same
reference. So the rules are asked once about each of these, apart from the others, and their answer
is remembered; what differs from event to event is compared with how it is usually written. There
are no rules here: an event that does not pass is not wrong, it is only read and checked in full.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from ajpes_reporting.domain.events import CANCELLATION, Event
from ajpes_reporting.domain.fields import CHANGE_TYPE, IDENTIFIER
from ajpes_reporting.domain.rules import AMOUNT_DIGITS, Reference, is_fine, is_fine_reference
from ajpes_reporting.ledger import values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.staging import Row

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")

_HOURS = 1 << 15  # in three years there are 26,280
_REFERENCES = 10_000  # one of each obligation that is kept in mind, where a file goes by days
_CREDITORS = 5_000

_LONGEST_ID = IDENTIFIER.longest
_ON_THE_HOUR = ":00:00"
_MINUTES_AND_SECONDS = frozenset(f":{minute:02}:{second:02}" for minute in range(60) for second in range(60))


class FirstLook:
    """Looks at the texts of one event after the other, under the same settings."""

    def __init__(self, settings: RuleSettings, edition: int, instant: Callable[[datetime], str]) -> None:
        self._settings = settings
        self._edition = edition
        self._instant = instant
        self._types = _usual_types(settings)
        self._large = settings.large_amount_cents
        self._hours = _Answers(_HOURS, self._ask_about_hour)
        self._references = _Answers(_REFERENCES, self._ask_about_reference)
        self._creditors = _Answers(_CREDITORS, self._ask_about_creditor)

    def event(self, line: int, texts: Sequence[str]) -> Row | None:
        """The event as it is staged, from the texts of a whole row of the input; None: look closer."""
        (
            obligation_id, _, _, _, _, event_id, cancels, change_type, change_date, amount, recorded,
            model, reference, priority, account, name,
        ) = texts  # fmt: skip
        if not (
            _is_usual_id(event_id)
            and (not cancels if change_type in self._types else _cancels(change_type, cancels))
            and len(amount) <= AMOUNT_DIGITS
            and amount.isdecimal()
            and amount.isascii()
            and (cents := int(amount)) < self._large
            and recorded[:10] == change_date
            and (minutes := recorded[13:19]) in _MINUTES_AND_SECONDS
            and (at := self._hours[recorded[:13] + recorded[19:]])
            and (refers_to := self._references[model, reference, priority])
            and (owed_to := self._creditors[account, name])
        ):
            return None
        moment = at.replace(_ON_THE_HOUR, minutes, 1)
        return (
            line, obligation_id, event_id, cancels or None, change_type, change_date, cents, moment,
            recorded, *refers_to, *owed_to, self._edition,
        )  # fmt: skip

    def _ask_about_hour(self, asked: str) -> str | None:
        """How the database takes the beginning of this hour, written without its minutes and seconds.
        None if an event of this hour may be wrong, or the hour is not one in UTC."""
        if "." in asked:
            return None  # parts of a second are too many to be remembered
        start, end = f"{asked[:13]}:00:00{asked[13:]}", f"{asked[:13]}:59:59{asked[13:]}"
        try:
            day = values.day(asked[:10])
            (first, _), (last, _) = values.moment(start), values.moment(end)
        except values.TextError:
            return None
        is_hour = first.minute == 0 and last - first == timedelta(minutes=59, seconds=59)
        if (
            not is_hour
            or not self._is_fine(_event(day, first, start))
            or not self._is_fine(_event(day, last, end))
        ):
            return None
        return self._instant(first)

    def _ask_about_reference(self, asked: tuple[str, str, str]) -> Row | None:
        """What an event says of its reference and priority, as it is staged; None if it may be wrong."""
        model, reference, priority = asked
        try:
            said = Reference(model or None, reference or None, values.optional_number(priority))
        except values.TextError:
            return None
        return said if is_fine_reference(said) else None

    def _ask_about_creditor(self, asked: tuple[str, str]) -> Row | None:
        """What an event says of its creditor, as it is staged; None if it may be wrong."""
        account, name = asked
        said = account or None, name or None
        return said if self._is_fine(_event(owed_to=said)) else None

    def _is_fine(self, event: Event) -> bool:
        return is_fine(event, self._settings)


class _Answers(dict[_Asked, _Answer]):
    """What was answered when it was first asked; beyond so many answers, they are gathered anew."""

    def __init__(self, most: int, ask: Callable[[_Asked], _Answer]) -> None:
        self._most = most
        self._ask = ask

    def __missing__(self, asked: _Asked) -> _Answer:
        if len(self) >= self._most:
            self.clear()
        answer = self[asked] = self._ask(asked)
        return answer


def _event(
    change_date: date = date(2026, 11, 17),
    recorded_at: datetime = datetime(2026, 11, 17, 7, 5, tzinfo=UTC),
    recorded_as: str = "2026-11-17T08:05:00",
    owed_to: tuple[str | None, str | None] = (None, None),
) -> Event:
    """An event with nothing wrong under any settings, but for what is given."""
    return Event("2", "1", CANCELLATION, change_date, 0, recorded_at, recorded_as, None, None, None, *owed_to)


def _usual_types(settings: RuleSettings) -> frozenset[str]:
    """The types of change that raise no warning and cancel nothing."""
    types = (known for known in settings.change_types if re.fullmatch(CHANGE_TYPE.pattern, known))
    return frozenset(types) - {CANCELLATION}


def _cancels(change_type: str, cancels: str) -> bool:
    """Whether it is a cancellation that names an event."""
    return change_type == CANCELLATION and _is_usual_id(cancels)


def _is_usual_id(text: str) -> bool:
    """Whether it is an identifier that can be printed: nothing that no report can carry can be."""
    return 0 < len(text) <= _LONGEST_ID and text.isprintable() and text == text.strip()
