"""The options that go with every command, before its name or after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.i18n import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTIONS = (
    click.option(
        "-w", "--workspace", help="The workspace; otherwise AJPES_WORKSPACE, otherwise this folder."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    click.option(
        "--lang",
        type=click.Choice(LANGUAGES),
        help="The language of messages; otherwise that of the settings, otherwise that of the locale.",
    ),
)


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `-w`, `--json` and `--lang`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
