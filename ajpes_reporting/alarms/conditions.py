"""What is wrong with the reports now, as the journal tells it.

Everything here is read from the database, and from the archive's log of what was sent where there is one,
so `status` can look at it at any moment.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ajpes_reporting.alarms.alarm import Alarm, Severity
from ajpes_reporting.database.reported import excluded_since
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.domain.findings import Severity as FindingSeverity
from ajpes_reporting.domain.rules import CLOCK_TOLERANCE
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, chores, due, orphans, submissions
from ajpes_reporting.ledger.reported import moved_months
from ajpes_reporting.reports import registry as reports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from ajpes_reporting.config import AlarmsSection
    from ajpes_reporting.domain.money import Amounts
    from ajpes_reporting.journal.sent_log import SentLog
    from ajpes_reporting.journal.submissions import Submission

AUDIT_CHORE = "audit record"
"""The chore that checks the record; its note says what was wrong, and is empty if nothing was."""

TELLING_CHORE = "telling by {channel}"
"""Its note says why a channel fails, since the time that stands with it; empty if it works."""

CHANNELS = ("mail", "webhook")

_MANY_TRIES = 5
_ASIDE_IS_NEWS_FOR = timedelta(days=3)
_MOST_ASIDE = 20
_DETOUR_IS_NEWS_FOR = timedelta(days=3)
_LATEST = 10
_CHANNEL_MAY_FAIL_FOR = timedelta(minutes=15)
_NOT_THROUGH = frozenset({State.PREPARED, State.SENDING, State.UNREACHABLE})


def conditions(
    connection: Connection,
    provider: str,
    settings: AlarmsSection,
    now: datetime,
    sent_log: SentLog | None = None,
    amounts: Amounts = "euros",
) -> Iterator[Alarm]:
    """Everything that is wrong now with the reports of a provider and with their record.

    `amounts` says how the monthly report gives figures.
    """
    for row in due.open_periods(connection, provider, quiet_until=now):
        latest = submissions.latest(connection, provider, row.report, row.period)
        if not _is_settled(row, latest):
            yield from _deadline(row, latest, settings, now)
            yield from _not_sent(connection, row, latest)
    yield from _sent(connection, provider, settings, now)
    yield from _detours(connection, provider, now)
    yield from _ahead(connection, provider, now)
    yield from _kept_out(connection, provider)
    yield from _set_aside(connection, provider, now)
    yield from _moved(connection, provider, amounts)
    yield from _record(connection, provider)
    yield from _channels(connection, provider, now)
    if sent_log is not None:
        with suppress(AjpesReportingError):  # whoever asks need not be able to read the archive
            yield from [*_orphans(connection, provider, sent_log), *_former(connection, provider, sent_log)]


def _is_settled(row: Row[Any] | None, latest: Submission | None) -> bool:
    """A day that was quiet is open again if something was prepared for it after that."""
    if row is None or row.settled_at is None:
        return False
    return latest is None or latest.prepared_at <= row.settled_at


def _deadline(
    row: Row[Any], latest: Submission | None, settings: AlarmsSection, now: datetime
) -> Iterator[Alarm]:
    if now < row.deadline - timedelta(minutes=settings.before_deadline_minutes):
        return
    is_late = now >= row.deadline
    standing = latest.state.label if latest else "not sent yet"
    when = f"{row.deadline.astimezone(LJUBLJANA):%Y-%m-%d %H:%M}"
    due_at = f"{'was' if is_late else 'is'} due {when}"
    yield Alarm(
        f"deadline {row.report} {row.period}",
        Severity.CRITICAL if is_late else Severity.WARNING,
        f"{row.report} for {row.period} {due_at} and is not accepted: {standing}.",
        f"see `ajpes-reporting status`{f' and `show {latest.id}`' if latest else ''}",
    )


def _not_sent(connection: Connection, row: Row[Any], latest: Submission | None) -> Iterator[Alarm]:
    """What keeps a report from leaving: our own checks, a person's release, or the network."""
    name = f"{row.report} {row.period}"
    if latest is not None and latest.state not in _NOT_THROUGH:
        return
    if latest is not None and latest.state is State.PREPARED and _has_errors(connection, latest):
        text = f"{row.report} for {row.period} was not sent: our own checks refused it."
        remedy = f"see `ajpes-reporting show {latest.id}`, correct the ledger"
        yield Alarm(f"checks {name}", Severity.CRITICAL, text, remedy)
    elif latest is not None and latest.state is State.PREPARED and latest.is_held:
        text = f"{row.report} for {row.period} is held for release: {latest.held_because}."
        way_out = f"`ajpes-reporting release {latest.id} --reason …`"
        remedy = f"if `ajpes-reporting show {latest.id}` is right, {way_out}"
        yield Alarm(f"held {name}", Severity.CRITICAL, text, remedy)
    elif row.tries >= _MANY_TRIES:
        text = f"{row.report} for {row.period} does not get through; it was tried {row.tries} times."
        remedy = "see `ajpes-reporting status` and `ajpes-reporting doctor`"
        yield Alarm(f"tries {name}", Severity.WARNING, text, remedy)


