"""The period a command is about, from its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.domain.ports import Clock
    from ajpes_reporting.reports.kind import ReportKind

DAY = click.DateTime(["%Y-%m-%d"])
"""A day of a calendar; show it with `metavar="DATE"`."""


def period_option(kind: ReportKind) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command the option that names a period of this kind, as `period`; see `period_of`."""
    if kind.monthly:
        return click.option("--month", "period", help="The month, YYYYMM; default: last month.")
    return click.option("--date", "period", help="The day, YYYY-MM-DD; default: today.")


def period_of(kind: ReportKind, text: str | None, clock: Clock) -> Period:
    """Returns the period named, otherwise the current one. Raises `UsageError` if `text` names none."""
    return kind.parse_period(text) if text else kind.current_period(clock())
