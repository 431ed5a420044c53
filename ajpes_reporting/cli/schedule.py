"""`schedule`: runs the daily and monthly jobs at their times."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.cli.telling import exit_code, result_json, show_result
from ajpes_reporting.domain.errors import AjpesReportingError

if TYPE_CHECKING:
    from ajpes_reporting.pipeline.desk import Desk
    from ajpes_reporting.pipeline.run import Result
    from ajpes_reporting.schedule.tick import Times


@click.command("schedule")
@click.option("--once", is_flag=True, help="Do what is due now, then leave.")
@with_session
def command(session: Session, once: bool) -> None:
    """Runs the daily and monthly jobs at their times, catching up what was missed, until it is stopped.

    A stop (Ctrl-C, SIGTERM) waits for a report that is on its way. With --once it leaves with the
    worst exit code of what it ran.
    """
    from ajpes_reporting.schedule.tick import Times

    desk = session.desk()
    settings = session.workspace().settings.schedule
    times = Times({"NODURS": settings.nodurs_start, "SPAPP": settings.spapp_start})
    if once:
        _once(session, desk, times)
    else:
        _until_stopped(session, desk, times, settings.every_seconds)


def _once(session: Session, desk: Desk, times: Times) -> None:
    from ajpes_reporting.schedule.tick import tick

    results = []
    for result in tick(desk, times):
        results.append(result)
        _show(session, desk, result)
    codes = [exit_code(result) for result in results]
    if session.as_json:
        documents: list[dict[str, Any]] = [result_json(desk, result) for result in results]
        session.emit({"runs": documents, "exit_code": max(codes, default=0)}, lambda: None)
    click.get_current_context().exit(max(codes, default=0))


def _until_stopped(session: Session, desk: Desk, times: Times, every_seconds: float) -> None:
    from ajpes_reporting.schedule.tick import tick

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    while not stop.is_set():
        try:
            for result in tick(desk, times):
                _show(session, desk, result)
                if stop.is_set():
                    break
        except AjpesReportingError as error:
            # The next tick tries again; what is due stays in the table until it is settled.
            session.say(f"{error.message} {error.remedy}")
        stop.wait(every_seconds)


def _show(session: Session, desk: Desk, result: Result) -> None:
    if not session.as_json:
        show_result(desk, result)
