"""Ledgers made up from a seed: Slovene names, realistic histories, any size.

The same size gives the same ledger, row by row, so that figures of two machines speak of the same
work. A million events are 100,000 obligations under 60,000 accounts of 50,000 debtors, and nine of
ten events name a creditor. All check digits are right. One obligation in a thousand begins with an
event that was recorded a day late, which is worth a remark and no more.
"""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ajpes_reporting.domain.calendar import LJUBLJANA

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDER, PROVIDER_NAME = "5860580000", "Primer banka d.d."
DAY = date(2025, 11, 17)
"""The day that is reported, in the past by any clock; what was recorded before it is history."""

EVENTS_PER_OBLIGATION = 10
YEARS = 3
_LONGEST = 2 * EVENTS_PER_OBLIGATION - 1
_YOUNGEST_DAYS = 60  # an obligation begins early enough to have its longest history before DAY
_OFFICE_OPENS, _OFFICE_MINUTES = 7, 600
_CREDITORS = 2_000
_LATE_ONE_IN = 1_000

_FIRST = ("Ana", "Luka", "Maja", "Žan", "Nika", "Črt", "Špela", "Matej", "Urška", "Andraž", "Živa", "Jože")
_LAST = ("Novak", "Horvat", "Kovačič", "Krajnc", "Zupančič", "Potočnik", "Mlakar", "Žagar", "Šuštar", "Čeh")
_TRADES = (
    "Mizarstvo",
    "Gradbeništvo",
    "Trgovina",
    "Prevozi",
    "Pekarna",
    "Čistilni servis",
    "Kmetija",
    "Studio",
)
_FORMS = ("d.o.o.", "s.p.", "d.d.", "d.n.o.", "& sinovi d.o.o.")
_CLERKS = (
    "Finančna uprava RS",
    "Okrajno sodišče v Ljubljani",
    "Javni sklad",
    "Komunala",
    "Elektro",
    "Vodovod",
)


class Obligation(NamedTuple):
    """One obligation: its place among all, and what stands in the ledger about it."""

    number: int
    obligation_id: str
    issuer: int
    debtor: int
    debtor_account: str


class Event(NamedTuple):
    """One event. `recorded_utc` is `recorded_at` in UTC, as SQLite keeps it."""

    event_id: str
    cancels_event_id: str | None
    change_type: str
    change_date: str
    amount_cents: int
    recorded_utc: str
    recorded_at: str
    reference_model: str | None
    reference: str | None
    priority: int | None
    creditor_account: str | None
    creditor_name: str | None

    @property
    def is_late(self) -> bool:
        """Recorded on another day than it happened, the one remark there is."""
        return not self.recorded_at.startswith(self.change_date)


class Debtor(NamedTuple):
    """Who owes."""

    tax_number: str
    name: str


