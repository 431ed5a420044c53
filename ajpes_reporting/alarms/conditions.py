"""The present problems of the reports, as the journal shows them.

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
from ajpes_reporting.domain.answers import status_label
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.domain.findings import Severity as FindingSeverity
from ajpes_reporting.domain.rules import CLOCK_TOLERANCE
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import _, _n
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
    """Yields the present problems of a provider's reports and of their record.

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
    about = {
        "report": row.report,
        "period": row.period,
        "deadline": row.deadline,
        "state": latest.state.label if latest else _("not sent yet"),
    }
    if is_late:
        text = _(
            "{report} for {period:period} was due {deadline:moment} and is not accepted: {state}.", **about
        )
    else:
        text = _(
            "{report} for {period:period} is due {deadline:moment} and is not accepted: {state}.", **about
        )
    if latest:
        remedy = _("see `ajpes-reporting status` and `show {submission}`", submission=latest.id)
    else:
        remedy = _("see `ajpes-reporting status`")
    severity = Severity.CRITICAL if is_late else Severity.WARNING
    yield Alarm(f"deadline {row.report} {row.period}", severity, text, remedy)


def _not_sent(connection: Connection, row: Row[Any], latest: Submission | None) -> Iterator[Alarm]:
    """Yields reports that cannot leave: because of our own checks, a person's release, or the network."""
    name = f"{row.report} {row.period}"
    about = {"report": row.report, "period": row.period}
    if latest is not None and latest.state not in _NOT_THROUGH:
        return
    if latest is not None and latest.state is State.PREPARED and _has_errors(connection, latest):
        text = _("{report} for {period:period} was not sent: our own checks refused it.", **about)
        remedy = _("see `ajpes-reporting show {submission}`, correct the ledger", submission=latest.id)
        yield Alarm(f"checks {name}", Severity.CRITICAL, text, remedy)
    elif latest is not None and latest.state is State.PREPARED and latest.is_held:
        text = _(
            "{report} for {period:period} is held for release: {reason}.", **about, reason=latest.held_because
        )
        remedy = _(
            "if `ajpes-reporting show {submission}` is right, "
            "`ajpes-reporting release {submission} --reason …`",
            submission=latest.id,
        )
        yield Alarm(f"held {name}", Severity.CRITICAL, text, remedy)
    elif row.tries >= _MANY_TRIES:
        text = _n(
            "{report} for {period:period} does not get through; it was tried {count} time.",
            "{report} for {period:period} does not get through; it was tried {count} times.",
            row.tries,
            **about,
        )
        remedy = _("see `ajpes-reporting status` and `ajpes-reporting doctor`")
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
    text = _("AJPES refused {report} for {period:period} (submission {submission}).", **_about(item))
    if answers.of_submission(connection, item.id):
        remedy = _(
            "see `ajpes-reporting show {submission}`, correct the ledger, "
            "then `ajpes-reporting resubmit {submission}`",
            submission=item.id,
        )
    else:
        remedy = _(
            "see `ajpes-reporting show {submission}`, correct [{way}], "
            "then `ajpes-reporting resubmit {submission} --same`",
            submission=item.id,
            way=submissions.attempts_of(connection, item.id)[-1].via,
        )
    return Alarm(_key("refused", item), Severity.CRITICAL, text, remedy)


def _unknown(item: Submission, *, has_reply: bool) -> Alarm:
    text = _(
        "It is not known whether {report} for {period:period} arrived (submission {submission}).",
        **_about(item),
    )
    if has_reply:
        remedy = _(
            "`ajpes-reporting show {submission} --reply` shows what came back; ask AJPES, then "
            "`ajpes-reporting resolve {submission} --as delivered|never-arrived --reason …`; "
            "do not send it by hand",
            submission=item.id,
        )
    else:
        remedy = _(
            "ask AJPES, then `ajpes-reporting resolve {submission} --as delivered|never-arrived --reason …`; "
            "do not send it by hand",
            submission=item.id,
        )
    return Alarm(_key("unknown", item), Severity.CRITICAL, text, remedy)


def _unanswered(item: Submission) -> Alarm:
    text = _(
        "{report} for {period:period} was delivered (submission {submission}), and no answer has come.",
        **_about(item),
    )
    remedy = _(
        "ask AJPES for the answer; one that came by e-mail goes in with `ajpes-reporting collect FILE`"
    )
    return Alarm(_key("answer", item), Severity.WARNING, text, remedy)


def _key(kind: str, item: Submission) -> str:
    """With its number: a report that is refused a second time is told a second time."""
    return f"{kind} {item.report} {item.period} no. {item.id}"


def _about(item: Submission) -> dict[str, Any]:
    return {"report": item.report, "period": item.period, "submission": item.id}


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
            about = {**_about(item), "first": closed.via, "second": last.via, "reason": closed.detail}
            if last.outcome == "unreachable":
                text = _(
                    "{report} for {period:period} went neither by {first:way} nor by {second:way}."
                    " {first:way}: {reason} {second:way}: {other_reason}",
                    **about,
                    other_reason=last.detail,
                )
            else:
                text = _(
                    "{report} for {period:period} had to go by {second:way}; {first:way} is closed: {reason}",
                    **about,
                )
            remedy = _("open the way by {first:way} again; see `ajpes-reporting doctor`", first=closed.via)
            yield Alarm(f"detour {item.report}", Severity.WARNING, text, remedy)


