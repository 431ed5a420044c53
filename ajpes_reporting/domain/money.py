"""Money: whole cents inside, and the three ways in which a report may write them.

Nothing here is a float. `Amounts` names the writing: "cents" (28843416), "decimal" (288434.16,
always two decimals) or "euros" (288434). Which one a report uses is a setting, because table and
sample of the instruction disagree (section 2.2, rows 3 and 16; section 3.2, rows 2 to 10).
"""

from __future__ import annotations

import re
from typing import Literal

Amounts = Literal["cents", "decimal", "euros"]

# No figure in either report is longer than 17 digits (section 3.2, rows 4 and 7).
_WHOLE = re.compile("-?[0-9]{1,17}")
_DECIMAL = re.compile(r"-?[0-9]{1,17}\.[0-9]{2}")


def format_decimal(cents: int) -> str:
    """Returns cents as euros with two decimals: 28843416 as "288434.16"."""
    euros, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{euros}.{rest:02d}"


def parse_amount(text: str, amounts: Amounts) -> int:
    """Returns the cents of an amount that a report file writes as `amounts`.

    Raises ValueError for anything written otherwise: a factor of 100 must not slip through.
    """
    expected = "decimal" if amounts == "decimal" else "whole"
    if amounts_format_of(text) != expected:
        raise ValueError(f"this amount is not written in {amounts}: {text[:40]!r}")
    if amounts == "euros":
        return int(text) * 100
    return int(text.replace(".", ""))


def amounts_format_of(text: str) -> Literal["decimal", "whole"]:
    """Returns the form of an amount: with two decimals, or a whole number (of cents or of euros).

    Raises ValueError if the text is no amount at all.
    """
    if _WHOLE.fullmatch(text):
        return "whole"
    if _DECIMAL.fullmatch(text):
        return "decimal"
    raise ValueError(f"this is not an amount: {text[:40]!r}")
