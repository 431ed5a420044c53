"""The figures: read from the journal at the moment somebody asks, in the form Prometheus reads."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting import __version__
from ajpes_reporting.database.engine import snapshot
from ajpes_reporting.database.tables import alarms, attempts, submissions
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.domain.states import AWAITING_STATES, State
from ajpes_reporting.journal import chain, chores, due
from ajpes_reporting.schedule.tick import TICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from prometheus_client.core import Metric

    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind

_log = logging.getLogger(__name__)

"""The chore whose time is that of the last tick that got through."""

_SEVERITIES = ("warning", "critical")

# Name without its prefix: what it says, and its labels beside the provider.
_FIGURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "up": ("Whether the database answered when these figures were read (1 or 0).", ()),
    "reports_open": ("Periods that are due and not settled.", ("report",)),
    "reports_late": ("Periods that are not settled and past their deadline.", ("report",)),
    "tries": ("How often the schedule has tried the open periods in vain.", ("report",)),
    "next_deadline_seconds": ("Seconds to the next deadline; negative if it has passed.", ("report",)),
    "submissions": ("Submissions that were not superseded, by state.", ("report", "state")),
    "oldest_awaiting_answer_seconds": ("How long the oldest submission has waited; 0 if none waits.", ()),
    "alarms": ("Alarms that stand now.", ("severity",)),
    "last_tick_timestamp_seconds": ("When a tick got through last; 0 if never.", ()),
    "audit_entries": ("Entries in the audit record.", ()),
    "certificate_days_left": ("Whole days until our certificate runs out; of several, the first one.", ()),
    "archive_free_bytes": ("Free space on the disk of the archive.", ()),
}

Figure = tuple[str, tuple[str, ...], float]
"""Name, values of the labels beside the provider, and value."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One provider whose figures are told: its context, and the reports that the schedule sends for it.

    `certificate_days_left` raises `AjpesReportingError` if there is no certificate to read.
    """

    context: Context
    reports: frozenset[str]
    certificate_days_left: Callable[[], int] | None = None


def registry_of(watched: Sequence[Watched]) -> CollectorRegistry:
    """A registry that reads the figures of these providers whenever it is asked."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(JournalCollector(watched))
    return registry


def figures_as_text(watched: Sequence[Watched]) -> str:
    """All figures, in the text format of Prometheus."""
    return generate_latest(registry_of(watched)).decode("utf-8")


class JournalCollector(Collector):
    """Reads the figures. A database that does not answer shows as `ajpes_up 0`, not as a failure."""

    def __init__(self, watched: Sequence[Watched]) -> None:
        self._watched = watched

    def collect(self) -> Iterator[Metric]:
        """Every figure of every provider."""
        version = GaugeMetricFamily("ajpes_build_info", "The version at work.", labels=["version"])
        version.add_metric([__version__], 1)
        yield version
        families = {
            name: GaugeMetricFamily(f"ajpes_{name}", words, labels=("provider", *labels))
            for name, (words, labels) in _FIGURES.items()
        }
        for watched in self._watched:
            for name, labels, value in _figures(watched):
                families[name].add_metric([watched.context.provider, *labels], value)
        yield from families.values()


def _figures(watched: Watched) -> Iterator[Figure]:
    yield from _of_the_machine(watched)
    try:
        with snapshot(watched.context.engine) as connection:
            found = list(_of_the_journal(connection, watched))
    except (SQLAlchemyError, OSError):
        yield "up", (), 0
        return
    yield "up", (), 1
    yield from found


def _of_the_machine(watched: Watched) -> Iterator[Figure]:
    """Yields figures without the database; unreadable ones are left out, since 0 would mislead."""
    try:
        yield "archive_free_bytes", (), shutil.disk_usage(_there(watched.context.archive.root)).free
        if watched.certificate_days_left is not None:
            yield "certificate_days_left", (), watched.certificate_days_left()
    except (OSError, AjpesReportingError) as error:
        _log.debug("A figure could not be read: %s", error)


def _there(folder: Path) -> Path:
    """The archive, or the workspace as long as nothing has been archived."""
    return folder if folder.exists() else folder.parent


def _of_the_journal(connection: Connection, watched: Watched) -> Iterator[Figure]:
    context, now = watched.context, watched.context.clock()
    for kind in context.kinds:
        if kind.code in watched.reports:
            yield from _of_periods(connection, context, kind, now)
        yield from _of_submissions(connection, context, kind)
    yield "oldest_awaiting_answer_seconds", (), _longest_wait(connection, context.provider, now)
    for severity, count in _standing_alarms(connection, context.provider).items():
        yield "alarms", (severity,), count
    ticked_at = chores.last_done(connection, context.provider, TICK)
    yield "last_tick_timestamp_seconds", (), ticked_at.timestamp() if ticked_at else 0
    yield "audit_entries", (), chain.count_of(connection, context.provider)


def _of_periods(
    connection: Connection, context: Context, kind: ReportKind, now: datetime
) -> Iterator[Figure]:
    waiting = [row for row in due.open_periods(connection, context.provider) if row.report == kind.code]
    label = (kind.code,)
    yield "reports_open", label, len(waiting)
    yield "reports_late", label, sum(row.deadline < now for row in waiting)
    yield "tries", label, sum(row.tries for row in waiting)
    deadline = waiting[0].deadline if waiting else _next_deadline(connection, context, kind, now)
    yield "next_deadline_seconds", label, (deadline - now).total_seconds()


def _next_deadline(connection: Connection, context: Context, kind: ReportKind, now: datetime) -> datetime:
    """Returns the next deadline if nothing is open: of the current period, or of the one after it."""
    period = kind.period(now.astimezone(LJUBLJANA).date())
    if kind.monthly:
        period = period.previous()
    deadline = kind.deadline(period, context.extra_days_off)
    if deadline > now and due.find(connection, context.provider, kind.code, period.key) is None:
        return deadline
    return kind.deadline(period.next(), context.extra_days_off)


def _of_submissions(connection: Connection, context: Context, kind: ReportKind) -> Iterator[Figure]:
    """Every state, also where there is none in it: a figure that comes and goes cannot be watched."""
    rows = connection.execute(
        select(submissions.c.state, func.count())
        .where(
            submissions.c.provider == context.provider,
            submissions.c.report == kind.code,
            submissions.c.superseded_by.is_(None),
        )
        .group_by(submissions.c.state)
    )
    counts = Counter({row[0]: row[1] for row in rows})
    for state in State:
        yield "submissions", (kind.code, state.value), counts[state.value]


def _longest_wait(connection: Connection, provider: str, now: datetime) -> float:
    """Since the attempt that may have brought it there, in seconds."""
    begun = (
        select(func.max(attempts.c.started_at).label("at"))
        .join(submissions, attempts.c.submission == submissions.c.id)
        .where(
            submissions.c.provider == provider,
            submissions.c.superseded_by.is_(None),
            submissions.c.state.in_([state.value for state in AWAITING_STATES]),
        )
        .group_by(submissions.c.id)
        .subquery()
    )
    oldest: datetime | None = connection.execute(select(func.min(begun.c.at))).scalar()
    return max((now - oldest).total_seconds(), 0) if oldest else 0


def _standing_alarms(connection: Connection, provider: str) -> dict[str, int]:
    rows = connection.execute(
        select(alarms.c.severity).where(alarms.c.provider == provider, alarms.c.cleared_at.is_(None))
    )
    standing = Counter(rows.scalars())
    return {severity: standing[severity] for severity in _SEVERITIES}
