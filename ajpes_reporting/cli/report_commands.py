"""Commands and arguments that know every kind of report of the registry: `run nodurs`, `pending spapp`.

The registry is asked when it is needed, not when a command is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.help import Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from ajpes_reporting.reports.kind import ReportKind


class ReportCommands(Group):
    """A group with one subcommand for each kind of report, called as the report is."""

    _make: Callable[[ReportKind], click.Command]

    def made_by(self, make: Callable[[ReportKind], click.Command]) -> None:
        """Decorates the function that makes the subcommand of a kind."""
        self._make = make

    def list_commands(self, _context: click.Context) -> list[str]:
        """Returns the names of all kinds, in the order of the registry."""
        return report_names()

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Returns the subcommand of the kind with this name, if there is one."""
        from ajpes_reporting.reports.registry import by_code

        return self._make(by_code(name)) if name in report_names() else None


class ReportName(click.ParamType[str]):
    """The name of a kind of report, in any case of letters."""

    name = "report"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return _choice().get_metavar(param, ctx)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return _choice().convert(value, param, ctx)


def report_names() -> list[str]:
    """Returns the names of all kinds of reports, "nodurs", in the order of the registry."""
    from ajpes_reporting.reports.registry import KINDS

    return [kind.name for kind in KINDS]


def _choice() -> click.Choice[str]:
    return click.Choice(report_names(), case_sensitive=False)
