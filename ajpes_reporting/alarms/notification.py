"""A notification: all alarms of one tick together, for one channel."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from ajpes_reporting.alarms.alarm import TRIAL_KIND, Alarm, Severity
from ajpes_reporting.domain.escaping import shown
from ajpes_reporting.i18n import Message, _, _n, localized

if TYPE_CHECKING:
    from datetime import datetime


_OVER = _("over")


class Occasion(StrEnum):
    """Why an alarm is told; the values are public."""

    RAISED = "raised"
    REMINDED = "reminded"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Notice:
    """One alarm to be told. With its `id` and occasion a receiver knows one that comes twice."""

    id: int
    occasion: Occasion
    alarm: Alarm
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """Everything a channel is told at one time, for one provider."""

    provider: str
    at: datetime
    messages: tuple[Notice, ...]

    @property
    def subject(self) -> str:
        """One line: the first alarm, and how many more there are; nothing in it can add a header."""
        first, more = self.messages[0], len(self.messages) - 1
        about = {
            "provider": self.provider,
            "severity": _OVER if first.occasion is Occasion.CLEARED else first.alarm.severity.label,
            "title": first.alarm.title,
        }
        if not more:
            return shown(localized(_("[ajpes-reporting {provider}] {severity}: {title}", **about)))
        subject = _n(
            "[ajpes-reporting {provider}] {severity}: {title} and {count} more",
            "[ajpes-reporting {provider}] {severity}: {title} and {count} more",
            more,
            **about,
        )
        return shown(localized(subject))

    @property
    def text(self) -> str:
        """All of it, for a person."""
        return "\n\n".join(_paragraph(item) for item in self.messages) + "\n"

    @property
    def document(self) -> dict[str, Any]:
        """All of it, for a program."""
        alarms = [_document(item) for item in self.messages]
        return {"provider": self.provider, "at": self.at.isoformat(), "alarms": alarms}


class Channel(Protocol):
    """A way to tell a person."""

    def tell(self, notification: Notification) -> Message:
        """Tells all of it, and returns in words who has taken it.

        Raises `AlarmNotTold` or `ConfigurationError`, neither of them with a secret in it.
        """
        ...


def trial(provider: str, at: datetime) -> Notification:
    """A notification to try a channel with."""
    alarm = Alarm(TRIAL_KIND, Severity.WARNING, _("This is a test. Nothing is wrong."), _("nothing"))
    return Notification(provider, at, (Notice(0, Occasion.RAISED, alarm, at),))


def _paragraph(message: Notice) -> str:
    alarm = message.alarm
    about = {"severity": alarm.severity.label, "since": message.since, "until": message.until}
    lines = [_heading(message)]
    if message.until is not None:
        lines.append(_("  since {since:moment}, over at {until:moment}", **about))
    else:
        lines.append(_("  {severity}, since {since:moment}", **about))
        if alarm.remedy:
            lines.append(_("  Do: {remedy}.", remedy=alarm.remedy))
    return "\n".join(shown(localized(line)) for line in lines)


def _heading(message: Notice) -> str:
    text = message.alarm.text
    match message.occasion:
        case Occasion.REMINDED:
            return _("Still: {text}", text=text)
        case Occasion.CLEARED:
            return _("Over: {text}", text=text)
    return text


def _document(message: Notice) -> dict[str, Any]:
    alarm, until = message.alarm, message.until
    return {
        "id": message.id,
        "occasion": message.occasion.value,
        "key": alarm.key,
        "severity": alarm.severity.value,
        "text": localized(alarm.text),
        "remedy": localized(alarm.remedy),
        "since": message.since.isoformat(),
        "until": until.isoformat() if until else None,
    }
