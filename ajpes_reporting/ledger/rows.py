"""One row after another: read, checked by itself, and put where it waits for the others.

A row with an error is not staged; its findings are enough to refuse the whole source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ajpes_reporting.domain import rules
from ajpes_reporting.domain.columns import (
    ACCOUNT_MONTH_ROW,
    ACCOUNT_ROW,
    EVENT_ROW,
    FIELDS,
    OBLIGATION_COLUMNS,
    POSTING_ROW,
    POSTING_TEXTS,
    AccountMonthRow,
    AccountRow,
    EventRow,
    PostingRow,
)
from ajpes_reporting.domain.events import Event, Obligation
from ajpes_reporting.domain.fields import Texts, Violation
from ajpes_reporting.domain.findings import Severity
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.ledger import values
from ajpes_reporting.ledger.canonical import canonical_texts
from ajpes_reporting.ledger.editions import edition_of
from ajpes_reporting.ledger.first_look import FirstLook
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, EVENTS, Kind
from ajpes_reporting.ledger.staging import (
    EVENT_COLUMNS,
    as_staged,
    instant_text,
    staged_account_months,
    staged_accounts,
    staged_events,
    staged_obligations,
    staged_postings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection, Table

    from ajpes_reporting.domain.fields import Field
    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.staging import Staged

_REMEMBERED = 10_000
"""Obligations of a batch kept in mind, so that each is checked and staged once and not with every event."""


class Reader(Protocol):
    """Reads the rows of one kind; what is right gathers in `ready`, by the table it waits in."""

    ready: dict[Table, list[Staged]]

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


_OBLIGATION = slice(len(OBLIGATION_COLUMNS))  # they come first in a row of events
_EVENT_ID = [column.name for column in EVENT_ROW].index("event_id")


class _Events:
    """An event with what it repeats of its obligation."""

    def __init__(self, settings: RuleSettings, edition: int, instant: Callable[[Any], str]) -> None:
        self.ready: dict[Table, list[Staged]] = {staged_obligations: [], staged_events: []}
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
        about = tuple(texts[_OBLIGATION])
        found: Sequence[Finding] = ()
        if self._known.get(texts[0]) != about:
            plain = _canonical_obligation(about)
            if plain != about:
                about, texts = plain, (*plain, *texts[len(plain) :])
            if self._known.get(texts[0]) != about:
                found = self._read_obligation(line, about, texts[_EVENT_ID])
        event = self._first_look.event(line, texts)
        if event is None:
            row = EventRow(*_canonical_event(texts))
            event = self._first_look.event(line, row)
            if event is None:
                event, wrong = self._read_event(line, row)
                found = (*found, *wrong)
        if event and texts[0] not in self._wrong:  # its id may be what is wrong with an obligation
            self.ready[staged_events].append(event)
        return found

    def _forget_batch(self) -> None:
        """Forgets the rows so far, which were taken in.

        A batch is staged as a whole: by that the rows of each event are known, and the name they give its
        debtor.
        """
        self._known = {key: about for key, about in self._known.items() if key in self._wrong}
        self._staged = 0

    def _read_obligation(self, line: int, about: Sequence[str], event_id: str) -> Sequence[Finding]:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
            self._wrong.clear()
        obligation_id = about[0]
        self._known[obligation_id] = about
        try:
            obligation = Obligation(**_obligation_facts(about))
        except values.TextError:
            self._wrong.add(obligation_id)
            return _unreadable(rules.record_name(obligation_id), OBLIGATION_COLUMNS, about)
        found = tuple(rules.check_obligation(obligation, self._settings))
        if any(finding.is_error for finding in found):
            self._wrong.add(obligation_id)
            return found
        name_of_row = _NO_ID if _ID_OF_EVENT.violations(event_id) else event_id
        self.ready[staged_obligations].append(
            (
                line,
                obligation_id,
                obligation.issuer,
                obligation.debtor_tax_number,
                obligation.debtor_name,
                obligation.debtor_account,
                name_of_row,
                None if found else self._edition,
            )
        )
        self._staged = len(self.ready[staged_obligations])
        return found

    def _read_event(self, line: int, row: EventRow) -> tuple[Staged | None, Sequence[Finding]]:
        """The event as it is staged, unless it is wrong, and what is to be said about it."""
        texts = [getattr(row, column.name) for column in EVENT_COLUMNS]
        try:
            facts = _event_facts(texts)
        except values.TextError:
            record = rules.record_name(row.obligation_id, row.event_id)
            return None, _unreadable(record, EVENT_COLUMNS, texts)
        found = tuple(rules.check_event(row.obligation_id, Event(**facts), self._settings))
        if any(finding.is_error for finding in found):
            return None, found
        edition = None if found else self._edition
        return (line, row.obligation_id, *as_staged(facts, self._instant), edition), found


class _Accounts:
    def __init__(self, settings: RuleSettings, edition: int) -> None:
        self.ready: dict[Table, list[Staged]] = {staged_accounts: []}
        self._settings = settings
        self._edition = edition

    def read(self, line: int, texts: Sequence[str]) -> Iterable[Finding]:
        row = AccountRow(*_canonical_account(texts))
        record = rules.account_name(row.account)
        checked = rules.check_account(row.account, row.holder_tax_number, row.holder_name, self._settings)
        unreadable = _unreadable(record, ACCOUNT_ROW, row)
        said = {finding.field for finding in unreadable}
        yield from (found := tuple(finding for finding in checked if finding.field not in said))
        yield from unreadable
        if unreadable or any(finding.is_error for finding in found):
            return
        if row.closed_on and row.closed_on < row.opened_on:
            message = _(
                "the account closed on {closed:date}, before it was opened on {opened:date}",
                closed=values.day(row.closed_on),
                opened=values.day(row.opened_on),
            )
            remedy = _("write the day it closed, or nothing")
            location = FIELDS["closed_on"].location
            yield Violation(Severity.ERROR, "closed_on", "before-opened", message, remedy, location).of(
                record
            )
        self.ready[staged_accounts].append(
            (line, *row[:-1], row.closed_on or None, None if found else self._edition)
        )


class _AccountMonths:
    def __init__(self) -> None:
        self.ready: dict[Table, list[Staged]] = {staged_account_months: []}

    def read(self, line: int, texts: Sequence[str]) -> Iterable[Finding]:
        row = AccountMonthRow(*_canonical_month(texts))
        try:
            account, month, *figures = _account_month_facts(row).values()
        except values.TextError:
            yield from _unreadable(rules.account_name(row.account), ACCOUNT_MONTH_ROW, row)
            return
        yield from (found := tuple(rules.check_account_month(account, *figures)))
        if not any(finding.is_error for finding in found):
            self.ready[staged_account_months].append((line, account, month, *figures))


class _Postings:
    """The ledger's own matter: no report has a field for it."""

    def __init__(self) -> None:
        self.ready: dict[Table, list[Staged]] = {staged_postings: []}

    def read(self, line: int, texts: Sequence[str]) -> Iterable[Finding]:
        row = PostingRow(*_canonical_posting(texts))
        unreadable = tuple(values.unreadable(POSTING_ROW, row))
        said = {violation.field for violation in unreadable}
        texts_wrong = POSTING_TEXTS.violations(row.posting_id, row.account)
        if wrong := (*(violation for violation in texts_wrong if violation.field not in said), *unreadable):
            record = rules.posting_name(row.posting_id)
            return [violation.of(record) for violation in wrong]
        self.ready[staged_postings].append(
            (line, row.posting_id, row.account, row.booked_on, int(row.amount_cents))
        )
        return ()


_canonical_obligation = canonical_texts(OBLIGATION_COLUMNS)
_canonical_event = canonical_texts(EVENT_ROW)
_canonical_account = canonical_texts(ACCOUNT_ROW)
_canonical_month = canonical_texts(ACCOUNT_MONTH_ROW)
_canonical_posting = canonical_texts(POSTING_ROW)

_event_facts = values.facts_of(EVENT_COLUMNS)
_obligation_facts = values.facts_of(OBLIGATION_COLUMNS)
_account_month_facts = values.facts_of(ACCOUNT_MONTH_ROW)

_NO_ID = _("(no id)")
_ID_OF_EVENT = Texts(FIELDS["event_id"])


def _unreadable(record: Message, columns: Sequence[Field], texts: Sequence[str]) -> Sequence[Finding]:
    """Returns findings about texts of a row that are no values."""
    return [violation.of(record) for violation in values.unreadable(columns, texts)]
