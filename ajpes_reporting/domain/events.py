"""An obligation and its events: the facts, and the rules that a single event must meet.

Section 2.2 of the instruction; its row numbers stand beside each rule. These rules are applied
when a fact enters the ledger and again to every report file, whoever made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
