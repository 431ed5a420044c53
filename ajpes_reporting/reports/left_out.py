"""The obligations that a report leaves out although AJPES does not know them yet."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.rules import record_name
from ajpes_reporting.i18n import _, _n

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
    """Everything that a report leaves out."""

    held_back: HeldBack | None = None
    excluded: tuple[Excluded, ...] = ()

    def __bool__(self) -> bool:
        return self.held_back is not None or bool(self.excluded)

    @property
    def has_news(self) -> bool:
        """Whether there is anything in what is left out that AJPES does not know."""
        return self.held_back is not None or any(item.events for item in self.excluded)

    def notes(self) -> Iterator[Finding]:
        """Yields the same as findings, which go with the report and stay with it."""
        if self.held_back is not None:
            yield _held_back(self.held_back)
        for item in self.excluded:
            yield _excluded(item)


def _held_back(held: HeldBack) -> Finding:
    named = [
        _("{obligation} (until {until:moment})", obligation=record_name(item.obligation), until=item.until)
        for item in held.first
    ]
    if (more := held.obligations - len(named)) > 0:
        named.append(_n("and {count:count} more", "and {count:count} more", more))
    message = _n(
        "{count:count} event of {obligations} waits for a later report, recorded after {after:moment}, until"
        " {until:moment}: {named}",
        "{count:count} events of {obligations} wait for a later report, recorded after {after:moment}, until"
        " {until:moment}: {named}",
        held.events,
        obligations=_n("{count:count} obligation", "{count:count} obligations", held.obligations),
        after=held.after,
        until=held.until,
        named=named,
    )
    remedy = _("nothing; they go with a later report")
    if held.are_ahead:
        last = max(held.first, key=lambda item: item.until)
        remedy = _(
            "correct it with `ajpes-reporting ledger cancel {obligation} {event} --replace recorded_at=…`",
            obligation=shlex.quote(last.obligation),
            event=shlex.quote(last.event),
        )
    return Finding(
        Severity.NOTE, _("held back"), "recorded_at", "recorded-at.held-back", message, remedy, "No/dtVpis"
    )


def _excluded(item: Excluded) -> Finding:
    if item.events:
        message = _n(
            "kept out of this report by a person since {since:moment}: {reason}; {count:count} event of it"
            " waits",
            "kept out of this report by a person since {since:moment}: {reason}; {count:count} events of it"
            " wait",
            item.events,
            since=item.since,
            reason=item.reason,
        )
    else:
        message = _(
            "kept out of this report by a person since {since:moment}: {reason}",
            since=item.since,
            reason=item.reason,
        )
    return Finding(
        Severity.NOTE,
        record_name(item.obligation),
        "obligation_id",
        "obligation.excluded",
        message,
        _(
            "when it may go again, `ajpes-reporting ledger include {obligation}`",
            obligation=shlex.quote(item.obligation),
        ),
        "Blok/id",
    )
