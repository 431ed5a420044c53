"""`doctor`: would a run work?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo, order
from ajpes_reporting.cli.session import Part, Session, with_session
from ajpes_reporting.i18n import NOTHING, Message, _, verbatim

if TYPE_CHECKING:
    from collections.abc import Callable

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.doctor import Diagnosis


@click.command("doctor")
@click.option("--test-alarm", is_flag=True, help="Send a test message by mail and webhook; look at nothing.")
@click.option(
    "--wsdl",
    metavar="FILE|URL",
    help="Read a WSDL, say what it asks for, and propose the [soap] settings for it; look at nothing else.",
)
@with_session
def command(session: Session, test_alarm: bool, wsdl: str | None) -> None:
    """Checks settings, database, clock, disk, certificate and reachability. Sends no report."""
    if wsdl is not None:
        _propose(session, wsdl)
        return
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
        rows = [[item.title, item.health.label, item.detail] for item in checks]
        session.table(NOTHING, (_("what"), _("found"), _("detail")), rows)
        for item in checks:
            if item.remedy and item.health is not Health.OK:
                echo(_("{subject}. Do: {remedy}.", subject=item.title, remedy=order(item.remedy)))

    return Part(workspace.folder.name, {"checks": checks, "exit_code": worst(checks)}, show)


def _propose(session: Session, source: str) -> None:
    """Tells in words what a WSDL asks for, and proposes the settings for it: to paste, or as JSON."""
    from ajpes_reporting.deliver.soap.proposal import describe_interface, propose
    from ajpes_reporting.deliver.soap.wsdl import read_wsdl
    from ajpes_reporting.deliver.soap_way import SoapWay

    workspace = session.workspace_if_any()
    tell = session.say if session.as_json else echo
    path = _file_of(session, workspace, source, tell)
    interface = read_wsdl(path)
    for sentence in describe_interface(interface):
        tell(sentence)
    soap = workspace.settings.way(SoapWay) if workspace else None
    kept = soap.model_dump(exclude_unset=True) if soap else {}
    proposal = propose(path, interface, _setting_for(path, session.folder), kept)
    for sentence in proposal.found:
        tell(sentence)
    for sentence in proposal.open_points:
        tell(_("Open: {sentence}", sentence=sentence))

    def show() -> None:
        echo()
        echo(_("Put this into ajpes.toml, in the place of its [soap]:"))
        echo()
        for line in proposal.block().splitlines():
            echo(verbatim(line))

    session.emit({"soap": proposal.settings}, show)


def _file_of(
    session: Session, workspace: Workspace | None, source: str, tell: Callable[[Message], None]
) -> Path:
    """Returns the file that is named, or that was fetched from the address."""
    from ajpes_reporting.deliver.soap.wsdl_download import download, is_address

    if not is_address(source):
        return Path(source)
    from ajpes_reporting.wiring import now
    from ajpes_reporting.wiring.delivery import wsdl_caller

    path, stored = download(source, wsdl_caller(workspace, now), session.folder)
    for sentence in stored:
        tell(sentence)
    return path


def _setting_for(path: Path, folder: Path) -> str:
    """Returns the path as a setting: relative to the workspace if the file is in there."""
    absolute, base = path.resolve(), folder.resolve()
    return str(absolute.relative_to(base) if absolute.is_relative_to(base) else absolute)
