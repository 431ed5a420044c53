"""`doctor`: would a run work?"""

from __future__ import annotations

from dataclasses import asdict

import click

from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.cli.wording import as_order


@click.command("doctor")
@click.option("--test-alarm", is_flag=True, help="Send a test message by mail and webhook; look at nothing.")
@with_session
def command(session: Session, test_alarm: bool) -> None:
    """Checks settings, database, clock, disk, certificate and reachability. Sends no report."""
    from ajpes_reporting.doctor import Health, examine, try_channels, worst
    from ajpes_reporting.wiring import now

    workspace = session.workspace()
    found = list(try_channels(workspace, now) if test_alarm else examine(workspace, now))
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
