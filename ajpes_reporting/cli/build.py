"""`build nodurs | spapp`: a dry run that leaves a file and nothing else."""

from __future__ import annotations

import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.findings import log_json, show_log
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.period_options import day_or_today, month_or_last
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.cli.wording import counted
from ajpes_reporting.domain.errors import AjpesReportingError, ChecksRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from ajpes_reporting.domain.periods import Period

_OUTPUT: Callable[..., Any] = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file or folder to write to; default: this folder.",
)


@click.group("build", short_help="Write a report file and change nothing else.")
def command() -> None:
    """Writes the report that a run would send now, checks it, and changes nothing else."""


@command.command("nodurs")
@click.option("--date", "day", help="The day, YYYY-MM-DD; default: today.")
@_OUTPUT
@with_session
def nodurs(session: Session, day: str | None, output: Path | None) -> None:
    """The daily report of changed obligations."""
    desk = session.desk()
    _build(session, desk, "NODURS", day_or_today(day, desk.clock), output)


@command.command("spapp")
@click.option("--month", help="The month, YYYYMM; default: last month.")
@_OUTPUT
@with_session
def spapp(session: Session, month: str | None, output: Path | None) -> None:
    """The monthly report of turnover and balances."""
    desk = session.desk()
    _build(session, desk, "SPAPP", month_or_last(month, desk.clock), output)


def _build(session: Session, desk: Any, code: str, period: Period, output: Path | None) -> None:
    from ajpes_reporting.pipeline.build import rehearse
    from ajpes_reporting.reports.registry import by_code

    kind = by_code(code)
    with desk.working_folder() as folder:
        with session.progress(f"Building {code}") as progress:
            built = rehearse(desk, kind, period, folder, progress)
        if built is None:
            text = f"{code} for {period.spoken}: nothing to report, no file was written."
            session.emit({"report": code, "period": period.key, "file": None}, lambda: echo(text))
            return
        target = _target(output, built.path.name)
        _hand_out(built.path, target)
    document = {
        "report": code, "period": period.key, "file": target, "records": built.record_count,
        "totals": built.totals, **log_json(built.log),
    }  # fmt: skip

    def show() -> None:
        records = counted(built.record_count, kind.record_noun)
        echo(f"{target}: {code} for {period.spoken}, {records}. Nothing was sent.")
        show_log(built.log)

    session.emit(document, show)
    if built.log.error_count:
        click.get_current_context().exit(ChecksRefused.exit_code)


def _target(output: Path | None, name: str) -> Path:
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output


def _hand_out(source: Path, target: Path) -> None:
    """A new file on the same disk needs no second copy of what may be hundreds of megabytes.

    Unless the folder gives its files to a group: only what is made there belongs to it.
    """
    with suppress(OSError):  # a copy can do more, and says why if it cannot
        if not target.parent.stat().st_mode & stat.S_ISGID:
            target.hardlink_to(source)
            return
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise AjpesReportingError(
            f"{target} could not be written: {error.strerror or error}.", "name another file with -o"
        ) from None
