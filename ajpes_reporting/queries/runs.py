"""The outcome of a run, or of one to come: what happened, what to do, the time left, the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import ChecksRefused, NotDelivered, OutcomeUnknown, RefusedByAuthority
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.journal.orphans import is_doubt
from ajpes_reporting.ledger.reported import moved_months
from ajpes_reporting.pipeline.build import Built
from ajpes_reporting.pipeline.release_gate import Ending
from ajpes_reporting.queries.document import untold
from ajpes_reporting.queries.findings import Found, found_in
from ajpes_reporting.queries.submissions import submission_details
from ajpes_reporting.queries.words import due_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.ledger.reported import Difference, MovedMonth
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.pipeline.foresee import Foreseen
    from ajpes_reporting.pipeline.run import Result
    from ajpes_reporting.queries.submissions import SubmissionDetails
    from ajpes_reporting.reports.kind import ReportKind
    from ajpes_reporting.reports.left_out import LeftOut

_CODES = {
    State.REFUSED: RefusedByAuthority.exit_code,
    State.UNREACHABLE: NotDelivered.exit_code,
    State.UNKNOWN: OutcomeUnknown.exit_code,
    State.SENDING: OutcomeUnknown.exit_code,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport(Found):
    """The outcome of a run.

    `message` says what happened, `remarks` what else is to be known, `to_do` what a person does next, and
    `due` how much time is left for that. `moved` are the first accounts of an accepted month that have other
    figures by now.
    """

    report: str
    period: str
    ending: Ending
    message: Message
    remarks: tuple[Message, ...]
    to_do: tuple[Message, ...]
    deadline: datetime
    due: Message
    submission: SubmissionDetails | None
    moved: tuple[Difference, ...]
    left_out: LeftOut
    exit_code: int
    moved_months: tuple[MovedMonth, ...] = untold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight(Found):
    """The file that `build` made, and how a run would end: `message` and `remarks` say so.

    Nothing is built where the period is closed; then there are no records, and nothing is left out.
    """

    report: str
    period: str
    file: Path | None
    message: Message
    remarks: tuple[Message, ...]
    records: int | None
    totals: Mapping[str, str] | None
    left_out: LeftOut | None
    ending: Ending
    held_because: str | None
    submission: int | None
    exit_code: int
    run_exit_code: int
    moved: tuple[Difference, ...]
    moved_months: tuple[MovedMonth, ...] = untold()


def run_report(context: Context, result: Result) -> RunReport:
    """Returns what a run did, as the journal tells it now."""
    told = result.submission
    with context.engine.connect() as connection:
        details = submission_details(connection, context, told) if told else None
        message, remarks, to_do = _told_of(connection, result)
        moved = _moved(connection, context, result.kind, result.period)
    return RunReport(
        report=result.kind.code,
        period=result.period.key,
        ending=result.ending,
        message=message,
        remarks=remarks,
        to_do=to_do,
        deadline=result.deadline,
        due=due_in_words(result.deadline, context.clock()),
        submission=details,
        moved=_first(moved),
        left_out=result.left_out,
        exit_code=exit_code(result),
        **found_in(result.log),
        moved_months=moved,
    )


def foresight(
    context: Context, seen: Foreseen, kind: ReportKind, period: Period, file: Path | None
) -> Foresight:
    """Returns what was built into `file`, and how a run would end."""
    built = seen.built
    with context.engine.connect() as connection:
        moved = _moved(connection, context, kind, period)
    remarks = _how_it_would_end(seen, kind, period, context.clock().astimezone(LJUBLJANA).date())
    latest = seen.submission
    if isinstance(built, Built) and latest and latest.content_sha256 == built.content_sha256:
        repeats = _("The content is that of submission {number}, unchanged.", number=latest.id)
        remarks = (repeats, *remarks)
    return Foresight(
        report=kind.code,
        period=period.key,
        file=file,
        message=_what_was_built(seen, kind, period, file),
        remarks=remarks,
        records=built.record_count if isinstance(built, Built) else None,
        totals=built.totals if isinstance(built, Built) else None,
        left_out=built.left_out if built else None,
        ending=seen.ending,
        held_because=seen.because or None,
        submission=seen.submission.id if seen.submission else None,
        exit_code=ChecksRefused.exit_code if built and built.log.error_count else 0,
        run_exit_code=code_of(seen.ending, seen.submission),
        moved=_first(moved),
        **(found_in(built.log) if built else {}),
        moved_months=moved,
    )


def exit_code(result: Result) -> int:
    """Returns the exit code of the contract for what a run did."""
    return code_of(result.ending, result.submission)


def code_of(ending: Ending, submission: Submission | None) -> int:
    """Returns the exit code of a run that ends so, with the submission of its period as it stands then."""
    if ending in (Ending.CHECKS_REFUSED, Ending.HELD):
        return ChecksRefused.exit_code
    if ending is Ending.NOTHING_TO_REPORT or submission is None:
        return 0
    return state_code(submission.state)


def state_code(state: State) -> int:
    """Returns the exit code of whatever leaves a submission in this state."""
    return _CODES.get(state, 0)


_Told = tuple[Message, tuple[Message, ...], tuple[Message, ...]]
"""Message, remarks, and what to do."""


def _told_of(connection: Connection, result: Result) -> _Told:
    submission = result.submission
    name = {"report": result.kind.code, "period": result.period.spoken}
    if result.ending is Ending.NOTHING_TO_REPORT or submission is None:
        return _nothing(result, name), (), ()
    number = submission.id
    match result.ending:
        case Ending.CHECKS_REFUSED:
            return _("{report} for {period} was not sent.", **name), (_("Nothing left this machine."),), ()
        case Ending.HELD:
            return _held(submission, name)
        case Ending.NEEDS_CORRECTION:
            message = _(
                "{report} for {period} was refused before (submission {number}),"
                " and nothing has changed since.",
                **name,
                number=number,
            )
            remarks, to_do = _way_out(connection, submission)
            return message, (_("Nothing was sent."), *remarks), to_do
        case Ending.ALREADY_REPORTED:
            return _already_reported(result, submission, name), (), ()
    return _attempted(connection, result, submission, name)


def _nothing(result: Result, name: Mapping[str, Any]) -> Message:
    if result.left_out.has_news:
        return _(
            "{report} for {period}: nothing to report. What has changed is left out of it; nothing was sent.",
            **name,
        )
    return _("{report} for {period}: nothing to report. No obligation has changed; nothing was sent.", **name)


def _held(submission: Submission, name: Mapping[str, Any]) -> _Told:
    number = submission.id
    message = _(
        "{report} for {period} was not sent: {because} (submission {number}).",
        **name,
        because=submission.held_because,
        number=number,
    )
    remarks = (_("The report waits for a person's release. Nothing left this machine."),)
    release = _(
        "look at it with `ajpes-reporting show {number}`; if it is right, let it go with"
        " `ajpes-reporting release {number} --reason …`",
        number=number,
    )
    if not is_doubt(submission.held_because):
        return message, remarks, (release,)
    has_it = _(
        "if AJPES has a report for that period already, say so instead with"
        " `ajpes-reporting resolve {number} --as delivered --reason …`",
        number=number,
    )
    return message, remarks, (release, has_it)


def _already_reported(result: Result, submission: Submission, name: Mapping[str, Any]) -> Message:
    facts = {**name, "number": submission.id}
    if result.kind.reports_months:
        return _(
            "{report} for {period} is accepted already (submission {number}). Nothing was sent.", **facts
        )
    return _(
        "{report} for {period} is accepted already (submission {number}). Nothing was sent;"
        " what was recorded since then goes with the next day's report.",
        **facts,
    )


def _attempted(
    connection: Connection, result: Result, submission: Submission, name: Mapping[str, Any]
) -> _Told:
    number = submission.id
    facts = {
        **name,
        "number": number,
        "records": result.kind.counted_records(submission.record_count),
        "size": submission.size_bytes,
    }
    match submission.state:
        case State.ACCEPTED:
            message = _(
                "{report} for {period} was accepted ({records}, {size:count} bytes, submission {number}).",
                **facts,
            )
            return message, (), ()
        case State.ACCEPTED_WITH_WARNINGS:
            message = _(
                "{report} for {period} was accepted with warnings"
                " ({records}, {size:count} bytes, submission {number}).",
                **facts,
            )
            return message, (), ()
        case State.DELIVERED:
            message = _(
                "{report} for {period} was delivered ({records}, {size:count} bytes, submission {number})"
                " and awaits its answer.",
                **facts,
            )
            return (
                message,
                (),
                (_("nothing now; `ajpes-reporting collect` fetches the answer when it has come"),),
            )
        case State.REFUSED:
            message = _(
                "{report} for {period} was refused by AJPES (submission {number}).", **name, number=number
            )
            remarks, to_do = _way_out(connection, submission)
            nothing_taken = _("AJPES took nothing of it; everything in it is still to be reported.")
            return message, (nothing_taken, *remarks), to_do
        case State.UNREACHABLE:
            message = _(
                "{report} for {period} was not delivered (submission {number}).", **name, number=number
            )
            to_do = (_("put right what is named above, then run again"),)
            return message, (_("Nothing arrived at AJPES."),), to_do
    message = _(
        "It is not known whether {report} for {period} arrived (submission {number}).", **name, number=number
    )
    see = _("see what came back with `ajpes-reporting show {number} --reply`", number=number)
    ask = _(
        "ask AJPES whether they hold the report, then"
        " `ajpes-reporting resolve {number} --as delivered|never-arrived --reason …`",
        number=number,
    )
    to_do = (see, ask) if answers.has_come_back(connection, number) else (ask,)
    return message, (_("The report is not sent again before this is settled."),), to_do


def _way_out(
    connection: Connection, submission: Submission
) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """Returns what puts a refusal right: the ledger if records were refused, the settings otherwise."""
    replies = answers.of_submission(connection, submission.id)
    if any(reply.status == answers.APPLIED for reply in replies):
        correct = _("correct the ledger, then `ajpes-reporting resubmit {number}`", number=submission.id)
        return (), (correct,)
    way = submissions.attempts_of(connection, submission.id)[-1].via
    again = _(
        "put right what the reason names in [{way}], if anything;"
        " then `ajpes-reporting resubmit {number} --same`",
        way=way,
        number=submission.id,
    )
    return (_("The message as a whole was refused, not a record in it."),), (again,)


def _what_was_built(seen: Foreseen, kind: ReportKind, period: Period, file: Path | None) -> Message:
    name = {"report": kind.code, "period": period.spoken}
    if isinstance(seen.built, Built):
        records = kind.counted_records(seen.built.record_count)
        return _(
            "{file}: {report} for {period}, {records}. Nothing was sent.",
            file=str(file),
            **name,
            records=records,
        )
    if seen.built is None:
        return _("{report} for {period}: no file was written.", **name)
    if seen.built.left_out.has_news:
        return _(
            "{report} for {period}: nothing to report, no file was written."
            " What has changed is left out of it.",
            **name,
        )
    return _(
        "{report} for {period}: nothing to report, no file was written. No obligation has changed.", **name
    )


def _how_it_would_end(seen: Foreseen, kind: ReportKind, period: Period, today: date) -> tuple[Message, ...]:
    """Says what a run would do that the file does not show."""
    number = seen.submission.id if seen.submission else 0
    if today < period.first_day:
        return (_("A run would refuse the report for now: the period has not begun yet."),)
    if kind.reports_months and today <= period.last_day:
        return (_("A run would refuse the report for now: the period has not ended yet."),)
    anyway = () if seen.built else (_("With --anyway the file is written for a look."),)
    match seen.ending:
        case Ending.ALREADY_REPORTED:
            already = _(
                "The report is accepted already (submission {number}); a run would send nothing.",
                number=number,
            )
            return already, *anyway
        case Ending.AWAITS_ANSWER:
            awaits = _(
                "The report was delivered (submission {number}) and awaits its answer; "
                "a run would look for that and send nothing.",
                number=number,
            )
            return awaits, *anyway
        case Ending.MUST_BE_SETTLED:
            unknown = _(
                "It is not known whether the report arrived (submission {number}); "
                "a run would look for it, and send nothing before that is settled.",
                number=number,
            )
            return unknown, *anyway
        case Ending.NEEDS_CORRECTION:
            refused = _(
                "The report was refused before (submission {number}), and nothing has changed since; "
                "a run would send nothing. Do: see `ajpes-reporting show {number}`, and correct the ledger.",
                number=number,
            )
            return (refused,)
        case Ending.HELD:
            return (
                _("A run would hold the report for a person's release: {because}.", because=seen.because),
            )
        case Ending.CHECKS_REFUSED:
            return (_("A run would not send the report: our own checks refuse it."),)
    return ()


def _moved(
    connection: Connection, context: Context, kind: ReportKind, period: Period
) -> tuple[MovedMonth, ...]:
    """Returns the month, if AJPES accepted it with other figures than the ledger has now."""
    if not kind.reports_months:
        return ()
    found = moved_months(connection, context.provider, context.report_settings[kind.code].amounts)
    return tuple(month for month in found if month.month == period.key)


def _first(months: tuple[MovedMonth, ...]) -> tuple[Difference, ...]:
    return tuple(item for month in months for item in month.shown)
