"""What an answer of the authority says, whichever report it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """The `Ident` of an answer. `period_key` is the period as our periods write their key."""

    provider: str
    period_key: str
    prepared_at: datetime | None
    declared_errors: int
    declared_warnings: int


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
