"""`audit verify | export`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from ajpes_reporting.cli.help import Group
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.errors import AjpesReportingError, UsageError
from ajpes_reporting.domain.escaping import shown_json
from ajpes_reporting.i18n import _, _n
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.private import open_private


@click.group("audit", cls=Group, short_help="Prove that the record is whole; hand it to an auditor.")
def command() -> None:
    """The record of what happened: a chain in which every entry seals the one before it."""


@command.command("verify")
@with_session
def verify(session: Session) -> None:
    """Proves that nothing in the record or in the archive was changed since it was written."""
    from ajpes_reporting.pipeline.audit import verify_all

    with session.progress("Verifying") as progress:
        report = verify_all(session.context(), progress)
    own = report.entries - report.others
    document = {**asdict(report), "entries": own, "whole": not report.problems}

    def show() -> None:
        echo(
            _(
                "Entries: {own:count}, archived files: {files:count}. The newest seal is {head}.",
                own=own,
                files=report.files,
                head=report.head,
            )
        )
        if report.others:
            echo(
                _n(
                    "  {count:count} entry of other providers is in the same chain.",
                    "  {count:count} entries of other providers are in the same chain.",
                    report.others,
                )
            )
        for problem in report.problems:
            echo(problem, indent=2)
        for remark in report.remarks:
            echo(remark, indent=2)
        echo(_("The record is whole.") if not report.problems else _("The record is NOT whole."))

    session.emit(document, show)
    if report.problems:
        click.get_current_context().exit(AjpesReportingError.exit_code)


@command.command("export")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The file to write, JSON lines."
)
@with_session
def export(session: Session, output: Path) -> None:
    """Writes the record as JSON lines, one entry each, with its seal; of other providers' only the hashes."""
    from ajpes_reporting.database.engine import snapshot
    from ajpes_reporting.journal import chain

    context = session.context()
    counts = {"entries": 0, "others": 0}
    try:
        with open_private(output, "x", encoding="utf-8") as out, snapshot(context.engine) as connection:
            for entry in chain.exported(connection, context.provider):
                out.write(shown_json(json.dumps(entry, ensure_ascii=False)) + "\n")
                counts["entries" if "body" in entry else "others"] += 1
    except FileExistsError:
        raise UsageError(
            _("{output} exists already; it was left as it is.", output=output), _("name another file")
        ) from None
    except OSError as error:
        raise AjpesReportingError(
            _("{output} could not be written: {reason}.", output=output, reason=system_reason(error)),
            _("name another file"),
        ) from None

    def tell() -> None:
        echo(
            _n(
                "{count:count} entry written to {output}.",
                "{count:count} entries written to {output}.",
                counts["entries"],
                output=output,
            )
        )
        if counts["others"]:
            echo(
                _(
                    "Entries of other providers, of which only the hashes were written: {others:count}.",
                    others=counts["others"],
                )
            )

    session.emit({"file": output, **counts}, tell)
