"""The content of an answer of the authority, whichever report it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """The `Ident` of an answer (sections 4.1.1 and 4.2).

    `period_key` is written like `Period.key`. Values that an answer lacks are empty, or None.
    """

    provider: str
    period_key: str
    prepared_at: datetime | None
    declared_errors: int | None
    declared_warnings: int | None

    @property
    def prepared_at_if_utc(self) -> datetime | None:
        """The time of preparation read as UTC; None if the answer names its time zone, or no time."""
        if self.prepared_at is None or self.prepared_at.tzinfo is not LJUBLJANA:
            return None
        return self.prepared_at.replace(tzinfo=UTC)


class AnswerRow(NamedTuple):
    """One `Napaka` of an answer: an error or a warning about one record, or about the whole file.

    A tuple, since there may be a million of them.
    """

    severity: str
    code: str
    text: str
    obligation_id: str | None = None
    event_id: str | None = None
    ref_id: str | None = None
    account: str | None = None


_STATUSES = {
    "stored": _("stored"),
    "applied": _("applied"),
    "unmatched": _("unmatched"),
    "unreadable": _("unreadable"),
    "duplicate": _("duplicate"),
    "discarded": _("discarded"),
}


def status_label(status: str) -> str:
    """Returns the status of an answer in words; what is no status of ours stays as it is."""
    return _STATUSES.get(status, status)
