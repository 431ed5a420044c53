"""The rules that a single record must meet, whether it enters the ledger or stands in a report.

Sections 2.2 and 3.2 of the instruction; section and row stand beside each rule. The rules run up
to a million times in one import, so a record that is fine costs one look at its text and a few
comparisons; words are made only for what is wrong.

A rule about an event is registered with the slice of the event that it reads. So an import can ask
it once about each different value of the slice, and mypy refuses a rule that reads anything else. A
rule that reads more than one slice is registered with `WHOLE_EVENT`, and then every event is read in full.

A finding's `remedy` says what to write ("write 15 digits"). What else to do depends on where the
record lies: `remedies` adds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from ajpes_reporting.domain.calendar import LJUBLJANA, PLAUSIBLE_YEARS
from ajpes_reporting.domain.columns import (
    ACCOUNT_MONTH_TEXTS,
    ACCOUNT_TEXTS,
    EVENT_COLUMNS,
    FIELDS,
    OBLIGATION_TEXTS,
    PROVIDER_TEXTS,
)
from ajpes_reporting.domain.events import (
    CANCELLATION,
    Amount,
    Change,
    Creditor,
    Days,
    Event,
    Identity,
    Obligation,
    Reference,
)
from ajpes_reporting.domain.fields import Texts, Violation
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.identifiers import (
    account_ok,
    model_known,
    reference_ok,
    registration_number_ok,
    tax_number_ok,
)
from ajpes_reporting.i18n import NOTHING, Message, _, _n, verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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

EDITION = 3
"""Raised whenever a rule comes to say something else about any record."""


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """The settings of the rules: values that differ from bank to bank, or change with the regulation.

    `account_prefixes`: how the provider's own accounts begin; empty: not checked.
    `change_types`: the codes that raise no warning (their list is an annex of the regulation).
    `large_amount_cents`: from how much on an amount may be something else that was typed for it.
    """

    account_prefixes: tuple[str, ...] = ()
    change_types: frozenset[str] = frozenset({"00", "01", "02", "03"})
    large_amount_cents: int = 100_000_000_000

    @property
    def edition(self) -> str:
        """A fingerprint of the rules with these settings: the same as long as they say the same.

        A rule that is registered, or is no more, changes it. So a report asks again about facts that
        came in without that rule.
        """
        parts = (
            EDITION,
            sorted(self.account_prefixes),
            sorted(self.change_types),
            self.large_amount_cents,
            [(part.name, rule.__name__) for part in (*SLICES, WHOLE_EVENT) for rule in part.rules],
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()


Part = TypeVar("Part")
Rule = Callable[[Part, RuleSettings], "Violation | None"]


class Slice(Generic[Part]):
    """A part of an event that comes in its own columns, and the rules that read nothing beyond it."""

    def __init__(self, part: type, *columns: str) -> None:
        """`columns`: the names of its columns where they are not those that the part has."""
        names = columns or tuple(name for name, kept in vars(part).items() if isinstance(kept, property))
        by_name = {column.name: column for column in EVENT_COLUMNS}
        self.name = part.__name__
        self.columns = tuple(by_name[name] for name in names)
        self.texts = Texts(*self.columns)
        self.rules: list[Rule[Part]] = []

    def rule(self, rule: Rule[Part]) -> Rule[Part]:
        """Registers a rule, as a decorator. Its name is a part of the edition."""
        self.rules.append(rule)
        return rule

    def violations(self, part: Part, settings: RuleSettings) -> Iterator[Violation]:
        """Yields the violations of a part whose texts have their formats."""
        for rule in self.rules:
            if violation := rule(part, settings):
                yield violation

    def is_fine(self, part: Part, settings: RuleSettings) -> bool:
        """Whether nothing at all is wrong with the part, its texts included."""
        return not self.texts.violations_of(part) and not any(rule(part, settings) for rule in self.rules)


IDENTITY: Slice[Identity] = Slice(Identity)
CHANGE: Slice[Change] = Slice(Change)
DAYS: Slice[Days] = Slice(Days, "change_date", "recorded_at")
AMOUNT: Slice[Amount] = Slice(Amount)
REFERENCE: Slice[Reference] = Slice(Reference)
CREDITOR: Slice[Creditor] = Slice(Creditor)
SLICES = (IDENTITY, CHANGE, DAYS, AMOUNT, REFERENCE, CREDITOR)

WHOLE_EVENT: Slice[Event] = Slice(Event, *(column.name for column in EVENT_COLUMNS))
"""Rules that read more than one slice. As long as there is one, every event is read in full."""

UNSLICED = tuple(column for column in EVENT_COLUMNS if not any(column in part.columns for part in SLICES))
"""Columns that belong to no slice. As long as there is one, every event is read in full."""


def check_obligation(obligation: Obligation, settings: RuleSettings) -> Iterator[Finding]:
    """Yield what is wrong with an obligation, apart from its events."""
    for violation in _obligation_violations(obligation, settings):
        yield violation.of(record_name(obligation.obligation_id))


def check_event(obligation_id: str, event: Event, settings: RuleSettings) -> Iterator[Finding]:
    """Yield what is wrong with one event by itself. `event.recorded_at` must have a time zone."""
    for violation in _event_violations(event, settings):
        yield violation.of(record_name(obligation_id, event.event_id))


def check_times(obligation_id: str, event: Event, now: datetime) -> Iterator[Finding]:
    """Yield what is wrong with the times of an event that comes in now: none lies ahead."""
    latest = now + CLOCK_TOLERANCE
    record = record_name(obligation_id, event.event_id)
    if event.recorded_at > latest:
        message = _(
            "time of recording {recorded:written} lies ahead; it is {now:moment} now",
            recorded=event.recorded_as,
            now=now,
        )
        remedy = _("correct the time, or the clock that gave it")
        yield _error("recorded_at", "future", message, remedy).of(record)
    elif event.change_date > latest.astimezone(LJUBLJANA).date():
        message = _("change date {day:date} lies ahead", day=event.change_date)
        yield _warning("change_date", "future", message).of(record)


def check_cancellation(
    obligation_id: str,
    cancellation: Event,
    target: Event | None,
    cancelled_by: str | None,
    order_ok: bool = True,
) -> Iterator[Finding]:
    """Yield what is wrong between a cancellation and the event it names (2.2, row 13 and note **).

    `target` is that event of the same obligation, None if there is none. `cancelled_by` is the id
    of another event that cancels it already. `order_ok` is False if the cancellation stands before
    its target, whatever their times say.
    """
    for violation in _cancellation_violations(cancellation, target, cancelled_by, order_ok):
        yield violation.of(record_name(obligation_id, cancellation.event_id))


def check_history(obligation_id: str, events: Sequence[Event]) -> Iterator[Finding]:
    """Yield what is wrong between the events of one obligation, given whole and in their order.

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
    """Yield what is wrong with the turnover and balance of one account in one month.

    `opening_cents` is the closing balance of the month before, None where it is not known. Leave
    it out for a report in whole euros: rounded figures need not add up.
    """
    for violation in _month_violations(account, credit_cents, debit_cents, closing_cents, opening_cents):
        yield violation.of(account_name(account))


