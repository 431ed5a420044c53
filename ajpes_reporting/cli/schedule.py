"""`schedule`: runs the daily and monthly jobs at their times."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.errors import in_words, tell_error
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.cli.telling import show_result

if TYPE_CHECKING:
    from ajpes_reporting.pipeline.run import Result
    from ajpes_reporting.schedule.duty import Duty


@click.command("schedule")
@with_session
def command(session: Session) -> None:
    """Runs the daily and monthly jobs at their times, catching up what was missed, until it is stopped.

    A stop (Ctrl-C, SIGTERM) waits for a report that is on its way.
    """
    from ajpes_reporting.unattended import make_engine, open_duties

    workspaces = session.workspaces()
    duties = open_duties(workspaces)

    def tell(duty: Duty, done: Result | Exception) -> None:
        if isinstance(done, Exception):
            if told := in_words(done):
                tell_error(told)
        elif not session.as_json:
            show_result(duty.desk, done)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    make_engine(workspaces, duties, tell, lambda: None).run(stop)
