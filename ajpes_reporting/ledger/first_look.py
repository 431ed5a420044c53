"""Sees of most events at once that nothing is wrong with them.

A million events hold few hours, and an obligation's events mostly the same reference and creditor.
So the rules are asked once about each of these, and their answer is remembered; what differs from
event to event is compared with how it is usually written. There are no rules here: an event that
does not pass is not wrong, it is only read and checked in full.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from ajpes_reporting.domain.events import CANCELLATION, Event
from ajpes_reporting.domain.fields import CHANGE_TYPE, IDENTIFIER, SEPARATOR
from ajpes_reporting.domain.rules import check_event
from ajpes_reporting.ledger import values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.staging import Row

_HOURS = 1 << 15  # in three years there are 26,280
_CREDITORS = 10_000

# Nothing is wrong with it under any settings.
_FINE = Event(
    "2", "1", CANCELLATION, date(2026, 11, 17), 0, datetime(2026, 11, 17, 7, 5, tzinfo=UTC),
    "2026-11-17T08:05:00", None, None, None, None, None,
)  # fmt: skip
_MINUTES_AND_SECONDS = ":00:00"


class FirstLook:
    """Looks at the texts of one event after the other, under the same settings."""

    def __init__(self, settings: RuleSettings, instant: Callable[[datetime], str]) -> None:
        self._settings = settings
        self._instant = instant
        self._written_as_usual = _as_usual(settings).fullmatch
        self._hour = lru_cache(_HOURS)(self._ask_about_hour)
        self._creditor = lru_cache(_CREDITORS)(self._ask_about_creditor)

    def event(self, texts: Sequence[str]) -> Row | None:
        """The event as it is staged, from the texts of a whole row of the input; None: look closer."""
        event_id, cancels, change_type, change_date, amount, recorded = own = texts[5:11]
        if not (usual := self._written_as_usual(SEPARATOR.join(own))):
            return None
        hour, minutes, offset = usual.group("hour", "minutes", "offset")
        at, about = self._hour(hour, offset), self._creditor(*texts[11:])
        if not at or not about:
            return None
        moment = f"{at[0]}{minutes}{at[1]}"
        return (event_id, cancels or None, change_type, change_date, int(amount), moment, recorded, *about)

    def _ask_about_hour(self, hour: str, offset: str) -> tuple[str, str] | None:
        """How the database takes a moment of this hour: what stands before its minutes, and after its
        seconds. None if an event of this hour may be wrong, or the hour is not one in UTC."""
        try:
            day = values.day(hour[:10])
            first, first_as = values.moment(f"{hour}:00:00{offset}")
            last, last_as = values.moment(f"{hour}:59:59{offset}")
        except values.TextError:
            return None
        of_first = replace(_FINE, change_date=day, recorded_at=first, recorded_as=first_as)
        of_last = replace(_FINE, change_date=day, recorded_at=last, recorded_as=last_as)
        is_hour = first.minute == 0 and last - first == timedelta(minutes=59, seconds=59)
        if not is_hour or not self._is_fine(of_first) or not self._is_fine(of_last):
            return None
        before, _, after = self._instant(first).partition(_MINUTES_AND_SECONDS)
        return before, after

    def _ask_about_creditor(
        self, model: str, reference: str, priority: str, account: str, name: str
    ) -> Row | None:
        """What an event says of its reference, priority and creditor, as it is staged."""
        try:
            number = values.optional_number(priority)
        except values.TextError:
            return None
        event = replace(
            _FINE,
            reference_model=model or None,
            reference=reference or None,
            priority=number,
            creditor_account=account or None,
            creditor_name=name or None,
        )
        if not self._is_fine(event):
            return None
        return (
            event.reference_model, event.reference, event.priority, event.creditor_account,
            event.creditor_name,
        )  # fmt: skip

    def _is_fine(self, event: Event) -> bool:
        return not any(check_event("", event, self._settings))


def _as_usual(settings: RuleSettings) -> re.Pattern[str]:
    """How an event's own texts are usually written, from its id to its time of recording."""
    identifier = IDENTIFIER.pattern
    types = [known for known in settings.change_types if re.fullmatch(CHANGE_TYPE.pattern, known)]
    others = "|".join(sorted(set(types) - {CANCELLATION})) or "(?!)"
    return re.compile(
        SEPARATOR.join(
            (
                identifier,
                f"(?:{identifier}{SEPARATOR}{CANCELLATION}|{SEPARATOR}(?:{others}))",
                "(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})",
                "[0-9]{1,15}",
                "(?P<hour>(?P=day)T[0-9]{2})(?P<minutes>:[0-5][0-9]:[0-5][0-9])"
                "(?P<offset>(?:Z|[+-][0-9]{2}:[0-9]{2})?)",
            )
        )
    )
