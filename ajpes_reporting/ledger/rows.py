"""One row after another: read, checked by itself, and put where it waits for the others.

A row with an error is not staged; its findings are enough to refuse the whole source.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from ajpes_reporting.domain import rules
from ajpes_reporting.domain.events import Event, Obligation
from ajpes_reporting.domain.fields import ACCOUNT, EVENT_TEXTS, IDENTIFIER, Fault, Field, Texts
from ajpes_reporting.domain.findings import Severity
from ajpes_reporting.ledger import values
from ajpes_reporting.ledger.editions import edition_of
from ajpes_reporting.ledger.first_look import FirstLook
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, EVENTS, Kind
from ajpes_reporting.ledger.staging import (
    instant_text,
    staged_account_months,
    staged_accounts,
    staged_events,
    staged_obligations,
    staged_postings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Table

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.staging import Row

_REMEMBERED = 10_000
"""Obligations of a batch kept in mind, so that each is checked and staged once and not with every event."""


class Reader(Protocol):
    """Reads the rows of one kind; what is right gathers in `ready`, by the table it waits in."""

    ready: dict[Table, list[Row]]

    def read(self, line: int, texts: Sequence[str]) -> Iterable[Finding]:
        """Reads one row, its texts in the order of the kind's columns; says what is wrong."""
        ...


def reader_of(kind: Kind, connection: Connection, settings: RuleSettings) -> Reader:
    """The reader for rows of this kind."""
    if kind is EVENTS:
        return _Events(settings, edition_of(connection, settings), instant_text(connection))
    if kind is ACCOUNTS:
        return _Accounts(settings, edition_of(connection, settings))
    return _AccountMonths() if kind is ACCOUNT_MONTHS else _Postings()


class _Events:
    """An event with what it repeats of its obligation."""

    def __init__(self, settings: RuleSettings, edition: int, instant: Callable[[Any], str]) -> None:
        self.ready: dict[Table, list[Row]] = {staged_obligations: [], staged_events: []}
        self._settings = settings
        self._edition = edition
        self._instant = instant
        self._first_look = FirstLook(settings, edition, instant)
        self._known: dict[str, Sequence[str]] = {}
        self._wrong: set[str] = set()
        self._staged = 0

    def read(self, line: int, texts: Sequence[str]) -> Iterable[Finding]:
        if len(self.ready[staged_obligations]) < self._staged:
            self._forget_batch()
        about = texts[:5]
        found = () if self._known.get(texts[0]) == about else self._read_obligation(line, about, texts[5])
        event = self._first_look.event(line, texts)
        if event is None:
            event, wrong = self._read_event(line, texts)
            found = (*found, *wrong)
        if event and texts[0] not in self._wrong:  # its id may be what is wrong with an obligation
            self.ready[staged_events].append(event)
        return found

    def _forget_batch(self) -> None:
        """The rows so far were taken in. What stands in a batch is staged with it: by that the rows of
        each event are known, and under which name they have its debtor."""
        self._known = {key: about for key, about in self._known.items() if key in self._wrong}
        self._staged = 0

    def _read_obligation(self, line: int, about: Sequence[str], event_id: str) -> Sequence[Finding]:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
            self._wrong.clear()
        obligation_id, issuer_text, tax_number, name, account = about
        self._known[obligation_id] = about
        try:
            issuer = values.number(issuer_text)
        except values.TextError:
            self._wrong.add(obligation_id)
            record = rules.record_name(obligation_id)
            return _misread(record, {"issuer": (values.number, issuer_text)})
        obligation = Obligation(obligation_id, issuer, tax_number, name, account)
        found = tuple(rules.check_obligation(obligation, self._settings))
        if any(finding.is_error for finding in found):
            self._wrong.add(obligation_id)
            return found
        name_of_row = _NO_ID if _EVENT_ID.faults(event_id) else event_id
        self.ready[staged_obligations].append(
            (
                line, obligation_id, issuer, tax_number, name, account, name_of_row,
                None if found else self._edition,
            )
        )  # fmt: skip
        self._staged = len(self.ready[staged_obligations])
        return found

    def _read_event(self, line: int, texts: Sequence[str]) -> tuple[Row | None, Sequence[Finding]]:
        """The event as it is staged, unless it is wrong, and what is to be said about it."""
        (
            obligation_id, _, _, _, _, event_id, cancels, change_type, change_date, amount, recorded,
            model, reference, priority, creditor_account, creditor_name,
        ) = texts  # fmt: skip
        try:
            recorded_at, recorded_as = values.moment(recorded)
            event = Event(
                event_id, cancels or None, change_type, values.day(change_date), values.cents(amount),
                recorded_at, recorded_as, model or None, reference or None, values.optional_number(priority),
                creditor_account or None, creditor_name or None,
            )  # fmt: skip
        except values.TextError:
            return None, _misread(
                rules.record_name(obligation_id, event_id),
                {
                    "change_date": (values.day, change_date),
                    "amount_cents": (values.cents, amount),
                    "recorded_at": (values.moment, recorded),
                    "priority": (values.optional_number, priority),
                },
            )
        found = tuple(rules.check_event(obligation_id, event, self._settings))
        if any(finding.is_error for finding in found):
            return None, found
        return (
            line, obligation_id, event_id, event.cancels_event_id, change_type, change_date,
            event.amount_cents, self._instant(recorded_at), recorded_as, event.reference_model,
            event.reference, event.priority, event.creditor_account, event.creditor_name,
            None if found else self._edition,
        ), found  # fmt: skip


