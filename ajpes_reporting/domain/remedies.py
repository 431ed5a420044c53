"""The remedy of a finding, which depends on where the record is.

The rules say what to write. A row that is only being imported is corrected in its file. A fact
that the ledger holds is never edited: it is cancelled, and recorded anew with the right content.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from ajpes_reporting.domain.columns import EVENT_COLUMNS
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from ajpes_reporting.domain.events import Event
    from ajpes_reporting.domain.findings import Finding

REPLACEABLE = tuple(column.name for column in EVENT_COLUMNS if column.replaceable)
"""The fields of an event that `ledger cancel --replace` can write anew; the others are keys, belong
to the obligation, or are set by the ledger."""

LAGGING_SEQUENCE = _(
    "the sequence of the table events lags behind its keys: set it beyond them, then try again"
)


def correct_event(finding: Finding, obligation_id: str, event: Event) -> Finding:
    """Return the finding with its remedy for an event that the ledger holds."""
    if finding.field not in REPLACEABLE or event.is_cancellation:
        return correct_obligation(finding, obligation_id)
    record = f"{shlex.quote(obligation_id)} {shlex.quote(event.event_id)}"
    command = f"ajpes-reporting ledger cancel {record} --replace {finding.field}=…"
    if finding.remedy:
        remedy = _(
            "cancel event {event} with `{command}` ({remedy}), then run again",
            event=event.event_id,
            command=command,
            remedy=finding.remedy,
        )
    else:
        remedy = _(
            "cancel event {event} with `{command}`, then run again", event=event.event_id, command=command
        )
    return replace(finding, remedy=remedy)


def correct_obligation(finding: Finding, obligation_id: str) -> Finding:
    """Return the finding with its remedy where no cancellation helps: the obligation itself, and its keys."""
    if finding.remedy:
        remedy = _(
            "cancel the events of {obligation} that still count, import the obligation under a new id"
            " with the right {field} ({remedy}), then run again",
            obligation=obligation_id,
            field=finding.field,
            remedy=finding.remedy,
        )
    else:
        remedy = _(
            "cancel the events of {obligation} that still count, import the obligation under a new id"
            " with the right {field}, then run again",
            obligation=obligation_id,
            field=finding.field,
        )
    return replace(finding, remedy=remedy)
