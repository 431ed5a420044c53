"""Bank statements, ISO 20022 camt.053, read as a stream: booked entries, and the statements they prove.

Elements are found by local names, whatever the prefix and the envelope. The versions 001.02 to 001.14 have
the same names for all that is read here. The amount of an entry is its own, never that of its details: a
batch counts once. The direction is that of `CdtDbtInd` alone: by the usage rule of `RvslInd`, a reversal that
is marked CRDT takes back a debit, so its sign is right as it stands.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from itertools import islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

from ajpes_reporting import xmlread
from ajpes_reporting.domain.calendar import LJUBLJANA, PLAUSIBLE_YEARS
from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.domain.fields import plain_account
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.i18n import NOTHING, Message, _, sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ajpes_reporting.xmlread import Element

_ROOT, _STATEMENT, _BALANCE, _ENTRY = "BkToCstmrStmt", "Stmt", "Bal", "Ntry"
_PASSED_OVER = ("TxDtls", "NtryDtls", "TtlNtriesPerBkTxCd")  # what may come any number of times
_SUMS = ("TtlNtries", "TtlCdtNtries", "TtlDbtNtries")
_HEAD = (
    "Id",
    "StmtPgntn/PgNb",
    "ElctrncSeqNb",
    "LglSeqNb",
    "FrToDt/FrDtTm",
    "Acct/Id/IBAN",
    "Acct/Id/Othr/Id",
    "Acct/Ccy",
    *(f"TxsSummry/{name}/{what}" for name in _SUMS for what in ("NbOfNtries", "Sum")),
)

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:((?:camt|pain|pacs)\.[0-9]{3}\.[0-9]{3}\.[0-9]{2})")
_READ = re.compile(r"camt\.053\.001\.(?:0[2-9]|1[0-4])")
_TRIED = ("camt.053.001.02", "camt.053.001.08")
_MOST_BEFORE_THE_MESSAGE = 1_000  # elements of an envelope
_FIRST_BYTES = 256
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

_AMOUNT = re.compile(r"\+?([0-9]{0,15})(?:\.([0-9]*))?")
_NUMBER = re.compile(r"0*([0-9]{1,18})")
_ACCOUNT = re.compile(r"[0-9]{15}")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_SIGNS = {"CRDT": 1, "DBIT": -1}
_OPENING, _CLOSING, _INTERIM = ("OPBD", "PRCD"), "CLBD", "ITBD"
_NO_REFERENCES = frozenset({"", "NONREF", "NOTPROVIDED", "NOTAVAILABLE", "NOREF"})
_LONGEST_IDENTIFIER = 35
_LONGEST_SHOWN = 40


class Balance(NamedTuple):
    """A booked balance and its day."""

    cents: int
    day: date


class Entry(NamedTuple):
    """A booked entry, credit positive.

    `key` tells it from every other entry, but for one with the same reference, day and amount in the same
    statement. With a reference of the bank, `has_reference`, it is the same in every statement that has the
    entry, otherwise only where the statement is the same. `name` is its reference, or its place.
    """

    key: bytes
    name: str
    booked_on: date
    cents: int
    has_reference: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that adds up, or a page of one.

    `sequence` and `page` are 0 where the bank gives none, `debit_cents` has no sign. `entries` are booked; so
    many others are `not_booked` and left out. `fingerprint` is that of all that counts, the same for a
    statement that is delivered again. `repeats` are the beginnings of keys that several entries have.
    """

    identifier: str
    account: str
    sequence: int
    page: int
    begins_on: date
    opening: Balance
    credit_cents: int
    debit_cents: int
    closing: Balance
    entries: int
    not_booked: int
    fingerprint: str
    repeats: frozenset[bytes]

    @property
    def record(self) -> Message:
        """The name of the statement for an operator."""
        return _record(self.identifier, self.account)


def _record(identifier: str, account: str) -> Message:
    return _(
        "statement {statement} of account {account}", statement=_shown(identifier), account=_shown(account)
    )


