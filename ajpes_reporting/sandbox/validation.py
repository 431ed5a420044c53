"""Validation of a submission by the instruction, as the sandbox reads it.

An error (ERR) refuses the whole submission, a warning (WRN) does not. Section 2.2 says that AJPES
turns down every change of an obligation that is not made in the prescribed way: all its events
stand there again, the old ones unchanged, the new ones added, and what was wrong is cancelled by
an event of type 00.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import check_digits, reading
from .reading import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lxml import etree

    from .reading import EventRecord, Header, MonthRecord, ObligationRecord, Outline
    from .store import KnownObligation, SubmissionTransaction

ERROR, WARNING = "ERR", "WRN"
CANCELLATION = "00"

# The annex with the types is not published with the instruction; these stand in its text and sample.
KNOWN_CHANGE_TYPES = frozenset({CANCELLATION, "01", "02", "03"})
PRIORITIES = frozenset({"1", "2", "3"})

_FORMATS = {
    "cents": (re.compile(r"-?[0-9]+"), 1, "v centih brez decimalnega ločila"),
    "euros": (re.compile(r"-?[0-9]+"), 100, "v celih evrih"),
    "decimal": (re.compile(r"-?[0-9]+\.[0-9]{2}"), 1, "v evrih z dvema decimalnima mestoma"),
}
_EVENT_ATTRIBUTES = {
    "cancels": "No/refid",
    "change_type": "No/sSpre",
    "change_date": "No/dSpre",
    "amount_cents": "No/znesek",
    "recorded_at": "No/dtVpis",
    "model": "No/model",
    "reference": "No/sklic",
    "priority": "No/prior",
    "creditor_account": "Upnik/rn",
    "creditor_name": "Upnik/Naziv",
}
_OBLIGATION_ATTRIBUTES = {
    "issuer": "Blok/izdajatelj",
    "tax_number": "Dolznik/davcna",
    "account": "Tr/rn",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One Napaka of an answer. `text` is in Slovene; the rest names the record, where there is one."""

    severity: str
    text: str
    obligation: str | None = None
    event: str | None = None
    cancels: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class ExpectedHeader:
    """The sender, and the period and provider in the name of the file, which a SOAP message does not have."""

    provider: str
    period: str | None = None
    name_provider: str | None = None


@dataclass(slots=True)
class ValidationResult:
    """`provider` and `period` as the report has them, else as expected."""

    findings: list[Finding]
    provider: str
    period: str | None
    content_sha256: str | None = None

    @property
    def refuses(self) -> bool:
        return any(finding.severity == ERROR for finding in self.findings)


class Amounts:
    """Reads amounts in the one agreed format, and remembers the first that is in another."""

    def __init__(self, style: str) -> None:
        self._pattern, self._factor, self._described = _FORMATS[style]
        self._right = 0
        self._wrong: str | None = None

    def in_cents(self, text: str) -> int | None:
        """Return the cents, or None for another format: a factor of 100 must not slip through."""
        if not self._pattern.fullmatch(text):
            self._wrong = self._wrong or text
            return None
        self._right += 1
        return int(text.replace(".", "")) * self._factor

    @property
    def all_valid(self) -> bool:
        return self._wrong is None

    def findings(self) -> Iterator[Finding]:
        if self._wrong is not None:
            problem = "so pomešani: nekateri niso" if self._right else "niso"
            text = f"Zneski v datoteki {problem} {self._described} (prvi tak: {self._wrong})."
            yield Finding(ERROR, text)


def validate_nodurs(
    path: Path,
    schema: etree.XMLSchema,
    found: Outline,
    expected: ExpectedHeader,
    style: str,
    transaction: SubmissionTransaction,
) -> ValidationResult:
    """Validate a NODURS report, and write its obligations and events into `transaction`."""
    return _validate(
        path, schema, found, expected, lambda head: _Nodurs(head, expected, style, transaction).read(path)
    )


def validate_spapp(
    path: Path,
    schema: etree.XMLSchema,
    found: Outline,
    expected: ExpectedHeader,
    style: str,
    transaction: SubmissionTransaction,
) -> ValidationResult:
    """Validate a SPAPP report, and write its rows into `transaction`."""
    return _validate(
        path, schema, found, expected, lambda head: _Spapp(head, expected, style, transaction).read(path)
    )


def unreadable(reason: str, expected: ExpectedHeader) -> ValidationResult:
    """Return the result for bytes that are no report; `reason` is in Slovene."""
    return ValidationResult([Finding(ERROR, reason)], expected.provider, expected.period)


def _validate(
    path: Path,
    schema: etree.XMLSchema,
    found: Outline,
    expected: ExpectedHeader,
    read: Callable[[Header], Iterator[Finding]],
) -> ValidationResult:
    try:
        errors = reading.schema_errors(path, schema)
    except UnreadableError as reason:
        return unreadable(str(reason), expected)
    content_sha256 = reading.content_sha256(path, found)
    if errors:
        findings = [Finding(ERROR, f"Podatki ne ustrezajo kontrolni shemi XSD: {one}.") for one in errors]
        return ValidationResult(findings, expected.provider, expected.period, content_sha256)
    head = reading.header(path)
    result = ValidationResult([*_heading(head, expected)], head.provider, head.period, content_sha256)
    if result.refuses:
        # The answer goes to who sent it, about what was sent.
        result.provider, result.period = expected.provider, expected.period or head.period
    result.findings += read(head)
    return result


