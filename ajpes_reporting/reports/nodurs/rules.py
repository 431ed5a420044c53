"""Business rules over a NODURS file, whoever made it; what a schema cannot say.

The rules of single records are those of the ledger (`domain.rules`); here they meet the file:
totals, formats of amounts, identifiers that come twice.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain import money, rules
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.events import Event, Obligation
from ajpes_reporting.domain.fields import Type
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.periods import parse_day
from ajpes_reporting.domain.remedies import correct_event
from ajpes_reporting.i18n import _
from ajpes_reporting.reports.head import check_head, read_period
from ajpes_reporting.reports.kind import FileRules, FileRuleSettings
from ajpes_reporting.reports.nodurs.write import EVENT_ATTRIBUTES
from ajpes_reporting.xmlread import Element, attributes, local_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.i18n import Message

_DAY_LENGTH = len("2026-11-17")


class NodursRules(FileRules):
    """Collects totals while the obligations pass; memory grows only with the obligations' ids."""

    starts = frozenset({"Dolznik", "Tr"})
    ends = frozenset({"Ident", "Naziv", "Blok"})

    def __init__(self, settings: FileRuleSettings) -> None:
        self._settings = settings
        self._read: Mapping[Type, Callable[[str], Any]] = {
            Type.TEXT: str,
            Type.NUMBER: int,
            Type.CENTS: lambda text: self._amount(text) or 0,
            Type.DAY: date.fromisoformat,
            Type.MOMENT: _moment,
        }
        self._ident: dict[str, str] = {}
        self._day: Period | None = None
        self._tax_number = self._name = self._account = ""
        self._seen_obligations: set[str] = set()
        self._event_count = 0
        self._total_cents = 0
        self._format_complained = False

    @property
    def record_count(self) -> int:
        return self._event_count

    def start(self, element: Element) -> Iterator[Finding]:
        if local_name(element) == "Dolznik":
            self._tax_number = element.get("davcna", "")
        else:
            self._account = element.get("rn", "")
        return iter(())

    def end(self, element: Element) -> Iterator[Finding]:
        match local_name(element):
            case "Ident":
                yield from self._check_ident(element)
            case "Naziv" if (parent := element.getparent()) is not None and local_name(parent) == "Dolznik":
                self._name = element.text or ""
            case "Blok":
                yield from self._check_block(element)

    def finish(self) -> Iterator[Finding]:
        declared = self._ident.get("steviloZapisov", "")
        if declared and int(declared) != self._event_count:
            yield _file_error(
                "steviloZapisov",
                "nodurs.count",
                _(
                    "the head says {declared} records, the file has {found}",
                    declared=declared,
                    found=self._event_count,
                ),
            )
        total = self._amount(self._ident.get("sestevekZneskov", ""))
        if total is not None and total != self._total_cents:
            yield _file_error(
                "sestevekZneskov",
                "nodurs.total",
                _(
                    "the head says a total of {declared:eur}, the records add up to {found:eur}",
                    declared=total,
                    found=self._total_cents,
                ),
            )

    def _check_ident(self, ident: Element) -> Iterator[Finding]:
        self._ident = attributes(ident)
        number = self._ident.get("maticnaPonudnika", "")
        name = next((child.text or "" for child in ident if local_name(child) == "Naziv"), "")
        yield from rules.check_provider(number, name)
        # A day may be written with a time zone after it.
        self._day, findings = read_period(self._ident.get("datumPodatkov", "")[:_DAY_LENGTH], parse_day)
        yield from findings
        if self._day is not None:
            yield from check_head("NODURS", self._day, number, self._settings)
        total = self._ident.get("sestevekZneskov", "")
        yield from self._check_format(total, _("the head"), "sestevekZneskov", "Ident/sestevekZneskov")

    def _check_block(self, block: Element) -> Iterator[Finding]:
        obligation = Obligation(
            obligation_id=block.get("id", ""),
            issuer=int(block.get("izdajatelj", "0")),
            debtor_tax_number=self._tax_number,
            debtor_name=self._name,
            debtor_account=self._account,
        )
        if obligation.obligation_id in self._seen_obligations:
            yield Finding(
                Severity.ERROR,
                rules.record_name(obligation.obligation_id),
                "obligation_id",
                "obligation.duplicate",
                _("the obligation stands in the file twice"),
                _("write each obligation once, with its whole history"),
                "Blok/id",
            )
        self._seen_obligations.add(obligation.obligation_id)
        history: list[Event] = []
        for element in block:
            yield from self._take(element, obligation, history)
        # What cannot be read cannot be compared.
        whole = len(history) == len(block)
        yield from check_obligation(obligation, history, self._settings.rules, ours=False, whole=whole)
        yield from self._check_recorded(obligation.obligation_id, history)

    def _check_recorded(self, obligation_id: str, history: Sequence[Event]) -> Iterator[Finding]:
        """Events stand in order of recording, and were recorded by the end of the day of the report."""
        for before, event in pairwise(history):
            if event.recorded_at < before.recorded_at:
                yield Finding(
                    Severity.ERROR,
                    rules.record_name(obligation_id, event.event_id),
                    "recorded_at",
                    "recorded-at.order",
                    _("the event was recorded before event {event}, which it follows", event=before.event_id),
                    _("write the events of an obligation in order of recording"),
                    "No/dtVpis",
                )
        for event in history:
            if self._day is not None and event.recorded_at >= self._day.end:
                yield Finding(
                    Severity.WARNING,
                    rules.record_name(obligation_id, event.event_id),
                    "recorded_at",
                    "recorded-at.after-report",
                    _(
                        "the event was recorded after {day:date}, the day of the report",
                        day=self._day.last_day,
                    ),
                    _("see whether the report is a correction, or AJPES knows the event already"),
                    "No/dtVpis",
                )

    def _take(self, element: Element, obligation: Obligation, history: list[Event]) -> Iterator[Finding]:
        record = rules.record_name(obligation.obligation_id, element.get("id", ""))
        yield from self._count(element, record)
        try:
            history.append(self._read_event(element))
        except ValueError:
            yield from _unreadable_times(element, record)

    def _count(self, element: Element, record: Message) -> Iterator[Finding]:
        amount = element.get("znesek", "")
        yield from self._check_format(amount, record, "amount_cents", "No/znesek")
        self._event_count += 1
        self._total_cents += self._amount(amount) or 0

    def _check_format(self, amount: str, record: Message, field: str, location: str) -> Iterator[Finding]:
        """Cents and euros are never mixed, and never taken for one another (rows 3 and 16)."""
        decimal = money.amounts_format_of(amount) == "decimal"
        if self._format_complained or decimal == (self._settings.amounts == "decimal"):
            return
        self._format_complained = True
        setting = self._settings.amounts
        yield Finding(
            Severity.ERROR,
            record,
            field,
            "nodurs.amounts-format",
            _(
                "amounts are written in euros with decimals, the setting nodurs.amounts is {setting}",
                setting=setting,
            )
            if decimal
            else _(
                "amounts are written in whole cents, the setting nodurs.amounts is {setting}",
                setting=setting,
            ),
            _("write the file in the other format, or change the setting if AJPES wants it so"),
            location,
        )

    def _read_event(self, element: Element) -> Event:
        """The event, as its schema lets it be. Raises `ValueError` for times that only a schema can read."""
        creditor = next((child for child in element if local_name(child) == "Upnik"), None)
        facts: dict[str, Any] = {
            "creditor_account": creditor.get("rn") if creditor is not None else None,
            "creditor_name": _name_of(creditor) if creditor is not None else None,
        }
        for column, name in EVENT_ATTRIBUTES:
            text = element.get(name, "" if column.mandatory else None)
            if column.type is Type.MOMENT:
                facts["recorded_as"] = text
            facts[column.name] = None if text is None else self._read[column.type](text)
        return Event(**facts)

    def _amount(self, text: str) -> int | None:
        """An amount in whichever of the two formats it is written; nothing if it is not there."""
        if not text:
            return None
        return money.parse_amount(text, "decimal" if money.amounts_format_of(text) == "decimal" else "cents")


