"""The pauses before the schedule tries again: short at first, then longer and longer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_LAST_CALL = timedelta(minutes=5)
_QUIET_PAUSE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Retries:
    """The pauses between two tries: the first one, and the one they never exceed."""

    first_seconds: float = 60
    longest_seconds: float = 900

    def after_failure(self, failures: int, now: datetime, deadline: datetime) -> datetime:
        """Returns the time of the next try after so many failures; each pause is twice the one before."""
        doubled = self.first_seconds * 2.0 ** min(failures - 1, 32)
        return _not_past_last_call(now, min(doubled, self.longest_seconds), deadline)

    def after_hold(self, now: datetime, deadline: datetime) -> datetime:
        """Returns the time of the next look at a report that waits for a person, or for an answer."""
        return _not_past_last_call(now, self.longest_seconds, deadline)

    def after_quiet(self, now: datetime, deadline: datetime) -> datetime:
        """Returns the time of the next look at a quiet day."""
        return _not_past_last_call(now, min(_QUIET_PAUSE_SECONDS, self.longest_seconds), deadline)


def _not_past_last_call(now: datetime, seconds: float, deadline: datetime) -> datetime:
    """There is always one more try shortly before the deadline."""
    then, last_call = now + timedelta(seconds=seconds), deadline - _LAST_CALL
    return last_call if now < last_call < then else then
