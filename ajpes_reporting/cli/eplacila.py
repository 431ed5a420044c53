"""`eplacila sandbox`."""

from __future__ import annotations

import click

from ajpes_reporting.cli import eplacila_sandbox


@click.group("eplacila", short_help="UJP e-plačila: web payments.")
def command() -> None:
    """UJP e-plačila: web payments, and a till to try them on."""


command.add_command(eplacila_sandbox.command)
