"""The findings of a check: the record, the field, the fault and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ajpes_reporting.i18n import NOTHING, Message, _


class Severity(StrEnum):
    """An error keeps a report from being sent; a warning is shown and sent along.

    A note says what is right and yet not to be overlooked, such as what a report leaves out.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one field of one record.

    `record` is what an operator calls it: "O-314 / event 7", "account 010000100002123".
    `field` is the ledger's name of the field; `location` is its place in the report, "Upnik/rn".
    `rule` is a stable code such as "creditor-account.length".
    `message` says what is wrong and `remedy` what to do, neither naming the record again.
    `line` is the line of the file the record came from, where that is known.
    `taken_back` says that a later cancellation has dealt with the record: it is sent all the same,
    as part of the history, and nothing can correct it any more.
    """

    severity: Severity
    record: Message
    field: str
    rule: str
    message: Message
    remedy: Message = NOTHING
    location: str = ""
    line: int | None = None
    taken_back: bool = False

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def in_words(self) -> Message:
        """Returns record, message and place on one line."""
        said = {"record": self.record, "message": self.message}
        if self.line is not None and self.location:
            return _(
                "line {line}: {record}: {message} ({place})", **said, line=self.line, place=self.location
            )
        if self.line is not None:
            return _("line {line}: {record}: {message}", **said, line=self.line)
        if self.location:
            return _("{record}: {message} ({place})", **said, place=self.location)
        return _("{record}: {message}", **said)

    def __str__(self) -> str:
        return str(self.in_words())
