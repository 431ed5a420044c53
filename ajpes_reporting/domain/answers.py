"""What an answer of the authority says, whichever report it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from ajpes_reporting.domain.calendar import LJUBLJANA

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """The `Ident` of an answer. `period_key` is the period as our periods write their key.

    What an answer that breaks its schema does not say is empty, or None.
    """

    provider: str
    period_key: str
    prepared_at: datetime | None
    declared_errors: int | None
    declared_warnings: int | None

    @property
    def prepared_at_if_utc(self) -> datetime | None:
        """The time of preparation, were it in UTC without saying so; None where it says its zone."""
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
