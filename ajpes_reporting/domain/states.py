"""The states of a submission, and which may follow which."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from ajpes_reporting.i18n import Message


class State(StrEnum):
    """The state of a submission; the values are public."""

    PREPARED = "prepared"
    SENDING = "sending"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    ACCEPTED_WITH_WARNINGS = "accepted_with_warnings"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"

    @property
    def is_accepted(self) -> bool:
        """Whether the authority has taken the report, with or without warnings."""
        return self in ACCEPTED_STATES

    @property
    def awaits_answer(self) -> bool:
        """Whether the authority has the report, or may have it, and has not answered."""
        return self in AWAITING_STATES

    @property
    def label(self) -> Message:
        """The state in words, standing alone or after "is"."""
        return _LABELS[self]


_LABELS = {
    State.PREPARED: _("prepared"),
    State.SENDING: _("sending"),
    State.DELIVERED: _("delivered"),
    State.ACCEPTED: _("accepted"),
    State.ACCEPTED_WITH_WARNINGS: _("accepted with warnings"),
    State.REFUSED: _("refused"),
    State.UNREACHABLE: _("unreachable"),
    State.UNKNOWN: _("unknown"),
}

ACCEPTED_STATES = frozenset({State.ACCEPTED, State.ACCEPTED_WITH_WARNINGS})
AWAITING_STATES = frozenset({State.SENDING, State.DELIVERED, State.UNKNOWN})

_ANSWERED = frozenset({State.ACCEPTED, State.ACCEPTED_WITH_WARNINGS, State.REFUSED})

NEXT: dict[State, frozenset[State]] = {
    # By a person's word, if it was held since a restored journal may not know that it went out.
    State.PREPARED: frozenset({State.SENDING, State.DELIVERED}),
    State.SENDING: frozenset({State.DELIVERED, State.UNREACHABLE, State.UNKNOWN, State.REFUSED}),
    # An answer, or the authority's word that it has nothing.
    State.DELIVERED: _ANSWERED | {State.UNREACHABLE},
    # An answer, the authority's folders or a person's word settle what was unknown. The same bytes go
    # again only for those who have said in the settings that this is harmless.
    State.UNKNOWN: _ANSWERED | {State.DELIVERED, State.UNREACHABLE, State.SENDING},
    # The other way, or the same one again, after provably nothing arrived. Or a call comes to its end
    # after a person has said that it never arrived: it did.
    State.UNREACHABLE: frozenset({State.SENDING, State.UNKNOWN}),
    State.REFUSED: frozenset(),
    State.ACCEPTED: frozenset(),
    State.ACCEPTED_WITH_WARNINGS: frozenset(),
}
