"""The failures that are told to a person, as one tree; each branch has its exit code.

AjpesReportingError            1  anything unforeseen
├── UsageError                 2  a command, a path or a submission that does not fit
│   ├── ConfigurationError     2  ajpes.toml, a secret, a certificate or a key of ours
│   └── Busy                   2  another run for the same provider is at work, or has taken over
├── ChecksRefused              3  our own checks refused, nothing was sent
│   └── LedgerRefused          3  a ledger file or a correction was refused, nothing was stored
├── AlarmNotTold               1  a channel did not take an alarm; it is tried again
├── RefusedByAuthority         4
├── NotDelivered               5  provably nothing arrived
│   └── NotAllFetched          5  some files that may be answers could not be fetched; the others were
└── OutcomeUnknown             6  a person or the next run must settle it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ajpes_reporting.i18n import NOTHING, Message, joined, sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.domain.findings import Finding


class AjpesReportingError(Exception):
    """A failure that is told to a person: the problem, and what to do about it.

    `summary` is one or more complete sentences; `message` is that and the `details`, each on a line of its
    own. `remedy` is an order as it stands after "Do:", in small letters and without a full stop, or empty
    where nothing can be done.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: Message, remedy: Message = NOTHING, details: Sequence[Message] = ()) -> None:
        self.summary = message
        self.details = tuple(details)
        self.message = joined((message, *details), "\n  ")
        self.remedy = sentences([remedy])
        super().__init__(self.message)


class UsageError(AjpesReportingError):
    """The command, or something that the command names, does not fit."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A setting, a secret, a certificate or a key is missing or unusable."""


class Busy(UsageError):
    """Another run for the same provider is at work; nothing was done."""


class Replaced(Busy):
    """Another run may have taken the place of this one during its work; this run does nothing more."""


class ChecksRefused(AjpesReportingError):
    """Our own checks found errors; nothing left this machine."""

    exit_code = 3

    def __init__(self, message: Message, remedy: Message = NOTHING, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message, remedy)
        self.findings = tuple(findings)


class LedgerRefused(ChecksRefused):
    """The ledger did not take a file or a correction; nothing was stored."""


class RefusedByAuthority(AjpesReportingError):
    """AJPES did not take the report."""

    exit_code = 4


class AlarmNotTold(AjpesReportingError):
    """A mail server or a webhook did not take an alarm, which is sent again at the next tick."""


class NotDelivered(AjpesReportingError):
    """The report did not reach AJPES, provably."""

    exit_code = 5


class NotAllFetched(NotDelivered):
    """Some files of the authority that may be answers could not be fetched; the others were."""


class OutcomeUnknown(AjpesReportingError):
    """AJPES may hold the report; nothing is sent again before a person or an answer has settled that."""

    exit_code = 6