def _ahead(connection: Connection, provider: str, now: datetime) -> Iterator[Alarm]:
    """An event that was recorded in the future is in no report, and later ones go without it."""
    for kind in reports.KINDS:
        left_out = kind.left_out and kind.left_out(connection, provider, now + CLOCK_TOLERANCE, now)
        if left_out and left_out.held_back:
            for note in replace(left_out, excluded=()).notes():
                text = _("{report}: {message}.", report=kind.code, message=note.message)
                yield Alarm(f"ahead {kind.code}", Severity.WARNING, text, note.remedy)


def _kept_out(connection: Connection, provider: str) -> Iterator[Alarm]:
    """Yields obligations that a person keeps out, as a reminder until they are let in again."""
    for obligation, since in excluded_since(connection, provider):
        text = _(
            "Obligation {obligation} has been kept out of reports since {since:moment}, "
            "by a person's decision.",
            obligation=obligation,
            since=since,
        )
        remedy = _(
            "when it may go again, `ajpes-reporting ledger include {obligation}`",
            obligation=shlex.quote(obligation),
        )
        yield Alarm(f"excluded {obligation}", Severity.WARNING, text, remedy)


def _set_aside(connection: Connection, provider: str, now: datetime) -> Iterator[Alarm]:
    """A person discards it; one that nobody cares for stands in `status` only, after some days."""
    for row in answers.set_aside_answers(connection, provider, _MOST_ASIDE):
        if row.received_at > now - _ASIDE_IS_NEWS_FOR:
            text = _(
                "Answer {answer} from AJPES was kept and not applied: it is {status}.",
                answer=row.id,
                status=status_label(row.status),
            )
            remedy = _(
                "see `ajpes-reporting answers list` for the reason, then ask AJPES what it belongs to; "
                "`ajpes-reporting answers assign {answer} SUBMISSION --reason …` applies it, "
                "`ajpes-reporting answers discard {answer} --reason …` puts it away",
                answer=row.id,
            )
            yield Alarm(f"aside {row.id}", Severity.WARNING, text, remedy)


def _moved(connection: Connection, provider: str, amounts: Amounts) -> Iterator[Alarm]:
    """Months that were accepted with other figures than the ledger has now."""
    for month in moved_months(connection, provider, amounts, most=0):
        about = {"month": month.month, "submission": month.submission}
        text = _n(
            "{count} account has other figures now than AJPES accepted with SPAPP for {month:period} "
            "(submission {submission}).",
            "{count:count} accounts have other figures now than AJPES accepted with SPAPP for {month:period} "
            "(submission {submission}).",
            month.count,
            **about,
        )
        remedy = _(
            "see `ajpes-reporting status`; if the month is to be sent again, "
            "`ajpes-reporting resubmit {submission}`",
            submission=month.submission,
        )
        yield Alarm(f"moved SPAPP {month.month}", Severity.WARNING, text, remedy)


def _record(connection: Connection, provider: str) -> Iterator[Alarm]:
    if problem := chores.note(connection, provider, AUDIT_CHORE):
        text = _("The audit record is not whole: {problem}.", problem=problem)
        remedy = _("leave everything as it is, `ajpes-reporting audit verify`, and tell your auditor")
        yield Alarm("audit", Severity.CRITICAL, text, remedy)


def _channels(connection: Connection, provider: str, now: datetime) -> Iterator[Alarm]:
    for channel in CHANNELS:
        name = TELLING_CHORE.format(channel=channel)
        problem = chores.note(connection, provider, name)
        since = chores.last_done(connection, provider, name)
        if problem and since is not None and now - since >= _CHANNEL_MAY_FAIL_FOR:
            text = _("Alarms are not told: {problem}", problem=problem)
            remedy = _(
                "correct [{channel}], and try it with `ajpes-reporting doctor --test-alarm`", channel=channel
            )
            yield Alarm(f"channel {channel}", Severity.WARNING, text, remedy)


def _orphans(connection: Connection, provider: str, log: SentLog) -> Iterator[Alarm]:
    """The database was put back to before reports that have left; one alarm for each period."""
    found = {(item.report, item.period): item for item in orphans.open_orphans(connection, provider, log)}
    for (report, period), orphan in found.items():
        text = _(
            "The journal does not know that {report} for {period:period} was sent: {trace}.",
            report=report,
            period=period,
            trace=orphan.words,
        )
        remedy = _(
            "the database was put back to an older state: import again what is missing, ask AJPES what they "
            "have; the report for that period is held until you decide, see `ajpes-reporting status`"
        )
        yield Alarm(f"orphan {report} {period}", Severity.CRITICAL, text, remedy)


def _former(connection: Connection, provider: str, log: SentLog) -> Iterator[Alarm]:
    """The workspace's registration number was changed while something was unknown."""
    for row in orphans.unresolved_before(connection, provider, log):
        text = _(
            "This workspace was of provider {provider} before, whose {report} for {period:period} "
            "(submission {submission}) is {state}.",
            provider=row.provider,
            report=row.report,
            period=row.period,
            submission=row.id,
            state=State(row.state).label,
        )
        remedy = _(
            'write registration_number = "{provider}" into ajpes.toml again, and settle it first',
            provider=row.provider,
        )
        yield Alarm(f"former {row.report} {row.period} no. {row.id}", Severity.CRITICAL, text, remedy)
