"""Reads notices of UJP (section 6.6), and tells true ones from false ones.

The signature covers the nonce, the time and the transaction, but not the status: the claim of a
notice is never taken for true. It is a reason to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.eplacila.errors import NotAuthentic
from ajpes_reporting.eplacila.reading import read_integer, read_json
from ajpes_reporting.eplacila.signing import Signature, read_signature
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from ajpes_reporting.eplacila.signing import Verifier

_LONGEST_TRANSACTION = 100


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that something has happened to a payment. `claimed_state` is for the record only."""

    transaction_id: str
    signature: Signature
    claimed_state: int | None


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """The allowed age of a notice, and the tolerance for clocks that are ahead."""

    age: timedelta
    tolerance: timedelta


def read_notice(content: bytes, verifier: Verifier, window: TimeWindow, now: datetime) -> Notice:
    """Return a notice that UJP has signed, and not too long ago. Raises `NotAuthentic`."""
    try:
        document = read_json(content)
    except ValueError:
        raise NotAuthentic(_("the content is no JSON document")) from None
    transaction = document.get("transactionid")
    if not isinstance(transaction, str) or not 0 < len(transaction) <= _LONGEST_TRANSACTION:
        raise NotAuthentic(_("the notice names no transaction"))
    if not (transaction.isascii() and transaction.isprintable()):
        raise NotAuthentic(_("the notice names no transaction"))
    signature = read_signature(document)
    verifier.verify(signature, transaction)
    if not now - window.age <= signature.moment <= now + window.tolerance:
        raise NotAuthentic(_("the time is too old, or from the future"))
    return Notice(transaction, signature, _claimed(document.get("status")))


def _claimed(value: object) -> int | None:
    """Return the state that a notice claims, None for one that the document does not have."""
    try:
        return State(read_integer(value))
    except ValueError:
        return None
