"""`tick`: does once what is due now, for a systemd timer or cron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting.cli.errors import error_json, in_words
from ajpes_reporting.cli.job_log import JobLog
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.i18n import _
from ajpes_reporting.queries.runs import exit_code, run_report

if TYPE_CHECKING:
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.schedule.tick import Done


@click.command("tick")
@with_session
def command(session: Session) -> None:
    """Does once what is due now, catching up what was missed, and leaves.

    The exit code is the worst of what it ran; 0 if nothing was due.
    """
    from ajpes_reporting.schedule.tick import do, tick
    from ajpes_reporting.unattended import open_installation

    installation = open_installation(session.folder)
    log = JobLog(session, installation.workspaces)
    documents: list[Any] = []
    codes = [0]
    for error in installation.broken:
        codes.append(error.exit_code)
        documents.append(error_json(error))
        log.tell_broken(error)
    for duty, done in tick(installation.duties, do):
        codes.append(_code(done))
        if session.as_json:
            documents.append(_json(duty.context, done))
        log.tell(duty, done)
    if session.as_json:
        session.emit({"runs": documents, "exit_code": max(codes)}, lambda: None)
    click.get_current_context().exit(max(codes))


def _code(done: Done) -> int:
    return _told(done).exit_code if isinstance(done, Exception) else exit_code(done)


def _json(context: Context, done: Done) -> Any:
    if isinstance(done, Exception):
        return error_json(_told(done))
    try:
        return run_report(context, done)
    except SQLAlchemyError as error:  # what is done is done; the next bank has its turn
        return error_json(_told(error))


def _told(error: Exception) -> AjpesReportingError:
    return in_words(error) or AjpesReportingError(
        _("A job failed of something unforeseen: {error:foreign}.", error=repr(error))
    )
