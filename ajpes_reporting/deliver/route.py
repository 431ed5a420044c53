"""Try each way in order until one gives a definite answer.

A timeout after the first byte is Unknown, not failure: the authority may hold the report. We stop
there, because a duplicate is harder to undo than a delay. The other way opens only after
Unreachable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ajpes_reporting.domain.errors import AjpesReportingError, ConfigurationError
from ajpes_reporting.domain.outcomes import Outcome, Unreachable
from ajpes_reporting.domain.ports import (
    UNRECORDED,
    Carrier,
    Handover,
    Parcel,
    Progress,
    no_progress,
)
from ajpes_reporting.i18n import _, joined, sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from ajpes_reporting.domain.ports import Inspection, RemoteAnswer, RemoteReport, Sighting


class ClosedWay:
    """A way that is closed before it is begun: our own certificate or key fails, or nobody answers there.

    Provably nothing is sent by it, so it is told as any other outage, and the other way takes over. Whoever
    asks for what lies there, or whether it is reached, is told why not.
    """

    def __init__(self, name: str, because: AjpesReportingError) -> None:
        self.name = name
        self.because = because

    def deliver(
        self, parcel: Parcel, progress: Progress = no_progress, handover: Handover = UNRECORDED
    ) -> Outcome:
        """Sends nothing, and says why."""
        return Unreachable(self.because.message, self.because.remedy)

    def inspect(self) -> Inspection:
        """Raises the reason."""
        raise self.because

    def look(self, parcel: Parcel, waits_as: str) -> Sighting:
        """Raises the reason."""
        raise self.because

    def strange_reports(self, report: str, file_name: str, ours: Sequence[Parcel]) -> Iterable[RemoteReport]:
        """Raises the reason."""
        raise self.because

    def fetch_new(
        self,
        report: str,
        already_fetched: Callable[[Sequence[RemoteAnswer]], Collection[RemoteAnswer]],
        into: Path,
    ) -> Iterable[tuple[RemoteAnswer, Path]]:
        """Raises the reason."""
        raise self.because


class Log(Handover, Protocol):
    """The record of a delivery and its attempts. Each call returns only when its record is committed."""

    def started(self, carrier: Carrier) -> None:
        """Records that an attempt begins, before the first byte leaves by this way."""
        ...

    def ended(self, carrier: Carrier, outcome: Outcome) -> None:
        """Records what became of the attempt, as soon as that is known."""
        ...


def deliver(
    carriers: Sequence[Carrier], parcel: Parcel, log: Log, progress: Progress = no_progress
) -> Outcome:
    """Hands over the parcel by the first way that gives a definite answer, and returns that.

    If every way was unreachable, the outcome names each with its reason.
    """
    failed: list[tuple[Carrier, Unreachable]] = []
    for carrier in carriers:
        log.started(carrier)
        outcome = carrier.deliver(parcel, progress, log)
        log.ended(carrier, outcome)
        if not isinstance(outcome, Unreachable):
            return outcome
        failed.append((carrier, outcome))
    return _all_unreachable(failed)


def require_open(carriers: Sequence[Carrier]) -> None:
    """Raises `ConfigurationError`, with every reason, if our own settings close each of these ways."""
    closed = [carrier for carrier in carriers if isinstance(carrier, ClosedWay)]
    if len(closed) < len(carriers):
        return
    if len(closed) == 1:
        raise closed[0].because
    raise ConfigurationError(
        sentences(_("By {way:way}: {reason}", way=way.name, reason=way.because.message) for way in closed),
        joined((way.because.remedy for way in closed), "; "),
    )


def _all_unreachable(failed: Sequence[tuple[Carrier, Unreachable]]) -> Unreachable:
    if len(failed) == 1:
        return failed[0][1]
    return Unreachable(
        reason=sentences(
            _("By {way:way}: {reason}", way=way.name, reason=outcome.reason) for way, outcome in failed
        ),
        remedy=joined((outcome.remedy for _way, outcome in failed), "; "),
        evidence=next((outcome.evidence for _way, outcome in failed if outcome.evidence), None),
    )