def check_account(account: str, tax_number: str, name: str, settings: RuleSettings) -> Iterator[Finding]:
    """Yield what is wrong with an account and its holder, as the ledger lists them."""
    for violation in _account_violations(account, tax_number, name, settings):
        yield violation.of(account_name(account))


def check_account_number(account: str, settings: RuleSettings) -> Iterator[Finding]:
    """Yield what is wrong with the number of an account of ours, as SPAPP reports it (3.2, row 9)."""
    for violation in _own_account_violations("account", account, settings):
        yield violation.of(account_name(account))


def check_provider(registration_number: str, name: str | None = None) -> Iterator[Finding]:
    """Yield what is wrong with the bank that reports, as the head of a report names it (2.2, rows 5, 6).

    SPAPP gives no name.
    """
    violations = [] if name is None else list(PROVIDER_TEXTS.violations(registration_number, name))
    if _is_digits(registration_number, 7, 10) and not registration_number_ok(registration_number):
        violations.append(_check_digits("registration_number"))
    for violation in violations:
        yield violation.of(_("provider {number}", number=_shown(registration_number)))


def record_name(obligation_id: str, event_id: str | None = None) -> Message:
    """The name of a record for an operator: "O-314 / event 7", or "O-314" for the obligation itself."""
    if event_id is None:
        return _shown(obligation_id)
    return _("{obligation} / event {event}", obligation=_shown(obligation_id), event=_shown(event_id))


def account_name(account: str) -> Message:
    """The name of an account's record for an operator: "account 010000100002123"."""
    return _("account {account}", account=_shown(account))


def posting_name(posting_id: str) -> Message:
    """The name of a posting's record for an operator."""
    return _("posting {posting}", posting=_shown(posting_id))


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


