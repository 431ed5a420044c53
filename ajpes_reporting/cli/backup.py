"""`backup DIR`: a copy of the workspace from which another can be made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.i18n import _, verbatim

if TYPE_CHECKING:
    from ajpes_reporting.backup.make import Backup


@click.command("backup")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@with_session
def command(session: Session, directory: Path) -> None:
    """Backs the workspace up into DIRECTORY: database, archive, settings, manifest. Runs may go on meanwhile.

    Called again it copies what is new. The backup that was there before stays whole until the new
    one is complete. Leaves with 1 if the backup is complete, but something was wrong in the workspace.
    """
    from ajpes_reporting.backup.make import back_up
    from ajpes_reporting.wiring import open_context

    workspace = session.workspace()
    with session.progress("Backing up") as progress:
        done = back_up(workspace, open_context(workspace), directory, progress)
    session.emit(_document(done), lambda: _show(done))
    if done.manifest.problems:
        click.get_current_context().exit(AjpesReportingError.exit_code)


def _document(done: Backup) -> dict[str, object]:
    manifest = done.manifest
    return {
        "backup": done.folder,
        "made_at": manifest.made_at,
        "seal": manifest.seal,
        "entries": manifest.entries,
        "archived_files": len(manifest.archive),
        "copied": done.copied,
        "problems": manifest.problems,
    }


def _show(done: Backup) -> None:
    manifest = done.manifest
    echo(
        _(
            "The backup in {folder} is complete, of {made_at:moment}.",
            folder=done.folder,
            made_at=manifest.made_at,
        )
    )
    echo(
        _(
            "  Entries: {entries:count}, archived files: {files:count}, new ones among them: {copied:count}.",
            entries=manifest.entries,
            files=len(manifest.archive),
            copied=done.copied,
        )
    )
    echo(_("  The seal is {seal}.", seal=manifest.seal))
    for problem in manifest.problems:
        echo(verbatim(problem), indent=2)
    if manifest.problems:
        echo(_("This is wrong in the workspace, and so in the backup. See `ajpes-reporting audit verify`."))
