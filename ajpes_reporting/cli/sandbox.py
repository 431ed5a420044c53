"""`sandbox DIR`: the bundled authority."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.errors import UsageError

if TYPE_CHECKING:
    from ajpes_reporting.sandbox import Sandbox


@click.command("sandbox")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@with_session
def command(session: Session, directory: Path) -> None:
    """Runs an AJPES of your own in DIRECTORY, on loopback, until Ctrl-C.

    SOAP over mutual TLS and SFTP, with keys and certificates it makes itself, and a ready
    ajpes.toml for it in the same folder.
    """
    from ajpes_reporting.sandbox import Sandbox, SandboxError
    from ajpes_reporting.workspace import complete_workspace, make_folder

    make_folder(directory)
    try:
        with Sandbox(directory / "authority") as authority:
            authority.write_settings(directory / "ajpes.toml")
            complete_workspace(directory)
            document = {
                "soap": authority.soap_url,
                "sftp_port": authority.sftp_port,
                "settings": directory / "ajpes.toml",
            }
            session.emit(document, lambda: _show(authority, directory))
            wait_for_the_end("The authority has stopped.")
    except SandboxError as error:
        raise UsageError(str(error), error.remedy) from None


def wait_for_the_end(farewell: str) -> None:
    """Until Ctrl-C, which is answered with the farewell, or until a supervisor says so."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: ended.set())
    try:
        ended.wait()
    except KeyboardInterrupt:
        echo(farewell, err=True)


def _show(authority: Sandbox, directory: Path) -> None:
    echo(f"The authority is at work in {directory}, on this machine only:")
    echo(f"  SOAP  {authority.soap_url}")
    echo(f"  SFTP  127.0.0.1, port {authority.sftp_port}")
    echo(f"In another terminal: `ajpes-reporting -w {directory} run nodurs`. Ctrl-C stops it.")
