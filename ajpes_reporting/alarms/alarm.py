"""What an alarm is: something that is wrong now, in words, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

MACHINE_KINDS = frozenset({"certificate", "password", "host-key", "disk", "clock"})
"""Alarms about the machine and what was agreed with the authority."""

JOURNAL_KINDS = frozenset(
    {
        "deadline",
        "refused",
        "unknown",
        "checks",
        "held",
        "tries",
        "detour",
        "answer",
        "aside",
        "ahead",
        "excluded",
        "moved",
        "audit",
        "channel",
        "orphan",
        "former",
    }
)
"""Alarms about the reports and their record; the database alone tells them."""


class Severity(StrEnum):
    """How soon somebody must act; the values are public."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that is wrong now.

    `key` says what it is about, in at most 80 characters: the same key is the same alarm. Its first
    word is the kind. `text` and `remedy` go by mail to whoever is configured, so they name periods
    and numbers of submissions, and no account, no customer and no secret.
    """

    key: str
    severity: Severity
    text: str
    remedy: str

    @property
    def kind(self) -> str:
        return self.key.split(maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that stands, and since when."""

    alarm: Alarm
    since: datetime
