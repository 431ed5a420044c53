"""Months are summed up from postings where the bank does not give them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, POSTINGS
from ajpes_reporting.ledger.months import close_month
from tests.ledger.conftest import PROVIDER, Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

OTHER = "070000000000187"


def close(ledger: Ledger, month: str, provider: str = PROVIDER) -> int:
    with writing(ledger.engine) as connection:
        return close_month(connection, provider, month)


def post(ledger: Ledger, *postings: tuple[str, str, int]) -> None:
    """Postings of the usual account: id, day, cents."""
    ledger.take(
        POSTINGS,
        *({"posting_id": key, "booked_on": day, "amount_cents": str(cents)} for key, day, cents in postings),
    )


def months(ledger: Ledger) -> Sequence[Any]:
    """Month, credit, debit, closing balance and origin of every row."""
    return sorted(tuple(row)[2:] for row in ledger.content()["account_months"])


@pytest.fixture
def held(ledger: Ledger) -> Ledger:
    ledger.take(ACCOUNTS, {}, {"account": OTHER})
    return ledger


def test_a_month_is_the_sum_of_its_postings(held: Ledger) -> None:
    """Credit and debit apart, both never negative (section 3.2, note *)."""
    # September: 10.00. October: 40.00 + 2.50 in, 10.00 out. 10 + 42.50 - 10 = 42.50.
    post(held, ("1", "2026-09-30", 1000), ("2", "2026-10-01", 4000), ("3", "2026-10-31", -1000))
    post(held, ("4", "2026-10-15", 250), ("5", "2026-11-01", 7777))
    assert close(held, "2026-10") == 1
    assert months(held) == [("2026-10", 4250, 1000, 4250, "closed")]


def test_an_account_without_postings_gets_no_row(held: Ledger) -> None:
    """The report shows it with zeros; the ledger invents no figures."""
    assert close(held, "2026-10") == 0


def test_a_month_without_postings_carries_the_balance(held: Ledger) -> None:
    """An account at rest keeps its money."""
    post(held, ("1", "2026-09-30", -1000))
    close(held, "2026-10")
    assert months(held) == [("2026-10", 0, 0, -1000, "closed")]


def test_the_month_before_is_what_the_balance_builds_on(held: Ledger) -> None:
    """A bank that gave its balance once need not give every posting since the account was opened."""
    held.take(ACCOUNT_MONTHS, {"month": "2026-09", "closing_balance_cents": "50000"})
    post(held, ("1", "2026-10-05", 4000), ("2", "2026-09-05", 123))
    close(held, "2026-10")
    assert months(held)[1] == ("2026-10", 4000, 0, 54000, "closed")


def test_months_follow_each_other_over_new_year(held: Ledger) -> None:
    """The month before January is December."""
    post(held, ("1", "2026-12-31", 100), ("2", "2027-01-01", 10))
    close(held, "2026-12")
    close(held, "2027-01")
    assert months(held) == [("2026-12", 100, 0, 100, "closed"), ("2027-01", 10, 0, 110, "closed")]


def test_closing_again_takes_late_postings(held: Ledger) -> None:
    """A posting that came after the month was closed is not lost."""
    post(held, ("1", "2026-10-05", 4000))
    close(held, "2026-10")
    post(held, ("2", "2026-10-06", -1500))
    assert close(held, "2026-10") == 1
    assert months(held) == [("2026-10", 4000, 1500, 2500, "closed")]


def test_an_imported_month_is_never_overwritten(held: Ledger) -> None:
    """The bank's own figures win."""
    held.take(ACCOUNT_MONTHS, {})
    post(held, ("1", "2026-10-05", 1))
    assert close(held, "2026-10") == 0
    assert months(held) == [("2026-10", 4000, 1000, 3000, "imported")]


def test_an_imported_month_takes_the_place_of_a_sum(held: Ledger) -> None:
    """The bank's own figures win, also where they come later."""
    post(held, ("1", "2026-10-05", 1))
    close(held, "2026-10")
    assert held.take(ACCOUNT_MONTHS, {}).rows_new == 1
    assert months(held) == [("2026-10", 4000, 1000, 3000, "imported")]


def test_each_account_and_provider_for_itself(held: Ledger) -> None:
    """No money moves from one to the other."""
    post(held, ("1", "2026-10-05", 100))
    held.take(POSTINGS, {"posting_id": "2", "account": OTHER, "amount_cents": "-7"})
    assert close(held, "2026-10", provider="5026024000") == 0
    assert close(held, "2026-10") == 2
    assert months(held) == [("2026-10", 0, 7, -7, "closed"), ("2026-10", 100, 0, 100, "closed")]


def test_a_month_that_is_none_is_refused(held: Ledger) -> None:
    """A mistyped month does not close another one."""
    with pytest.raises(UsageError):
        close(held, "2026-13")


