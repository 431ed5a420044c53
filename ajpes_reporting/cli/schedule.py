"""`schedule`: runs the daily and monthly jobs at their times."""

from __future__ import annotations

import time

import click

from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.cli.telling import show_result
from ajpes_reporting.domain.errors import AjpesReportingError


@click.command("schedule")
@click.option("--once", is_flag=True, help="Do what is due now, then leave.")
@with_session
def command(session: Session, once: bool) -> None:
    """Runs the daily and monthly jobs at their times, catching up what was missed, until Ctrl-C."""
    from ajpes_reporting.schedule.tick import Times, tick

    desk = session.desk()
    settings = session.workspace().settings.schedule
    times = Times({"NODURS": settings.nodurs_start, "SPAPP": settings.spapp_start})
    while True:
        try:
            for result in tick(desk, times):
                show_result(desk, result)
        except AjpesReportingError as error:
            if once:
                raise
            # The next tick tries again; what is due stays in the table until it is settled.
            session.say(f"{error.message} {error.remedy}")
        if once:
            return
        time.sleep(settings.every_seconds)
