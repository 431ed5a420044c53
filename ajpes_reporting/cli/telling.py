"""What a run did, in words: what happened, what to do, whether anything left this machine."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.findings import log_json, show_log
from ajpes_reporting.cli.imports import difference_json, show_moved
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, local_time
from ajpes_reporting.cli.wording import counted
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import ChecksRefused, NotDelivered, OutcomeUnknown, RefusedByAuthority
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.journal.restored import is_doubt
from ajpes_reporting.ledger.reported import moved_months
from ajpes_reporting.pipeline.run import Ending, Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.ledger.reported import MovedMonth
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind
    from ajpes_reporting.reports.left_out import LeftOut

_MOST_ROWS = 20
_CODES = {
    State.REFUSED: RefusedByAuthority.exit_code,
    State.UNREACHABLE: NotDelivered.exit_code,
    State.UNKNOWN: OutcomeUnknown.exit_code,
    State.SENDING: OutcomeUnknown.exit_code,
}


def leave_with(session: Session, context: Context, result: Result) -> None:
    """Tells what a run did and leaves with its exit code."""
    code = tell(session, context, result)
    if code:
        click.get_current_context().exit(code)


def tell(session: Session, context: Context, result: Result) -> int:
    """Tells what a run did; returns its exit code."""
    session.emit(result_json(context, result), lambda: show_result(context, result))
    return exit_code(result)


def result_json(context: Context, result: Result) -> dict[str, Any]:
    """What a run did, for a program."""
    return {
        "report": result.kind.code, "period": result.period.key, "ending": result.ending.value,
        "deadline": result.deadline, "submission": submission_json(context, result.submission),
        "moved": moved_json(moved(context, result.kind, result.period)),
        **log_json(result.log), "left_out": left_out_json(result.left_out), "exit_code": exit_code(result),
    }  # fmt: skip


def left_out_json(left_out: LeftOut) -> dict[str, Any]:
    """What a report leaves out, for a program."""
    held = left_out.held_back
    return {
        "held_back": {
            "events": held.events, "obligations": held.obligations, "after": held.cutoff, "until": held.until,
            "first": [asdict(item) for item in held.first],
        } if held else None,
        "excluded": [asdict(item) for item in left_out.excluded],
    }  # fmt: skip


def moved(context: Context, kind: ReportKind, period: Period) -> list[MovedMonth]:
    """The month, if it was accepted with other figures than the ledger has now."""
    if not kind.reports_months:
        return []
    with context.engine.connect() as connection:
        found = moved_months(connection, context.provider, context.report_settings[kind.code].amounts)
    return [month for month in found if month.month == period.key]


def moved_json(months: Iterable[MovedMonth]) -> list[dict[str, Any]]:
    """The accounts of such months, for a program."""
    return [difference_json(item) for month in months for item in month.shown]


def exit_code(result: Result) -> int:
    """The exit code of the contract for what a run did."""
    return code_of(result.ending, result.submission)


def code_of(ending: Ending, submission: Submission | None) -> int:
    """The exit code of a run that ends so, with the submission of its period as it stands then."""
    if ending in (Ending.CHECKS_REFUSED, Ending.HELD):
        return ChecksRefused.exit_code
    if ending is Ending.NOTHING_TO_REPORT or submission is None:
        return 0
    return state_code(submission.state)


def state_code(state: State) -> int:
    """The exit code of whatever leaves a submission in this state."""
    return _CODES.get(state, 0)


def submission_json(context: Context, submission: Submission | None) -> dict[str, Any] | None:
    """A submission with its attempts and answers, for a program."""
    if submission is None:
        return None
    with context.engine.connect() as connection:
        tries = submissions.attempts_of(connection, submission.id)
        replies = answers.of_submission(connection, submission.id)
        rows = [row for reply in replies for row in answers.rows_of(connection, reply.id, _MOST_ROWS)]
    return {
        "id": submission.id, "report": submission.report, "period": submission.period,
        "state": submission.state.value, "file_name": submission.file_name,
        "archive": context.archive.root / submission.archive_path, "sha256": submission.sha256,
        "size_bytes": submission.size_bytes, "records": submission.record_count,
        "totals": dict(submission.totals), "prepared_at": submission.prepared_at,
        "superseded_by": submission.superseded_by,
        "attempts": [dict(row._mapping) for row in tries],
        "answers": [dict(row._mapping) for row in replies],
        "answer_rows": [dict(row._mapping) for row in rows],
    }  # fmt: skip


def due_in_words(deadline: datetime, now: datetime) -> str:
    """How much time is left, or how late it is."""
    due = deadline.astimezone(LJUBLJANA)
    left = deadline - now
    day = "today" if due.date() == now.astimezone(LJUBLJANA).date() else f"on {due:%-d %B %Y}"
    if left < timedelta():
        return f"It was due {day} at {due:%H:%M}, {_length(-left)} ago."
    return f"Due {day} {due:%H:%M}, {_length(left)} from now."


def _length(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    hours = minutes // 60
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"


def show_result(context: Context, result: Result) -> None:
    """Tells a person, on stdout."""
    name = f"{result.kind.code} for {result.period.spoken}"
    submission = result.submission
    match result.ending:
        case Ending.NOTHING_TO_REPORT:
            echo(f"{name}: nothing to report. {nothing_because(result.left_out)}; nothing was sent.")
            show_log(result.log)
        case Ending.CHECKS_REFUSED:
            echo(f"{name} was not sent.")
            show_log(result.log)
            echo(f"Nothing left this machine. {due_in_words(result.deadline, context.clock())}")
        case Ending.HELD if submission:
            _show_hold(context, result, submission, name)
        case Ending.NEEDS_CORRECTION if submission:
            echo(f"{name} was refused before (submission {submission.id}), and nothing has changed since.")
            _show_rows(context, submission)
            echo("Nothing was sent.")
            _show_way_out(context, submission, due_in_words(result.deadline, context.clock()))
        case Ending.ALREADY_REPORTED if submission:
            echo(
                f"{name} is {submission.state.label} already (submission {submission.id}). Nothing was sent."
            )
            if not result.kind.monthly:
                echo("What was recorded since then goes with the next day's report.")
            show_moved(moved(context, result.kind, result.period))
        case _ if submission:
            _show_submission(context, result, submission, name)


def nothing_because(left_out: LeftOut) -> str:
    """Why there is nothing to report, as the beginning of a sentence."""
    return "What has changed is left out of it" if left_out.has_news else "No obligation has changed"


def _show_hold(context: Context, result: Result, submission: Submission, name: str) -> None:
    number = submission.id
    echo(f"{name} was not sent: {submission.held_because} (submission {number}).")
    echo("It waits for a person's release. Nothing left this machine.")
    show_log(result.log)
    echo(f"Do: look at it with `ajpes-reporting show {number}`; if it is right, let it go with")
    echo(f"  ajpes-reporting release {number} --reason …")
    if is_doubt(submission.held_because):
        echo("If AJPES has a report for that period already, say so instead with")
        echo(f"  ajpes-reporting resolve {number} --as delivered --reason …")
    echo(due_in_words(result.deadline, context.clock()))


def _show_submission(context: Context, result: Result, submission: Submission, name: str) -> None:
    number = submission.id
    size = f"{counted(submission.record_count, result.kind.record_noun)}, {submission.size_bytes:,} bytes"
    if submission.state.is_accepted:
        echo(f"{name} was {submission.state.label} ({size}, submission {number}).")
    elif submission.state is State.REFUSED:
        echo(f"{name} was refused by AJPES (submission {number}).")
    elif submission.state is State.DELIVERED:
        echo(f"{name} was delivered ({size}, submission {number}) and awaits its answer.")
        echo("Do: nothing now; `ajpes-reporting collect` fetches the answer when it has come.")
    elif submission.state is State.UNREACHABLE:
        echo(f"{name} was not delivered (submission {number}).")
    else:
        echo(f"It is not known whether {name} arrived (submission {number}).")
    _show_attempts(context, submission)
    _show_rows(context, submission)
    show_log(result.log)
    _show_what_to_do(context, result, submission)


def _show_what_to_do(context: Context, result: Result, submission: Submission) -> None:
    number = submission.id
    due = due_in_words(result.deadline, context.clock())
    if submission.state is State.REFUSED:
        echo("AJPES took nothing of it; everything in it is still to be reported.")
        _show_way_out(context, submission, due)
    elif submission.state is State.UNREACHABLE:
        echo(f"Nothing arrived at AJPES. Do: mend what is named above, then run again. {due}")
    elif submission.state in (State.UNKNOWN, State.SENDING):
        with context.engine.connect() as connection:
            has_come_back = answers.has_come_back(connection, number)
        if has_come_back:
            echo(f"See what came back with `ajpes-reporting show {number} --reply`.")
        echo("It is not sent again before this is settled. Do: ask AJPES whether they hold the report, then")
        echo(f"  ajpes-reporting resolve {number} --as delivered|never-arrived --reason …")
        echo(due)
    echo(f"  file: {context.archive.root / submission.archive_path}")


def _show_way_out(context: Context, submission: Submission, due: str) -> None:
    """What mends a refusal: the ledger, if records were refused; the settings, if the message was."""
    with context.engine.connect() as connection:
        replies = answers.of_submission(connection, submission.id)
        has_answer = any(reply.status == answers.APPLIED for reply in replies)
        way = submissions.attempts_of(connection, submission.id)[-1].via
    if has_answer:
        echo(f"Do: correct the ledger, then `ajpes-reporting resubmit {submission.id}`. {due}")
        return
    echo("The message as a whole was refused, not a record in it.")
    again = f"ajpes-reporting resubmit {submission.id} --same"
    echo(f"Do: mend what the reason names in [{way}], if anything; then `{again}`. {due}")


def _show_attempts(context: Context, submission: Submission) -> None:
    with context.engine.connect() as connection:
        tries = submissions.attempts_of(connection, submission.id)
    for attempt in tries:
        detail = f": {attempt.detail}" if attempt.detail else ""
        outcome = attempt.outcome or "cut off"
        echo(f"  {local_time(attempt.started_at)} by {attempt.via}, {outcome}{detail}")


def _show_rows(context: Context, submission: Submission) -> None:
    with context.engine.connect() as connection:
        for reply in answers.of_submission(connection, submission.id):
            if reply.note and reply.status != answers.DISCARDED:
                echo(f"  the answer: {reply.note}")
            for row in answers.rows_of(connection, reply.id, _MOST_ROWS):
                code = f" {row.code}" if row.code else ""
                echo(f"  AJPES, {row.severity}{code}: {_record_of(row)}{row.text}")
            more = (reply.error_rows or 0) + (reply.warning_rows or 0) - _MOST_ROWS
            if more > 0:
                echo(f"  … and {more} more; `ajpes-reporting show {submission.id} --answers` lists them all")


def _record_of(row: Any) -> str:
    if row.obligation_id:
        return f"{row.obligation_id} / event {row.event_id}: " if row.event_id else f"{row.obligation_id}: "
    return f"account {row.account}: " if row.account else ""