def check_obligation(
    obligation: Obligation,
    history: Sequence[Event],
    settings: RuleSettings,
    *,
    ours: bool,
    whole: bool = True,
) -> Iterator[Finding]:
    """Yields the findings about an obligation and its events, in their order.

    With `ours` errors come with the way to correct them in the ledger. A history that is not `whole` is
    not compared within itself.
    """
    yield from rules.check_obligation(obligation, settings)
    taken_back = {event.cancels_event_id for event in history if event.is_cancellation}
    for event in history:
        for finding in rules.check_event(obligation.obligation_id, event, settings):
            known = (
                correct_event(finding, obligation.obligation_id, event)
                if ours and finding.is_error
                else finding
            )
            yield replace(known, taken_back=event.event_id in taken_back)
    if whole:
        yield from rules.check_history(obligation.obligation_id, history)


def _name_of(element: Element) -> str:
    return next((child.text or "" for child in element if local_name(child) == "Naziv"), "")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=LJUBLJANA)


def _unreadable_times(element: Element, record: Message) -> Iterator[Finding]:
    """A schema allows more than can be meant: the hour 24, the year 10000, blanks around."""
    for field, attribute, read in (
        ("change_date", "dSpre", date.fromisoformat),
        ("recorded_at", "dtVpis", datetime.fromisoformat),
    ):
        text = element.get(attribute, "")
        try:
            read(text)
        except ValueError:
            yield Finding(
                Severity.ERROR,
                record,
                field,
                f"{field.replace('_', '-')}.format",
                _("{text:quoted} is not a time that can be meant", text=text[:40]),
                _("write it like 2026-11-17, or 2026-11-17T08:05:00 with the time"),
                f"No/{attribute}",
            )


def _file_error(field: str, rule: str, message: Message) -> Finding:
    remedy = _("have the file made again; do not correct it by hand")
    return Finding(Severity.ERROR, _("the whole file"), field, rule, message, remedy, f"Ident/{field}")
