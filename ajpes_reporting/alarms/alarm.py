"""An alarm: a present problem in words, with its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

MACHINE_KINDS = frozenset({"certificate", "password", "host-key", "disk", "clock"})
"""Alarms about the machine and what was agreed with the authority."""

TRIAL_KIND = "test"
"""What a channel is tried with."""


class Severity(StrEnum):
    """The urgency of an alarm; the values are public."""

    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def label(self) -> Message:
        """The word for a person."""
        return _("critical") if self is Severity.CRITICAL else _("warning")


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that is wrong now.

    `key` says what it is about, in at most 80 characters: the same key is the same alarm. Its first
    word is the kind. `text` and `remedy` go by mail to whoever is configured, so they name periods
    and numbers of submissions, and no account, no customer and no secret.
    """

    key: str
    severity: Severity
    text: Message
    remedy: Message

    @property
    def kind(self) -> str:
        return self.key.split(maxsplit=1)[0]

    @property
    def title(self) -> Message:
        """The key as a person reads it: "refused NODURS 2026-11-17 no. 3"."""
        kind, *about = self.key.split()
        make = _TITLES.get(kind)
        if make is None:
            return Message(self.key, {})
        first, second, *_rest = (*about, "", "")
        return make({"report": first, "about": first, "period": second, "last": about[-1] if about else ""})


_TITLES: Mapping[str, Callable[[Mapping[str, str]], Message]] = {
    "deadline": lambda of: _("deadline {report} {period:period}", **of),
    "refused": lambda of: _("refused {report} {period:period} no. {last}", **of),
    "unknown": lambda of: _("unknown {report} {period:period} no. {last}", **of),
    "checks": lambda of: _("checks {report} {period:period}", **of),
    "held": lambda of: _("held {report} {period:period}", **of),
    "tries": lambda of: _("tries {report} {period:period}", **of),
    "detour": lambda of: _("detour {report}", **of),
    "answer": lambda of: _("answer {report} {period:period} no. {last}", **of),
    "aside": lambda of: _("aside {about}", **of),
    "ahead": lambda of: _("ahead {report}", **of),
    "excluded": lambda of: _("excluded {about}", **of),
    "moved": lambda of: _("moved {report} {period:period}", **of),
    "audit": lambda _of: _("audit"),
    "channel": lambda of: _("channel {about}", **of),
    "orphan": lambda of: _("orphan {report} {period:period}", **of),
    "former": lambda of: _("former {report} {period:period} no. {last}", **of),
    "certificate": lambda of: _("certificate for {last:way}", **of) if of["last"] else _("certificate"),
    "password": lambda of: _("password {about}", **of),
    "host-key": lambda of: _("host-key {about}", **of),
    "disk": lambda _of: _("disk"),
    "clock": lambda _of: _("clock"),
    TRIAL_KIND: lambda _of: _("test"),
}

JOURNAL_KINDS = _TITLES.keys() - MACHINE_KINDS - {TRIAL_KIND}
"""Alarms about the reports and their record; the database alone tells them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that stands, and since when."""

    alarm: Alarm
    since: datetime
