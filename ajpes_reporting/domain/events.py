"""An obligation and its events, and the slices of an event that the rules read.

Section 2.2 of the instruction. A rule that reads one slice of an event is asked once about each
different value of it, where a rule that reads the whole event has to be asked about every event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ajpes_reporting.domain.calendar import LJUBLJANA

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

CANCELLATION = "00"


@dataclass(frozen=True, slots=True)
class Obligation:
    """An overdue unpaid obligation that blocks an account of a debtor.

    `issuer`: 2 court, 3 tax administration, 4 customs, 5 other.
    """

    obligation_id: str
    issuer: int
    debtor_tax_number: str
    debtor_name: str
    debtor_account: str


@dataclass(frozen=True, slots=True)
class Event:
    """One change of an obligation.

    `recorded_as` is the time of recording as the bank wrote it, ISO 8601 with or without an
    offset; that text is what AJPES sees, each time the same. `recorded_at` is the instant it means.
    """

    event_id: str
    cancels_event_id: str | None
    change_type: str
    change_date: date
    amount_cents: int
    recorded_at: datetime
    recorded_as: str
    reference_model: str | None
    reference: str | None
    priority: int | None
    creditor_account: str | None
    creditor_name: str | None

    @property
    def is_cancellation(self) -> bool:
        return self.change_type == CANCELLATION

    @property
    def recorded_on(self) -> date:
        """The day of recording in Ljubljana."""
        try:
            return self.recorded_at.astimezone(LJUBLJANA).date()
        except OverflowError:  # on the first or last day that Python knows
            return self.recorded_at.date()

    @property
    def written_on(self) -> str:
        """The day of recording as the bank wrote it, YYYY-MM-DD."""
        return self.recorded_as[:10]


def event_knowing(said: Mapping[str, Any]) -> Event:
    """An event of which only these fields are known: reading any other one raises AttributeError.

    A rule that were to read beyond its slice stops there, instead of being asked about nothing.
    """
    event = object.__new__(Event)
    for name, value in said.items():
        object.__setattr__(event, name, value)
    return event


class Identity(Protocol):
    """By what an event is known within its obligation (2.2, row 12)."""

    @property
    def event_id(self) -> str: ...


class Change(Protocol):
    """The kind of change, and the event that a cancellation names (2.2, rows 13 and 14)."""

    @property
    def cancels_event_id(self) -> str | None: ...
    @property
    def change_type(self) -> str: ...


class Days(Protocol):
    """The day of the change and that of its recording (2.2, rows 15 and 17).

    Not the time of day: a rule of this slice is asked once about all events recorded in one hour.
    """

    @property
    def change_date(self) -> date: ...
    @property
    def recorded_on(self) -> date: ...
    @property
    def written_on(self) -> str: ...


class Amount(Protocol):
    """The amount (2.2, row 16)."""

    @property
    def amount_cents(self) -> int: ...


class Reference(Protocol):
    """The reference with its model, and the priority (2.2, rows 18 to 20)."""

    @property
    def reference_model(self) -> str | None: ...
    @property
    def reference(self) -> str | None: ...
    @property
    def priority(self) -> int | None: ...


class Creditor(Protocol):
    """The creditor (2.2, rows 21 and 22)."""

    @property
    def creditor_account(self) -> str | None: ...
    @property
    def creditor_name(self) -> str | None: ...
