"""`build nodurs | spapp`: a dry run that leaves a file and nothing else, and says how a run would end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.files import hand_out, refuse_no_plain_file
from ajpes_reporting.cli.findings import log_json, show_log
from ajpes_reporting.cli.imports import show_moved
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.period_options import period_of, period_option
from ajpes_reporting.cli.report_commands import ReportCommands
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.cli.telling import code_of, left_out_json, moved, moved_json, nothing_because
from ajpes_reporting.cli.wording import counted
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import ChecksRefused, UsageError
from ajpes_reporting.pipeline.run import Ending

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.pipeline.foresee import Foreseen
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
)


@dataclass(frozen=True, slots=True)
class _Wish:
    """Where the file goes, and when it is written."""

    output: Path | None
    overwrite: bool
    anyway: bool


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
        _build(session, context, kind, period_of(kind, period, context.clock), _Wish(**wish))

    return report


def _build(session: Session, context: Context, kind: ReportKind, period: Period, wish: _Wish) -> None:
    from ajpes_reporting.pipeline.build import Built
    from ajpes_reporting.pipeline.foresee import foresee

    target = None
    with context.working_folder() as folder:
        with session.progress(f"Building {kind.code}") as progress:
            seen = foresee(context, kind, period, folder, progress, also_closed=wish.anyway)
        if isinstance(seen.built, Built):
            target = _target(wish.output, seen.built.path.name)
            _refuse_what_is_there(target, seen.built.path, overwrite=wish.overwrite)
            hand_out(seen.built.path, target, "-o")
    months = moved(context, kind, period)
    document = {**_document(seen, kind, period, target), "moved": moved_json(months)}

    def show() -> None:
        _show(context, seen, kind, period, target)
        show_moved(months)

    session.emit(document, show)
    if left_with := _exit_code(seen):
        click.get_current_context().exit(left_with)


def _exit_code(seen: Foreseen) -> int:
    """The file is made, whatever a run would do with it; only our own checks refuse it."""
    is_refused = seen.built is not None and seen.built.log.error_count
    return ChecksRefused.exit_code if is_refused else 0


def _document(seen: Foreseen, kind: ReportKind, period: Period, target: Path | None) -> dict[str, Any]:
    from ajpes_reporting.pipeline.build import Built

    built = seen.built
    facts: dict[str, Any] = {"report": kind.code, "period": period.key, "file": target}
    if isinstance(built, Built):
        facts |= {"records": built.record_count, "totals": built.totals}
    if built is not None:
        facts |= {**log_json(built.log), "left_out": left_out_json(built.left_out)}
    return {
        **facts,
        "ending": seen.ending.value,
        "held_because": seen.because or None,
        "submission": seen.submission.id if seen.submission else None,
        "exit_code": _exit_code(seen),
        "run_exit_code": code_of(seen.ending, seen.submission),
    }


def _show(context: Context, seen: Foreseen, kind: ReportKind, period: Period, target: Path | None) -> None:
    from ajpes_reporting.pipeline.build import Built

    name = f"{kind.code} for {period.spoken}"
    if isinstance(seen.built, Built):
        records = counted(seen.built.record_count, kind.record_noun)
        echo(f"{target}: {name}, {records}. Nothing was sent.")
    elif seen.built is not None:
        because = nothing_because(seen.built.left_out)
        echo(f"{name}: nothing to report, no file was written. {because}.")
    else:
        echo(f"{name}: no file was written.")
    if words := _would(seen, kind, period, context.clock().astimezone(LJUBLJANA).date()):
        echo(words)
    if seen.built is not None:
        show_log(seen.built.log)


def _would(seen: Foreseen, kind: ReportKind, period: Period, today: date) -> str:
    """What a run would do that the file does not tell."""
    number = seen.submission.id if seen.submission else 0
    state = seen.submission.state.label if seen.submission else ""
    anyway = "" if seen.built else " With --anyway the file is written for a look."
    if today < period.first_day or (kind.monthly and today <= period.last_day):
        yet = "ended" if kind.monthly else "begun"
        return f"A run would refuse it for now: the period has not {yet} yet."
    match seen.ending:
        case Ending.ALREADY_REPORTED:
            return f"It is {state} already (submission {number}); a run would send nothing.{anyway}"
        case Ending.AWAITS_ANSWER:
            return (
                f"It was delivered (submission {number}) and awaits its answer; a run would look for that"
                f" and send nothing.{anyway}"
            )
        case Ending.MUST_BE_SETTLED:
            return (
                f"It is not known whether it arrived (submission {number}); a run would look for it, and"
                f" send nothing before that is settled.{anyway}"
            )
        case Ending.NEEDS_CORRECTION:
            return (
                f"It was refused before (submission {number}), and nothing has changed since; a run would"
                f" send nothing. Do: see `ajpes-reporting show {number}`, and correct the ledger."
            )
        case Ending.HELD:
            return f"A run would hold it for a person's release: {seen.because}."
        case Ending.CHECKS_REFUSED:
            return "A run would not send it: our own checks refuse it."
        case _:
            return ""


def _target(output: Path | None, name: str) -> Path:
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output


def _refuse_what_is_there(target: Path, new: Path, *, overwrite: bool) -> None:
    """Only an older report about the same gives way by itself.

    Raises `UsageError` for anything else that is there, and for a folder that is not.
    """
    refuse_no_plain_file(target, "-o")
    if target.exists() and not overwrite and _subject(target) != _subject(new):
        raise UsageError(
            f"{target} is there already and is no report about the same; it was left as it is.",
            "name another file with -o, or replace it with --overwrite",
        )


def _subject(path: Path) -> list[bytes] | None:
    """What a report is about, as the head of our files says it; nothing for what is no such file."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    return _ABOUT.findall(head) or None
