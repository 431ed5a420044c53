"""The engine for one machine: a timer in this process that does each job at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.pipeline.run import Result
from ajpes_reporting.schedule.tick import Done, do, tick

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from ajpes_reporting.schedule.duty import Duty


class EmbeddedEngine:
    """Ticks every so many seconds; a tick that takes longer delays the next one.

    `tell` is given what became of each job, `alive` is called after each tick that got through.
    """

    def __init__(
        self,
        duties: Sequence[Duty],
        every_seconds: float,
        tell: Callable[[Duty, Done | Exception], None],
        alive: Callable[[], None],
    ) -> None:
        self._duties = duties
        self._every_seconds = every_seconds
        self._tell = tell
        self._alive = alive
        self._stop: threading.Event | None = None

    def run(self, stop: threading.Event) -> None:
        """Ticks until `stop` is set; a report that is on its way is brought to its end first."""
        self._stop = stop
        scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
        scheduler.add_job(
            self._tick, "interval", seconds=self._every_seconds, next_run_time=datetime.now(UTC),
            coalesce=True, max_instances=1, misfire_grace_time=None,
        )  # fmt: skip
        scheduler.start()
        try:
            stop.wait()
        finally:
            scheduler.shutdown(wait=True)

    def _tick(self) -> None:
        got_through = True
        for duty, done in tick(self._duties, do):
            self._tell(duty, done)
            # The database is away, or the disk is full. What is due stays in the table.
            got_through &= isinstance(done, Result | AjpesReportingError)
            if self._stop is not None and self._stop.is_set():
                return
        if got_through:
            self._alive()