def obligation_count(events: int) -> int:
    """How many obligations share so many events."""
    return max(1, events // EVENTS_PER_OBLIGATION)


def debtor_count(events: int) -> int:
    """How many debtors have them."""
    return max(1, obligation_count(events) // 2)


def obligations(events: int) -> Iterator[Obligation]:
    """The obligations of a ledger with so many events."""
    count, debtors = obligation_count(events), debtor_count(events)
    accounts = max(1, count * 3 // 5)
    for number in range(count):
        account = number % accounts
        yield Obligation(
            number,
            _uuid(random.Random(f"obligation {number}")),
            2 + number % 4,
            account % debtors,  # an account belongs to one debtor, who may have several
            account_number(account),
        )


def history(number: int) -> list[Event]:
    """The events of an obligation, in order of recording: ten, on average over two neighbours."""
    chance = random.Random(number)
    start = _YOUNGEST_DAYS + int(chance.random() * 365 * YEARS)
    amount = 1_000 + int(chance.random() * 5_000_000)
    model, reference = _reference(number)
    found: list[Event] = []
    for place in range(_length(number)):
        day = _days()[start - 2 * place]
        at, at_utc = day.moments[int(chance.random() * _OFFICE_MINUTES)]
        last = found[-1] if found else None
        cancels = last is not None and last.change_type != "00" and chance.random() < 0.04
        if place and not cancels:
            amount = max(0, amount - int(chance.random() * amount / 4))
        late = not place and number % _LATE_ONE_IN == _LATE_ONE_IN // 2
        account, name = creditors()[number % _CREDITORS] if (number + place) % 10 else (None, None)
        found.append(
            Event(
                _uuid(chance),
                last.event_id if cancels and last else None,
                "00" if cancels else "02" if place else "01",
                day.before if late else day.text,
                last.amount_cents if cancels and last else amount,
                day.text + at_utc,
                day.text + at,
                model,
                reference,
                1 + number % 3 if number % 5 < 2 else None,
                account,
                name,
            )
        )
    return found


@cache
def debtor(number: int) -> Debtor:
    """Every fourth is a company; some names need escaping."""
    tax_number = _tax_number(number)
    if number % 4:
        return Debtor(tax_number, f"{_FIRST[number % 12]} {_LAST[number // 12 % 10]} {number}")
    trade, form = _TRADES[number // 4 % 8], _FORMS[number // 32 % 5]
    return Debtor(tax_number, f"{trade} {_LAST[number // 7 % 10]} {number}, {form}")


@cache
def creditors() -> list[tuple[str, str]]:
    """Accounts and names."""
    return [
        (
            account_number(900_000_000 + number),
            f"{_CLERKS[number % 6]} {number}, enota „{_LAST[number % 10]}“, Dunajska cesta {number}",
        )
        for number in range(_CREDITORS)
    ]


def account_number(number: int) -> str:
    """A Slovenian account: 15 digits that pass ISO 7064 MOD 97-10."""
    body = 1_910_000_000_000 + number
    return f"{body:013d}{98 - body * 100 % 97:02d}"


def _length(number: int) -> int:
    """One event to nineteen; two neighbours have twenty together, so that a ledger has its size exactly."""
    length = 1 + number // 2 * 7 % _LONGEST
    return 2 * EVENTS_PER_OBLIGATION - length if number % 2 else length


def _tax_number(number: int) -> str:
    """Numbers whose control digit would have two digits are not given out; the next one is."""
    for body in range(1_000_000 + number * 7, 10_000_000):
        total = sum(int(digit) * weight for digit, weight in zip(str(body), range(8, 1, -1), strict=True))
        if (control := 11 - total % 11) < 10:
            return f"{body}{control}"
    raise ValueError(f"there is no tax number for debtor {number}")


def _reference(number: int) -> tuple[str, str | None]:
    """One in ten has none; the others are under control by model 12, or under none."""
    if number % 10 == 0:
        return "99", None
    if number % 3 == 1:
        return "00", f"{number:07d}-2025"
    digits = f"{number:012d}"
    control = 11 - sum(int(digit) * (place + 2) for place, digit in enumerate(reversed(digits))) % 11
    return "12", f"{digits}{0 if control > 9 else control}"


def _uuid(chance: random.Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class _Day(NamedTuple):
    """A day as text, the one before it, and its office hours as local time and as UTC."""

    text: str
    before: str
    moments: list[tuple[str, str]]


@cache
def _days() -> list[_Day]:
    """The days before the reported one, latest first, which is the reported one itself."""
    return [
        _Day(str(day), str(day - timedelta(days=1)), _office_hours(_hours_from_utc(day)))
        for day in (DAY - timedelta(days=back) for back in range(_YOUNGEST_DAYS + 365 * YEARS + 1))
    ]


def _hours_from_utc(day: date) -> int:
    offset = datetime.combine(day, time(_OFFICE_OPENS), LJUBLJANA).utcoffset() or timedelta()
    return offset // timedelta(hours=1)


@cache
def _office_hours(offset: int) -> list[tuple[str, str]]:
    """Each minute, local with its offset and in UTC, where it is the same day."""
    minutes = [divmod(_OFFICE_OPENS * 60 + minute, 60) for minute in range(_OFFICE_MINUTES)]
    return [
        (f"T{hour:02d}:{minute:02d}:00+{offset:02d}:00", f" {hour - offset:02d}:{minute:02d}:00.000000")
        for hour, minute in minutes
    ]
