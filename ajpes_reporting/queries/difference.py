"""A report that was built, beside what AJPES holds by the bytes that it accepted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.columns import EVENT_COLUMNS
from ajpes_reporting.i18n import _
from ajpes_reporting.reports.nodurs.read import read_rows
from ajpes_reporting.reports.spapp.read import read_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ajpes_reporting.domain.columns import EventRow
    from ajpes_reporting.domain.money import Amounts
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.queries.held import Held, HeldAccount, HeldEvent, HeldObligation
    from ajpes_reporting.reports.spapp.read import ReportedAccount

_AT_ONCE = 500


class Standing(StrEnum):
    """The standing of a record of the report beside what AJPES holds; the values are public.

    AJPES refuses an obligation whose earlier events are altered or missing.
    """

    NEW = "new"
    HELD = "held"
    ALTERED = "altered"
    MISSING = "missing"

    @property
    def label(self) -> Message:
        """The standing in words."""
        return _LABELS[self]


_LABELS = {
    Standing.NEW: _("new for AJPES"),
    Standing.HELD: _("AJPES has it"),
    Standing.ALTERED: _("AJPES has it otherwise"),
    Standing.MISSING: _("AJPES has it, the report lacks it"),
}


@dataclass(frozen=True, slots=True)
class ComparedEvent:
    """An event of the report, or one that only AJPES has. `altered` names the fields that differ."""

    event_id: str
    standing: Standing
    change_type: str
    change_date: str
    amount_cents: int
    recorded_at: str
    altered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComparedObligation:
    """An obligation of the report. `submission` is the accepted one that AJPES knows it from, if any."""

    obligation: str
    submission: int | None
    events: tuple[ComparedEvent, ...]


@dataclass(frozen=True, slots=True)
class ComparedAccount:
    """An account whose figures, in cents, are others in the report than AJPES holds, or only on one side."""

    account: str
    month: str
    standing: Standing
    report: tuple[int, int, int] | None
    held: tuple[int, int, int] | None


def compare_obligations(path: Path, found: Held) -> Iterator[ComparedObligation]:
    """Yields each obligation of a NODURS file, in its order; memory does not grow with the file."""
    histories = ((name, list(rows)) for name, rows in groupby(read_rows(path), attrgetter("obligation_id")))
    while batch := list(islice(histories, _AT_ONCE)):
        known = {one.obligation: one for one in found.obligations_among([name for name, _rows in batch])}
        for name, rows in batch:
            yield _obligation(name, rows, known.get(name))


def compare_accounts(path: Path, found: Held, month: str, whole: Amounts) -> Iterator[ComparedAccount]:
    """Yields the accounts of a SPAPP file that differ from what AJPES holds of the month.

    `whole` is how figures without decimals are meant. Memory grows with the account numbers alone.
    """
    rows = read_accounts(path, whole)
    seen: set[str] = set()
    while batch := list(islice(rows, _AT_ONCE)):
        numbers = [row.account for row in batch]
        known = {one.account: _figures(one) for one in found.accounts_among(month, numbers)}
        seen.update(numbers)
        for row in batch:
            report, held = _figures(row), known.get(row.account)
            if report != held:
                standing = Standing.NEW if held is None else Standing.ALTERED
                yield ComparedAccount(row.account, month, standing, report, held)
    for one in found.accounts(month):
        if one.account not in seen:
            yield ComparedAccount(one.account, month, Standing.MISSING, None, _figures(one))


def _obligation(name: str, rows: Sequence[EventRow], held: HeldObligation | None) -> ComparedObligation:
    known = {event.event_id: event for event in held.events} if held else {}
    events = [_event(row, known.pop(row.event_id, None)) for row in rows]
    events += [_missing(event) for event in known.values()]
    return ComparedObligation(name, held.submission if held else None, tuple(events))


def _event(row: EventRow, held: HeldEvent | None) -> ComparedEvent:
    altered: tuple[str, ...] = ()
    if held is not None:
        names = (field.name for field in EVENT_COLUMNS)
        altered = tuple(name for name in names if getattr(row, name) != _text(getattr(held, name)))
    standing = Standing.NEW if held is None else Standing.ALTERED if altered else Standing.HELD
    return ComparedEvent(
        row.event_id,
        standing,
        row.change_type,
        row.change_date,
        int(row.amount_cents),
        row.recorded_at,
        altered,
    )


def _missing(held: HeldEvent) -> ComparedEvent:
    return ComparedEvent(
        held.event_id,
        Standing.MISSING,
        held.change_type,
        _text(held.change_date),
        held.amount_cents,
        held.recorded_at,
    )


def _figures(one: HeldAccount | ReportedAccount) -> tuple[int, int, int]:
    return one.credit_turnover_cents, one.debit_turnover_cents, one.closing_balance_cents


def _text(value: Any) -> str:
    """Returns a value as the file has it; nothing for none."""
    return "" if value is None else str(value)
