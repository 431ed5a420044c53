"""The engine for several machines: workers that share a queue in the PostgreSQL database.

The table of due reports decides what is due; Procrastinate only hands it out. For each provider
one tick, and one report, is at work at a time. Nothing is trusted that waited in the queue: a
report is looked up again before it is run. A job whose worker has died is taken off the queue and
never repeated as it was: the next tick finds the period in the table, and the run settles first
what was cut off.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

import psycopg
from procrastinate import App
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status
from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.schedule.provider_schedule import Job
from ajpes_reporting.schedule.queue import connect, require_queue
from ajpes_reporting.schedule.tick import Done, do, open_jobs, tick

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from procrastinate.tasks import Task

    from ajpes_reporting.schedule.provider_schedule import ProviderSchedule

_log = logging.getLogger(__name__)

_AT_WORK_AT_ONCE = 8
_LOOK_SECONDS = 0.2
_TROUBLE = (AjpesReportingError, SQLAlchemyError, OSError)
_AWAY = (ConnectorException, psycopg.Error, OSError)


class WorkersEngine:
    """One worker of several; all of them share the database of the duties, and their archives.

    `tell` is given what became of each job done here, `alive` is called whenever the queue was
    reached. A worker that has not been heard of for `silent_seconds` counts as dead.

    Raises `ConfigurationError` if the database is not PostgreSQL, or holds no queue.
    """

    def __init__(
        self,
        duties: Sequence[ProviderSchedule],
        every_seconds: float,
        tell: Callable[[ProviderSchedule, Done | Exception], None],
        alive: Callable[[], None],
        silent_seconds: float = 60,
    ) -> None:
        self._duties = {duty.context.provider: duty for duty in duties}
        self._engine = duties[0].context.engine
        self._every_seconds = every_seconds
        self._tell_one = tell
        self._telling = Lock()
        self._alive = alive
        self._silent_seconds = silent_seconds
        require_queue(self._engine)

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set; a report that is on its way is brought to its end first.

        While the database is away it tries to come back to it.
        """
        asyncio.run(self._run(stop))

    async def _run(self, stop: threading.Event) -> None:
        asyncio.get_running_loop().set_exception_handler(_log_on_one_line)
        while not stop.is_set():
            try:
                await self._work(stop)
            except _AWAY as error:
                _log.warning("The queue is out of reach: %s", _first_cause(error))
            await _pause(stop, min(self._every_seconds, 5))

    async def _work(self, stop: threading.Event) -> None:
        """Works until `stop` is set, or until the queue is lost."""
        app = self._make_app()
        async with app.open_async():
            worker = asyncio.create_task(self._start(app))
            try:
                while not stop.is_set() and not worker.done():
                    await self._beat(app)
                    await _pause(stop, self._every_seconds, worker)
            finally:
                worker.cancel()  # takes no more jobs, and waits for those at work
                with suppress(asyncio.CancelledError):
                    await worker

    async def _start(self, app: App) -> None:
        await app.run_worker_async(
            queues=list(self._duties),
            concurrency=min(len(self._duties) + 1, _AT_WORK_AT_ONCE),
            install_signal_handlers=False,
            delete_jobs="always",
            fetch_job_polling_interval=min(self._every_seconds, 5),
            update_heartbeat_interval=self._silent_seconds / 6,
            stalled_worker_timeout=self._silent_seconds,
        )

    async def _beat(self, app: App) -> None:
        """Clears away what dead workers held, and asks for a tick; one worker will do it."""
        for provider in self._duties:
            await self._sweep(app, provider)
            await self._ask_for_tick(app, provider)
        await asyncio.to_thread(self._show_life)

    def _show_life(self) -> None:
        try:
            self._alive()
        except _TROUBLE as error:
            self._tell(next(iter(self._duties.values())), error)

    async def _sweep(self, app: App, provider: str) -> None:
        jobs = await app.job_manager.get_stalled_jobs(
            queue=provider, seconds_since_heartbeat=self._silent_seconds
        )
        for job in jobs:
            _log.warning("The worker that did %s is silent; it is taken off the queue", job.call_string)
            # Another worker may have swept it in the meantime.
            with suppress(ConnectorException):
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)

    async def _ask_for_tick(self, app: App, provider: str) -> None:
        """One tick for each stretch of time, however many workers ask for it."""
        stretch = int(time.time() / self._every_seconds)
        asked = app.tasks["tick"].configure(
            queue=provider,
            lock=f"tick/{provider}",
            queueing_lock=f"tick/{provider}",
            task_kwargs={"provider": provider, "timestamp": stretch},
        )
        with suppress(AlreadyEnqueued):
            await app.job_manager.defer_periodic_job(asked.job, provider, stretch)

    def _make_app(self) -> App:
        app = App(connector=connect(self._engine))

        @app.task(name="report")
        def report(provider: str, report: str, period: str) -> None:
            self._report(Job(provider, report, period))

        @app.task(name="tick")
        def one_tick(provider: str, timestamp: int) -> None:
            self._tick(self._duties[provider], app.tasks["report"])

        return app

    def _tick(self, duty: ProviderSchedule, report: Task[..., None, Any]) -> None:
        def dispatch(duty: ProviderSchedule, job: Job) -> None:
            _enqueue(report, duty, job)

        try:
            for served, done in tick([duty], dispatch):
                self._tell(served, done)
        except (*_TROUBLE, ConnectorException) as error:
            # The database is away, or the disk is full. What is due stays in the table.
            self._tell(duty, error)

    def _report(self, job: Job) -> None:
        duty = self._duties[job.provider]
        try:
            if job in open_jobs(duty):  # it may have waited while others did it
                self._tell(duty, do(duty, job))
        except _TROUBLE as error:
            self._tell(duty, error)

    def _tell(self, duty: ProviderSchedule, done: Done | Exception) -> None:
        with self._telling:
            self._tell_one(duty, done)


def _enqueue(report: Task[..., None, Any], duty: ProviderSchedule, job: Job) -> None:
    """Each period waits once; for one provider one report is at work, the oldest deadline first."""
    with suppress(AlreadyEnqueued):
        report.configure(
            queue=job.provider,
            lock=job.provider,
            queueing_lock=f"{job.provider}/{job.report}/{job.period}",
            priority=_priority(duty, job),
        ).defer(provider=job.provider, report=job.report, period=job.period)


def _priority(duty: ProviderSchedule, job: Job) -> int:
    """The earlier the deadline, the higher; below the tick, whose priority is 0."""
    kind = duty.context.kind(job.report)
    deadline = kind.deadline(kind.parse_period(job.period), duty.context.extra_days_off)
    return -int(deadline.timestamp() // 60)


async def _pause(stop: threading.Event, seconds: float, worker: asyncio.Task[None] | None = None) -> None:
    """Sleeps, unless `stop` is set or the worker has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stop.is_set() and not (worker and worker.done()):
        await asyncio.sleep(min(_LOOK_SECONDS, seconds))


def _log_on_one_line(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Such as: the end of a job could not be noted, as it was taken off the queue in the meantime."""
    error = context.get("exception")
    _log.warning("%s", _first_cause(error) if error else context["message"])


def _first_cause(error: BaseException) -> str:
    """On one line what the database said; Procrastinate wraps it."""
    return " ".join(str(error.__cause__ or error).split())
