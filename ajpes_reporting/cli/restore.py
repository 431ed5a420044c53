"""`restore BACKUP DIR`: a new workspace from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.i18n import _, verbatim

if TYPE_CHECKING:
    from ajpes_reporting.backup.restore import Restored


@click.command("restore")
@click.argument("backup", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@with_session
def command(session: Session, backup: Path, directory: Path) -> None:
    """Makes a new workspace in DIRECTORY from BACKUP, after checking every byte of it.

    A database of PostgreSQL must be there and empty. Reports that may have been sent after the
    backup wait for a person from then on.
    """
    from ajpes_reporting.backup.restore import restore
    from ajpes_reporting.wiring import now

    with session.progress("Restoring") as progress:
        done = restore(backup, directory, now, progress)
    manifest = done.manifest
    document = {
        "workspace": directory,
        "backup": backup,
        "made_at": manifest.made_at,
        "seal": manifest.seal,
        "entries": manifest.entries,
        "archived_files": len(manifest.archive),
        "problems": manifest.problems,
        "settings_name_another_database": done.settings_name_another_database,
    }
    session.emit(document, lambda: _show(directory, done))


def _show(directory: Path, done: Restored) -> None:
    manifest = done.manifest
    echo(
        _(
            "A workspace is restored in {directory}, as it was on {made_at:moment}.",
            directory=directory,
            made_at=manifest.made_at,
        )
    )
    echo(
        _(
            "  Entries: {entries:count}, archived files: {files:count}, all of them checked.",
            entries=manifest.entries,
            files=len(manifest.archive),
        )
    )
    echo(_("  The seal of the backup is {seal}: compare it with the one you noted.", seal=manifest.seal))
    for problem in manifest.problems:
        echo(verbatim(problem), indent=2)
    if done.settings_name_another_database:
        echo(
            _(
                "ajpes.toml names another database than the one it was restored into. Before anything "
                "else, write that one into {settings_file}, or keep AJPES_REPORTING_DATABASE__URL set.",
                settings_file=done.workspace.settings_file,
            )
        )
    echo(_("What was imported or sent after that is not in it. Reports that may have been sent are held."))
    echo(
        _(
            "Next: `ajpes-reporting -w {directory} doctor`, `collect`, then import what is missing.",
            directory=directory,
        )
    )