def _heading(head: Header, expected: ExpectedHeader) -> Iterator[Finding]:
    if not is_same_provider(head.provider, expected.provider):
        text = f"Matična številka ponudnika {head.provider} ni številka ponudnika, ki podatke oddaja."
        yield Finding(ERROR, text)
    if expected.period not in (None, head.period):
        text = f"Obdobje v imenu datoteke ({expected.period}) ni obdobje podatkov v njej ({head.period})."
        yield Finding(ERROR, text)
    if expected.name_provider not in (None, head.provider[:7]):
        text = f"Številka ponudnika v imenu datoteke ({expected.name_provider}) ni številka iz podatkov."
        yield Finding(ERROR, text)
    if not check_digits.is_registration_number(head.provider):
        yield Finding(WARNING, f"Kontrolna številka matične številke {head.provider} ni pravilna.")


def is_same_provider(one: str, other: str) -> bool:
    """Seven digits and the same ones with 000, the main unit, mean the same provider."""
    return one.ljust(10, "0") == other.ljust(10, "0")


class _Nodurs:
    """One reading of a NODURS report, obligation by obligation."""

    def __init__(
        self, head: Header, expected: ExpectedHeader, style: str, transaction: SubmissionTransaction
    ) -> None:
        self._head = head
        self._provider = expected.provider
        self._amounts = Amounts(style)
        self._transaction = transaction
        self._seen: set[str] = set()
        self._count = 0
        self._total = 0

    def read(self, path: Path) -> Iterator[Finding]:
        refused = False
        for record in reading.obligations(path, self._amounts.in_cents):
            known = self._transaction.known(self._provider, record.obligation_id)
            findings = [*self._obligation(record, known), *_warnings(record)]
            refused = refused or any(one.severity == ERROR for one in findings) or not self._amounts.all_valid
            if not refused:
                self._transaction.write_obligation(self._provider, record, known)
            self._count += len(record.events)
            self._total += sum(event.amount_cents or 0 for event in record.events)
            yield from findings
        yield from self._totals()

    def _obligation(self, record: ObligationRecord, known: KnownObligation | None) -> Iterator[Finding]:
        if record.obligation_id in self._seen:
            text = "Identifikacijska številka blokade se v datoteki ponovi."
            yield Finding(ERROR, text, record.obligation_id)
        elif known is not None:
            yield from _history(record, known)
        self._seen.add(record.obligation_id)
        yield from _duplicates(record)
        yield from _cancellations(record)

    def _totals(self) -> Iterator[Finding]:
        """Section 2.2, rows 2 and 3: cancellations are rows like any other."""
        count, total = (self._head.attributes[name] for name in ("steviloZapisov", "sestevekZneskov"))
        if int(count) != self._count:
            text = f"Število zapisov v glavi ({count}) ni enako številu zapisov v datoteki ({self._count})."
            yield Finding(ERROR, text)
        total_cents = self._amounts.in_cents(total)
        yield from self._amounts.findings()
        if self._amounts.all_valid and total_cents != self._total:
            text = f"Seštevek zneskov v glavi ({total}) ni enak seštevku v zapisih: {self._total} (v centih)."
            yield Finding(ERROR, text)


class _Spapp:
    """One reading of a SPAPP report."""

    def __init__(
        self, head: Header, expected: ExpectedHeader, style: str, transaction: SubmissionTransaction
    ) -> None:
        self._head = head
        self._provider = expected.provider
        self._amounts = Amounts(style)
        self._transaction = transaction
        self._seen: set[str] = set()
        self._totals: Counter[str] = Counter()

    def read(self, path: Path) -> Iterator[Finding]:
        self._transaction.clear_month(self._provider, self._head.period)
        for record in reading.months(path, self._amounts.in_cents):
            yield from self._account(record)
            if record.account not in self._seen and self._amounts.all_valid:
                self._transaction.write_month(self._provider, self._head.period, record)
            self._seen.add(record.account)
            self._totals["skupajZnesekDobro"] += record.credit_cents or 0
            self._totals["skupajZnesekBreme"] += record.debit_cents or 0
            self._totals["skupajZnesekStanj"] += record.balance_cents or 0
        yield from self._sums()

    def _account(self, record: MonthRecord) -> Iterator[Finding]:
        if record.account in self._seen:
            yield Finding(ERROR, "Račun se v datoteki ponovi.", account=record.account)
        # The schema has no sign for turnover; this stays right should the schema be relaxed.
        if (record.credit_cents or 0) < 0 or (record.debit_cents or 0) < 0:
            yield Finding(ERROR, "Promet na računu je negativen.", account=record.account)
        if not check_digits.is_domestic_account(record.account):
            yield Finding(WARNING, "Kontrolna številka računa ni pravilna.", account=record.account)

    def _sums(self) -> Iterator[Finding]:
        """Section 3.2, rows 2 to 4."""
        names = ("skupajZnesekBreme", "skupajZnesekDobro", "skupajZnesekStanj")
        given = {name: self._amounts.in_cents(self._head.attributes[name]) for name in names}
        yield from self._amounts.findings()
        if not self._amounts.all_valid:
            return
        for name in names:
            if given[name] != self._totals[name]:
                yield Finding(ERROR, f"Seštevek {name} v glavi ni enak seštevku zneskov v vrsticah.")


