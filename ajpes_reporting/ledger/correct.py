"""A correction is never an edit: the wrong event is cancelled, and the right one recorded after it.

Section 2.2, note **. Both new events go into the ledger the way of every other fact.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import LedgerRefused, UsageError
from ajpes_reporting.domain.events import CANCELLATION, Event, Obligation
from ajpes_reporting.domain.fields import IDENTIFIER
from ajpes_reporting.domain.ports import no_progress
from ajpes_reporting.domain.remedies import REPLACEABLE
from ajpes_reporting.domain.rules import record_name
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger.audit_hook import not_audited
from ajpes_reporting.ledger.findings import Source
from ajpes_reporting.ledger.history import history
from ajpes_reporting.ledger.intake import take_in
from ajpes_reporting.ledger.kinds import EVENTS
from ajpes_reporting.ledger.suggestions import unknown_event, unknown_obligation

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.audit_hook import AuditHook

_REMEDY = _("give values that are right with --replace")
_CANCELS, _REPLACES = "S", "R"


@dataclass(frozen=True, slots=True)
class Correction:
    """The events that were recorded; `replacement` only where one was asked for.

    `withdrawn`: what was cancelled lay ahead; neither it nor its cancellation is ever reported.
    """

    cancellation: Event
    replacement: Event | None
    withdrawn: bool = False
    warnings: tuple[Finding, ...] = ()


def cancel(
    engine: Engine,
    provider: str,
    obligation_id: str,
    event_id: str,
    *,
    now: datetime,
    replace: Mapping[str, str] | None = None,
    rules: RuleSettings,
    note: AuditHook[Correction] = not_audited,
) -> Correction:
    """Appends the cancellation of an event and, with `replace`, the event as it should have been.

    `replace` gives texts by the ledger's column names, "" for none; what it does not name stays as
    it was. Both events are recorded at `now`, one after the other; only what was recorded later than `now`
    by mistake is given its time by `replace`. `note` may write down what was done
    in the same transaction. Raises UsageError for an
    obligation, event or field that there is not, and LedgerRefused for an event that cannot be
    cancelled (any more) or a value that is wrong; nothing is stored then.
    """
    with writing(engine) as connection:
        obligation, events = _known(connection, provider, obligation_id)
        wrong = _chosen(obligation_id, event_id, events)
        lies_ahead = wrong.recorded_at > now
        _require_replaceable(replace or {}, (*REPLACEABLE, "recorded_at") if lies_ahead else REPLACEABLE)
        _require_counting(obligation_id, wrong, events)
        rows = _rows(obligation, wrong, {event.event_id for event in events}, now, replace or {})
        source = Source(_("The correction"), _REMEDY, now, has_lines=False)
        taken = take_in(connection, provider, EVENTS, enumerate(rows, 1), source, rules, no_progress)
        _obligation, events = _known(connection, provider, obligation_id)
        recorded = {event.event_id: event for event in events}
        cancellation, *rest = (recorded[row[_EVENT_ID]] for row in rows)
        correction = Correction(cancellation, rest[0] if rest else None, lies_ahead, taken.warnings)
        note(connection, correction)
    return correction


_EVENT_ID = EVENTS.columns.index("event_id")


def _require_replaceable(replace: Mapping[str, str], replaceable: Sequence[str]) -> None:
    for field in replace:
        if field in replaceable:
            continue
        if field not in EVENTS.columns:
            raise UsageError(_("An event has no field {field:quoted}.", field=field), _REPLACE)
        reason = _WHY_NOT.get(field, _OF_OBLIGATION)
        raise UsageError(_("{field} cannot be replaced: {reason}.", field=field, reason=reason), _REPLACE)


_REPLACE = _("replace one of {fields}", fields=REPLACEABLE)
_OF_OBLIGATION = _(
    "this field belongs to the obligation, not to one event; cancel the obligation's events"
    " and import it under a new id"
)
_WHY_NOT = {
    "event_id": _("the corrected event gets an id of its own"),
    "cancels_event_id": _("the corrected event is no cancellation"),
    "recorded_at": _("the corrected event is recorded now"),
}


def _known(connection: Connection, provider: str, obligation_id: str) -> tuple[Obligation, list[Event]]:
    found = history(connection, provider, obligation_id)
    if found is None:
        raise unknown_obligation(connection, provider, obligation_id)
    return found


def _chosen(obligation_id: str, event_id: str, events: Sequence[Event]) -> Event:
    for event in events:
        if event.event_id == event_id:
            return event
    raise unknown_event(obligation_id, event_id, [event.event_id for event in events])


def _require_counting(obligation_id: str, wrong: Event, events: Sequence[Event]) -> None:
    name = record_name(obligation_id, wrong.event_id)
    if wrong.is_cancellation:
        raise LedgerRefused(
            _(
                "{event} was not cancelled: it is a cancellation, and these are not cancelled themselves.",
                event=name,
            ),
            _(
                "record what event {event} said as a new event, by `ledger import`",
                event=wrong.cancels_event_id,
            ),
        )
    for event in events:
        if event.cancels_event_id == wrong.event_id:
            raise LedgerRefused(
                _(
                    "{event} was not cancelled: event {by} of {day:date} cancels it already.",
                    event=name,
                    by=event.event_id,
                    day=event.change_date,
                ),
                _("if the content is still wrong, cancel the event that was recorded in its place"),
            )


def _rows(
    obligation: Obligation, wrong: Event, taken: Collection[str], now: datetime, replace: Mapping[str, str]
) -> list[tuple[str, ...]]:
    """The cancellation, and the replacement if there is one, as rows of the ledger's input."""
    local = now.astimezone(LJUBLJANA)
    recorded = dataclasses.replace(wrong, recorded_at=now, recorded_as=local.isoformat())
    cancellation = dataclasses.replace(
        recorded,
        event_id=_unused(wrong.event_id, _CANCELS, taken),
        cancels_event_id=wrong.event_id,
        change_type=CANCELLATION,
        change_date=local.date(),
    )
    rows = [_row(obligation, cancellation, {})]
    if replace:
        replacement = dataclasses.replace(recorded, event_id=_unused(wrong.event_id, _REPLACES, taken))
        rows.append(_row(obligation, replacement, _with_its_day(wrong, replace)))
    return rows


def _with_its_day(wrong: Event, replace: Mapping[str, str]) -> Mapping[str, str]:
    """Corrects the change date with the time of recording: a wrong year is in both."""
    if "recorded_at" in replace and wrong.recorded_as.startswith(wrong.change_date.isoformat()):
        return {"change_date": replace["recorded_at"][:10], **replace}
    return replace


def _unused(event_id: str, suffix: str, taken: Collection[str]) -> str:
    """The id with a suffix, numbered if it is taken, and never longer than an id may be."""
    tails = (f"-{suffix}{number if number > 1 else ''}" for number in count(1))
    ids = (event_id[: IDENTIFIER.longest - len(tail)] + tail for tail in tails)
    return next(new for new in ids if new not in taken)


def _row(obligation: Obligation, event: Event, replace: Mapping[str, str]) -> tuple[str, ...]:
    """One row of the ledger's input, as a file would have it."""
    facts = {**dataclasses.asdict(obligation), **dataclasses.asdict(event), "recorded_at": event.recorded_as}
    texts = {name: "" if value is None else str(value) for name, value in facts.items()}
    return tuple({**texts, **replace}[column] for column in EVENTS.columns)
