"""Amounts in a query, as reports give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from ajpes_reporting.domain.money import Amounts


def as_reported(cents: ColumnElement[int], amounts: Amounts) -> ColumnElement[int]:
    """Cents as they are, or rounded to whole euros, half away from zero."""
    if amounts != "euros":
        return cents
    return case((cents < 0, -((-cents + 50) // 100)), else_=(cents + 50) // 100)
