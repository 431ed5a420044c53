"""The four kinds of facts that come in, and the columns that tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.domain.errors import LedgerRefused

if TYPE_CHECKING:
    from collections.abc import Sequence


_MOST_NAMES, _LONGEST_NAME = 20, 40


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of facts. `columns` are named in the order in which rows are handed on."""

    name: str
    columns: tuple[str, ...]
    optional: frozenset[str] = frozenset()

    @property
    def mandatory(self) -> tuple[str, ...]:
        return tuple(column for column in self.columns if column not in self.optional)

    @property
    def expected(self) -> str:
        """Its columns in words."""
        optional = [column for column in self.columns if column in self.optional]
        also = f"; optional: {', '.join(optional)}" if optional else ""
        return f"{', '.join(self.mandatory)}{also}"


ACCOUNTS = Kind(
    "accounts",
    ("account", "holder_tax_number", "holder_name", "opened_on", "closed_on"),
    frozenset({"closed_on"}),
)
ACCOUNT_MONTHS = Kind(
    "account_months",
    ("account", "month", "credit_turnover_cents", "debit_turnover_cents", "closing_balance_cents"),
)
POSTINGS = Kind("postings", ("posting_id", "account", "booked_on", "amount_cents"))
EVENTS = Kind(
    "events",
    (
        "obligation_id", "issuer", "debtor_tax_number", "debtor_name", "debtor_account",
        "event_id", "cancels_event_id", "change_type", "change_date", "amount_cents", "recorded_at",
        "reference_model", "reference", "priority", "creditor_account", "creditor_name",
    ),
    frozenset(
        {"cancels_event_id", "reference_model", "reference", "priority", "creditor_account", "creditor_name"}
    ),
)  # fmt: skip

KINDS = (ACCOUNTS, ACCOUNT_MONTHS, POSTINGS, EVENTS)
"""In the order in which they have to come in: months and postings need their accounts."""


def recognise(header: Sequence[str], source: str) -> Kind:
    """The kind of facts that has this header, in whatever order.

    Raises LedgerRefused, with what is expected, if a column is unknown, missing or doubled.
    """
    names = set(header)
    kind = max(KINDS, key=lambda kind: len(names.intersection(kind.columns)))
    if not names.intersection(kind.columns):
        raise LedgerRefused(
            f"{source} was not read: its first line names no column that is known here.",
            "write one of these headers. "
            + " ".join(f"{known.name.replace('_', ' ').capitalize()}: {known.expected}." for known in KINDS),
        )
    require_columns(header, kind, source)
    return kind


def require_columns(header: Sequence[str], kind: Kind, source: str) -> None:
    """Raises LedgerRefused, with what is expected, if a column is unknown, missing or doubled."""
    if faults := _faults(header, kind):
        raise LedgerRefused(
            f"{source} was not read: {'; '.join(faults)}.",
            f"for {kind.name.replace('_', ' ')} write the columns {kind.expected}",
        )


def _faults(header: Sequence[str], kind: Kind) -> list[str]:
    unknown = [name for name in header if name not in kind.columns]
    missing = [name for name in kind.mandatory if name not in header]
    doubled = [name for name in kind.columns if header.count(name) > 1]
    return [
        f"{words} {_listed(names)}"
        for words, names in (
            ("it has the unknown column", unknown),
            ("it lacks the column", missing),
            ("it has more than once the column", doubled),
        )
        if names
    ]


def _listed(names: Sequence[str]) -> str:
    """As many as a person reads, and of a stranger's name no more than shows which it is."""
    shown = [_shown(name) for name in names[:_MOST_NAMES]]
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(shown)}{more}"


def _shown(name: str) -> str:
    return (name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…") or "(without a name)"
