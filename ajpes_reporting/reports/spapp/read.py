"""Reads a SPAPP file back into figures (section 3.2 of the instruction)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ajpes_reporting.domain import money
from ajpes_reporting.xmlread import forget, local_name, stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ajpes_reporting.domain.money import Amounts


class ReportedAccount(NamedTuple):
    """The figures of one account in a file, in cents; `amounts` is how the file writes them."""

    account: str
    credit_turnover_cents: int
    debit_turnover_cents: int
    closing_balance_cents: int
    amounts: Amounts


def read_accounts(path: Path, whole: Amounts) -> Iterator[ReportedAccount]:
    """Yields the accounts of a SPAPP file in its order; `whole` is how figures without decimals are meant.

    Memory does not grow with the file. Raises `UnreadableXml`, and ValueError for an amount that is none.
    """
    for _event, element in stream(path, ("end",)):
        if local_name(element) == "Pi":
            texts = [element.get(name, "") for name in ("dob", "bre", "sta")]
            is_decimal = money.amounts_format_of(texts[0]) == "decimal"
            amounts: Amounts = "decimal" if is_decimal else whole
            credit, debit, closing = (money.parse_amount(text, amounts) for text in texts)
            yield ReportedAccount(element.get("rn", ""), credit, debit, closing, amounts)
            forget(element)
