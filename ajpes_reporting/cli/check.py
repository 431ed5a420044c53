"""`check FILE`: schema and rules, for any report or answer file, whoever made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.findings import show_findings
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.errors import ChecksRefused, UsageError
from ajpes_reporting.i18n import _
from ajpes_reporting.queries.checks import CheckedFile
from ajpes_reporting.queries.findings import found_in

if TYPE_CHECKING:
    from ajpes_reporting.config import Settings


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@with_session
def command(session: Session, file: Path) -> None:
    """Checks FILE: a NODURS or SPAPP report, a BlokOdgovor or a PsOdgovor, in any encoding.

    The settings of the workspace count (format of amounts, strictness); without one, the defaults.
    """
    from ajpes_reporting.check.file import check_file, recognise
    from ajpes_reporting.wiring.checks import file_kinds

    _refuse_missing(file)
    settings = _settings(session)
    root, kind = recognise(file, file_kinds(settings))
    strict = settings is not None and settings.checks.strict
    with session.progress(_("Checking")) as progress:
        report = check_file(file, root, kind, strict=strict, progress=progress)
    told = CheckedFile(
        file=file,
        root=root.local_name,
        encoding=root.encoding,
        records=report.record_count,
        ok=report.ok,
        **found_in(report.log),
    )
    session.emit(told, lambda: _show(told))
    if not told.ok:
        click.get_current_context().exit(ChecksRefused.exit_code)


def _show(told: CheckedFile) -> None:
    echo(told.in_words())
    show_findings(told)


def _settings(session: Session) -> Settings | None:
    from ajpes_reporting.config import SETTINGS_FILE

    return session.workspace().settings if (session.folder / SETTINGS_FILE).exists() else None


def _refuse_missing(file: Path) -> None:
    if not file.is_file():
        raise UsageError(_("There is no file {file}.", file=str(file)), _("name a file that exists"))