def _has_errors(connection: Connection, submission: Submission) -> bool:
    found = submissions.findings_of(connection, submission.id)
    return any(row.severity == FindingSeverity.ERROR for row in found)


def _sent(connection: Connection, provider: str, settings: AlarmsSection, now: datetime) -> Iterator[Alarm]:
    states = frozenset({State.REFUSED, State.UNKNOWN, State.DELIVERED})
    for item in submissions.in_states(connection, provider, states):
        if item.state is State.REFUSED:
            row = due.find(connection, provider, item.report, item.period)
            if not _is_settled(row, item):
                yield _refused(connection, item)
        elif item.state is State.UNKNOWN:
            yield _unknown(item, has_reply=answers.has_come_back(connection, item.id))
        elif now - _sent_at(connection, item) > timedelta(hours=settings.answer_after_hours):
            yield _unanswered(item)


def _refused(connection: Connection, item: Submission) -> Alarm:
    """Without an answer the message as a whole was turned away, not a record in it."""
    text = f"AJPES refused {item.report} for {item.period} (submission {item.id})."
    again = f"`ajpes-reporting resubmit {item.id}`"
    mend = f"correct the ledger, then {again}"
    if not answers.of_submission(connection, item.id):
        way = submissions.attempts_of(connection, item.id)[-1].via
        mend = f"mend [{way}], then {again[:-1]} --same`"
    remedy = f"see `ajpes-reporting show {item.id}`, {mend}"
    return Alarm(_key("refused", item), Severity.CRITICAL, text, remedy)


def _unknown(item: Submission, *, has_reply: bool) -> Alarm:
    text = f"It is not known whether {item.report} for {item.period} arrived (submission {item.id})."
    look = f"`ajpes-reporting show {item.id} --reply` shows what came back; " if has_reply else ""
    remedy = (
        f"{look}ask AJPES, then `ajpes-reporting resolve {item.id} --as delivered|never-arrived --reason …`; "
        "do not send it by hand"
    )
    return Alarm(_key("unknown", item), Severity.CRITICAL, text, remedy)


def _unanswered(item: Submission) -> Alarm:
    text = f"{item.report} for {item.period} was delivered (submission {item.id}), and no answer has come."
    remedy = "ask AJPES for the answer; one that came by e-mail goes in with `ajpes-reporting collect FILE`"
    return Alarm(_key("answer", item), Severity.WARNING, text, remedy)


def _key(kind: str, item: Submission) -> str:
    """With its number: a report that is refused a second time is told a second time."""
    return f"{kind} {item.report} {item.period} no. {item.id}"


def _sent_at(connection: Connection, item: Submission) -> datetime:
    tries = submissions.attempts_of(connection, item.id)
    return max((row.finished_at or row.started_at for row in tries), default=item.prepared_at)


def _detours(connection: Connection, provider: str, now: datetime) -> Iterator[Alarm]:
    """Reports that went by their second way: that they arrive must not hide that the first one is closed."""
    seen = set()
    for item in submissions.recent(connection, provider, _LATEST):
        tries = submissions.attempts_of(connection, item.id)
        if not tries or item.report in seen:
            continue
        seen.add(item.report)
        closed, last = tries[-2:][0], tries[-1]
        is_news = (last.finished_at or last.started_at) > now - _DETOUR_IS_NEWS_FOR
        if closed.via == tries[0].via != last.via and closed.outcome == "unreachable" and is_news:
            if last.outcome == "unreachable":
                text = f"{item.report} for {item.period} went neither by {closed.via} nor by {last.via}"
                why = f"{closed.via}: {closed.detail} {last.via}: {last.detail}"
            else:
                text = f"{item.report} for {item.period} had to go by {last.via}; {closed.via} is closed"
                why = closed.detail
            remedy = f"mend the way by {closed.via}; see `ajpes-reporting doctor`"
            yield Alarm(f"detour {item.report}", Severity.WARNING, f"{text}: {why}", remedy)


