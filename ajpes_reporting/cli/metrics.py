"""`metrics`: the figures for a monitoring that reads files."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.i18n import verbatim

_READABLE_BY_ALL = 0o644


@click.command("metrics")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write into this file.")
@with_session
def command(session: Session, output: Path | None) -> None:
    """The figures of all providers in the text format of Prometheus.

    With -o for the textfile collector of node_exporter, where only `tick` runs; the file is replaced
    as a whole.
    """
    from ajpes_reporting.config import open_workspaces
    from ajpes_reporting.monitoring.metrics import figures_as_text
    from ajpes_reporting.unattended import watch_workspace

    watched = [watch_workspace(workspace) for workspace in open_workspaces(session.folder)]
    text = figures_as_text(watched)
    for one in watched:
        one.context.engine.dispose()
    if output is not None:
        _replace(output, text)
        session.emit({"written": output}, lambda: None)
    else:

        def show() -> None:
            for line in text.splitlines():
                echo(verbatim(line))

        session.emit({"metrics": text}, show)


def _replace(path: Path, text: str) -> None:
    """A reader sees the old file or the new one; no name of ours ends in `.prom` before it is whole."""
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), _READABLE_BY_ALL)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
