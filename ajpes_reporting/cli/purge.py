"""`purge`: removes archived files whose time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.i18n import _, _n

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
    if dry_run:
        message = _n(
            "{count:count} file would be removed; it is older than {before:moment}.",
            "{count:count} files would be removed; they are older than {before:moment}.",
            len(done.files),
            before=done.before,
        )
    else:
        message = _n(
            "{count:count} file removed; it was older than {before:moment}.",
            "{count:count} files removed; they were older than {before:moment}.",
            len(done.files),
            before=done.before,
        )
    echo(message)
    for file in done.files:
        echo(_("{owner}: {path}", owner=file.owner, path=file.path), indent=2)
    if done.leftovers:
        echo(
            _n(
                "{count} file was removed that an earlier purge had left behind.",
                "{count} files were removed that an earlier purge had left behind.",
                done.leftovers,
            )
        )
