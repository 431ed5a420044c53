"""The history of an obligation: what was recorded, reported, accepted and answered; or that of an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import _
from ajpes_reporting.journal.answers import rows_about
from ajpes_reporting.journal.history import reports_of
from ajpes_reporting.ledger.account_history import account_history
from ajpes_reporting.ledger.exclusions import decisions
from ajpes_reporting.ledger.history import history, withdrawn
from ajpes_reporting.ledger.names import names_before
from ajpes_reporting.ledger.suggestions import unknown_obligation
from ajpes_reporting.queries.listing import taxpayer
from ajpes_reporting.queries.submissions import AnswerRow
from ajpes_reporting.queries.words import severity_in_words

if TYPE_CHECKING:
    from datetime import datetime

    from ajpes_reporting.domain.events import Event, Obligation
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.ledger.account_history import AccountHistory
    from ajpes_reporting.ledger.exclusions import Decision
    from ajpes_reporting.ledger.names import FormerName
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.queries.listing import Taxpayer


@dataclass(frozen=True, slots=True)
class Reported:
    """A submission that told AJPES of an event, for which period, and how that stands."""

    submission: int
    period: str
    state: State


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """An event, every submission that told AJPES of it, and whether AJPES never hears of it."""

    event: Event
    reported: tuple[Reported, ...]
    withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationAnswer(AnswerRow):
    """A row of an answer that is about the obligation, and when that came for which submission."""

    submission: int | None
    received_at: datetime

    def in_words(self) -> Message:
        """Returns the row as one line."""
        facts = {
            "at": self.received_at,
            "severity": severity_in_words(self.severity),
            "code": self.code,
            "text": self.text,
        }
        if self.event_id:
            return _(
                "{at:moment} AJPES, {severity} {code}: {text} (event {event})", **facts, event=self.event_id
            )
        return _("{at:moment} AJPES, {severity} {code}: {text}", **facts)


@dataclass(frozen=True, slots=True)
class ObligationHistory:
    """An obligation, its events in the order of recording, and all that was decided and said about it."""

    obligation: Obligation
    events: tuple[HistoryEvent, ...]
    former_names: tuple[FormerName, ...]
    decisions: tuple[Decision, ...]
    answers: tuple[ObligationAnswer, ...]


def history_of(context: Context, name: str) -> ObligationHistory | AccountHistory | Taxpayer:
    """Returns the history of the obligation, the account or else the taxpayer of this name in the ledger.

    Raises `UsageError` if there is none of them; it says which obligations have a name like it.
    """
    provider = context.provider
    with context.engine.connect() as connection:
        found = history(connection, provider, name)
        if found is None:
            if account := account_history(connection, provider, name):
                return account
            if person := taxpayer(connection, provider, name):
                return person
            raise unknown_obligation(connection, provider, name)
        obligation, events = found
        never = withdrawn(connection, provider, name)
        reports = reports_of(connection, provider, name)
        return ObligationHistory(
            obligation,
            tuple(
                HistoryEvent(
                    event,
                    tuple(
                        Reported(item["submission"], item["period"], State(item["state"]))
                        for item in reports.get(event.event_id, [])
                    ),
                    event.event_id in never,
                )
                for event in events
            ),
            tuple(names_before(connection, provider, name)),
            tuple(decisions(connection, provider, name)),
            tuple(ObligationAnswer(**row._mapping) for row in rows_about(connection, provider, name)),
        )
