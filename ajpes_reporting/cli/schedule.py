"""`schedule`: runs the daily and monthly jobs at their times."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting.cli.errors import error_json, in_words, tell_error
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

    documents: list[dict[str, Any]] = []
    codes = [0]
    for result in tick(desk, times):
        codes.append(_code(result))
        documents.append(_json(desk, result))
        _show(session, desk, result)
    if session.as_json:
        session.emit({"runs": documents, "exit_code": max(codes)}, lambda: None)
    click.get_current_context().exit(max(codes))


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
        except (AjpesReportingError, SQLAlchemyError, OSError) as error:
            # The database is away, or the disk is full. The next tick tries again; what is due
            # stays in the table until it is settled.
            if told := in_words(error):
                tell_error(told)
        stop.wait(every_seconds)


def _show(session: Session, desk: Desk, result: Result | AjpesReportingError) -> None:
    if isinstance(result, AjpesReportingError):
        tell_error(result)
    elif not session.as_json:
        show_result(desk, result)


def _code(result: Result | AjpesReportingError) -> int:
    return result.exit_code if isinstance(result, AjpesReportingError) else exit_code(result)


def _json(desk: Desk, result: Result | AjpesReportingError) -> dict[str, Any]:
    return error_json(result) if isinstance(result, AjpesReportingError) else result_json(desk, result)
