"""`eplacila sandbox DIR`: the bundled UJP e-plačila."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.sandbox import wait_for_the_end
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.errors import UsageError

if TYPE_CHECKING:
    from ajpes_reporting.sandbox.eplacila import Simulator


@click.command("sandbox", short_help="A UJP e-plačila of your own, on loopback.")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Otherwise the one of the last time.")
@click.option(
    "--like",
    type=click.Choice(["samples", "tables"]),
    default="samples",
    show_default=True,
    help="What answers follow where the samples of UJP's document contradict its tables.",
)
@with_session
def command(session: Session, directory: Path, port: int, like: str) -> None:
    """Runs a UJP e-plačila of your own in DIRECTORY, on loopback, until Ctrl-C.

    The interface, the payment pages, signed webhooks, with credentials and keys it makes itself. It
    prints the section of ajpes.toml that leads to it.
    """
    import reportlab  # noqa: F401 - the simulator needs it for its first receipt; it is told now if it is missing

    from ajpes_reporting.sandbox import SandboxError
    from ajpes_reporting.sandbox.eplacila import Rules, Simulator

    rules = Rules(like="tables" if like == "tables" else "samples")
    try:
        with Simulator(directory, port=port, rules=rules) as simulator:
            session.emit(_document(simulator), lambda: _show(simulator))
            wait_for_the_end("The simulator has stopped.")
    except SandboxError as error:
        raise UsageError(str(error), error.remedy) from None


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
    echo(f"e-plačila is at work in {simulator.directory}, on this machine only:")
    echo(f"  payments  {simulator.url}/nadzor")
    echo(f"  OpenAPI   {simulator.url}/swagger.json")
    echo(f"  faults    {simulator.faults.path}")
    echo("Put this into ajpes.toml; Ctrl-C stops the simulator.")
    echo()
    for line in simulator.settings().splitlines():
        echo(line)