def _shown(text: str) -> Message:
    """An id as it can stand in a message: what cannot be printed is escaped, the endless is cut."""
    if not text:
        return _("(no id)")
    short = text if len(text) <= 40 else f"{text[:40]}…"
    return verbatim(short if short.isprintable() else ascii(short)[1:-1])


# --- Obligations ----------------------------------------------------------------------------------


def _obligation_violations(obligation: Obligation, settings: RuleSettings) -> Iterator[Violation]:
    yield from OBLIGATION_TEXTS.violations_of(obligation)
    if obligation.issuer not in _ISSUERS:  # 2.2, row 11
        yield _error(
            "issuer",
            "unknown",
            _("issuer {issuer} does not exist", issuer=obligation.issuer),
            _("write 2 (court), 3 (tax administration), 4 (customs) or 5 (other)"),
        )
    if violation := _tax_number("debtor_tax_number", obligation.debtor_tax_number):  # 2.2, row 7
        yield violation
    yield from _own_account_violations("debtor_account", obligation.debtor_account, settings)  # 2.2, row 9


# --- Events ---------------------------------------------------------------------------------------


def _event_violations(event: Event, settings: RuleSettings) -> Iterator[Violation]:
    yield from WHOLE_EVENT.texts.violations_of(event)
    for part in SLICES:
        yield from part.violations(event, settings)
    yield from WHOLE_EVENT.violations(event, settings)


@CHANGE.rule
def _cancellation_names_event(change: Change, _settings: RuleSettings) -> Violation | None:
    """2.2, row 13: to be filled in if the change type is 00."""
    if change.change_type == CANCELLATION and not change.cancels_event_id:
        return _error(
            "cancels_event_id",
            "missing",
            _("a cancellation (change type 00) must name the event that it cancels"),
            _("write the id of that event"),
        )
    return None


@CHANGE.rule
def _only_cancellation_names_event(change: Change, _settings: RuleSettings) -> Violation | None:
    """2.2, row 13, read the other way round."""
    if change.cancels_event_id and change.change_type != CANCELLATION:
        return _error(
            "cancels_event_id",
            "unexpected",
            _(
                "an event is named to be cancelled, but change type {type} cancels nothing",
                type=_shown(change.change_type),
            ),
            _("leave it empty, or write change type 00"),
        )
    return None


@CHANGE.rule
def _change_type(change: Change, settings: RuleSettings) -> Violation | None:
    """2.2, row 14."""
    known = change.change_type == CANCELLATION or change.change_type in settings.change_types
    if not known and _is_digits(change.change_type, 2):
        message = _("change type {type} is not a known one", type=change.change_type)
        return _warning("change_type", "unknown", message)
    return None


@DAYS.rule
def _year(days: Days, _settings: RuleSettings) -> Violation | None:
    """2.2, rows 15 and 17: a slip of the keyboard such as 0206 for 2026."""
    for field, year in (("change_date", days.change_date.year), ("recorded_at", days.recorded_on.year)):
        if year not in PLAUSIBLE_YEARS:
            message = _("{field} is in the year {year}", field=FIELDS[field].label, year=year)
            return _error(field, "year", message, _("correct the year"))
    return None


@DAYS.rule
def _recorded_on_change_date(days: Days, settings: RuleSettings) -> Violation | None:
    """2.2, note *: both dates are normally the same.

    The day is read as it was written, and as it was in Ljubljana: either may agree.
    """
    if days.change_date.isoformat() == days.written_on or days.change_date == days.recorded_on:
        return None
    if _year(days, settings):
        return None
    message = _(
        "change date {changed:date} is not the day of recording, {recorded:date}",
        changed=days.change_date,
        recorded=days.recorded_on,
    )
    return _warning("change_date", "not-recording-date", message)


@AMOUNT.rule
def _amount(amount: Amount, _settings: RuleSettings) -> Violation | None:
    """2.2, row 16. That the sign is carried by the type of change is our reading."""
    if amount.amount_cents in _AMOUNTS:
        return None
    return _too_many_digits("amount_cents", amount.amount_cents, AMOUNT_DIGITS) or _warning(
        "amount_cents", "negative", _("amount is negative, its sign is a matter of change type")
    )


@AMOUNT.rule
def _large_amount(amount: Amount, settings: RuleSettings) -> Violation | None:
    """2.2, row 16: something else typed into the field, such as the number of an account, is that large."""
    if not settings.large_amount_cents <= abs(amount.amount_cents) < 10**AMOUNT_DIGITS:
        return None
    message = _(
        "amount is {amount:eur}, and from {limit:eur} on it may be a slip",
        amount=amount.amount_cents,
        limit=settings.large_amount_cents,
    )
    return _warning("amount_cents", "large", message, _("compare it with its source"))


