"""What to do about a finding; that depends on where the record lies.

The rules say what to write. A row that is only being imported is corrected in its file. A fact
that the ledger holds is never edited: it is cancelled, and recorded anew with the right content.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ajpes_reporting.domain.events import Event
    from ajpes_reporting.domain.findings import Finding

REPLACEABLE = (
    "change_type",
    "change_date",
    "amount_cents",
    "reference_model",
    "reference",
    "priority",
    "creditor_account",
    "creditor_name",
)
"""The fields of an event that `ledger cancel --replace` can write anew; the others are keys, belong
to the obligation, or are set by the ledger."""

LAGGING_SEQUENCE = "the sequence of the table events lags behind its keys: set it beyond them, then try again"


def correct_event(finding: Finding, obligation_id: str, event: Event) -> Finding:
    """The finding, for an event that the ledger holds."""
    if finding.field not in REPLACEABLE or event.is_cancellation:
        return correct_obligation(finding, obligation_id)
    record = f"{shlex.quote(obligation_id)} {shlex.quote(event.event_id)}"
    command = f"ajpes-reporting ledger cancel {record} --replace {finding.field}=…"
    remedy = f"cancel event {event.event_id} with `{command}`{_hint(finding)}, then run again"
    return replace(finding, remedy=remedy)


def correct_obligation(finding: Finding, obligation_id: str) -> Finding:
    """The finding, for what no cancellation can put right: the obligation itself, and its keys."""
    remedy = (
        f"cancel the events of {obligation_id} that still count, import the obligation under a new id"
        f" with the right {finding.field}{_hint(finding)}, then run again"
    )
    return replace(finding, remedy=remedy)


def _hint(finding: Finding) -> str:
    return f" ({finding.remedy})" if finding.remedy else ""


def as_order(remedy: str) -> str:
    """A remedy as it stands after "Do:": small at the beginning, without its last full stop."""
    text = remedy.rstrip(".")
    is_capitalised_word = text[:1].isupper() and text[1:2].islower()
    return text[:1].lower() + text[1:] if is_capitalised_word else text
