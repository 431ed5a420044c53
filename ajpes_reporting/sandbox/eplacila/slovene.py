"""Dates, amounts and numbers as a Slovene reader writes them: 3. 7. 2024 ob 9.04, 1.234,50."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from .payments import SLOVENIA

NONE = "\N{EN DASH}"
_TO_SLOVENE = str.maketrans(",.", ".,")


def day(seconds: int) -> str:
    """Return the day in Slovenia of a moment in seconds since the epoch, with spaces that do not break."""
    local = datetime.fromtimestamp(seconds, SLOVENIA)
    return f"{local.day}.\N{NO-BREAK SPACE}{local.month}.\N{NO-BREAK SPACE}{local.year}"


def moment(seconds: int | None) -> str:
    """Return day and time in Slovenia of a moment in seconds since the epoch; a dash for None."""
    if seconds is None:
        return NONE
    local = datetime.fromtimestamp(seconds, SLOVENIA)
    return f"{day(seconds)} ob {local.hour}.{local.minute:02}"


def amount(euros: Decimal | str | None) -> str:
    """Return an amount in euros with all its decimals, at least two; a dash for None."""
    if euros is None:
        return NONE
    _, _, decimals = f"{Decimal(euros):f}".partition(".")
    return f"{Decimal(euros):,.{max(2, len(decimals))}f}".translate(_TO_SLOVENE)


def number(text: str | None) -> str:
    """Return a number with the decimals that it has; a dash for None."""
    return NONE if text is None else f"{Decimal(text):,f}".translate(_TO_SLOVENE)


def euros(cents: int) -> str:
    """Return an amount in cents as euros, with their sign."""
    return f"{amount(Decimal(cents).scaleb(-2))} EUR"