@REFERENCE.rule
def _priority(refers: Reference, _settings: RuleSettings) -> Violation | None:
    """2.2, row 20."""
    if refers.priority is None or refers.priority in _PRIORITIES:
        return None
    message = _("priority {priority} is not 1, 2 or 3", priority=refers.priority)
    if refers.priority in _TWO_DIGITS:
        return _warning("priority", "unknown", message, _("write 1, 2 or 3"))
    return _error("priority", "size", message, _("write 1, 2 or 3"))


@REFERENCE.rule
def _reference(refers: Reference, _settings: RuleSettings) -> Violation | None:
    """2.2, rows 18 and 19. A reference is read by its model; that it needs one is our reading."""
    model, reference = refers.reference_model, refers.reference
    if reference and not model:
        message = _("reference is given without its model")
        return _error("reference_model", "missing", message, _("write the model"))
    if not model or not _is_digits(model, 1, 2):
        return None
    if not model_known(model):
        message = _("reference model {model} is not a known one", model=model)
        return _warning("reference_model", "unknown", message)
    if not reference:
        if model == _MODEL_WITHOUT_REFERENCE:
            return None
        message = _("reference is missing, only model 99 stands without one")
        return _warning("reference", "missing", message)
    if not reference_ok(model, reference):
        message = _("control digits of the reference fail model {model}", model=model)
        return _warning("reference", "check-digits", message)
    return None


@CREDITOR.rule
def _creditor_is_whole(creditor: Creditor, _settings: RuleSettings) -> Violation | None:
    """2.2, rows 21 and 22: the report has a creditor with both, or none."""
    if creditor.creditor_account and not creditor.creditor_name:
        message = _("creditor account is given without the creditor name")
        return _error("creditor_name", "missing", message, _("write the name"))
    if creditor.creditor_name and not creditor.creditor_account:
        message = _("creditor name is given without the creditor account")
        return _error("creditor_account", "missing", message, _("write the account"))
    return None


@CREDITOR.rule
def _creditor_account(creditor: Creditor, _settings: RuleSettings) -> Violation | None:
    """2.2, row 21: 15 digits are an account in Slovenia, and 14 may be one that has lost a zero."""
    account = creditor.creditor_account
    if account and _is_digits(account, 15) and not account_ok(account):
        return _check_digits("creditor_account")
    if account and _is_digits(account, 14):
        message = _("creditor account has 14 digits; a zero at its beginning may have been lost")
        remedy = _("compare it with its source; an account in Slovenia has 15 digits")
        return _warning("creditor_account", "lost-zero", message, remedy)
    return None


# --- Cancellations --------------------------------------------------------------------------------


def _cancellation_violations(
    cancellation: Event, target: Event | None, cancelled_by: str | None, order_ok: bool
) -> Iterator[Violation]:
    """2.2, note **: a cancellation undoes one earlier event of its obligation.

    That a cancellation carries the amount of that event and is not cancelled itself, and that nothing is
    cancelled twice, is our reading.
    """
    cancelled = _shown(cancellation.cancels_event_id or "")
    if cancellation.cancels_event_id == cancellation.event_id:
        yield _refid_error("itself", _("this event cancels itself"))
    elif target is None:
        message = _("this event cancels event {event}, which this obligation does not have", event=cancelled)
        yield _refid_error("nowhere", message)
    elif target.is_cancellation:
        message = _("this event cancels event {event}, which is a cancellation itself", event=cancelled)
        yield _refid_error("cancellation", message)
    elif cancelled_by is not None:
        message = _(
            "event {event} is cancelled already, by event {by}", event=cancelled, by=_shown(cancelled_by)
        )
        yield _refid_error("twice", message)
    else:
        yield from _undoing_violations(cancellation, target, cancelled, order_ok)


def _undoing_violations(
    cancellation: Event, target: Event, cancelled: str, order_ok: bool
) -> Iterator[Violation]:
    if cancellation.amount_cents != target.amount_cents:
        message = _(
            "amount is {own:eur}, but event {event}, which it cancels, has {its:eur}",
            own=cancellation.amount_cents,
            event=cancelled,
            its=target.amount_cents,
        )
        remedy = _("write the same amount, {amount:eur}", amount=target.amount_cents)
        yield _error("amount_cents", "not-of-cancelled", message, remedy)
    if not order_ok or cancellation.recorded_at < target.recorded_at:
        message = _("this event is recorded before event {event}, which it cancels", event=cancelled)
        yield _error("recorded_at", "before-cancelled", message, _("record it after that event"))


