"""What a report leaves out although AJPES does not know it yet, for people and programs to be told."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.rules import record_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Waiting:
    """The events of one obligation that wait; `event` is the last of them, `until` when it was recorded."""

    obligation: str
    events: int
    event: str
    until: datetime


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Events recorded after a cutoff: so many of so many obligations, until a moment, and the first by name.

    `are_ahead`: some are recorded later than they can be; only a mistake does that.
    """

    after: datetime
    events: int
    obligations: int
    until: datetime
    first: tuple[Waiting, ...]
    are_ahead: bool = False


@dataclass(frozen=True, slots=True)
class Excluded:
    """An obligation that a person keeps out of reports, and how many of its events wait."""

    obligation: str
    since: datetime
    reason: str
    events: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """All that a report leaves out."""

    held_back: HeldBack | None = None
    excluded: tuple[Excluded, ...] = ()

    def __bool__(self) -> bool:
        return self.held_back is not None or bool(self.excluded)

    @property
    def has_news(self) -> bool:
        """Whether there is anything in what is left out that AJPES does not know."""
        return self.held_back is not None or any(item.events for item in self.excluded)

    def notes(self) -> Iterator[Finding]:
        """The same as findings, which go with the report and stay with it."""
        if self.held_back is not None:
            yield _held_back(self.held_back)
        for item in self.excluded:
            yield _excluded(item)


def _held_back(held: HeldBack) -> Finding:
    named = [f"{record_name(item.obligation)} (until {_time(item.until)})" for item in held.first]
    if held.obligations > len(named):
        named.append(f"and {held.obligations - len(named):,} more")
    last = max(held.first, key=lambda item: item.until)
    remedy = (
        f"correct it with `ajpes-reporting ledger cancel {shlex.quote(last.obligation)}"
        f" {shlex.quote(last.event)} --replace recorded_at=…`"
        if held.are_ahead
        else "nothing; they go with a later report"
    )
    wait = "waits" if held.events == 1 else "wait"
    message = (
        f"{_counted(held.events, 'event')} of {_counted(held.obligations, 'obligation')} {wait} for a later"
        f" report, recorded after {_time(held.after)}, until {_time(held.until)}: {', '.join(named)}"
    )
    return Finding(
        Severity.NOTE, "held back", "recorded_at", "recorded-at.held-back", message, remedy, "No/dtVpis"
    )


def _excluded(item: Excluded) -> Finding:
    wait = "waits" if item.events == 1 else "wait"
    waiting = f"; {_counted(item.events, 'event')} of it {wait}" if item.events else ""
    return Finding(
        Severity.NOTE,
        record_name(item.obligation),
        "obligation_id",
        "obligation.excluded",
        f"kept out of this report by a person since {_time(item.since)}: {item.reason}{waiting}",
        f"when it may go again, `ajpes-reporting ledger include {shlex.quote(item.obligation)}`",
        "Blok/id",
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(LJUBLJANA):%Y-%m-%d %H:%M}"
