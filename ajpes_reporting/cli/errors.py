"""Shows a failure: to a person on stderr, to a program as JSON."""

from __future__ import annotations

from typing import Any

import click

from ajpes_reporting.cli.help import usage_message
from ajpes_reporting.cli.output import echo, echo_json, echo_order
from ajpes_reporting.domain.errors import AjpesReportingError, ChecksRefused
from ajpes_reporting.extras import not_installed
from ajpes_reporting.i18n import _, verbatim
from ajpes_reporting.i18n.system import system_reason


def tell(error: AjpesReportingError, *, as_json: bool) -> None:
    """Tells a failure; with `as_json` also as the one document on stdout."""
    tell_error(error)
    if as_json:
        tell_json(error)


def tell_error(error: AjpesReportingError) -> None:
    """Writes the problem, record by record, and the remedy to stderr."""
    echo(error.summary, err=True)
    for detail in error.details:
        echo(detail, err=True, indent=2)
    for finding in error.findings if isinstance(error, ChecksRefused) else ():
        echo(finding.in_words(), err=True, indent=2)
        if finding.remedy:
            echo_order(finding.remedy, err=True, indent=4)
    if error.remedy:
        echo_order(error.remedy, err=True)


def tell_usage(error: click.ClickException) -> None:
    """A command line that does not fit, on stderr: how the command is called, and what is wrong."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        for line in error.ctx.get_usage().splitlines():
            echo(verbatim(line), err=True)
        echo(_("Try `{command} --help` for help.", command=error.ctx.command_path), err=True)
    echo(_("Error: {message}", message=usage_message(error)), err=True)


def tell_json(error: AjpesReportingError) -> None:
    """The failure as a JSON document on stdout."""
    echo_json(error_json(error))


def error_json(error: AjpesReportingError) -> dict[str, Any]:
    """The failure as programs read it."""
    findings = error.findings if isinstance(error, ChecksRefused) else ()
    return {
        "error": {
            "message": error.message,
            "remedy": error.remedy,
            "findings": findings,
        },
        "exit_code": error.exit_code,
    }


def in_words(error: Exception) -> AjpesReportingError | None:
    """A failure of the machine or of its database, as one that can be told; None for a fault of ours."""
    if isinstance(error, AjpesReportingError):
        return error
    if isinstance(error, OSError):
        return _of_the_machine(error)
    if isinstance(error, ImportError) and error.name and not error.name.startswith("ajpes_reporting"):
        return not_installed(error.name)
    return _of_the_database(error) if type(error).__module__.startswith("sqlalchemy.") else None


def _of_the_machine(error: OSError) -> AjpesReportingError:
    """A full disk, a missing right: told in words, with the file where it is known."""
    reason = system_reason(error)
    if error.filename:
        message = _("The system refused access to {file}: {reason}.", file=str(error.filename), reason=reason)
    else:
        message = _("The system refused what was asked of it: {reason}.", reason=reason)
    return AjpesReportingError(
        message,
        _("see `ajpes-reporting status` for what was done before, remove the cause, then run again"),
    )


def _of_the_database(error: Exception) -> AjpesReportingError:
    """The database is away, full or locked. Its statement is not shown: it may hold names."""
    from ajpes_reporting.database.engine import reason

    return AjpesReportingError(
        _("The database did not do what was asked: {reason:foreign}.", reason=reason(error)),
        _("see `ajpes-reporting doctor`; what was committed before is whole, and `status` shows it"),
    )
