"""Rules of the simulator where UJP could act one way or another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rules:
    """All times in seconds.

    Where a sample of the description contradicts its tables, `like` says which of them answers
    follow: names, times, ways of payment. `numbers` "string" writes every number as a string.
    `statement_result_of_paid` is 3 in 6.5.5.1, though 0 is "paid" in 6.5.3. `delayed_payments`
    says whether a statement without `zakasnjenaPlacila` leaves QR payments out ("apart") or not.
    6.5.5.1 lists no reversals; with `reversals_in_statements` a payment bears them as in 6.5.3.

    A webhook that was not answered with 200 is repeated once after `repeat_after` (6.6.1), then,
    if `repeat_every` is set, at that interval until it is older than `repeat_until`.
    """

    like: Literal["samples", "tables"] = "samples"
    numbers: Literal["number", "string"] = "number"
    statement_result_of_paid: int = 3
    delayed_payments: Literal["apart", "together"] = "apart"
    reversals_in_statements: bool = False
    clock_tolerance: int = 300
    abandoned_after: int = 600
    abandoned_notice_delay: int = 120
    repeat_after: int = 3
    repeat_every: int | None = None
    repeat_until: int = 24 * 60 * 60
    longest_statement_days: int = 365
