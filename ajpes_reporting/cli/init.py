"""`init DIR`: makes a workspace."""

from __future__ import annotations

from pathlib import Path

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.i18n import _


@click.command("init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--registration-number", help="The provider's registration number, 7 or 10 digits.")
@click.option("--name", help="The provider's short name.")
@click.option(
    "--new-archive",
    is_flag=True,
    help="The workspace that reported for this provider is lost; this one is new.",
)
@with_session
def command(
    session: Session, directory: Path, registration_number: str | None, name: str | None, new_archive: bool
) -> None:
    """Makes a workspace in DIRECTORY: settings with comments, the database, the archive.

    In a workspace that is there already the settings are left alone; what they ask for and is
    missing is made: the database's tables, also after an update of this program.
    """
    from ajpes_reporting.config import SETTINGS_FILE
    from ajpes_reporting.workspace import complete_workspace, make_workspace

    is_there = (directory / SETTINGS_FILE).exists() and not (registration_number or name)
    if is_there:
        workspace = complete_workspace(directory, new_archive=new_archive)
    else:
        workspace = make_workspace(directory, registration_number, name, new_archive=new_archive)
    document = {
        "workspace": directory,
        "settings": workspace.settings_file,
        "archive": workspace.archive,
        "settings_made": not is_there,
    }
    session.emit(document, lambda: _show_completed(directory) if is_there else _show(directory))


def _show_completed(directory: Path) -> None:
    echo(_("The workspace {directory} was there already. Its settings were left alone.", directory=directory))
    echo(_("Its database and its archive are ready and up to date."))


def _show(directory: Path) -> None:
    from ajpes_reporting.deliver.registry import names, sections

    echo(_("A workspace is ready in {directory}.", directory=directory))
    ways = sections(names(), "and")
    echo(
        _(
            "  {directory}/ajpes.toml   the settings; fill in the provider, {ways}",
            directory=directory,
            ways=ways,
        )
    )
    echo(_("  {directory}/ajpes.db     the ledger and the journal", directory=directory))
    echo(_("  {directory}/archive      the exact bytes of everything sent and received", directory=directory))
    echo(_("Next: fill in ajpes.toml, then `ajpes-reporting -w {directory} doctor`.", directory=directory))