def _ahead(connection: Connection, provider: str, now: datetime) -> Iterator[Alarm]:
    """An event that was recorded in the future is in no report, and later ones go without it."""
    for kind in reports.KINDS:
        left_out = kind.left_out and kind.left_out(connection, provider, now + CLOCK_TOLERANCE, now)
        if left_out and left_out.held_back:
            for note in replace(left_out, excluded=()).notes():
                text = f"{kind.code}: {note.message}."
                yield Alarm(f"ahead {kind.code}", Severity.WARNING, text, note.remedy)


def _kept_out(connection: Connection, provider: str) -> Iterator[Alarm]:
    """Whoever keeps an obligation out is reminded of it until it is let in again."""
    for obligation, since in excluded_since(connection, provider):
        when = f"{since.astimezone(LJUBLJANA):%Y-%m-%d %H:%M}"
        text = f"Obligation {obligation} has been kept out of reports since {when}, by a person's decision."
        remedy = f"when it may go again, `ajpes-reporting ledger include {shlex.quote(obligation)}`"
        yield Alarm(f"excluded {obligation}", Severity.WARNING, text, remedy)


def _set_aside(connection: Connection, provider: str, now: datetime) -> Iterator[Alarm]:
    """A person discards it; one that nobody cares for stands in `status` only, after some days."""
    for row in answers.set_aside_answers(connection, provider, _MOST_ASIDE):
        if row.received_at > now - _ASIDE_IS_NEWS_FOR:
            text = f"Answer {row.id} from AJPES was kept and not applied: it is {row.status}."
            remedy = (
                "see `ajpes-reporting answers list` for the reason, then ask AJPES what it belongs to; "
                f"`ajpes-reporting answers assign {row.id} SUBMISSION --reason …` applies it, "
                f"`ajpes-reporting answers discard {row.id} --reason …` puts it away"
            )
            yield Alarm(f"aside {row.id}", Severity.WARNING, text, remedy)


def _moved(connection: Connection, provider: str, amounts: Amounts) -> Iterator[Alarm]:
    """Months that were accepted with other figures than the ledger has now."""
    for month in moved_months(connection, provider, amounts, most=0):
        accounts = "1 account has" if month.count == 1 else f"{month.count:,} accounts have"
        text = (
            f"{accounts} other figures now than AJPES accepted with SPAPP for {month.month} "
            f"(submission {month.submission})."
        )
        again = f"`ajpes-reporting resubmit {month.submission}`"
        remedy = f"see `ajpes-reporting status`; if the month is to be sent again, {again}"
        yield Alarm(f"moved SPAPP {month.month}", Severity.WARNING, text, remedy)


def _record(connection: Connection, provider: str) -> Iterator[Alarm]:
    if problem := chores.note(connection, provider, AUDIT_CHORE):
        text = f"The audit record is not whole: {problem}."
        remedy = "leave everything as it is, `ajpes-reporting audit verify`, and tell your auditor"
        yield Alarm("audit", Severity.CRITICAL, text, remedy)


def _channels(connection: Connection, provider: str, now: datetime) -> Iterator[Alarm]:
    for channel in CHANNELS:
        name = TELLING_CHORE.format(channel=channel)
        problem = chores.note(connection, provider, name)
        since = chores.last_done(connection, provider, name)
        if problem and since is not None and now - since >= _CHANNEL_MAY_FAIL_FOR:
            remedy = f"correct [{channel}], and try it with `ajpes-reporting doctor --test-alarm`"
            yield Alarm(f"channel {channel}", Severity.WARNING, f"Alarms are not told: {problem}", remedy)


def _orphans(connection: Connection, provider: str, log: SentLog) -> Iterator[Alarm]:
    """The database was put back to before reports that have left; one alarm for each period."""
    found = {(item.report, item.period): item for item in orphans.open_orphans(connection, provider, log)}
    for (report, period), orphan in found.items():
        text = f"The journal does not know that {report} for {period} was sent: {orphan.words}."
        remedy = (
            "the database was put back to an older state: import again what is missing, ask AJPES what they "
            "have; the report for that period is held until you decide, see `ajpes-reporting status`"
        )
        yield Alarm(f"orphan {report} {period}", Severity.CRITICAL, text, remedy)


def _former(connection: Connection, provider: str, log: SentLog) -> Iterator[Alarm]:
    """The workspace's registration number was changed while something was unknown."""
    for row in orphans.unsettled_before(connection, provider, log):
        text = (
            f"This workspace was of provider {row.provider} before, whose {row.report} for {row.period} "
            f"(submission {row.id}) is {State(row.state).label}."
        )
        remedy = f'write registration_number = "{row.provider}" into ajpes.toml again, and settle it first'
        yield Alarm(f"former {row.report} {row.period} no. {row.id}", Severity.CRITICAL, text, remedy)