class _Accounts:
    def __init__(self, settings: RuleSettings, edition: int) -> None:
        self.ready: dict[Table, list[Row]] = {staged_accounts: []}
        self._settings = settings
        self._edition = edition

    def read(self, line: int, texts: Sequence[str]) -> Iterable[Finding]:
        account, tax_number, name, opened, closed = texts
        yield from (found := tuple(rules.check_account(account, tax_number, name, self._settings)))
        yield from (
            misread := _misread(
                f"account {account}",
                {"opened_on": (values.day, opened), "closed_on": (values.optional_day, closed)},
            )
        )
        if misread or any(finding.is_error for finding in found):
            return
        if closed and closed < opened:
            yield Fault(
                Severity.ERROR, "closed_on", "before-opened",
                f"the account closed on {closed}, before it was opened on {opened}",
                "write the day it closed, or nothing",
            ).of(f"account {account}")  # fmt: skip
        self.ready[staged_accounts].append(
            (line, account, tax_number, name, opened, closed or None, None if found else self._edition)
        )


class _AccountMonths:
    def __init__(self) -> None:
        self.ready: dict[Table, list[Row]] = {staged_account_months: []}

    def read(self, line: int, texts: Sequence[str]) -> Iterable[Finding]:
        account, month, credit, debit, closing = texts
        try:
            figures = values.cents(credit), values.cents(debit), values.cents(closing)
            row = (line, account, values.month(month), *figures)
        except values.TextError:
            yield from _misread(
                f"account {account}",
                {
                    "month": (values.month, month),
                    "credit_turnover_cents": (values.cents, credit),
                    "debit_turnover_cents": (values.cents, debit),
                    "closing_balance_cents": (values.cents, closing),
                },
            )
            return
        yield from (found := tuple(rules.check_account_month(account, *figures)))
        if not any(finding.is_error for finding in found):
            self.ready[staged_account_months].append(row)


class _Postings:
    """The ledger's own matter: no report has a field for it."""

    def __init__(self) -> None:
        self.ready: dict[Table, list[Row]] = {staged_postings: []}

    def read(self, line: int, texts: Sequence[str]) -> Iterable[Finding]:
        if found := [replace(finding, location="") for finding in self._check(texts)]:
            return found
        posting_id, account, booked, amount = texts
        self.ready[staged_postings].append((line, posting_id, account, booked, int(amount)))
        return ()

    def _check(self, texts: Sequence[str]) -> Iterator[Finding]:
        posting_id, account, booked, amount = texts
        record = f"posting {posting_id or _NO_ID}"
        for fault in _POSTING_TEXTS.faults(posting_id, account):
            yield fault.of(record)
        yield from _misread(
            record, {"booked_on": (values.day, booked), "amount_cents": (values.cents, amount)}
        )


_NO_ID = "(no id)"
_EVENT_ID = Texts(EVENT_TEXTS.fields[0])
_POSTING_TEXTS = Texts(
    Field("posting_id", "posting id", "", IDENTIFIER), Field("account", "account", "", ACCOUNT)
)


def _misread(record: str, parts: Mapping[str, tuple[Callable[[str], Any], str]]) -> Sequence[Finding]:
    """What is wrong with the texts of a row, each read by its own function."""
    return [finding for field, (read, text) in parts.items() for finding in _try(record, field, read, text)]


def _try(record: str, field: str, read: Callable[[str], Any], text: str) -> Iterator[Finding]:
    try:
        read(text)
    except values.TextError as bad:
        label = field.removesuffix("_cents").replace("_", " ")
        yield Fault(Severity.ERROR, field, bad.what, f"{label} {bad.message}", bad.remedy).of(record)
