"""`build nodurs | spapp`: a dry run that leaves a file and nothing else, and says how a run would end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.files import hand_out, refuse_no_plain_file
from ajpes_reporting.cli.findings import show_findings
from ajpes_reporting.cli.imports import show_moved
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.period_options import period_of, period_option
from ajpes_reporting.cli.report_commands import ReportCommands
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.cli.table_files import file_options, table_file
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.queries.runs import Foresight
    from ajpes_reporting.reports.kind import ReportKind

_HEAD_BYTES = 4096
_ABOUT = re.compile(rb' (?:xmlns|datumPodatkov|mesecPodatkov|maticnaPonudnika)="[^"]*"')

_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        help="The file or folder to write to; default: this folder.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace whatever file is there."),
    click.option("--anyway", is_flag=True, help="Write the file also where a run would send nothing."),
    click.option("--diff", is_flag=True, help="Write no file: compare it with what AJPES holds."),
    file_options,
)


@dataclass(frozen=True, slots=True)
class _Wish:
    """The options: where the file goes, and when it is written."""

    output: Path | None
    overwrite: bool
    anyway: bool
    diff: bool
    csv_file: Path | None
    xlsx_file: Path | None


def _with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.group("build", cls=ReportCommands, short_help="Write a report file and change nothing else.")
def command() -> None:
    """Writes the report that a run would send now, checks it, and changes nothing else.

    Says how a run would end; leaves with 3 if our own checks refuse the file, otherwise with 0.
    """


@command.made_by
def _of(kind: ReportKind) -> click.Command:
    @click.command(kind.name, help=kind.title)
    @period_option(kind)
    @_with_options
    @with_session
    def report(session: Session, period: str | None, **wish: Any) -> None:
        context = session.context()
        wanted = _Wish(**wish)
        make = _compare if wanted.diff else _build
        make(session, context, kind, period_of(kind, period, context.clock), wanted)

    return report


def _compare(session: Session, context: Context, kind: ReportKind, period: Period, wish: _Wish) -> None:
    from ajpes_reporting.cli.build_diff import tell_difference
    from ajpes_reporting.pipeline.foresee import rehearse

    if wish.output is not None or wish.anyway:
        raise UsageError(_("--diff writes no report file."), _("leave -o and --anyway out"))
    table = table_file(session, wish.csv_file, wish.xlsx_file, overwrite=wish.overwrite)
    with context.working_folder() as folder:
        with session.progress(_("Building {report}", report=kind.code)) as progress:
            built = rehearse(context, kind, period, folder, progress)
        tell_difference(session, context, kind, period, built, folder, table)


def _build(session: Session, context: Context, kind: ReportKind, period: Period, wish: _Wish) -> None:
    from ajpes_reporting.pipeline.build import Built
    from ajpes_reporting.pipeline.foresee import foresee
    from ajpes_reporting.queries.runs import foresight

    if wish.csv_file is not None or wish.xlsx_file is not None:
        raise UsageError(_("--csv and --xlsx go with --diff."), _("add --diff, or leave them out"))
    target = None
    with context.working_folder() as folder:
        with session.progress(_("Building {report}", report=kind.code)) as progress:
            seen = foresee(context, kind, period, folder, progress, also_closed=wish.anyway)
        if isinstance(seen.built, Built):
            target = _target(wish.output, seen.built.path.name)
            _refuse_what_is_there(target, seen.built.path, overwrite=wish.overwrite)
            hand_out(seen.built.path, target, "-o")
    told = foresight(context, seen, kind, period, target)
    session.emit(told, lambda: _show(told))
    if told.exit_code:
        click.get_current_context().exit(told.exit_code)


def _show(seen: Foresight) -> None:
    echo(seen.message)
    for remark in seen.remarks:
        echo(remark)
    show_findings(seen)
    show_moved(seen.moved_months)


def _target(output: Path | None, name: str) -> Path:
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output


def _refuse_what_is_there(target: Path, new: Path, *, overwrite: bool) -> None:
    """Makes sure that only an older report about the same gives way by itself.

    Raises `UsageError` for anything else that is there, and for a folder that is not.
    """
    refuse_no_plain_file(target, "-o")
    if target.exists() and not overwrite and _subject(target) != _subject(new):
        raise UsageError(
            _(
                "{file} is there already and is no report about the same; it was left as it is.",
                file=str(target),
            ),
            _("name another file with -o, or replace it with --overwrite"),
        )


def _subject(path: Path) -> list[bytes] | None:
    """Returns what a report is about, as the head of our files says it; None for what is no such file."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    return _ABOUT.findall(head) or None
