"""The outcomes of one attempt to deliver a report.

No answer is not failure. `Unreachable` is claimed only where provably nothing arrived; whatever
is not certain is `Unknown`, and is never sent again before somebody has settled it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.i18n import NOTHING, Message, _, joined

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Delivered:
    """The authority has the report.

    `answer` is its answer, if it came in the same call; `evidence` is the raw reply it came in.
    `detail` is a clause, `deviations` are clauses that say what of that reply was not as the instruction
    describes it: "it came in MIME".
    """

    answer: Path | None = None
    detail: Message = NOTHING
    evidence: Path | None = None
    deviations: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The authority turned the message away as a whole.

    Its reply is a SOAP fault that blames the sender, or an error in the place of an answer.

    `reason` is the authority's. `evidence` is the raw reply, `deviations` as for `Delivered`.
    """

    reason: Message
    evidence: Path | None = None
    deviations: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Provably nothing arrived.

    There was no connection, the handshake failed, the login or the host key was refused, or a file never got
    its final name. `reason` is a sentence, `remedy` an order as in `errors`.
    """

    reason: Message
    remedy: Message = NOTHING
    evidence: Path | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The authority may hold the report: the connection broke, or the reply gives no verdict.

    `reason` is a sentence, `remedy` an order as in `errors`. `evidence` is whatever came back, raw.
    """

    reason: Message
    remedy: Message = NOTHING
    evidence: Path | None = None


Outcome = Delivered | Refused | Unreachable | Unknown


def told(outcome: Outcome) -> Message:
    """Returns an outcome in words for the record, with the remedy where the way must be repaired."""
    if isinstance(outcome, Delivered):
        return joined((outcome.detail, *outcome.deviations), "; ")
    if isinstance(outcome, Refused) and outcome.deviations:
        deviations = joined(outcome.deviations, "; ")
        return _("{reason} ({deviations})", reason=outcome.reason, deviations=deviations)
    if isinstance(outcome, Unreachable) and outcome.remedy:
        return _("{reason} Do: {remedy}.", reason=outcome.reason, remedy=outcome.remedy)
    return outcome.reason
