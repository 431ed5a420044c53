"""`run nodurs | spapp`: the report goes out, and what became of it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.period_options import period_of, period_option
from ajpes_reporting.cli.report_commands import ReportCommands
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.cli.telling import leave_with
from ajpes_reporting.cli.via_option import via_option
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind


@click.group("run", cls=ReportCommands, short_help="Select, build, check, archive, deliver, read the answer.")
def command() -> None:
    """Sends a report: select, build, check, archive, deliver, read the answer."""


@command.made_by
def _of(kind: ReportKind) -> click.Command:
    @click.command(kind.name, help=kind.title)
    @period_option(kind)
    @via_option(kind.name)
    @with_session
    def report(session: Session, period: str | None, via: str | None) -> None:
        context = session.context()
        _run(session, context, kind, period_of(kind, period, context.clock), via)

    return report


def _run(session: Session, context: Context, kind: ReportKind, period: Period, via: str | None) -> None:
    from ajpes_reporting.pipeline.run import run

    message = _("Reporting {report} for {period}", report=kind.code, period=period.spoken)
    with session.progress(message) as progress:
        result = run(context, kind, period, via, progress)
    leave_with(session, context, result)
