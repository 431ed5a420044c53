"""The option `--via`: one of the ways that the registry knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable


def via_option(report: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command `--via`: the name of a way that may carry this report, or any report."""
    return click.option("--via", type=_WayName(report), help="Go this way only.")


class _WayName(click.ParamType[str]):
    """The name of a way. The registry is asked when it is needed, not when the command is loaded."""

    name = "way"

    def __init__(self, report: str | None) -> None:
        self._report = report

    def _choice(self) -> click.Choice[str]:
        from ajpes_reporting.deliver.registry import names

        return click.Choice(names(self._report))

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return self._choice().get_metavar(param, ctx)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return self._choice().convert(value, param, ctx)
