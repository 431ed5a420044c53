"""Sees of most events at once that nothing is wrong with them.

A million events hold few hours and few creditors, and an obligation's events mostly the same
reference. So the rules of each slice of an event are asked once about each of its values, and their
answer is remembered. Which rules these are, and which columns they read, is registered in
`domain.rules`: where a rule reads more than one slice, or a column belongs to none, nothing passes
here. An event that does not pass is not wrong, it is only read and checked in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from ajpes_reporting.domain.columns import EVENT_ROW
from ajpes_reporting.domain.events import Event, event_knowing
from ajpes_reporting.domain.fields import IDENTIFIER, Type
from ajpes_reporting.domain.rules import SLICES, UNSLICED, WHOLE_EVENT
from ajpes_reporting.ledger import values
from ajpes_reporting.ledger.canonical import canonical_texts
from ajpes_reporting.ledger.staging import as_staged

if TYPE_CHECKING:
    from datetime import datetime

    from ajpes_reporting.domain.rules import RuleSettings, Slice
    from ajpes_reporting.ledger.staging import Staged

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")

Look = Callable[[Any], "Staged | None"]
"""From the texts of a slice (of one column: the text) to its values as they are staged; None: look closer."""

Reading = Callable[[Any], "dict[str, Any]"]
Canonical = Callable[[Any], tuple[str, ...]]

_HOURS = 1 << 15  # in three years there are 26,280
_VALUES = 10_000  # one reference of each obligation that is kept in mind, where a file goes by days

_LONGEST_AMOUNT = 15  # in digits
_LONGEST_ID = IDENTIFIER.longest
_ON_THE_HOUR = ":00:00"
_MINUTES_AND_SECONDS = frozenset(f":{minute:02}:{second:02}" for minute in range(60) for second in range(60))


class FirstLook:
    """Looks at the texts of one event after the other, under the same settings and rules."""

    def __init__(self, settings: RuleSettings, edition: int, instant: Callable[[datetime], str]) -> None:
        self._settings = settings
        self._instant = instant
        self.event = _look_closer if WHOLE_EVENT.rules or UNSLICED else self._look_at_event(edition)
        """Returns an event as it is staged, from its line and the texts of its row; None: look closer."""

    def _look_at_event(self, edition: int) -> Callable[[int, Sequence[str]], Staged | None]:
        """Returns the look at all slices, without a loop: it is called a million times in one import."""
        looks = [(_texts_of(part), self._look_at(part)) for part in SLICES]
        (of_1, look_1), (of_2, look_2), (of_3, look_3), (of_4, look_4), (of_5, look_5), (of_6, look_6) = looks

        def look(line: int, texts: Sequence[str]) -> Staged | None:
            if (
                (part_1 := look_1(of_1(texts)))
                and (part_2 := look_2(of_2(texts)))
                and (part_3 := look_3(of_3(texts)))
                and (part_4 := look_4(of_4(texts)))
                and (part_5 := look_5(of_5(texts)))
                and (part_6 := look_6(of_6(texts)))
            ):
                return line, texts[0], *part_1, *part_2, *part_3, *part_4, *part_5, *part_6, edition
            return None

        return look

    def _look_at(self, part: Slice[Any]) -> Look:
        """Returns the look at a slice: by its columns, whatever its rules are."""
        types = [column.type for column in part.columns]
        if types == [Type.CENTS]:
            return self._look_at_amount(part)
        if types == [Type.DAY, Type.MOMENT]:
            return self._look_at_days(part)
        if [column.format for column in part.columns] == [IDENTIFIER]:
            return self._look_at_id(part)
        read, alone = values.facts_of(part.columns), len(part.columns) == 1
        canonical = canonical_texts(part.columns)
        return _Answers(_VALUES, partial(self._ask, part, read, canonical, alone)).__getitem__

    def _ask(
        self, part: Slice[Any], read: Reading, canonical: Canonical, alone: bool, texts: Any
    ) -> Staged | None:
        """The values of the slice as they are staged; None if one of them may be wrong."""
        texts = (texts,) if alone else texts
        if canonical(texts) != texts:
            return None
        try:
            facts = read(texts)
        except values.TextError:
            return None
        is_fine = part.is_fine(event_knowing(facts), self._settings)
        return as_staged(facts, self._instant) if is_fine else None

    def _look_at_amount(self, part: Slice[Any]) -> Look:
        """An amount is not worth remembering: the next event has another one."""
        event, know = _blank(part)
        rules, settings = part.rules, self._settings

        def look(text: str) -> Staged | None:
            if len(text) > _LONGEST_AMOUNT or not (text.isdecimal() and text.isascii()):
                return None
            know(event, cents := int(text))
            for rule in rules:
                if rule(event, settings):
                    return None
            return (cents,)

        return look

    def _look_at_id(self, part: Slice[Any]) -> Look:
        """An identifier that can be printed has its format: what no report can carry cannot be printed."""
        event, know = _blank(part)
        rules, settings = part.rules, self._settings

        def look(text: str) -> Staged | None:
            if not (0 < len(text) <= _LONGEST_ID and text.isprintable() and text == text.strip()):
                return None
            if not text.isascii() or "+" in text or "=" in text:
                return None  # it may have another form, or be a number that a spreadsheet has shortened
            if rules:
                know(event, text)
                if any(rule(event, settings) for rule in rules):
                    return None
            return (text,)

        return look

    def _look_at_days(self, part: Slice[Any]) -> Look:
        """The rules see no time of day, so they are asked once about each hour."""
        hours = _Answers(_HOURS, partial(self._ask_about_hour, part, values.facts_of(part.columns)))

        def look(texts: tuple[str, str]) -> Staged | None:
            change_date, recorded = texts
            minutes = recorded[13:19]
            if recorded[:10] != change_date or minutes not in _MINUTES_AND_SECONDS:
                return None
            hour = hours[recorded[:13] + recorded[19:]]
            return (change_date, hour.replace(_ON_THE_HOUR, minutes, 1), recorded) if hour else None

        return look

    def _ask_about_hour(self, part: Slice[Any], read: Reading, written: str) -> str | None:
        """Returns the beginning of this hour as the database takes it, without minutes and seconds.

        None if an event of this hour may be wrong, or the hour is not one in UTC.
        """
        if "." in written:
            return None  # parts of a second are too many to be remembered
        ends = [f"{written[:13]}{minutes}{written[13:]}" for minutes in (":00:00", ":59:59")]
        try:
            first, last = (event_knowing(read((written[:10], recorded))) for recorded in ends)
        except values.TextError:
            return None
        lasts = last.recorded_at - first.recorded_at
        is_hour = first.recorded_at.minute == 0 and lasts == timedelta(minutes=59, seconds=59)
        is_as_written = [first.recorded_as, last.recorded_as] == ends
        if not (is_hour and is_as_written) or first.recorded_on != last.recorded_on:
            return None
        if part.texts.violations_of(last):
            return None
        return self._instant(first.recorded_at) if part.is_fine(first, self._settings) else None


class _Answers(dict[_Asked, _Answer]):
    """The answers given before; beyond so many, they are gathered anew."""

    def __init__(self, most: int, ask: Callable[[_Asked], _Answer]) -> None:
        self._most = most
        self._ask = ask

    def __missing__(self, asked: _Asked) -> _Answer:
        if len(self) >= self._most:
            self.clear()
        answer = self[asked] = self._ask(asked)
        return answer


def _texts_of(part: Slice[Any]) -> Callable[[Sequence[str]], Any]:
    """Returns a function that takes the texts of the slice out of a row."""
    return itemgetter(*(EVENT_ROW.index(column) for column in part.columns))


def _look_closer(_line: int, _texts: Sequence[str]) -> None:
    """Lets nothing pass, where a rule or a column belongs to no slice."""


def _blank(part: Slice[Any]) -> tuple[Event, Callable[[Event, str | int], None]]:
    """An event, and what sets its only field, that of the slice, for one event after the other."""
    (column,) = part.columns
    return event_knowing({}), getattr(Event, column.name).__set__
