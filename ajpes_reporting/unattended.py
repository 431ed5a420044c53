"""Puts together what runs without anybody looking: every provider's desk, times and chores."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.pipeline.purge import purge
from ajpes_reporting.schedule.duty import Chore, Duty
from ajpes_reporting.schedule.retries import Retries
from ajpes_reporting.wiring import now, open_desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.domain.ports import Clock
    from ajpes_reporting.pipeline.desk import Desk
    from ajpes_reporting.schedule.engine import Engine
    from ajpes_reporting.schedule.tick import Done


def open_duties(workspaces: Sequence[Workspace], clock: Clock = now) -> list[Duty]:
    """What is to be done for each workspace. Raises `ConfigurationError`."""
    return [open_duty(workspace, clock) for workspace in workspaces]


def open_duty(workspace: Workspace, clock: Clock = now) -> Duty:
    """What is to be done for one workspace. Raises `ConfigurationError`."""
    schedule = workspace.settings.schedule
    starts = {"NODURS": schedule.nodurs_start, "SPAPP": schedule.spapp_start}
    desk = open_desk(workspace, clock)
    return Duty(
        desk,
        {code: start for code, start in starts.items() if code.lower() in schedule.reports},
        Retries(schedule.retry_first_seconds, schedule.retry_longest_seconds),
        tuple(_chores(workspace, desk)),
    )


def make_engine(
    workspaces: Sequence[Workspace],
    duties: Sequence[Duty],
    tell: Callable[[Duty, Done | Exception], None],
    alive: Callable[[], None],
) -> Engine:
    """The engine that the settings of the first workspace ask for. Raises `ConfigurationError`."""
    from ajpes_reporting.schedule.embedded import EmbeddedEngine

    schedule = workspaces[0].settings.schedule
    return EmbeddedEngine(duties, schedule.every_seconds, tell, alive)


def _chores(workspace: Workspace, desk: Desk) -> Iterator[Chore]:
    """What is done beside the reports, in this order."""
    keep_months = workspace.settings.retention.keep_months
    yield Chore("purge", timedelta(days=1), lambda: _purge(desk, keep_months))


def _purge(desk: Desk, keep_months: int) -> None:
    purge(desk, keep_months)
