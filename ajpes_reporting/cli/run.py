"""`run nodurs | spapp`: the report goes out, and what became of it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.help import Group
from ajpes_reporting.cli.period_options import day_or_today, month_or_last
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.cli.telling import leave_with
from ajpes_reporting.cli.via_option import via_option

if TYPE_CHECKING:
    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.context import Context


@click.group("run", cls=Group, short_help="Select, build, check, archive, deliver, read the answer.")
def command() -> None:
    """Sends a report: select, build, check, archive, deliver, read the answer."""


@command.command("nodurs")
@click.option("--date", "day", help="The day, YYYY-MM-DD; default: today.")
@via_option("nodurs")
@with_session
def nodurs(session: Session, day: str | None, via: str | None) -> None:
    """The daily report of changed obligations."""
    context = session.context()
    _run(session, context, "NODURS", day_or_today(day, context.clock), via)


@command.command("spapp")
@click.option("--month", help="The month, YYYYMM; default: last month.")
@via_option("spapp")
@with_session
def spapp(session: Session, month: str | None, via: str | None) -> None:
    """The monthly report of turnover and balances."""
    context = session.context()
    _run(session, context, "SPAPP", month_or_last(month, context.clock), via)


def _run(session: Session, context: Context, code: str, period: Period, via: str | None) -> None:
    from ajpes_reporting.pipeline.run import run
    from ajpes_reporting.reports.registry import by_code

    with session.progress(f"Reporting {code} for {period.spoken}") as progress:
        result = run(context, by_code(code), period, via, progress)
    leave_with(session, context, result)
