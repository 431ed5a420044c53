"""The period a command is about, from its options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.periods import Day, Month, Period, parse_day, parse_month

if TYPE_CHECKING:
    from ajpes_reporting.domain.ports import Clock

DAY = click.DateTime(["%Y-%m-%d"])
"""A day of a calendar; show it with `metavar="DATE"`."""


def day_or_today(text: str | None, clock: Clock) -> Period:
    """The day named, otherwise today in Ljubljana."""
    return parse_day(text) if text else Day(clock().astimezone(LJUBLJANA).date())


def month_or_last(text: str | None, clock: Clock) -> Period:
    """The month named, otherwise the month before this one in Ljubljana."""
    if text:
        return parse_month(text)
    today = clock().astimezone(LJUBLJANA).date()
    return Month(today.year, today.month).previous()
