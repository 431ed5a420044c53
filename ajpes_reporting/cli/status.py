"""`status`: what is due, late, waiting, refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.alarms.watch import standing
from ajpes_reporting.cli.imports import difference_json, show_moved
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Part, Right, Session, local_time, with_session
from ajpes_reporting.cli.telling import due_in_words, left_out_json
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.findings import Severity
from ajpes_reporting.domain.remedies import as_order
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, due, submissions
from ajpes_reporting.ledger.reported import moved_months
from ajpes_reporting.reports.spapp import SPAPP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from ajpes_reporting.alarms.alarm import Standing
    from ajpes_reporting.config import Workspace
    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.ledger.reported import MovedMonth
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.left_out import LeftOut

_MOST = 20


@click.command("status")
@with_session
def command(session: Session) -> None:
    """What is wrong, due, late, waiting or refused, and the newest submissions."""
    if code := session.for_each(lambda workspace: _part(session, workspace)):
        click.get_current_context().exit(code)


def _part(session: Session, workspace: Workspace) -> Part:
    from ajpes_reporting.wiring import open_context

    context = open_context(workspace)
    with context.engine.connect() as connection:
        amounts = context.report_settings[SPAPP.code].amounts
        alarms = standing(
            connection,
            context.provider,
            workspace.settings.alarms,
            context.clock(),
            context.archive.sent_log,
            amounts,
        )
        moved = moved_months(connection, context.provider, amounts)
        newest = submissions.recent(connection, context.provider, _MOST)
        aside = answers.set_aside_answers(connection, context.provider, _MOST)
        held = {item.id for item in newest if _is_held(submissions.findings_of(connection, item.id))}
        left_out = _left_out(connection, context)
    to_do = {item.id: _to_do(item, item.id in held, moved) for item in newest}
    periods = _due(context)
    document = {
        "provider": context.provider,
        "alarms": [_alarm_json(item) for item in alarms],
        "due": periods,
        "submissions": [_submission_json(item, to_do[item.id]) for item in newest],
        "moved": [difference_json(item) for month in moved for item in month.shown],
        "answers_set_aside": [
            {"id": row.id, "name": row.remote_name, "status": row.status, "note": row.note} for row in aside
        ],
        "left_out": {code: left_out_json(item) for code, item in left_out.items()},
    }

    def show() -> None:
        if alarms:
            session.table(
                "Alarms", ("since", "severity", "what", "do"), [_alarm_row(item) for item in alarms]
            )
        session.table(
            "Due", ("report", "period", "deadline", "standing"), [_due_row(context, item) for item in periods]
        )
        if newest:
            rows = [_row(item, to_do[item.id]) for item in newest]
            session.table(
                "Submissions",
                (Right("no."), "report", "period", "state", Right("records"), "prepared", "to do"),
                rows,
            )
        else:
            echo("Nothing has been submitted yet.")
        notes = [[code, *_note_row(note)] for code, item in left_out.items() for note in item.notes()]
        if notes:
            session.table("Left out of reports", ("report", "record", "why", "do"), notes)
        show_moved(moved)
        if aside:
            rows = [[str(row.id), row.remote_name, row.status, row.note] for row in aside]
            session.table(
                "Answers that were kept but not applied", (Right("no."), "name", "status", "why"), rows
            )

    return Part(workspace.folder.name, document, show)


def _left_out(connection: Connection, context: Context) -> dict[str, LeftOut]:
    """What a run at this moment would leave out, by report."""
    now = context.clock()
    found = {
        kind.code: kind.left_out(connection, context.provider, now, now)
        for kind in context.kinds
        if kind.left_out
    }
    return {code: item for code, item in found.items() if item}


def _note_row(note: Finding) -> list[str]:
    return [note.record, note.message, as_order(note.remedy)]


def _alarm_json(item: Standing) -> dict[str, Any]:
    alarm = item.alarm
    return {
        "key": alarm.key, "severity": alarm.severity.value, "since": item.since,
        "text": alarm.text, "remedy": alarm.remedy,
    }  # fmt: skip


def _alarm_row(item: Standing) -> list[str]:
    alarm = item.alarm
    return [local_time(item.since), alarm.severity.value, alarm.text, as_order(alarm.remedy)]


def _due(context: Context) -> list[dict[str, Any]]:
    """The current day and month of each report, and every older period that is still open."""
    current = []
    with context.engine.connect() as connection:
        for kind in context.kinds:
            period = kind.current_period(context.clock())
            noted = due.find(connection, context.provider, kind.code, period.key)
            # What stands in the table needs no calendar of holidays, which is slow to load.
            deadline = noted.deadline if noted else kind.deadline(period, context.extra_days_off)
            current.append((kind.code, period.key, deadline))
        known = [
            (row.report, row.period, row.deadline) for row in due.open_periods(connection, context.provider)
        ]
        wanted = sorted({*current, *known}, key=lambda item: item[2])
        return [
            {
                "report": report,
                "period": period,
                "deadline": deadline,
                "standing": _standing(connection, context, item),
            }
            for item in wanted
            for report, period, deadline in [item]
        ]


def _standing(connection: Any, context: Context, item: tuple[str, str, Any]) -> str:
    report, period, deadline = item
    known = due.find(connection, context.provider, report, period)
    if known is not None and known.settled_as:
        return str(known.settled_as).replace("_", " ")
    latest = submissions.latest(connection, context.provider, report, period)
    standing = latest.state.label if latest else "not sent yet"
    if known is None and context.clock() > deadline:
        return "due before we came; run it if nobody has reported it" if latest is None else standing
    if context.clock() > deadline:
        standing += ", late"
    waits = latest is None or latest.state is State.UNREACHABLE  # others wait for a person, or an answer
    if (
        known is not None
        and waits
        and known.tries
        and known.next_try_at
        and known.next_try_at > context.clock()
    ):
        standing += f"; tried {known.tries} times, again at {known.next_try_at.astimezone(LJUBLJANA):%H:%M}"
    return standing


def _due_row(context: Context, item: dict[str, Any]) -> list[str]:
    settled = item["standing"] in (
        "nothing to report",
        "reported later",
        "accepted",
        "accepted with warnings",
    )
    when = local_time(item["deadline"]) if settled else due_in_words(item["deadline"], context.clock())
    return [item["report"], item["period"], when, item["standing"]]


def _is_held(findings: Sequence[Any]) -> bool:
    return any(row.severity == Severity.ERROR for row in findings)


def _submission_json(item: Submission, to_do: str) -> dict[str, Any]:
    return {
        "id": item.id, "report": item.report, "period": item.period, "state": item.state.value,
        "records": item.record_count, "prepared_at": item.prepared_at, "sha256": item.sha256,
        "superseded_by": item.superseded_by, "to_do": to_do,
    }  # fmt: skip


def _row(item: Submission, to_do: str) -> list[str]:
    return [
        str(item.id),
        item.report,
        item.period,
        item.state.label,
        f"{item.record_count:,}",
        local_time(item.prepared_at),
        to_do,
    ]


def _to_do(item: Submission, held: bool, moved: Sequence[MovedMonth]) -> str:
    if item.superseded_by:
        return f"superseded by {item.superseded_by}"
    if item.id in (month.submission for month in moved):
        return f"its figures have moved, see below: resubmit {item.id}, or leave it so"
    if item.state is State.PREPARED and item.is_held:
        return f"held, {item.held_because}: show {item.id}, then release {item.id} --reason …"
    if item.state is State.PREPARED and held:
        return f"our own checks refused it: see show {item.id}, correct, run again"
    return {
        State.PREPARED: "it was cut off before it was sent: run again",
        State.SENDING: "a run is at work, or was cut off",
        State.DELIVERED: "collect the answer",
        State.REFUSED: f"see show {item.id}, correct, resubmit {item.id} (or --same)",
        State.UNREACHABLE: f"nothing arrived: run again, or resubmit {item.id}",
        State.UNKNOWN: f"ask AJPES, then resolve {item.id} --as … --reason …",
    }.get(item.state, "")
