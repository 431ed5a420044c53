"""`doctor`: would a run work?"""

from __future__ import annotations

from dataclasses import asdict

import click

from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.cli.wording import as_order


@click.command("doctor")
@with_session
def command(session: Session) -> None:
    """Checks settings, database, clock, disk, certificate and reachability. Sends no report."""
    from ajpes_reporting.doctor import Health, examine, worst
    from ajpes_reporting.wiring import now

    workspace = session.workspace()
    found = list(examine(workspace, now))
    document = {"checks": [asdict(item) for item in found], "exit_code": worst(found)}

    def show() -> None:
        session.table(
            "",
            ("what", "found", "detail"),
            [[item.subject, item.health.value, item.detail] for item in found],
        )
        for item in found:
            if item.remedy and item.health is not Health.OK:
                click.echo(f"{item.subject}. Do: {as_order(item.remedy)}.")

    session.emit(document, show)
    if worst(found):
        click.get_current_context().exit(worst(found))
