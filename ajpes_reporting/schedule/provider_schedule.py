"""The unattended work of one provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import time, timedelta

    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.schedule.retries import Retries


@dataclass(frozen=True, slots=True)
class Chore:
    """Something done now and then beside the reports, such as looking for alarms.

    `do` raises an `AjpesReportingError` if it fails; it is tried again at the next tick.
    """

    name: str
    every: timedelta
    do: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One report for one period that is due."""

    provider: str
    report: str
    period: str


@dataclass(frozen=True, slots=True)
class ProviderSchedule:
    """One provider's context, which reports it owes and when they are started, in Ljubljana.

    `starts` is by code of the report; one that is not in it is not owed. A daily report starts on
    its day; a monthly one on the working day before it is due, when the month's figures are there.
    `answers_every` is how often the authority's folders are looked into while an answer is awaited.
    """

    context: Context
    starts: Mapping[str, time]
    retries: Retries
    answers_every: timedelta
    chores: tuple[Chore, ...] = ()
