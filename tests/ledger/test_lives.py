"""Lives of accounts, drawn by chance: whatever comes in, and in whatever order months are run, every balance
is the last known one plus all postings since.

`Books` reckons it all in plain Python, from what came in alone. `pytest --full tests/ledger/test_lives.py`
plays ten thousand lives; a failure tells the story of its life, and `--seed` repeats all of them.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from ajpes_reporting.database.engine import rehearsing
from ajpes_reporting.database.tables import account_months, accounts, submissions
from ajpes_reporting.domain.money import Amounts
from ajpes_reporting.domain.periods import Month
from ajpes_reporting.domain.ports import no_progress
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal.archive import Stored
from ajpes_reporting.journal.submissions import Draft, prepare
from ajpes_reporting.ledger.findings import Source
from ajpes_reporting.ledger.intake import take_in
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, POSTINGS, Kind
from ajpes_reporting.ledger.months import close_month
from ajpes_reporting.ledger.reported import differences
from ajpes_reporting.ledger.restatement import Restatement
from ajpes_reporting.reports.kind import Request
from ajpes_reporting.reports.spapp.select import select_accounts
from ajpes_reporting.reports.spapp.settings import SpappSettings
from ajpes_reporting.reports.spapp.write import write

Figures = tuple[int, int, int]
"""Credit, debit and closing balance."""

LIVES = {"sqlite": (120, 10_000), "postgresql": (8, 40)}  # a sample, and with --full
BANK = "5860571000"
NOW = datetime(2027, 9, 1, 8, 0, tzinfo=UTC)
MONTHS = [f"{2026 + (5 + n) // 12}-{(5 + n) % 12 + 1:02}" for n in range(10)]  # June 2026 to March 2027
ROW = re.compile(r'<Pi sta="(-?\d+)" dob="(\d+)" rn="(\d+)" bre="(\d+)"/>')


class Books:
    """What a clerk with paper and pencil would reckon."""

    def __init__(self) -> None:
        self.opened: dict[str, tuple[str, str]] = {}  # first and last month of an account
        self.given: dict[tuple[str, str], Figures] = {}
        self.posted: list[tuple[str, str, int]] = []  # account, month, cents

    def figures(self, account: str, month: str) -> Figures:
        if (account, month) in self.given:
            return self.given[account, month]
        known = max((m for a, m in self.given if a == account and m < month), default="")
        start = self.given[account, known][2] if known else 0
        mine = [(m, cents) for a, m, cents in self.posted if a == account]
        own = [cents for m, cents in mine if m == month]
        since = sum(cents for m, cents in mine if known < m <= month)
        return sum(c for c in own if c > 0), -sum(c for c in own if c < 0), start + since

    def report(self, month: str) -> dict[str, Figures]:
        opened = (account for account, (first, last) in self.opened.items() if first <= month <= last)
        return {account: self.figures(account, month) for account in opened}


def euros(cents: int) -> int:
    """Half away from zero, as a report in whole euros rounds."""
    return (abs(cents) + 50) // 100 * (-1 if cents < 0 else 1)


class Life:
    """One bank with a few accounts; everything goes the way that files and runs go."""

    def __init__(self, connection: Connection, dice: random.Random) -> None:
        self.connection = connection
        self.dice = dice
        self.amounts: Amounts = dice.choice(("cents", "cents", "euros"))
        self.unit = 1 if self.amounts == "cents" else dice.choice((1, 100))
        self.books = Books()
        self.accepted: dict[str, tuple[int, dict[str, Figures]]] = {}
        self.story: list[str] = []

    def live(self) -> None:
        for index in range(self.dice.randint(1, 3)):
            self.open(f"0100{index:011d}")
        things = (self.post, self.give, self.run, self.close, self.move_days)
        for happens in self.dice.choices(things, (6, 3, 6, 1, 1), k=self.dice.randint(4, 11)):
            happens()
            self.compare()
        for month in self.dice.sample(MONTHS, 3):
            self.report(month)
        self.compare()

    def open(self, account: str) -> None:
        self.books.opened[account] = (MONTHS[self.dice.choice((0, 0, 0, 2))], "9999-12")
        self.take(ACCOUNTS, [self.account_row(account)])

    def post(self) -> None:
        rows = []
        for _ in range(self.dice.randint(1, 3)):
            account, month = self.dice.choice(list(self.books.opened)), self.dice.choice(MONTHS)
            cents = self.dice.randint(-900, 900) * self.unit
            self.books.posted.append((account, month, cents))
            day = self.dice.choice(("01", "15", "28"))
            rows.append([f"P-{len(self.books.posted)}", account, f"{month}-{day}", str(cents)])
        self.take(POSTINGS, rows)

    def give(self) -> None:
        """Months as the bank's books closed them: new, the same again, or restated."""
        rows = {}
        for _ in range(self.dice.randint(1, 2)):
            key = self.dice.choice(list(self.books.opened)), self.dice.choice(MONTHS)
            if self.dice.random() < 0.8 or key not in self.books.given:
                credit, debit, closing = (self.dice.randint(0, 900) * self.unit for _ in range(3))
                self.books.given[key] = credit, debit, closing * self.dice.choice((1, -1))
            rows[key] = [*key, *map(str, self.books.given[key])]
        self.take(ACCOUNT_MONTHS, list(rows.values()))

    def move_days(self) -> None:
        """An account turns out to have opened, or closed, on another day."""
        account = self.dice.choice(list(self.books.opened))
        opens, closes = self.dice.choice(MONTHS[:4]), self.dice.choice((*MONTHS[4:], "9999-12"))
        self.books.opened[account] = opens, closes
        self.take(ACCOUNTS, [self.account_row(account)])

    def close(self) -> None:
        """A month is summed up, and its report is not sent."""
        close_month(self.connection, BANK, self.dice.choice(MONTHS))

    def run(self) -> None:
        month = self.dice.choice(MONTHS)
        if month in self.accepted and not self.moved(month):
            return
        content = self.report(month)
        if content is None:
            return
        key = prepare(self.connection, _draft(month), (), None, at=NOW).id
        state = self.dice.choice((State.ACCEPTED, State.ACCEPTED_WITH_WARNINGS, State.REFUSED))
        self.connection.execute(update(submissions).where(submissions.c.id == key).values(state=state.value))
        self.story.append(f"{state} is {key} for {month}: {content}")
        if state.is_accepted:
            self.accepted[month] = key, content

    def report(self, month: str) -> dict[str, Figures] | None:
        """Builds the report and holds it against the books, and against the report of the month before."""
        close_month(self.connection, BANK, month)
        request = Request(
            BANK,
            "Banka",
            Month(int(month[:4]), int(month[5:])),
            NOW,
            NOW,
            SpappSettings(amounts=self.amounts),
            RuleSettings(),
        )
        selection = select_accounts(self.connection, request)
        wanted = self.books.report(month)
        if not selection.record_count:
            assert not wanted, self.told()
            return None
        text = b"".join(write(request, selection)).decode()
        built = {rn: (int(dob), int(bre), int(sta)) for sta, dob, rn, bre in ROW.findall(text)}
        assert built == self.shown(wanted), f"{month}: {self.told()}"
        self.add_up(month, built)
        return wanted

    def add_up(self, month: str, built: dict[str, Figures]) -> None:
        """Opening balance + credit - debit = closing balance, against the report of the month before."""
        before = MONTHS[MONTHS.index(month) - 1] if month != MONTHS[0] else ""
        if self.amounts != "cents" or before not in self.accepted:
            return
        moved, then = self.moved(before), self.accepted[before][1]
        for account, (credit, debit, closing) in built.items():
            if account in then and account not in moved and (account, month) not in self.books.given:
                assert then[account][2] + credit - debit == closing, f"{account} in {month}: {self.told()}"

    def compare(self) -> None:
        """What was summed up is right, and what AJPES accepted otherwise is known, to the cent."""
        table = account_months.c
        rows = select(accounts.c.account, table.month, table.credit_turnover_cents,
                      table.debit_turnover_cents, table.closing_balance_cents).join(
            accounts, accounts.c.id == table.account)  # fmt: skip
        for account, month, *figures in self.connection.execute(rows):
            assert tuple(figures) == self.books.figures(account, month), f"{account} {month}: {self.told()}"
        found = differences(self.connection, BANK, self.amounts)
        told = {(one.month, one.account): one.submission for one in found}
        wanted = {
            (month, account): key
            for month, (key, _) in self.accepted.items()
            for account in self.moved(month)
        }
        assert told == wanted, self.told()
        for one in found:
            then, now = self.accepted[one.month][1], self.books.report(one.month)
            for side, figures in ((one.accepted, then.get(one.account)), (one.now, now.get(one.account))):
                assert (_plain(side) if side else None) == figures, self.told()

    def moved(self, month: str) -> set[str]:
        then, now = self.shown(self.accepted[month][1]), self.shown(self.books.report(month))
        return {account for account in {*then, *now} if then.get(account) != now.get(account)}

    def shown(self, report: dict[str, Figures]) -> dict[str, Figures]:
        if self.amounts == "cents":
            return report
        return {account: tuple(map(euros, figures)) for account, figures in report.items()}  # type: ignore[misc]

    def take(self, kind: Kind, rows: Sequence[list[str]]) -> None:
        self.story.append(f"{kind.name}: {rows}")
        lines = enumerate(rows, 2)
        source, restatement = Source("life", "", NOW), Restatement("drawn by chance", NOW)
        take_in(self.connection, BANK, kind, lines, source, RuleSettings(), no_progress, restatement)

    def account_row(self, account: str) -> list[str]:
        opens, closes = self.books.opened[account]
        return [account, "50123459", "Holder", f"{opens}-05", "" if closes == "9999-12" else f"{closes}-20"]

    def told(self) -> str:
        return "\n".join(("", self.amounts, *self.story))


def _plain(figures: Any) -> Figures:
    return figures.credit_turnover_cents, figures.debit_turnover_cents, figures.closing_balance_cents


def _draft(month: str) -> Draft:
    return Draft(
        provider=BANK, report="SPAPP", period=month, prepared_at=NOW, file_name="f",
        stored=Stored("p", 1, "a"), content_sha256="b", record_count=1, totals={},
    )  # fmt: skip


def test_every_balance_is_the_last_known_one_and_all_postings_since(
    engine: Engine, dice: random.Random, full: bool
) -> None:
    """A customer's money is in the report, whatever month it lay still in, and whenever it was booked."""
    count = LIVES[engine.dialect.name][full]
    started = time.monotonic()
    for _ in range(count):
        with rehearsing(engine) as connection:
            Life(connection, random.Random(dice.random())).live()
    print(f"{count:,} lives on {engine.dialect.name} in {time.monotonic() - started:.0f} s")  # noqa: T201
