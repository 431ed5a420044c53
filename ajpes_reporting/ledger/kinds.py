"""The four kinds of facts that come in, and the columns that tell them apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ajpes_reporting.domain.columns import ACCOUNT_MONTH_ROW, ACCOUNT_ROW, EVENT_ROW, POSTING_ROW
from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.i18n import Message, _, _n, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.domain.fields import Field


_MOST_NAMES, _LONGEST_NAME = 20, 40


@dataclass(frozen=True)
class Kind:
    """A kind of facts. `fields` are its columns, in the order in which rows are handed on."""

    name: str
    title: Message
    fields: tuple[Field, ...]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def mandatory(self) -> tuple[str, ...]:
        """The names of the columns that a header must have."""
        return tuple(field.name for field in self.fields if field.mandatory)

    @property
    def expected(self) -> Message:
        """The columns of this kind, for a person."""
        optional = [field.name for field in self.fields if not field.mandatory]
        if not optional:
            return _("{kind}: {columns}", kind=self.title, columns=self.mandatory)
        return _(
            "{kind}: {columns}; optional: {optional}",
            kind=self.title,
            columns=self.mandatory,
            optional=optional,
        )


ACCOUNTS = Kind("accounts", _("accounts"), ACCOUNT_ROW)
ACCOUNT_MONTHS = Kind("account_months", _("account months"), ACCOUNT_MONTH_ROW)
POSTINGS = Kind("postings", _("postings"), POSTING_ROW)
EVENTS = Kind("events", _("events"), EVENT_ROW)

KINDS = (ACCOUNTS, ACCOUNT_MONTHS, POSTINGS, EVENTS)
"""In the order in which they have to come in: months and postings need their accounts."""


def named(header: Sequence[str]) -> list[str]:
    """Return the names of a header as the ledger writes them, whatever their case and the blanks in them.

    Columns without a name at the end, as a spreadsheet leaves them, are left out.
    """
    names = [re.sub(r"[\s_-]+", "_", name.strip().casefold()) for name in header]
    while names and not names[-1]:
        names.pop()
    return names


def recognise(header: Sequence[str], source: str) -> Kind:
    """Return the kind of facts that has this header, in whatever order.

    Raises LedgerRefused, with what is expected, if a column is unknown, missing or doubled.
    """
    names = set(header)
    kind = max(KINDS, key=lambda kind: len(names.intersection(kind.columns)))
    if not names.intersection(kind.columns):
        raise LedgerRefused(
            _("{source} was not read: its first line names no column that is known here.", source=source),
            _(
                "write the columns of one kind of facts; {kinds}",
                kinds=joined((known.expected for known in KINDS), " / "),
            ),
        )
    require_columns(header, kind, source)
    return kind


def require_columns(header: Sequence[str], kind: Kind, source: str) -> None:
    """Raises LedgerRefused, with what is expected, if a column is unknown, missing or doubled."""
    if wrong := _wrong(header, kind):
        raise LedgerRefused(
            _("{source} was not read: {wrong}.", source=source, wrong=wrong),
            _("write the columns of {expected}", expected=kind.expected),
        )


def _wrong(header: Sequence[str], kind: Kind) -> list[Message]:
    unknown = [name for name in header if name not in kind.columns]
    missing = [name for name in kind.mandatory if name not in header]
    doubled = [name for name in kind.columns if header.count(name) > 1]
    wrong = []
    if unknown:
        wrong.append(_("the column {names} is not known", names=_listed(unknown)))
    if missing:
        wrong.append(_("the column {names} is missing", names=_listed(missing)))
    if doubled:
        wrong.append(_("the column {names} is there more than once", names=_listed(doubled)))
    return wrong


def _listed(names: Sequence[str]) -> Sequence[str] | Message:
    """As many as a person reads, and of a stranger's name no more than shows which it is."""
    shown = [_shown(name) for name in names[:_MOST_NAMES]]
    if not (more := len(names) - _MOST_NAMES) > 0:
        return shown
    return _n("{names} and {count:count} more", "{names} and {count:count} more", more, names=shown)


def _shown(name: str) -> str:
    return (name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…") or _("(without a name)")