def test_a_quiet_month_carries_the_balance_of_the_last_known_month(held: Ledger) -> None:
    """A customer's money is not lost because nothing moved for a month."""
    # August 1000.00 as a row, nothing in September, 50.00 on 10 October: 1000 + 50 = 1050.
    held.take(ACCOUNT_MONTHS, {"month": "2026-08", "closing_balance_cents": "100000"})
    post(held, ("1", "2026-10-10", 5000))
    assert close(held, "2026-09") == 0, "nothing is known of it: the report warns"
    close(held, "2026-10")
    assert months(held)[1:] == [("2026-10", 5000, 0, 105000, "closed")]


def test_a_month_that_was_never_run_is_not_left_out_of_the_balance(held: Ledger) -> None:
    """Whoever skips a month still reports what was posted in it with the next one."""
    # August 1000.00 as a row, -100.00 in September, which is never run: October 900.
    held.take(ACCOUNT_MONTHS, {"month": "2026-08", "closing_balance_cents": "100000"})
    post(held, ("1", "2026-09-15", -10000))
    close(held, "2026-10")
    assert months(held)[1:] == [("2026-10", 0, 0, 90000, "closed")]


@pytest.mark.parametrize(
    "order", [("2026-09", "2026-10", "2026-12"), ("2026-12", "2026-10", "2026-09"), ("2026-12", "2026-12")]
)
def test_months_may_be_closed_in_any_order(held: Ledger, order: tuple[str, ...]) -> None:
    """A month that is run late, or twice, gives what it would have given in time."""
    held.take(ACCOUNT_MONTHS, {"month": "2026-08", "closing_balance_cents": "1000"})
    post(held, ("1", "2026-09-01", 10), ("2", "2026-10-31", -200), ("3", "2026-12-24", 5))
    for month in order:
        close(held, month)
    right = {"2026-09": 1010, "2026-10": 810, "2026-12": 815}
    assert {row[0]: row[3] for row in months(held)[1:]} == {month: right[month] for month in order}


def test_a_posting_that_comes_late_moves_the_later_months_too(held: Ledger) -> None:
    """What is booked into a month that was closed is in every balance after it."""
    # +100 in August, +10 in September; then -30 in August: August 70, September 80.
    post(held, ("1", "2026-08-05", 10000), ("2", "2026-09-05", 1000))
    close(held, "2026-08")
    close(held, "2026-09")
    post(held, ("3", "2026-08-20", -3000))
    assert months(held) == [("2026-08", 10000, 3000, 7000, "closed"), ("2026-09", 1000, 0, 8000, "closed")]


def test_an_imported_month_in_between_is_what_later_ones_build_on(held: Ledger) -> None:
    """The bank's own balance of a month counts for those after it, also where it comes later."""
    post(held, ("1", "2026-08-05", 100), ("2", "2026-10-05", 10), ("3", "2026-12-05", 1))
    for month in ("2026-08", "2026-10", "2026-12"):
        close(held, month)
    held.take(ACCOUNT_MONTHS, {"month": "2026-11", "closing_balance_cents": "7000"})
    assert [row[3] for row in months(held)] == [100, 110, 7000, 7001]
    held.take(ACCOUNT_MONTHS, {"month": "2026-09", "closing_balance_cents": "500"})
    assert [row[3] for row in months(held)] == [100, 500, 510, 7000, 7001]


def test_a_posting_into_an_imported_month_is_told(held: Ledger) -> None:
    """The row's figures count; a clerk must not believe that the posting did something."""
    held.take(ACCOUNT_MONTHS, {"month": "2026-10", "closing_balance_cents": "3000"})
    taken = held.take(
        POSTINGS,
        {"posting_id": "P-8", "booked_on": "2026-10-31", "amount_cents": "77"},
        {"posting_id": "P-9", "booked_on": "2026-11-01", "amount_cents": "1"},
    )
    (warning,) = taken.warnings
    assert (warning.record, warning.rule) == ("posting P-8", "posting.imported-month")
    assert "0.77 EUR are booked into October 2026" in warning.message
    close(held, "2026-11")
    assert months(held)[1] == ("2026-11", 1, 0, 3001, "closed")


def test_a_posting_of_a_day_to_come_is_told(ledger: Ledger) -> None:
    """A year that was typed wrongly takes money out of every report; the clerk hears of it at once."""
    ledger.now = datetime(2026, 11, 5, 9, 0, tzinfo=UTC)
    ledger.take(ACCOUNTS, {})
    days = {"today": "2026-11-05", "later": "2062-10-05"}
    taken = ledger.take(POSTINGS, *({"posting_id": name, "booked_on": day} for name, day in days.items()))
    assert [(item.record, item.rule, item.line) for item in taken.warnings] == [
        ("posting later", "posting.ahead", 3)
    ]
