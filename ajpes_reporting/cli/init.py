"""`init DIR`: makes a workspace."""

from __future__ import annotations

from pathlib import Path

import click

from ajpes_reporting.cli.session import Session, with_session


@click.command("init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--registration-number", help="The provider's registration number, 7 or 10 digits.")
@click.option("--name", help="The provider's short name.")
@with_session
def command(session: Session, directory: Path, registration_number: str | None, name: str | None) -> None:
    """Makes a workspace in DIRECTORY: settings with comments, the database, the archive."""
    from ajpes_reporting.workspace import make_workspace

    workspace = make_workspace(directory, registration_number, name)
    document = {"workspace": directory, "settings": workspace.settings_file, "archive": workspace.archive}
    session.emit(document, lambda: _show(directory))


def _show(directory: Path) -> None:
    click.echo(f"A workspace is ready in {directory}.")
    click.echo(f"  {directory}/ajpes.toml   the settings; fill in the provider, [soap] and [sftp]")
    click.echo(f"  {directory}/ajpes.db     the ledger and the journal")
    click.echo(f"  {directory}/archive      the exact bytes of everything sent and received")
    click.echo(f"Next: fill in ajpes.toml, then `ajpes-reporting -w {directory} doctor`.")
