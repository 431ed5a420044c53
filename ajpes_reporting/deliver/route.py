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
    Carrier,
    HandOver,
    LastCall,
    Parcel,
    Progress,
    no_progress,
    no_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class ClosedWay:
    """A way that is closed before it is begun: our own certificate or key fails, or nobody answers there.

    Provably nothing is sent by it, so it is told as any other outage, and the other way takes over.
    """

    def __init__(self, name: str, because: AjpesReportingError) -> None:
        self.name = name
        self.because = because

    def deliver(
        self, parcel: Parcel, progress: Progress = no_progress, hand_over: HandOver = no_record
    ) -> Outcome:
        """Sends nothing, and says why."""
        return Unreachable(self.because.message, self.because.remedy)


class Log(Protocol):
    """Who writes the attempts down. Each call returns only when its record is committed."""

    def started(self, carrier: Carrier) -> None:
        """Before the first byte leaves by this way."""
        ...

    def handing_over(self, waits_as: str) -> LastCall:
        """At the last moment before it might arrive; raises `NotDelivered` if it may not go any more."""
        ...

    def ended(self, carrier: Carrier, outcome: Outcome) -> None:
        """As soon as it is known what became of it."""
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
        outcome = carrier.deliver(parcel, progress, log.handing_over)
        log.ended(carrier, outcome)
        if not isinstance(outcome, Unreachable):
            return outcome
        failed.append((carrier, outcome))
    return _all_unreachable(failed)


def ways(
    report: str, size_bytes: int, configured: Sequence[Carrier], sftp_above_bytes: int | None = None
) -> list[Carrier]:
    """The ways that are open to this report, the first choice first (instruction, section 4.2).

    NODURS goes by SOAP, and by SFTP on outage; by SFTP first above `sftp_above_bytes`, since the
    instruction allows it for large volumes. Everything else goes by SFTP alone.
    Raises `ConfigurationError` if none of these is configured.
    """
    order = ["sftp"]
    if report == "nodurs":
        is_large = sftp_above_bytes is not None and size_bytes > sftp_above_bytes
        order = ["sftp", "soap"] if is_large else ["soap", "sftp"]
    by_name = {carrier.name: carrier for carrier in configured}
    chosen = [by_name[name] for name in order if name in by_name]
    if not chosen:
        raise ConfigurationError(
            f"No way to the authority is configured for {report.upper()}. Nothing was sent.",
            f"Fill in {' or '.join(f'[{name}]' for name in order)} in ajpes.toml.",
        )
    return chosen


def require_open(carriers: Sequence[Carrier]) -> None:
    """Raises `ConfigurationError`, with every reason, if our own settings close each of these ways."""
    closed = [carrier for carrier in carriers if isinstance(carrier, ClosedWay)]
    if len(closed) < len(carriers):
        return
    if len(closed) == 1:
        raise closed[0].because
    raise ConfigurationError(
        " ".join(f"By {way.name}: {way.because.message}" for way in closed),
        _sentences(way.because.remedy for way in closed),
    )


def _all_unreachable(failed: Sequence[tuple[Carrier, Unreachable]]) -> Unreachable:
    if len(failed) == 1:
        return failed[0][1]
    return Unreachable(
        reason=" ".join(f"By {carrier.name}: {outcome.reason}" for carrier, outcome in failed),
        remedy=_sentences(outcome.remedy for _, outcome in failed),
        evidence=next((outcome.evidence for _, outcome in failed if outcome.evidence), None),
    )


def _sentences(texts: Iterable[str]) -> str:
    """One after the other, each with its full stop, which some remedies leave out."""
    return " ".join(f"{text.rstrip('.')}." for text in texts if text)
