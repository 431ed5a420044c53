"""Ledgers made up from a seed: Slovene names, realistic histories, any size.

The same seed and size give the same ledger, row by row, so that figures of two machines speak of
the same work. One obligation has ten events on average, an account one to two obligations.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDER, PROVIDER_NAME = "5860580000", "Primer banka d.d."
DAY = date(2026, 11, 17)
"""The day that is reported; what was recorded before it is history."""

EVENTS_PER_OBLIGATION = 10
_OBLIGATIONS_PER_ACCOUNT = 5 / 3
_OBLIGATIONS_PER_DEBTOR = 2
_YEARS = 3
_CREDITORS = 2_000

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
    """One event, in the order of the columns of the ledger's input after the obligation's."""

    event_id: str
    cancels_event_id: str | None
    change_type: str
    change_date: str
    amount_cents: int
    recorded_at: str
    reference_model: str | None
    reference: str | None
    priority: int | None
    creditor_account: str | None
    creditor_name: str | None


class Debtor(NamedTuple):
    """Who owes."""

    tax_number: str
    name: str


def obligations(events: int) -> Iterator[Obligation]:
    """The obligations of a ledger with about so many events."""
    count = max(1, events // EVENTS_PER_OBLIGATION)
    accounts = max(1, int(count / _OBLIGATIONS_PER_ACCOUNT))
    debtors = max(1, count // _OBLIGATIONS_PER_DEBTOR)
    for number in range(count):
        # An account belongs to one debtor, who may have several.
        yield Obligation(
            number,
            f"OBV-{number:09d}",
            2 + number % 4,
            (number % accounts) % debtors,
            account_number(number % accounts),
        )


def history(number: int) -> list[Event]:
    """The events of an obligation, in order of recording; the newest may still be unreported."""
    chance = random.Random(number)  # noqa: S311 - made up, not secret
    size = 1 + int(chance.random() * (2 * EVENTS_PER_OBLIGATION - 1))
    start = DAY - timedelta(days=60 + int(chance.random() * 365 * _YEARS))
    amount = 1_000 + int(chance.random() * 5_000_000)
    model, reference = _reference(number)
    account, name = creditors()[number % _CREDITORS]
    found: list[Event] = []
    for place in range(size):
        at = _moments()[(DAY - start).days - 2 * place, int(chance.random() * 600)]
        last = found[-1] if found else None
        cancels = last is not None and last.change_type != "00" and chance.random() < 0.04
        if not cancels and place:
            amount = max(0, amount - int(chance.random() * amount / 4))
        found.append(
            Event(
                str(place + 1),
                last.event_id if cancels and last else None,
                "00" if cancels else "01" if not place else "02",
                at[:10],
                last.amount_cents if cancels and last else amount,
                at,
                model,
                reference,
                1 + number % 3 if number % 5 else None,
                account if number % 4 else None,
                name if number % 4 else None,
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
            f"{_CLERKS[number % 6]} {number}, enota „{_LAST[number % 10]}“",
        )
        for number in range(_CREDITORS)
    ]


def account_number(number: int) -> str:
    """A Slovenian account: 15 digits that pass ISO 7064 MOD 97-10."""
    body = 1_910_000_000_000 + number
    return f"{body:013d}{98 - body * 100 % 97:02d}"


def _tax_number(number: int) -> str:
    """Numbers whose control digit would have two digits are not given out; the next one is."""
    for body in range(1_000_000 + number * 7, 10_000_000):
        total = sum(int(digit) * weight for digit, weight in zip(str(body), range(8, 1, -1), strict=True))
        if (control := 11 - total % 11) < 10:
            return f"{body}{control}"
    raise ValueError(f"there is no tax number for debtor {number}")


def _reference(number: int) -> tuple[str, str | None]:
    if number % 3 == 0:
        return "99", None
    if number % 3 == 1:
        return "00", f"{number}-2026"
    digits = f"{number:010d}"
    control = 11 - sum(int(digit) * (place + 2) for place, digit in enumerate(reversed(digits))) % 11
    return "12", f"{digits}{0 if control > 9 else control}"


@cache
def _moments() -> _Moments:
    return _Moments()


class _Moments(dict[tuple[int, int], str]):
    """Times of recording, by days before the reported day and minutes after seven."""

    def __missing__(self, key: tuple[int, int]) -> str:
        days, minutes = key
        at = (
            datetime.combine(DAY, datetime.min.time())
            - timedelta(days=days)
            + timedelta(minutes=420 + minutes)
        )
        self[key] = at.isoformat(timespec="seconds")
        return self[key]
