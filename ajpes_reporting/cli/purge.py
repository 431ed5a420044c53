"""`purge`: removes archived files whose time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, local_time, with_session

if TYPE_CHECKING:
    from ajpes_reporting.pipeline.purge import Purged


@click.command("purge")
@click.option("--dry-run", is_flag=True, help="Name the files and change nothing.")
@with_session
def command(session: Session, dry_run: bool) -> None:
    """Removes the archived files of settled periods older than retention.keep_months, on the record.

    `schedule` and `tick` do it once a day.
    """
    from ajpes_reporting.pipeline.purge import purge, would_purge
    from ajpes_reporting.wiring import open_context

    workspace = session.workspace()
    keep_months = workspace.settings.retention.keep_months
    done = (would_purge if dry_run else purge)(open_context(workspace), keep_months)
    document = {
        "before": done.before,
        "dry_run": dry_run,
        "files": done.files,
        "leftovers": done.leftovers,
    }
    session.emit(document, lambda: _show(done, dry_run=dry_run))


def _show(done: Purged, *, dry_run: bool) -> None:
    verb = "would be removed" if dry_run else "removed"
    echo(f"{len(done.files)} files {verb}; over is what is older than {local_time(done.before)}.")
    for file in done.files:
        echo(f"  {file.owner}: {file.path}")
    if done.leftovers:
        echo(f"{done.leftovers} files were removed that an earlier purge had left behind.")
