"""`eplacila sandbox DIR`: the bundled UJP e-plačila."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.sandbox import wait_for_the_end
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import Message, _, verbatim

if TYPE_CHECKING:
    from ajpes_reporting.sandbox.eplacila import Simulator


@click.command("sandbox", short_help="A UJP e-plačila of your own, on loopback.")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Listen on this port; otherwise on that of the last time.",
)
@click.option(
    "--like",
    type=click.Choice(["samples", "tables"]),
    default="samples",
    show_default=True,
    help="Which of them answers follow where the samples of UJP's document contradict its tables.",
)
@with_session
def command(session: Session, directory: Path, port: int, like: str) -> None:
    """Run a UJP e-plačila of your own in DIRECTORY, on loopback, until Ctrl-C.

    The interface, the payment pages and signed webhooks, with credentials and keys of its own. Prints
    the section of ajpes.toml that leads there.
    """
    import reportlab  # noqa: F401 - needed for the first receipt: better told now if it is missing

    from ajpes_reporting.sandbox import SandboxError
    from ajpes_reporting.sandbox.eplacila import Rules, Simulator

    rules = Rules(like="tables" if like == "tables" else "samples")
    try:
        with Simulator(directory, port=port, rules=rules) as simulator:
            session.emit(_document(simulator), lambda: _show(simulator))
            wait_for_the_end(_("The simulator has stopped."))
    except SandboxError as error:
        raise UsageError(Message(str(error), {}), Message(error.remedy, {})) from None


def _document(simulator: Simulator) -> dict[str, object]:
    credentials = simulator.credentials()
    return {
        "base_url": simulator.url,
        "ids": credentials.service.ids,
        "registration_number": credentials.service.registration_number,
        "api_key_file": credentials.api_key_file,
        "shared_secret_file": credentials.secret_file,
        "public_key": simulator.public_key,
        "settings": simulator.settings(),
    }


def _show(simulator: Simulator) -> None:
    echo(_("e-plačila is at work in {folder}, on this machine only:", folder=str(simulator.directory)))
    echo(_("  payments  {address}", address=f"{simulator.url}/nadzor"))
    echo(_("  OpenAPI   {address}", address=f"{simulator.url}/swagger.json"))
    echo(_("  faults    {file}", file=str(simulator.faults.path)))
    echo(_("Put this into ajpes.toml; Ctrl-C stops the simulator."))
    echo()
    for line in simulator.settings().splitlines():
        echo(verbatim(line))
