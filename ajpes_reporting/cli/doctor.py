"""`doctor`: would a run work?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Part, Session, with_session
from ajpes_reporting.cli.wording import as_order

if TYPE_CHECKING:
    from ajpes_reporting.config import Workspace
    from ajpes_reporting.doctor import Diagnosis


@click.command("doctor")
@click.option("--test-alarm", is_flag=True, help="Send a test message by mail and webhook; look at nothing.")
@with_session
def command(session: Session, test_alarm: bool) -> None:
    """Checks settings, database, clock, disk, certificate and reachability. Sends no report."""
    from ajpes_reporting.doctor import examine, try_channels, worst
    from ajpes_reporting.wiring import now

    look = try_channels if test_alarm else examine
    codes = []

    def part(workspace: Workspace) -> Part:
        checks = list(look(workspace, now))
        codes.append(worst(checks))
        return _part(session, workspace, checks)

    codes.append(session.for_each(part))
    if code := min((code for code in codes if code), default=0):
        click.get_current_context().exit(code)


def _part(session: Session, workspace: Workspace, checks: list[Diagnosis]) -> Part:
    from ajpes_reporting.doctor import Health, worst

    def show() -> None:
        rows = [[item.subject, item.health.value, item.detail] for item in checks]
        session.table("", ("what", "found", "detail"), rows)
        for item in checks:
            if item.remedy and item.health is not Health.OK:
                echo(f"{item.subject}. Do: {as_order(item.remedy)}.")

    document = {"checks": [asdict(item) for item in checks], "exit_code": worst(checks)}
    return Part(workspace.folder.name, document, show)