def is_xml(path: Path) -> bool:
    """Whether a file begins like XML; False also for what is no file."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_FIRST_BYTES)
    except OSError:
        return False
    for mark in _MARKS:
        head = head.removeprefix(mark)
    return head.replace(b"\0", b"").lstrip().startswith(b"<")


def recognise(path: Path) -> list[Finding]:
    """The warnings about the kind of a message. Raises LedgerRefused if the XML is no statement."""
    try:
        if found := _NAMESPACE.fullmatch(xmlread.read_root(path).namespace or ""):
            return _warnings_about(path, found[1])
        starts = xmlread.stream(path, ("start",))  # the message may have an envelope
        for _event, element in islice(starts, _MOST_BEFORE_THE_MESSAGE):
            if found := _NAMESPACE.match(str(element.tag).removeprefix("{")):
                return _warnings_about(path, found[1])
    except xmlread.UnreadableXml as error:
        raise refusal(path, error) from None
    raise LedgerRefused(
        _("{file} was not read: the file is XML, but no statement (camt.053).", file=path.name),
        _("import CSV files, or statements as camt.053; `ajpes-reporting check` reads reports and answers"),
    )


def _warnings_about(path: Path, message: str) -> list[Finding]:
    if not _READ.fullmatch(message):
        remedy = _("ask the bank for statements as camt.053.001.02 or camt.053.001.08")
        raise LedgerRefused(_wrong_kind(path.name, message), remedy)
    if message in _TRIED:
        return []
    text = _(
        "the version {message} is read like {tried}: the elements that count have the same names",
        message=message,
        tried=_TRIED[1],
    )
    return [
        _finding(Severity.WARNING, _("the file"), "version", text, _("compare the result with its source"))
    ]


def _wrong_kind(file: str, message: str) -> Message:
    facts = {"file": file, "message": message}
    match message[:8]:
        case "camt.052":
            return _(
                "{file} was not read: the file is an intraday account report ({message}), whose entries may"
                " still change, and not a statement (camt.053).",
                **facts,
            )
        case "camt.053":
            return _("{file} was not read: the version {message} of a statement is not known here.", **facts)
        case "camt.054":
            return _(
                "{file} was not read: the file is a notification of single entries ({message}), which proves"
                " no balance, and not a statement (camt.053).",
                **facts,
            )
    return _(
        "{file} was not read: the file is another message ({message}), not a statement (camt.053).", **facts
    )


def refusal(path: Path, error: xmlread.UnreadableXml) -> LedgerRefused:
    """The refusal of a file that is not XML that we take."""
    remedy = _("export the file again, it may have been cut off")
    finding = Finding(
        Severity.ERROR,
        _("the file"),
        "",
        "file.format",
        error.message,
        remedy,
        line=error.line or None,
    )
    return LedgerRefused(_("{file} was not read: 1 error.", file=path.name), sentences([remedy]), [finding])


def read(path: Path) -> Iterator[Entry | Finding | Statement]:
    """Yields every booked entry, and after those of a statement the statement itself, if it adds up.

    What is wrong comes as a finding in the place of an entry, or before the place of its statement.
    Raises `xmlread.UnreadableXml` when it gets there.
    """
    reader: _Reader | None = None
    names = (_STATEMENT, _BALANCE, _ENTRY, *_PASSED_OVER)
    for element in xmlread.elements(path, names):
        name, parent = xmlread.local_name(element), element.getparent()
        if name == _STATEMENT and _is_statement(element):
            reader = reader or _Reader(element)
            yield from reader.end(element)
            reader = None
        elif name in (_BALANCE, _ENTRY) and parent is not None and _is_statement(parent):
            reader = reader or _Reader(parent)
            found = reader.entry(element) if name == _ENTRY else reader.balance(element)
            if found:
                yield found
        if name in _PASSED_OVER:
            _empty(element)
        else:
            xmlread.forget(element)


def _is_statement(element: Element) -> bool:
    """Whether an element is a statement of the message, and not what a bank adds in words of its own."""
    parent = element.getparent()
    return (
        parent is not None
        and xmlread.local_name(parent) == _ROOT
        and xmlread.local_name(element) == _STATEMENT
    )


def _empty(element: Element) -> None:
    """Frees what is in an element, and one of its name before it; other parts of its parent are wanted."""
    element.clear()
    before, parent = element.getprevious(), element.getparent()
    if parent is not None and before is not None and before.tag == element.tag:
        parent.remove(before)


class _Reader:
    """Reads one statement; its head has been read when its first balance or entry ends."""

    def __init__(self, statement: Element) -> None:
        self._head: dict[str, str] = {}
        self._look_at(statement)
        head = self._head
        account = plain_account((head.get("Acct/Id/IBAN") or head.get("Acct/Id/Othr/Id") or "").upper())
        self._identifier = head.get("Id", "")
        self._account = account.replace("-", "")
        self._sequence = _number(head.get("ElctrncSeqNb") or head.get("LglSeqNb") or "") or 0
        self._page = _number(head.get("StmtPgntn/PgNb", "")) or 0
        self._balances: list[tuple[str, Balance]] = []
        self._number = 0
        self._not_booked = 0
        self._digest = sha256()
        # What remembers a million entries in 8 MB: the beginnings of keys, by their first byte.
        self._keys = tuple(array("Q") for _byte in range(256))
        self._all = {1: [0, 0], -1: [0, 0]}  # by sign, count and sum of all entries, booked or not
        self._booked = {1: [0, 0], -1: [0, 0]}

    def _look_at(self, statement: Element) -> None:
        """Keeps what of the head has been read; with the next entry it is forgotten."""
        self._head.update((name, text) for name in _HEAD if (text := _text(statement, name)))

    def balance(self, part: Element) -> Finding | None:
        """Takes a booked balance; returns what is wrong with it."""
        code = _text(part, "Tp/CdOrPrtry/Cd")
        parts = _by_name(part)
        if code not in (*_OPENING, _CLOSING, _INTERIM):
            return None
        cents, day = _signed(parts), _day(_choice(parts.get("Dt")))
        record = _("statement {statement} / balance {code}", statement=_shown(self._identifier), code=code)
        if isinstance(cents, Message):
            return _error(record, "balance", cents, _EUROS)
        if day is None:
            return _error(record, "balance", _("the balance has no day (Dt)"), _AGAIN)
        self._balances.append((code, Balance(cents, day)))
        return None

    def entry(self, part: Element) -> Entry | Finding | None:
        """Returns a booked entry, or what is wrong with it; None for one that is not booked."""
        self._number += 1
        if self._number == 1 and (statement := part.getparent()) is not None:
            self._look_at(statement)
        parts = _by_name(part)
        status = _choice(parts.get("Sts"))
        if not status:
            return self._wrong_entry("status", _("the entry has no status (Sts)"), _AGAIN)
        cents = _signed(parts)
        if isinstance(cents, Message):
            return self._wrong_entry("amount", cents, _EUROS)
        sign = _SIGNS[_own_text(parts["CdtDbtInd"])]
        _count(self._all[sign], cents)
        if status != "BOOK":
            self._not_booked += 1
            return None
        _count(self._booked[sign], cents)
        day = _day(_choice(parts.get("BookgDt")))
        if day is None:
            message = _("the entry has no day of booking (BookgDt), or one that is no date")
            return self._wrong_entry("booking-date", message, _AGAIN)
        return self._keyed(parts, day, cents)

    def _wrong_entry(self, what: str, message: Message, remedy: Message) -> Finding:
        record = _(
            "statement {statement} / entry {number}",
            statement=_shown(self._identifier),
            number=str(self._number),
        )
        return _error(record, what, message, remedy)

    def _keyed(self, parts: Mapping[str, Element], booked_on: date, cents: int) -> Entry:
        reference = _own_text(parts.get("AcctSvcrRef"))
        own = _own_text(parts.get("NtryRef"))
        statement = f"{self._identifier}\x1f{self._sequence}\x1f{self._page}"
        has_reference = reference.upper() not in _NO_REFERENCES
        if has_reference:
            said = f"reference\x1f{reference}"
        elif own.upper() not in _NO_REFERENCES:
            said = f"entry\x1f{statement}\x1f{own}"
        else:
            said = f"place\x1f{statement}\x1f{self._number}"
        key = sha256(f"{self._account}\x1f{said}\x1f{booked_on.isoformat()}\x1f{cents}".encode()).digest()[
            :KEY_BYTES
        ]
        self._keys[key[0]].append(int.from_bytes(key[:8]))
        self._digest.update(f"{booked_on.isoformat()}\x1f{cents}\x1f{reference}\x1e".encode())
        return Entry(key, reference or own or str(self._number), booked_on, cents, has_reference)

    def end(self, statement: Element) -> Iterator[Finding | Statement]:
        """Proves the statement: yields what is wrong with it, or the statement."""
        self._look_at(statement)
        wrong = [*self._wrong_head(), *self._wrong_balances(), *self._wrong_sums()]
        yield from wrong
        opening, closing = self._ends()
        if opening is None or closing is None or any(finding.is_error for finding in wrong):
            return
        ends = (f"{balance.cents}\x1f{balance.day.isoformat()}" for balance in (opening, closing))
        self._digest.update("\x1f".join((self._account, *ends, str(self._page))).encode())
        yield Statement(
            identifier=self._identifier,
            account=self._account,
            sequence=self._sequence,
            page=self._page,
            begins_on=_day(self._head.get("FrToDt/FrDtTm", "")) or opening.day,
            opening=opening,
            credit_cents=self._booked[1][1],
            debit_cents=-self._booked[-1][1],
            closing=closing,
            entries=sum(map(len, self._keys)),
            not_booked=self._not_booked,
            fingerprint=self._digest.hexdigest(),
            repeats=frozenset(key for keys in self._keys for key in _repeated(keys)),
        )

    def _wrong_balances(self) -> Iterator[Finding]:
        record = _record(self._identifier, self._account)
        for code in (_OPENING[0], _CLOSING):
            if len({balance.cents for told, balance in self._balances if told == code}) > 1:
                message = _("the statement has several balances {code}, which differ", code=code)
                yield _error(record, "balance", message, _AGAIN)
        opening, closing = self._ends()
        if opening is None or closing is None:
            code = _OPENING[0] if opening is None else _CLOSING
            message = _("the statement has no booked balance {code} in euros", code=code)
            remedy = _("ask the bank for statements with both balances, on each page")
            yield _error(record, "balance", message, remedy)
            return
        expected = opening.cents + self._booked[1][1] + self._booked[-1][1]
        if expected != closing.cents:
            message = _(
                "the statement does not add up: opening balance and booked entries give {expected:eur}, the"
                " closing balance is {closing:eur}; the difference is {difference:eur}",
                expected=expected,
                closing=closing.cents,
                difference=closing.cents - expected,
            )
            remedy = _("ask the bank for the statement again; an entry may be missing, or a page")
            yield _error(record, "proof", message, remedy)

    def _ends(self) -> tuple[Balance | None, Balance | None]:
        """The first and the last booked balance; on a page of a statement they may be interim ones."""
        told = [code for code, _balance in self._balances]
        begins = next((told.index(code) for code in (*_OPENING, _INTERIM) if code in told), None)
        ends = told.index(_CLOSING) if _CLOSING in told else None
        if ends is None and _INTERIM in told:
            ends = len(told) - 1 - told[::-1].index(_INTERIM)
        if begins is None or ends is None or begins == ends:
            return self._balance_at(begins), None
        return self._balance_at(begins), self._balance_at(ends)

    def _balance_at(self, place: int | None) -> Balance | None:
        return None if place is None else self._balances[place][1]

    def _wrong_head(self) -> Iterator[Finding]:
        record = _record(self._identifier, self._account)
        if not _ACCOUNT.fullmatch(self._account):
            message = (
                _("the account is {account}, not one of 15 digits or its IBAN", account=_shown(self._account))
                if self._account
                else _("the account is missing (Acct)")
            )
            yield _error(record, "account", message, _("leave out statements of accounts elsewhere"))
        if not 0 < len(self._identifier) <= _LONGEST_IDENTIFIER:
            message = _(
                "the statement has no identifier (Id) of 1 to {most} characters", most=_LONGEST_IDENTIFIER
            )
            yield _error(record, "id", message, _AGAIN)
        currency = self._head.get("Acct/Ccy", "EUR")
        if currency != "EUR":
            message = _("the account is kept in {currency}, not in euros", currency=_shown(currency))
            yield _error(record, "currency", message, _EUROS)

    def _wrong_sums(self) -> Iterator[Finding]:
        """Compares counts and sums that the bank gives with the entries: all of them, or those booked.

        A wrong sum is an error, since two missing entries may leave the balance as it was. A wrong count
        alone is not: some banks count the payments within a batch.
        """
        for name, signs in (("TtlNtries", (1, -1)), ("TtlCdtNtries", (1,)), ("TtlDbtNtries", (-1,))):
            counted, summed = (
                self._head.get(f"TxsSummry/{name}/{what}", "") for what in ("NbOfNtries", "Sum")
            )
            found = [
                tuple(
                    sum(entries[sign][which] * (sign if which else 1) for sign in signs) for which in (0, 1)
                )
                for entries in (self._booked, self._all)
            ]
            told = _cents(summed) if summed else None
            if summed and told not in [sum_ for _count, sum_ in found]:
                message = _(
                    "the sum {name} is {told} in the statement, but the entries give {found:eur}",
                    name=name,
                    told=_shown(summed),
                    found=found[0][1],
                )
                yield _error(
                    _record(self._identifier, self._account),
                    "sum",
                    message,
                    _("ask the bank for the statement again"),
                )
            elif counted and _number(counted) not in [count for count, _sum in found]:
                message = _(
                    "{name} says {told} entries, but there are {found:count}; the sums agree",
                    name=name,
                    told=_shown(counted),
                    found=found[0][0],
                )
                yield _finding(Severity.WARNING, _record(self._identifier, self._account), "count", message)


KEY_BYTES = 16

_AGAIN = _("ask the bank for the statement again")
_EUROS = _("import statements of accounts in euros")


def _text(element: Element, place: str) -> str:
    """The text of an element at a place below, such as "Sts/Cd"; empty if there is none."""
    for name in place.split("/"):
        child = next(element.iterchildren(f"{{*}}{name}"), None)
        if child is None:
            return ""
        element = child
    return _own_text(element)


def _by_name(element: Element) -> dict[str, Element]:
    """The elements within one, by local name; of equal names the last."""
    return {str(child.tag).rpartition("}")[2]: child for child in element}


def _own_text(element: Element | None) -> str:
    return "" if element is None else (element.text or "").strip()


def _choice(element: Element | None) -> str:
    """The text of an element, or of the first one within it: a status, or a day as `Dt` or `DtTm`."""
    return _own_text(element[0] if element is not None and len(element) else element)


def _signed(parts: Mapping[str, Element]) -> int | Message:
    """The amount of an entry or a balance in cents, or what is wrong with it."""
    amount = parts.get("Amt")
    if amount is None or not (currency := amount.get("Ccy", "")):
        return _("the amount or its currency is missing (Amt, Ccy)")
    if currency != "EUR":
        return _("the amount is in {currency}, not in euros", currency=_shown(currency))
    sign = _SIGNS.get(_own_text(parts.get("CdtDbtInd")))
    if sign is None:
        return _("the direction is missing, or neither CRDT nor DBIT (CdtDbtInd)")
    text = _own_text(amount)
    cents = _cents(text)
    if cents is None:
        return _("the amount is {text}, not a number of whole cents", text=repr(_shown(text)))
    return sign * cents


def _count(totals: list[int], cents: int) -> None:
    totals[0] += 1
    totals[1] += cents


def _repeated(keys: array[int]) -> Iterator[bytes]:
    """Yields the beginnings of keys that come more than once."""
    return (key.to_bytes(8) for key, later in pairwise(sorted(keys)) if key == later)


@lru_cache(maxsize=1 << 12)  # the same round amounts come again
def _cents(text: str) -> int | None:
    """An amount of euros in cents; up to five decimals may stand there, as long as they are whole cents."""
    found = _AMOUNT.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        return None
    decimals = (found[2] or "").rstrip("0")
    return int((found[1] or "0") + decimals.ljust(2, "0")) if len(decimals) <= 2 else None


def _number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text)
    return int(found[1]) if found else None


@lru_cache(maxsize=1 << 12)  # many entries share their day
def _day(text: str) -> date | None:
    """The day of a date, or of a moment in Ljubljana's time."""
    try:
        if found := _DATE.fullmatch(text):
            day = date.fromisoformat(found[1])
        else:
            moment = datetime.fromisoformat(text)
            day = (moment.astimezone(LJUBLJANA) if moment.tzinfo else moment).date()
    except (ValueError, OverflowError):
        return None
    return day if day.year in PLAUSIBLE_YEARS else None


def _shown(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _error(record: Message, what: str, message: Message, remedy: Message) -> Finding:
    return _finding(Severity.ERROR, record, what, message, remedy)


def _finding(
    severity: Severity, record: Message, what: str, message: Message, remedy: Message = NOTHING
) -> Finding:
    return Finding(severity, record, "", f"statement.{what}", message, remedy)
