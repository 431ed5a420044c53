"""`schedule`: runs the daily and monthly jobs at their times."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.job_log import JobLog
from ajpes_reporting.cli.session import Session, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.monitoring.pulse import Pulse
    from ajpes_reporting.schedule.duty import Duty
    from ajpes_reporting.schedule.tick import Done


@click.command("schedule")
@with_session
def command(session: Session) -> None:
    """Runs the daily and monthly jobs at their times, catching up what was missed, until it is stopped.

    A stop (Ctrl-C, SIGTERM) waits for a report that is on its way.
    """
    from ajpes_reporting.monitoring.systemd import supervised
    from ajpes_reporting.unattended import make_engine, open_installation

    installation = open_installation(session.folder)
    workspaces = installation.workspaces
    log = JobLog(session, workspaces)
    for error in installation.broken:
        log.tell_broken(error)
    pulse = _pulse(workspaces[0])
    watched = tuple(replace(duty, desk=pulse.watch(duty.desk)) for duty in installation.duties)

    def tell(duty: Duty, done: Done | Exception) -> None:
        pulse.stir()
        log.tell(duty, done)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    engine = make_engine(replace(installation, duties=watched), tell, pulse.beat)
    with ExitStack() as open_while_it_runs:
        _serve(open_while_it_runs, workspaces, pulse)
        open_while_it_runs.enter_context(supervised(pulse.hangs))
        engine.run(stop)


def _pulse(workspace: Workspace) -> Pulse:
    from ajpes_reporting.monitoring.pulse import Pulse

    schedule = workspace.settings.schedule
    return Pulse(schedule.every_seconds, schedule.longest_run_seconds, time.monotonic)


def _serve(stack: ExitStack, workspaces: Sequence[Workspace], pulse: Pulse) -> None:
    """Answers `/metrics` and `/health`, if the settings of the first workspace say where."""
    listen = workspaces[0].settings.monitoring.listen
    if listen is None:
        return
    from ajpes_reporting.monitoring.server import served
    from ajpes_reporting.unattended import watch_workspace

    stack.enter_context(served(listen, [watch_workspace(workspace) for workspace in workspaces], pulse))
