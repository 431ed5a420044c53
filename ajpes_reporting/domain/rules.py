"""The rules that a single record must meet, whether it enters the ledger or stands in a report.

Sections 2.2 and 3.2 of the instruction; section and row stand beside each rule. The rules run up
to a million times in one import, so a record that is fine costs one look at its text and a few
comparisons; words are made only for what is wrong.

A finding's `remedy` says what to write ("write 15 digits"). What else to do depends on where the
record lies: `remedies` adds it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ajpes_reporting.domain.calendar import LJUBLJANA, PLAUSIBLE_YEARS
from ajpes_reporting.domain.events import CANCELLATION, Event, Obligation
from ajpes_reporting.domain.fields import (
    ACCOUNT_MONTH_TEXTS,
    ACCOUNT_TEXTS,
    EVENT_TEXTS,
    OBLIGATION_TEXTS,
    PROVIDER_TEXTS,
    REFERENCE_TEXTS,
    Fault,
)
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.identifiers import (
    account_ok,
    model_known,
    reference_ok,
    registration_number_ok,
    tax_number_ok,
)
from ajpes_reporting.domain.money import format_decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

_ISSUERS = range(2, 6)  # 2.2, row 11: 2 court, 3 tax administration, 4 customs, 5 other
_PRIORITIES = range(1, 4)  # 2.2, row 20
_TWO_DIGITS = range(100)
_MODEL_WITHOUT_REFERENCE = "99"

# Decimal(15,2) in 2.2, row 16. In 3.2 the digits are counted in euros; counted in cents they hold
# for every setting of how SPAPP writes its amounts.
AMOUNT_DIGITS = 15
_AMOUNTS = range(10**AMOUNT_DIGITS)
_BALANCE_DIGITS = 17


CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the clock that recorded an event may be ahead of ours."""

