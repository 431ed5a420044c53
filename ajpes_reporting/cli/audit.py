"""`audit verify | export`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.errors import AjpesReportingError, UsageError
from ajpes_reporting.domain.escaping import shown_json
from ajpes_reporting.private import open_private


@click.group("audit", short_help="Prove that the record is whole; hand it to an auditor.")
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
        echo(f"{own} entries, {report.files} archived files. The newest seal is {report.head}.")
        if report.others:
            echo(f"  {report.others} entries of other providers are in the same chain.")
        for problem in report.problems:
            echo(f"  {problem}")
        for remark in report.remarks:
            echo(f"  {remark}.")
        echo("The record is whole." if not report.problems else "The record is NOT whole.")

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
        raise UsageError(f"{output} exists already; it was left as it is.", "name another file") from None
    except OSError as error:
        raise AjpesReportingError(
            f"{output} could not be written: {error.strerror}.", "name another file"
        ) from None

    def tell() -> None:
        echo(f"{counts['entries']} entries written to {output}.")
        if counts["others"]:
            echo(f"Of {counts['others']} more, which are of other providers, the hashes alone.")

    session.emit({"file": output, **counts}, tell)
