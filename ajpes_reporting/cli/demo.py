"""`demo [DIR]`: the main job, end to end, against the bundled authority."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.errors import AjpesReportingError, UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import NOTHING, Message, _, _n, verbatim

if TYPE_CHECKING:
    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.pipeline.run import Result
    from ajpes_reporting.sandbox import Sandbox

_FIRST_FILES = ("accounts.csv", "account-months.csv", "postings.csv", "events.csv")
_MONTH = "202610"


@click.command("demo")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"))
@with_session
def command(session: Session, directory: Path) -> None:
    """Do the main job in a new workspace in DIRECTORY (default: demo).

    A ledger becomes a NODURS and a SPAPP report, each checked, delivered to the bundled authority
    over SOAP and SFTP, answered and remembered; then one is refused, corrected and accepted.
    """
    from ajpes_reporting.sandbox import Sandbox, SandboxError
    from ajpes_reporting.workspace import make_folder

    if (directory / "ajpes.toml").exists():
        raise UsageError(
            _("There is a workspace in {folder} already. Nothing was changed.", folder=str(directory)),
            _("name another folder: `ajpes-reporting demo OTHER`"),
        )
    make_folder(directory)
    try:
        with Sandbox(directory / "authority") as authority:
            Demo(session, directory, authority).play()
    except SandboxError as error:
        raise UsageError(Message(str(error), {}), Message(error.remedy, {})) from None


class Demo:
    """The story, one step after the other; every step is what the command line does, too."""

    def __init__(self, session: Session, directory: Path, authority: Sandbox) -> None:
        from ajpes_reporting.wiring import open_context
        from ajpes_reporting.workspace import complete_workspace

        self._session = session
        self._directory = directory
        self._authority = authority
        authority.write_settings(directory / "ajpes.toml")
        self._context: Context = open_context(complete_workspace(directory))
        self._steps: list[dict[str, object]] = []

    def play(self) -> None:
        """Plays all of it. Raises `AjpesReportingError` if a step does not end as it must."""
        today = self._today()
        self._title(_("A bank, its ledger and its authority, in {folder}", folder=str(self._directory)))
        self._say(_("  SOAP  {address}, mutual TLS", address=self._authority.soap_url))
        self._say(_("  SFTP  127.0.0.1, port {port}", port=self._authority.sftp_port))
        self._title(_("1. The ledger"))
        self._import(*_FIRST_FILES)
        self._title(_("2. The daily report goes by SOAP"))
        self._run("NODURS", today.previous(), expected="accepted")
        self._title(_("3. The monthly report goes by SFTP"))
        self._run("SPAPP", self._month(), expected="accepted")
        self._title(_("4. The next day: one obligation lacks an event that AJPES knows from before"))
        self._report_from_before()
        self._import("events-day-two.csv")
        refused = self._run("NODURS", today, expected="refused")
        self._title(_("5. The event is found, the report is sent again"))
        self._import("events-forgotten.csv")
        self._resubmit(refused)
        self._title(_("Where things lie"))
        self._where()
        self._session.emit({"workspace": self._directory, "steps": self._steps}, lambda: None)

    def _import(self, *names: str) -> None:
        from ajpes_reporting.pipeline.facts import import_files
        from ajpes_reporting.shipped import sample

        paths = [sample(f"ledger/{name}") for name in names]
        for summary in import_files(self._context, paths):
            self._say(
                _n(
                    "  {file}: {count:count} row taken in",
                    "  {file}: {count:count} rows taken in",
                    summary.rows_new,
                    file=summary.path.name,
                )
            )

    def _run(self, code: str, period: Period, expected: str) -> Result:
        from ajpes_reporting.pipeline.foresee import rehearse
        from ajpes_reporting.pipeline.run import run
        from ajpes_reporting.reports.registry import by_code

        kind = by_code(code)
        with self._context.working_folder() as folder:
            built = rehearse(self._context, kind, period, folder)
            if built is not None:
                self._say(
                    _(
                        "  {file}: built and checked; records: {records:count}, errors: {errors:count}, "
                        "warnings: {warnings:count}",
                        file=built.path.name,
                        records=built.record_count,
                        errors=built.log.error_count,
                        warnings=built.log.warning_count,
                    )
                )
        return self._told(run(self._context, kind, period), expected)

    def _resubmit(self, refused: Result) -> None:
        from ajpes_reporting.pipeline.operator_actions import resubmit

        if refused.submission is not None:
            self._told(resubmit(self._context, refused.submission.id), "accepted")

    def _told(self, result: Result, expected: str) -> Result:
        from ajpes_reporting.cli.telling import show_run
        from ajpes_reporting.queries.runs import run_report

        report = run_report(self._context, result)
        state = result.submission.state.value if result.submission else result.ending.value
        step = {"report": result.kind.code, "period": result.period.key, "state": state}
        self._steps.append({**step, "submission": report.submission})
        if not self._session.as_json:
            show_run(report)
        if state != expected:
            raise AjpesReportingError(
                _(
                    "The demo expected {report} to be {expected}; it is {state}.",
                    report=result.kind.code,
                    expected=State(expected).label,
                    state=State(state).label if state in set(State) else state,
                ),
                _("look at {folder}; this is a fault of the program", folder=str(self._directory)),
            )
        return result

    def _report_from_before(self) -> None:
        """Lay a report from the time before this program straight into the authority's folder."""
        from ajpes_reporting.shipped import sample

        name = "NODURS_20261104_5860571.xml"
        (self._authority.folder / "nodurs" / "v_ajpes" / name).write_bytes(
            sample(f"reports/{name}").read_bytes()
        )
        self._authority.process_now()
        self._say(_("  {file}, made by hand in the days of spreadsheets, is with the authority", file=name))

    def _where(self) -> None:
        folder = str(self._directory)
        self._say(
            _("  {folder}/ajpes.toml   settings; ajpes.db beside it is ledger and journal", folder=folder)
        )
        self._say(_("  {folder}/archive      every byte sent and received", folder=folder))
        self._say(
            _("  {folder}/authority    the authority: its keys, its folders, its records", folder=folder)
        )
        program = _program()
        self._say(_("Look around:"))
        for line in ("status", "show 3", "ledger show O-330", "audit verify"):
            self._say(verbatim(f"  {program} -w {folder} {line}"))
        self._say(_("Start the authority again: {program} sandbox {folder}", program=program, folder=folder))

    def _today(self) -> Period:
        from ajpes_reporting.reports.nodurs import NODURS

        return NODURS.current_period(self._context.clock())

    def _month(self) -> Period:
        from ajpes_reporting.domain.periods import parse_month

        return parse_month(_MONTH)

    def _title(self, text: Message) -> None:
        self._say(NOTHING)
        self._say(text)

    def _say(self, text: Message) -> None:
        if not self._session.as_json:
            echo(text)


def _program() -> str:
    """Return the name by which the program is called here, or its path if the name would not be found."""
    return "ajpes-reporting" if shutil.which("ajpes-reporting") else sys.argv[0]
