"""`schedule`: runs the daily and monthly jobs at their times."""

from __future__ import annotations

import logging
import signal
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ajpes_reporting import __version__
from ajpes_reporting.cli.job_log import JobLog
from ajpes_reporting.cli.session import Session, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.monitoring.heartbeat import Heartbeat
    from ajpes_reporting.schedule.provider_schedule import ProviderSchedule
    from ajpes_reporting.schedule.tick import Done
    from ajpes_reporting.unattended import Installation


_log = logging.getLogger(__name__)


@click.command("schedule")
@with_session
def command(session: Session) -> None:
    """Runs the daily and monthly jobs at their times, catching up what was missed, until it is stopped.

    A stop (Ctrl-C, SIGTERM) waits for a report that is on its way.
    """
    leaving, stop = threading.Event(), threading.Event()

    def leave(_number: int, _frame: object) -> None:
        _log.info("Stopping; a report that is on its way is brought to its end first.")
        leaving.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    while not leaving.is_set():
        stop.clear()
        if not leaving.is_set():  # a signal may have come right before
            _work(session, stop)


def _work(session: Session, stop: threading.Event) -> None:
    """Serves every workspace until `stop` is set; also one that was broken and works again."""
    from ajpes_reporting.monitoring.systemd import supervised
    from ajpes_reporting.unattended import make_engine, open_installation

    installation = open_installation(session.folder)
    workspaces = installation.workspaces
    log = JobLog(session, workspaces)
    for error in installation.broken:
        log.tell_broken(error)
    log.tell_start(__version__)
    pulse = _pulse(workspaces[0])
    watched = tuple(replace(duty, context=pulse.watch(duty.context)) for duty in installation.duties)

    def tell(duty: ProviderSchedule, done: Done | Exception) -> None:
        pulse.stir()
        log.tell(duty, done)

    def alive() -> None:
        if not installation.broken:  # a bank that is not served is no good health
            pulse.beat()

    engine = make_engine(replace(installation, duties=watched), tell, alive)
    with ExitStack() as open_while_it_runs:
        _serve(open_while_it_runs, workspaces, pulse)
        open_while_it_runs.enter_context(supervised(pulse.hangs))
        if installation.broken:
            threading.Thread(target=_await_mending, args=(session, installation, stop), daemon=True).start()
        engine.run(stop)
    for duty in installation.duties:
        duty.context.engine.dispose()


def _await_mending(session: Session, installation: Installation, stop: threading.Event) -> None:
    from ajpes_reporting.unattended import can_be_mended

    pause = installation.workspaces[0].settings.schedule.every_seconds
    while not stop.wait(pause):
        if can_be_mended(session.folder, installation):
            stop.set()


def _pulse(workspace: Workspace) -> Heartbeat:
    from ajpes_reporting.monitoring.heartbeat import Heartbeat

    schedule = workspace.settings.schedule
    return Heartbeat(schedule.every_seconds, schedule.longest_run_seconds, time.monotonic)


def _serve(stack: ExitStack, workspaces: Sequence[Workspace], pulse: Heartbeat) -> None:
    """Answers `/metrics` and `/health`, if the settings of the first workspace say where."""
    listen = workspaces[0].settings.monitoring.listen
    if listen is None:
        return
    from ajpes_reporting.monitoring.server import served
    from ajpes_reporting.unattended import watch_workspace

    stack.enter_context(served(listen, [watch_workspace(workspace) for workspace in workspaces], pulse))
