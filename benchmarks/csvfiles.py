"""The files that a bank would hand in: the same made-up facts as CSV."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks import ledgers

EVENT_COLUMNS = (
    "obligation_id", "issuer", "debtor_tax_number", "debtor_name", "debtor_account", "event_id",
    "cancels_event_id", "change_type", "change_date", "amount_cents", "recorded_at", "reference_model",
    "reference", "priority", "creditor_account", "creditor_name",
)  # fmt: skip


def write_events(path: Path, size: int) -> None:
    """The events of a ledger, obligation by obligation."""
    with path.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(EVENT_COLUMNS)
        for one in ledgers.obligations(size):
            shared = (one.obligation_id, one.issuer, *ledgers.debtor(one.debtor), one.debtor_account)
            for event in ledgers.history(one.number):
                rows.writerow((*shared, *event[:5], *event[6:]))  # without the time in UTC
