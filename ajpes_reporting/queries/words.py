"""Words that every face uses: deadlines, severities, records, what may be left out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.domain.columns import FIELDS
from ajpes_reporting.domain.money import parse_amount
from ajpes_reporting.i18n import NOTHING, Message, _, _n
from ajpes_reporting.i18n.formats import LJUBLJANA

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ajpes_reporting.domain.money import Amounts
    from ajpes_reporting.reports.kind import ReportKind, Total

_SEVERITIES = {
    "error": _("error"),
    "warning": _("warning"),
    "note": _("note"),
    "critical": _("critical"),
}
_MOST_MINUTES = 120
_MOST_HOURS = 48


def severity_in_words(code: str) -> str:
    """Returns how serious something is: of a finding, an alarm, or a row of an answer."""
    return _SEVERITIES.get(code, code)


def deadline_in_words(deadline: datetime, now: datetime) -> Message:
    """Returns a deadline and how far away it is, as a table has it: "2026-12-04 18:00, 3 days from now"."""
    left = deadline - now
    away = _ago(-left) if left < timedelta() else _from_now(left)
    return Message("{deadline:moment}, {away}", {"deadline": deadline, "away": away})


def due_in_words(deadline: datetime, now: datetime) -> Message:
    """Returns when a report is due and how much time is left, or how late it is, as a sentence."""
    left = deadline - now
    today = deadline.astimezone(LJUBLJANA).date() == now.astimezone(LJUBLJANA).date()
    if left < timedelta():
        ago = _ago(-left)
        if today:
            return _("It was due today at {at:clock}, {ago}.", at=deadline, ago=ago)
        return _("It was due on {day:date} at {at:clock}, {ago}.", day=_day(deadline), at=deadline, ago=ago)
    away = _from_now(left)
    if today:
        return _("Due today {at:clock}, {from_now}.", at=deadline, from_now=away)
    return _("Due on {day:date} {at:clock}, {from_now}.", day=_day(deadline), at=deadline, from_now=away)


def field_in_words(name: str) -> str:
    """Returns how people call the field of a finding; one that has no name of theirs stands as it is."""
    if name in FIELDS:
        return FIELDS[name].label
    return _("account months") if name == "account_months" else name


def totals_in_words(
    kind: ReportKind | None, totals: Mapping[str, str], amounts: Amounts
) -> tuple[Message, ...]:
    """Returns the totals of a report, as they were written into it; an amount also in euros and cents."""
    declared = {total.name: total for total in kind.totals} if kind else {}
    return tuple(_total(declared.get(name), name, text, amounts) for name, text in totals.items())


def _total(total: Total | None, name: str, text: str, amounts: Amounts) -> Message:
    facts = {"name": total.label if total else name, "text": text}
    try:
        if total and total.is_amount:
            cents = parse_amount(text, amounts)
            return _("{name}: {cents:eur} (written {text})", **facts, cents=cents)
    except ValueError:
        pass  # it was written when another form of amounts was set
    return Message("{name}: {text}", facts)


def record_in_words(obligation: str | None, event: str | None, account: str | None) -> Message:
    """Returns how an operator calls the record that AJPES speaks of; nothing for the report as a whole."""
    if obligation and event:
        return _("{obligation} / event {event}", obligation=obligation, event=event)
    if obligation:
        return Message("{obligation}", {"obligation": obligation})
    return _("account {account}", account=account) if account else NOTHING


def _day(moment: datetime) -> object:
    return moment.astimezone(LJUBLJANA).date()


def _from_now(span: timedelta) -> Message:
    minutes, hours, days = _lengths(span)
    if minutes < _MOST_MINUTES:
        return _n("{count} minute from now", "{count} minutes from now", minutes)
    if hours < _MOST_HOURS:
        return _n("{count} hour from now", "{count} hours from now", hours)
    return _n("{count} day from now", "{count} days from now", days)


def _ago(span: timedelta) -> Message:
    minutes, hours, days = _lengths(span)
    if minutes < _MOST_MINUTES:
        return _n("{count} minute ago", "{count} minutes ago", minutes)
    if hours < _MOST_HOURS:
        return _n("{count} hour ago", "{count} hours ago", hours)
    return _n("{count} day ago", "{count} days ago", days)


def _lengths(span: timedelta) -> tuple[int, int, int]:
    """Returns a length in minutes, hours and days, each rounded down."""
    minutes = int(span.total_seconds() // 60)
    return minutes, minutes // 60, minutes // 1440
