"""`status`: what is due, late, waiting, refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.imports import show_moved
from ajpes_reporting.cli.output import echo, order
from ajpes_reporting.cli.session import Part, Right, Session, local_time, number, period, with_session
from ajpes_reporting.domain.answers import status_label
from ajpes_reporting.i18n import _
from ajpes_reporting.queries.today import today
from ajpes_reporting.queries.words import severity_in_words

if TYPE_CHECKING:
    from ajpes_reporting.config import Workspace
    from ajpes_reporting.queries.today import Today


@click.command("status")
@with_session
def command(session: Session) -> None:
    """Shows what is wrong, due, late, waiting or refused, and the newest submissions."""
    if code := session.for_each(lambda workspace: _part(session, workspace)):
        click.get_current_context().exit(code)


def _part(session: Session, workspace: Workspace) -> Part:
    from ajpes_reporting.wiring import open_context

    told = today(open_context(workspace), workspace.settings.alarms)
    return Part(workspace.folder.name, told, lambda: _show(session, told))


def _show(session: Session, told: Today) -> None:
    if told.alarms:
        rows = [
            [local_time(alarm.since), severity_in_words(alarm.severity), alarm.text, order(alarm.remedy)]
            for alarm in told.alarms
        ]
        session.table(_("Alarms"), (_("since"), _("severity"), _("what"), _("do")), rows)
    rows = [[item.report, period(item.period), item.due, item.standing] for item in told.due]
    shown = {(item.report, item.period) for item in told.due}
    rows += [
        [item.report, period(item.period), item.due, _("next")]
        for item in told.next_due
        if (item.report, item.period) not in shown
    ]
    session.table(_("Due"), (_("report"), _("period"), _("deadline"), _("standing")), rows)
    _show_submissions(session, told)
    notes = [(code, note) for code, left_out in told.left_out.items() for note in left_out.notes()]
    if notes:
        rows = [[code, note.record, note.message, order(note.remedy)] for code, note in notes]
        session.table(_("Left out of reports"), (_("report"), _("record"), _("why"), _("do")), rows)
    show_moved(told.moved_months)
    if told.answers_set_aside:
        rows = [
            [str(item.id), item.name, status_label(item.status), item.note] for item in told.answers_set_aside
        ]
        columns = (Right(_("no.")), _("name"), _("status"), _("why"))
        session.table(_("Answers that were kept but not applied"), columns, rows)


def _show_submissions(session: Session, told: Today) -> None:
    if not told.submissions:
        echo(_("Nothing has been submitted yet."))
        return
    columns = (
        Right(_("no.")),
        _("report"),
        _("period"),
        _("state"),
        Right(_("records")),
        _("prepared"),
        _("to do"),
    )
    rows = [
        [
            str(item.id),
            item.report,
            period(item.period),
            item.state.label,
            number(item.records),
            local_time(item.prepared_at),
            item.to_do,
        ]
        for item in told.submissions
    ]
    session.table(_("Submissions"), columns, rows)
