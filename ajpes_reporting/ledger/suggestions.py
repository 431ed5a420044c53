"""The errors for an obligation or event that the ledger does not have, with ids that come near."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from ajpes_reporting.database.tables import obligations
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.rules import record_name
from ajpes_reporting.i18n import NOTHING, Message, _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_MOST_LOOKED_AT = 1_000
_MOST_SHOWN = 5


def unknown_obligation(connection: Connection, provider: str, obligation_id: str) -> UsageError:
    """The error that names obligations with similar ids."""
    ids = _candidates(connection, provider, obligation_id)
    return UsageError(
        _("The ledger has no obligation {obligation}.", obligation=record_name(obligation_id)),
        _suggest(obligation_id, ids) or _("look its id up where the obligation was entered"),
    )


def unknown_event(obligation_id: str, event_id: str, known: Sequence[str]) -> UsageError:
    """The error that names the obligation's events."""
    return UsageError(
        _(
            "Obligation {obligation} has no event {event}.",
            obligation=record_name(obligation_id),
            event=record_name(event_id),
        ),
        _suggest(event_id, known) or _name_one(known),
    )


def _name_one(known: Sequence[str]) -> Message:
    if len(known) == 1:  # of which Slovene has no form of its own: its first form is that of 101, too
        return _("name the only event, {shown}", shown=known[0])
    return _(
        "name one of its {count:count} events, such as {shown}", count=len(known), shown=known[-_MOST_SHOWN:]
    )


def _candidates(connection: Connection, provider: str, obligation_id: str) -> Sequence[str]:
    """Ids that begin alike, or hold what was typed; a person's typing error mostly leaves as much."""
    typed = obligation_id.strip().lower()
    known = func.lower(obligations.c.obligation_id)
    begins_alike = known.startswith(typed[: max(1, len(typed) // 2)], autoescape=True)
    return connection.scalars(
        select(obligations.c.obligation_id)
        .where(obligations.c.provider == provider)
        .where(or_(begins_alike, known.contains(typed, autoescape=True)))
        .limit(_MOST_LOOKED_AT)
    ).all()


def _suggest(typed: str, known: Sequence[str]) -> Message:
    similar = get_close_matches(typed, known, n=_MOST_SHOWN, cutoff=0.5)
    return _("did you mean {ids:or}?", ids=similar) if similar else NOTHING