def _history(record: ObligationRecord, known: KnownObligation) -> Iterator[Finding]:
    """Section 2.2: what was accepted comes again as it was."""
    changed = _differences(known.facts._asdict(), record.facts._asdict(), _OBLIGATION_ATTRIBUTES)
    if changed:
        text = f"Podatki že sprejete blokade so spremenjeni: {changed}."
        yield Finding(ERROR, text, record.obligation_id)
    current = {event.event_id: event for event in record.events}
    for event_id, accepted in known.events.items():
        event = current.get(event_id)
        if event is None:
            text = "Dogodek, ki je bil že sprejet, v zgodovini blokade manjka."
            yield Finding(ERROR, text, record.obligation_id, event_id)
        elif event.amount_cents is not None and event != accepted:
            changed = _differences(accepted._asdict(), event._asdict(), _EVENT_ATTRIBUTES)
            text = f"Že sprejeti dogodek je spremenjen ({changed}); sprememba se izvede s storno zapisom."
            yield Finding(ERROR, text, record.obligation_id, event_id, event.cancels)


def _differences(old: dict[str, object], new: dict[str, object], names: dict[str, str]) -> str:
    return ", ".join(label for name, label in names.items() if old[name] != new[name])


def _duplicates(record: ObligationRecord) -> Iterator[Finding]:
    """Section 2.2, row 12: unique within one obligation."""
    for event_id, times in Counter(event.event_id for event in record.events).items():
        if times > 1:
            text = "Identifikacijska številka dogodka se v okviru blokade ponovi."
            yield Finding(ERROR, text, record.obligation_id, event_id)


def _cancellations(record: ObligationRecord) -> Iterator[Finding]:
    """Section 2.2, rows 13 and 14, and the second note below the table."""
    events = {event.event_id: event for event in record.events}
    cancelled: set[str] = set()
    for event in record.events:
        text = _wrong_cancellation(event, events, cancelled)
        if text:
            yield Finding(ERROR, text, record.obligation_id, event.event_id, event.cancels)
        if event.cancels is not None:
            cancelled.add(event.cancels)


def _wrong_cancellation(event: EventRecord, events: dict[str, EventRecord], cancelled: set[str]) -> str:
    """Return what is wrong with an event as a cancellation; an empty text if nothing is."""
    if event.change_type != CANCELLATION:
        return "Podatek refid je dovoljen samo pri vrsti spremembe 00." if event.cancels is not None else ""
    if event.cancels is None:
        return "Pri vrsti spremembe 00 manjka podatek refid."
    if event.cancels == event.event_id:
        return "Storno se nanaša sam nase."
    target = events.get(event.cancels)
    if target is None:
        return "Storno se nanaša na dogodek, ki ga v tej blokadi ni."
    if target.change_type == CANCELLATION:
        return "Storno se nanaša na drug storno."
    if event.cancels in cancelled:
        return "Storno se nanaša na dogodek, ki je že storniran."
    if event.amount_cents != target.amount_cents:
        return "Znesek storna ni enak znesku storniranega dogodka."
    return ""


def _warnings(record: ObligationRecord) -> Iterator[Finding]:
    if not check_digits.is_tax_number(record.facts.tax_number):
        text = "Kontrolna številka davčne številke dolžnika ni pravilna."
        yield Finding(WARNING, text, record.obligation_id)
    if not check_digits.is_domestic_account(record.facts.account):
        yield Finding(WARNING, "Kontrolna številka računa dolžnika ni pravilna.", record.obligation_id)
    for event in record.events:
        for text in _event_warnings(event):
            yield Finding(WARNING, text, record.obligation_id, event.event_id, event.cancels)


def _event_warnings(event: EventRecord) -> Iterator[str]:
    if event.change_type not in KNOWN_CHANGE_TYPES:
        yield f"Vrsta spremembe {event.change_type} ni znana."
    if event.priority is not None and event.priority not in PRIORITIES:
        yield f"Oznaka prioritete {event.priority} ni znana."
    if event.change_date != event.recorded_at[:10]:
        yield "Datum spremembe in datum vpisa spremembe se razlikujeta."
    if event.model is not None and not check_digits.is_known_model(event.model):
        yield f"Model sklica {event.model} ni znan."
    elif event.model is not None and not check_digits.is_reference(event.model, event.reference or ""):
        yield "Sklic ne ustreza kontroli po modelu."
    account = event.creditor_account or ""
    if len(account) == 15 and account.isdigit() and not check_digits.is_domestic_account(account):
        yield "Kontrolna številka računa upnika ni pravilna."