def _refid_error(what: str, message: Message) -> Violation:
    return _error("cancels_event_id", what, message, _("name an earlier event that still counts"))


# --- Accounts -------------------------------------------------------------------------------------


def _account_violations(
    account: str, tax_number: str, name: str, settings: RuleSettings
) -> Iterator[Violation]:
    yield from ACCOUNT_TEXTS.violations(account, tax_number, name)
    yield from _own_account_violations("account", account, settings)  # 3.2, row 9
    if violation := _tax_number("holder_tax_number", tax_number):
        yield violation


def _month_violations(
    account: str, credit_cents: int, debit_cents: int, closing_cents: int, opening_cents: int | None
) -> Iterator[Violation]:
    yield from ACCOUNT_MONTH_TEXTS.violations(account)
    if _is_digits(account, 15) and not account_ok(account):  # 3.2, row 9
        yield _check_digits("account")
    yield from _turnover_violations("credit_turnover_cents", credit_cents)  # 3.2, row 8
    yield from _turnover_violations("debit_turnover_cents", debit_cents)  # 3.2, row 10
    if too_long := _too_many_digits("closing_balance_cents", closing_cents, _BALANCE_DIGITS):  # 3.2, row 7
        yield too_long
    if opening_cents is not None and opening_cents + credit_cents - debit_cents != closing_cents:
        yield _does_not_add_up(opening_cents + credit_cents - debit_cents, closing_cents)


def _turnover_violations(field: str, cents: int) -> Iterator[Violation]:
    """3.2, note *: the amount must be positive or 0."""
    if cents < 0:
        message = _("{field} is negative, {amount:eur}", field=FIELDS[field].label, amount=cents)
        yield _error(field, "negative", message, _("write 0 or more"))
    if too_long := _too_many_digits(field, cents, AMOUNT_DIGITS):
        yield too_long


def _does_not_add_up(expected: int, closing: int) -> Violation:
    return _error(
        "closing_balance_cents",
        "does-not-add-up",
        _(
            "closing balance is {closing:eur}, but the opening balance and the turnover give {expected:eur}",
            closing=closing,
            expected=expected,
        ),
        _(
            "find the posting that is missing or doubled, in this month or the one before; a wrong row is"
            " restated with `ledger import FILE --restate --reason …`"
        ),
    )


# --- What several records share -------------------------------------------------------------------


def _own_account_violations(field: str, account: str, settings: RuleSettings) -> Iterator[Violation]:
    """An account that the reporting bank itself keeps."""
    if not _is_digits(account, 15):
        return
    if not account_ok(account):
        yield _check_digits(field)
    if settings.account_prefixes and not account.startswith(settings.account_prefixes):
        message = _(
            "{field} does not begin with {prefixes:or}, as the provider's own do",
            field=FIELDS[field].label,
            prefixes=settings.account_prefixes,
        )
        yield _warning(field, "prefix", message)


def _tax_number(field: str, tax_number: str) -> Violation | None:
    if _is_digits(tax_number, 8) and not tax_number_ok(tax_number):
        return _check_digits(field)
    return None


def _too_many_digits(field: str, cents: int, most: int) -> Violation | None:
    if abs(cents) < 10**most:
        return None
    message = _n(
        "{field} has {count} digit in cents, at most {most} are allowed",
        "{field} has {count} digits in cents, at most {most} are allowed",
        len(str(abs(cents))),
        field=FIELDS[field].label,
        most=most,
    )
    return _error(field, "size", message, _("write at most {most} digits", most=most))


def _check_digits(field: str) -> Violation:
    message = _("check digits of the {field} are wrong", field=FIELDS[field].label)
    return _warning(field, "check-digits", message, _("compare it with its source"))


def _error(field: str, what: str, message: Message, remedy: Message) -> Violation:
    return Violation(Severity.ERROR, field, what, message, remedy, FIELDS[field].location)


def _warning(field: str, what: str, message: Message, remedy: Message = NOTHING) -> Violation:
    return Violation(Severity.WARNING, field, what, message, remedy, FIELDS[field].location)


_DUPLICATE_ID = _error(
    "event_id",
    "duplicate",
    _("event id stands more than once in this obligation"),
    _("give each event of an obligation its own id"),
)


def _is_digits(text: str, *lengths: int) -> bool:
    """Whether the text is so many ASCII digits; whatever is not, its format finds."""
    return len(text) in lengths and text.isascii() and text.isdigit()
