"""What a channel is told at one time, and how it reads: all alarms of one tick together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from ajpes_reporting.alarms.alarm import Alarm, Severity
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.escaping import shown

if TYPE_CHECKING:
    from datetime import datetime


class Occasion(StrEnum):
    """Why an alarm is told; the values are public."""

    RAISED = "raised"
    REMINDED = "reminded"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Message:
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
    messages: tuple[Message, ...]

    @property
    def subject(self) -> str:
        """One line: the first alarm, and how many more there are; nothing in it can add a header."""
        first, more = self.messages[0], len(self.messages) - 1
        what = "over" if first.occasion is Occasion.CLEARED else first.alarm.severity.value
        others = f" and {more} more" if more else ""
        return shown(f"[ajpes-reporting {self.provider}] {what}: {first.alarm.key}{others}")

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

    def tell(self, notification: Notification) -> str:
        """Tells all of it, and returns in words who has taken it.

        Raises `AlarmNotTold` or `ConfigurationError`, neither of them with a secret in it.
        """
        ...


def trial(provider: str, at: datetime) -> Notification:
    """A notification to try a channel with."""
    alarm = Alarm("test", Severity.WARNING, "This is a test. Nothing is wrong.", "nothing")
    return Notification(provider, at, (Message(0, Occasion.RAISED, alarm, at),))


_HEADINGS = {Occasion.RAISED: "", Occasion.REMINDED: "Still: ", Occasion.CLEARED: "Over: "}


def _paragraph(message: Message) -> str:
    alarm, since = message.alarm, _local(message.since)
    heading = f"{_HEADINGS[message.occasion]}{alarm.text}"
    if message.until is not None:
        lines = [heading, f"  since {since}, over at {_local(message.until)}"]
    else:
        lines = [heading, f"  {alarm.severity.value}, since {since}"]
        lines += [f"  Do: {alarm.remedy.rstrip('.')}."] if alarm.remedy else []
    return "\n".join(map(shown, lines))


def _document(message: Message) -> dict[str, Any]:
    alarm, until = message.alarm, message.until
    return {
        "id": message.id, "occasion": message.occasion.value, "key": alarm.key,
        "severity": alarm.severity.value, "text": alarm.text, "remedy": alarm.remedy,
        "since": message.since.isoformat(), "until": until.isoformat() if until else None,
    }  # fmt: skip


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(LJUBLJANA):%Y-%m-%d %H:%M}"
