"""`check FILE`: schema and rules, for any report or answer file, whoever made it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
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
    from collections.abc import Iterator


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@with_session
def command(session: Session, file: Path) -> None:
    """Checks FILE: a NODURS or SPAPP report, a BlokOdgovor or a PsOdgovor, in any encoding.

    The settings of the workspace count (provider, format of amounts, strictness); without one, the defaults.
    A name such as NODURS_20261117_5860571.xml must agree with the content. A packed file of the archive,
    .zst, is unpacked first.
    """
    from ajpes_reporting.check.file import check_file, recognise
    from ajpes_reporting.wiring.checks import file_kinds
    from ajpes_reporting.wiring.clock import now

    _refuse_missing(file)
    workspace = session.workspace_if_any()
    settings = workspace.settings if workspace else None
    strict = settings is not None and settings.checks.strict
    with _plain(file) as plain, session.progress(_("Checking")) as progress:
        root, kind = recognise(plain, file_kinds(settings, file.name, now()))
        report = check_file(plain, root, kind, strict=strict, progress=progress)
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


@contextmanager
def _plain(file: Path) -> Iterator[Path]:
    """Gives the file itself, or, for one of the archive, its plain bytes in a folder that goes again."""
    from ajpes_reporting.journal.archive import is_packed, unpack

    if not is_packed(file):
        yield file
        return
    with TemporaryDirectory() as folder:
        unpack(file, plain := Path(folder) / file.name.removesuffix(".zst"))
        yield plain


def _refuse_missing(file: Path) -> None:
    if not file.is_file():
        raise UsageError(_("There is no file {file}.", file=str(file)), _("name a file that exists"))