EDITION = 2
"""Raised whenever the rules of single records come to say something else about any record."""


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What differs from bank to bank, or may change with the regulation.

    `account_prefixes`: how the provider's own accounts begin; empty: not checked.
    `change_types`: the codes that raise no warning (their list is an annex of the regulation).
    `large_amount_cents`: from how much on an amount may be something else that was typed for it.
    """

    account_prefixes: tuple[str, ...] = ()
    change_types: frozenset[str] = frozenset({"00", "01", "02", "03"})
    large_amount_cents: int = 100_000_000_000

    @property
    def edition(self) -> str:
        """A fingerprint of the rules with these settings: the same as long as they say the same."""
        parts = (
            EDITION, sorted(self.account_prefixes), sorted(self.change_types), self.large_amount_cents,
        )  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()


class Refers(Protocol):
    """What an event refers to, and with what priority: all that the rules of a reference see."""

    @property
    def reference_model(self) -> str | None: ...
    @property
    def reference(self) -> str | None: ...
    @property
    def priority(self) -> int | None: ...


class Reference(NamedTuple):
    """A reference and its priority, before there is an event."""

    reference_model: str | None
    reference: str | None
    priority: int | None


def check_obligation(obligation: Obligation, settings: RuleSettings) -> Iterator[Finding]:
    """What is wrong with an obligation, apart from its events."""
    for fault in _obligation_faults(obligation, settings):
        yield fault.of(record_name(obligation.obligation_id))


def check_event(obligation_id: str, event: Event, settings: RuleSettings) -> Iterator[Finding]:
    """What is wrong with one event by itself. `event.recorded_at` must have a time zone."""
    for fault in _event_faults(event, settings):
        yield fault.of(record_name(obligation_id, event.event_id))


def check_times(obligation_id: str, event: Event, now: datetime) -> Iterator[Finding]:
    """What is wrong with the times of an event that comes in now: nothing is recorded before it happens."""
    latest = now + CLOCK_TOLERANCE
    record = record_name(obligation_id, event.event_id)
    if event.recorded_at > latest:
        here = f"{now.astimezone(LJUBLJANA):%Y-%m-%d %H:%M}"
        message = f"time of recording {event.recorded_as} lies ahead; it is {here} now"
        remedy = "correct the time, or the clock that gave it"
        yield _error("recorded_at", "future", message, remedy).of(record)
    elif event.change_date > latest.astimezone(LJUBLJANA).date():
        yield _warning("change_date", "future", f"change date {event.change_date} lies ahead").of(record)


def is_fine(event: Event, settings: RuleSettings) -> bool:
    """Whether nothing at all is wrong with the event: what `check_event` finds, without its words."""
    return next(_event_faults(event, settings), None) is None


def is_fine_reference(refers: Refers) -> bool:
    """Whether nothing is wrong with what an event refers to, whichever event it is."""
    texts = refers.reference_model or "", refers.reference or ""
    return not REFERENCE_TEXTS.faults(*texts) and not any(rule(refers) for rule in _REFERENCE_RULES)


def check_cancellation(
    obligation_id: str,
    cancellation: Event,
    target: Event | None,
    cancelled_by: str | None,
    order_ok: bool = True,
) -> Iterator[Finding]:
    """What is wrong between a cancellation and the event it names (2.2, row 13 and note **).

    `target` is that event of the same obligation, None if there is none. `cancelled_by` is the id
    of another event that cancels it already. `order_ok` is False if the cancellation stands before
    its target, whatever their times say.
    """
    for fault in _cancellation_faults(cancellation, target, cancelled_by, order_ok):
        yield fault.of(record_name(obligation_id, cancellation.event_id))


def check_history(obligation_id: str, events: Sequence[Event]) -> Iterator[Finding]:
    """What is wrong between the events of one obligation, given whole and in their order.

    What is wrong with each event by itself is for `check_event`.
    """
    places: dict[str, int] = {}
    for place, event in enumerate(events):
        if places.setdefault(event.event_id, place) != place:
            yield _DUPLICATE_ID.of(record_name(obligation_id, event.event_id))  # 2.2, row 12
    yield from _check_cancellations(obligation_id, events, places)


def check_account_month(
    account: str,
    credit_cents: int,
    debit_cents: int,
    closing_cents: int,
    opening_cents: int | None = None,
) -> Iterator[Finding]:
    """What is wrong with the turnover and balance of one account in one month.

    `opening_cents` is the closing balance of the month before, None where it is not known. Leave
    it out for a report in whole euros: rounded figures need not add up.
    """
    for fault in _month_faults(account, credit_cents, debit_cents, closing_cents, opening_cents):
        yield fault.of(_account_name(account))


def check_account(account: str, tax_number: str, name: str, settings: RuleSettings) -> Iterator[Finding]:
    """What is wrong with an account and its holder, as the ledger lists them."""
    for fault in _account_faults(account, tax_number, name, settings):
        yield fault.of(_account_name(account))


def check_account_number(account: str, settings: RuleSettings) -> Iterator[Finding]:
    """What is wrong with the number of an account of ours, as SPAPP reports it (3.2, row 9)."""
    for fault in _own_account_faults("account", account, "account", settings):
        yield fault.of(_account_name(account))


def check_provider(registration_number: str, name: str | None = None) -> Iterator[Finding]:
    """What is wrong with the bank that reports, as the head of a report names it (2.2, rows 5, 6).

    SPAPP gives no name.
    """
    record = f"provider {_shown(registration_number)}"
    if name is not None:
        for fault in PROVIDER_TEXTS.faults(registration_number, name):
            yield fault.of(record)
    if _is_digits(registration_number, 7, 10) and not registration_number_ok(registration_number):
        yield _check_digits("registration_number", "registration number").of(record)


def record_name(obligation_id: str, event_id: str | None = None) -> str:
    """What an operator calls a record: "O-314 / event 7", or "O-314" for the obligation itself."""
    if event_id is None:
        return _shown(obligation_id)
    return f"{_shown(obligation_id)} / event {_shown(event_id)}"


def _check_cancellations(
    obligation_id: str, events: Sequence[Event], places: Mapping[str, int]
) -> Iterator[Finding]:
    cancelled_by: dict[str, str] = {}
    for place, event in enumerate(events):
        if not (event.is_cancellation and event.cancels_event_id):
            continue
        target_place = places.get(event.cancels_event_id)
        target = None if target_place is None else events[target_place]
        order_ok = target_place is None or target_place < place
        by = cancelled_by.get(event.cancels_event_id)
        yield from check_cancellation(obligation_id, event, target, by, order_ok)
        cancelled_by.setdefault(event.cancels_event_id, event.event_id)


def _account_name(account: str) -> str:
    return f"account {_shown(account)}"


def _shown(text: str) -> str:
    """An id as it can stand in a message: what cannot be printed is escaped, the endless is cut."""
    if not text:
        return "(no id)"
    short = text if len(text) <= 40 else f"{text[:40]}…"
    return short if short.isprintable() else ascii(short)[1:-1]


# --- Obligations ----------------------------------------------------------------------------------


def _obligation_faults(obligation: Obligation, settings: RuleSettings) -> Iterator[Fault]:
    account, tax_number = obligation.debtor_account, obligation.debtor_tax_number
    yield from OBLIGATION_TEXTS.faults(obligation.obligation_id, tax_number, obligation.debtor_name, account)
    if obligation.issuer not in _ISSUERS:  # 2.2, row 11
        yield _error(
            "issuer",
            "unknown",
            f"issuer {obligation.issuer} does not exist",
            "write 2 (court), 3 (tax administration), 4 (customs) or 5 (other)",
        )
    if fault := _tax_number("debtor_tax_number", tax_number, "debtor tax number"):  # 2.2, row 7
        yield fault
    yield from _own_account_faults("debtor_account", account, "debtor account", settings)  # 2.2, row 9


# --- Events ---------------------------------------------------------------------------------------


def _event_faults(event: Event, settings: RuleSettings) -> Iterator[Fault]:
    yield from EVENT_TEXTS.faults(
        event.event_id,
        event.cancels_event_id or "",
        event.change_type,
        event.recorded_as,
        event.reference_model or "",
        event.reference or "",
        event.creditor_account or "",
        event.creditor_name or "",
    )
    for rule in _EVENT_RULES:
        if fault := rule(event):
            yield fault
    if fault := _change_type(event.change_type, settings):
        yield fault
    if fault := _large_amount(event.amount_cents, settings):
        yield fault


def _change_type(change_type: str, settings: RuleSettings) -> Fault | None:
    """2.2, row 14."""
    known = change_type == CANCELLATION or change_type in settings.change_types
    if not known and _is_digits(change_type, 2):
        return _warning("change_type", "unknown", f"change type {change_type} is not a known one")
    return None


def _cancellation_names_event(event: Event) -> Fault | None:
    """2.2, row 13: to be filled in if the change type is 00."""
    if event.change_type == CANCELLATION and not event.cancels_event_id:
        return _error(
            "cancels_event_id",
            "missing",
            "a cancellation (change type 00) must name the event that it cancels",
            "write the id of that event",
        )
    return None


def _only_cancellation_names_event(event: Event) -> Fault | None:
    """2.2, row 13, read the other way round."""
    if event.cancels_event_id and event.change_type != CANCELLATION:
        return _error(
            "cancels_event_id",
            "unexpected",
            f"an event is named to be cancelled, but change type {_shown(event.change_type)} cancels nothing",
            "leave it empty, or write change type 00",
        )
    return None


def _year(event: Event) -> Fault | None:
    """2.2, rows 15 and 17: a slip of the keyboard such as 0206 for 2026."""
    if event.change_date.year not in PLAUSIBLE_YEARS:
        return _implausible("change_date", "change date", event.change_date.year)
    if event.recorded_at.year not in PLAUSIBLE_YEARS:
        return _implausible("recorded_at", "time of recording", event.recorded_at.year)
    return None


def _implausible(field: str, label: str, year: int) -> Fault:
    return _error(field, "year", f"{label} is in the year {year}", "correct the year")


def _recorded_on_change_date(event: Event) -> Fault | None:
    """2.2, note *: both dates are normally the same.

    The day is read as it was written, and as it was in Ljubljana: either may agree.
    """
    if event.recorded_as.startswith(event.change_date.isoformat()) or _year(event):
        return None
    recorded_on = event.recorded_at.astimezone(LJUBLJANA).date()
    if recorded_on == event.change_date:
        return None
    message = f"change date {event.change_date} is not the day of recording, {recorded_on}"
    return _warning("change_date", "not-recording-date", message)


def _amount(event: Event) -> Fault | None:
    """2.2, row 16. That the sign is carried by the type of change is our reading."""
    if event.amount_cents in _AMOUNTS:
        return None
    return _size_fault("amount_cents", "amount", event.amount_cents, AMOUNT_DIGITS) or _warning(
        "amount_cents", "negative", "amount is negative, its sign is a matter of change type"
    )


def _large_amount(cents: int, settings: RuleSettings) -> Fault | None:
    """2.2, row 16: what was typed into the wrong field, such as the number of an account, is that large."""
    if not settings.large_amount_cents <= abs(cents) < 10**AMOUNT_DIGITS:
        return None
    limit = format_decimal(settings.large_amount_cents)
    message = f"amount is {format_decimal(cents)} EUR, and from {limit} EUR on it may be a slip"
    return _warning("amount_cents", "large", message, "compare it with its source")


def _priority(event: Refers) -> Fault | None:
    """2.2, row 20."""
    if event.priority is None or event.priority in _PRIORITIES:
        return None
    message, remedy = f"priority {event.priority} is not 1, 2 or 3", "write 1, 2 or 3"
    if event.priority in _TWO_DIGITS:
        return _warning("priority", "unknown", message, remedy)
    return _error("priority", "size", message, remedy)


def _reference(event: Refers) -> Fault | None:
    """2.2, rows 18 and 19. A reference is read by its model; that it needs one is our reading."""
    model, reference = event.reference_model, event.reference
    if reference and not model:
        return _error("reference_model", "missing", "reference is given without its model", "write the model")
    if not model or not _is_digits(model, 1, 2):
        return None
    if not model_known(model):
        return _warning("reference_model", "unknown", f"reference model {model} is not a known one")
    if not reference:
        return _missing_reference(model)
    if not reference_ok(model, reference):
        return _warning("reference", "check-digits", f"control digits of the reference fail model {model}")
    return None


def _missing_reference(model: str) -> Fault | None:
    if model == _MODEL_WITHOUT_REFERENCE:
        return None
    return _warning("reference", "missing", "reference is missing, only model 99 stands without one")


def _creditor_is_whole(event: Event) -> Fault | None:
    """2.2, rows 21 and 22: the report has a creditor with both, or none."""
    if event.creditor_account and not event.creditor_name:
        return _error(
            "creditor_name",
            "missing",
            "creditor account is given without the creditor name",
            "write the name",
        )
    if event.creditor_name and not event.creditor_account:
        return _error(
            "creditor_account",
            "missing",
            "creditor name is given without the creditor account",
            "write the account",
        )
    return None


def _creditor_account(event: Event) -> Fault | None:
    """2.2, row 21: 15 digits are an account in Slovenia."""
    account = event.creditor_account
    if account and _is_digits(account, 15) and not account_ok(account):
        return _check_digits("creditor_account", "creditor account")
    return None


_REFERENCE_RULES: tuple[Callable[[Refers], Fault | None], ...] = (_priority, _reference)
_EVENT_RULES: tuple[Callable[[Event], Fault | None], ...] = (
    _cancellation_names_event,
    _only_cancellation_names_event,
    _year,
    _recorded_on_change_date,
    _amount,
    *_REFERENCE_RULES,
    _creditor_is_whole,
    _creditor_account,
)


# --- Cancellations --------------------------------------------------------------------------------


def _cancellation_faults(
    cancellation: Event, target: Event | None, cancelled_by: str | None, order_ok: bool
) -> Iterator[Fault]:
    """2.2, note **: a cancellation undoes one earlier event of its obligation. That it carries the
    amount of that event, is not cancelled itself, and nothing is cancelled twice, is our reading."""
    cancelled = f"event {_shown(cancellation.cancels_event_id or '')}"
    if cancellation.cancels_event_id == cancellation.event_id:
        yield _refid_error("itself", "it cancels itself")
    elif target is None:
        yield _refid_error("nowhere", f"it cancels {cancelled}, which this obligation does not have")
    elif target.is_cancellation:
        yield _refid_error("cancellation", f"it cancels {cancelled}, which is a cancellation itself")
    elif cancelled_by is not None:
        yield _refid_error("twice", f"{cancelled} is cancelled already, by event {_shown(cancelled_by)}")
    else:
        yield from _undoing_faults(cancellation, target, cancelled, order_ok)


def _undoing_faults(cancellation: Event, target: Event, cancelled: str, order_ok: bool) -> Iterator[Fault]:
    if cancellation.amount_cents != target.amount_cents:
        own, its = format_decimal(cancellation.amount_cents), format_decimal(target.amount_cents)
        message = f"amount is {own}, but {cancelled}, which it cancels, has {its}"
        yield _error("amount_cents", "not-of-cancelled", message, f"write the same amount, {its}")
    if not order_ok or cancellation.recorded_at < target.recorded_at:
        message = f"it is recorded before {cancelled}, which it cancels"
        yield _error("recorded_at", "before-cancelled", message, "record it after that event")


def _refid_error(what: str, message: str) -> Fault:
    return _error("cancels_event_id", what, message, "name an earlier event that still counts")


_DUPLICATE_ID = Fault(
    Severity.ERROR,
    "event_id",
    "duplicate",
    "event id stands more than once in this obligation",
    "give each event of an obligation its own id",
)


# --- Accounts -------------------------------------------------------------------------------------


def _account_faults(account: str, tax_number: str, name: str, settings: RuleSettings) -> Iterator[Fault]:
    yield from ACCOUNT_TEXTS.faults(account, tax_number, name)
    yield from _own_account_faults("account", account, "account", settings)  # 3.2, row 9
    if fault := _tax_number("holder_tax_number", tax_number, "holder tax number"):
        yield fault


def _month_faults(
    account: str, credit_cents: int, debit_cents: int, closing_cents: int, opening_cents: int | None
) -> Iterator[Fault]:
    yield from ACCOUNT_MONTH_TEXTS.faults(account)
    if _is_digits(account, 15) and not account_ok(account):  # 3.2, row 9
        yield _check_digits("account", "account")
    yield from _turnover_faults("credit_turnover_cents", "credit turnover", credit_cents)  # 3.2, row 8
    yield from _turnover_faults("debit_turnover_cents", "debit turnover", debit_cents)  # 3.2, row 10
    balance = ("closing_balance_cents", "closing balance")
    if too_long := _size_fault(*balance, closing_cents, _BALANCE_DIGITS):  # 3.2, row 7
        yield too_long
    if opening_cents is not None and opening_cents + credit_cents - debit_cents != closing_cents:
        yield _does_not_add_up(opening_cents + credit_cents - debit_cents, closing_cents)


def _turnover_faults(field: str, label: str, cents: int) -> Iterator[Fault]:
    """3.2, note *: the amount must be positive or 0."""
    if cents < 0:
        yield _error(field, "negative", f"{label} is negative, {format_decimal(cents)}", "write 0 or more")
    if too_long := _size_fault(field, label, cents, AMOUNT_DIGITS):
        yield too_long


def _does_not_add_up(expected: int, closing: int) -> Fault:
    return _error(
        "closing_balance_cents",
        "does-not-add-up",
        f"closing balance is {format_decimal(closing)}, but the opening balance and the turnover"
        f" give {format_decimal(expected)}",
        "find the posting that is missing or doubled, in this month or the one before; a wrong row is"
        " restated with `ledger import FILE --restate --reason …`",
    )


# --- What several records share -------------------------------------------------------------------


def _own_account_faults(field: str, account: str, label: str, settings: RuleSettings) -> Iterator[Fault]:
    """An account that the reporting bank itself keeps."""
    if not _is_digits(account, 15):
        return
    if not account_ok(account):
        yield _check_digits(field, label)
    if settings.account_prefixes and not account.startswith(settings.account_prefixes):
        prefixes = " or ".join(settings.account_prefixes)
        yield _warning(field, "prefix", f"{label} does not begin with {prefixes}, as the provider's own do")


def _tax_number(field: str, tax_number: str, label: str) -> Fault | None:
    if _is_digits(tax_number, 8) and not tax_number_ok(tax_number):
        return _check_digits(field, label)
    return None


def _size_fault(field: str, label: str, cents: int, digits: int) -> Fault | None:
    if abs(cents) < 10**digits:
        return None
    message = f"{label} has {len(str(abs(cents)))} digits in cents, at most {digits} are allowed"
    return _error(field, "size", message, f"write at most {digits} digits")


def _check_digits(field: str, label: str) -> Fault:
    return _warning(
        field, "check-digits", f"check digits of the {label} are wrong", "compare it with its source"
    )


def _error(field: str, what: str, message: str, remedy: str) -> Fault:
    return Fault(Severity.ERROR, field, what, message, remedy)


def _warning(field: str, what: str, message: str, remedy: str = "") -> Fault:
    return Fault(Severity.WARNING, field, what, message, remedy)


def _is_digits(text: str, *lengths: int) -> bool:
    """Whether the text is so many ASCII digits; whatever is not, its format finds."""
    return len(text) in lengths and text.isascii() and text.isdigit()
