"""Accounts and their months are restated with a reason, and what was there stays readable; facts are not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.tables import former_account_months, former_accounts
from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger.account_history import Holder, account_history
from ajpes_reporting.ledger.files import ImportSummary, import_files
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, EVENTS, POSTINGS, Kind
from ajpes_reporting.ledger.months import close_month
from ajpes_reporting.ledger.reported import Figures
from ajpes_reporting.ledger.restatement import Restatement
from tests.ledger.conftest import PROVIDER, ROW, Ledger, Row

AT = datetime(2026, 11, 5, 9, 0, tzinfo=UTC)


def restate(ledger: Ledger, kind: Kind, *rows: Row, dry_run: bool = False) -> ImportSummary:
    path = ledger.file(kind, *rows)
    why = Restatement("typed wrongly", AT)
    summaries = import_files(
        ledger.engine, PROVIDER, [path], RuleSettings(), now=ledger.now, restatement=why, dry_run=dry_run
    )
    return summaries[0]


@pytest.fixture
def held(ledger: Ledger) -> Ledger:
    """An account with its September, whose closing balance was typed as -150.00 for -100.00."""
    ledger.take(ACCOUNTS, {})
    ledger.take(ACCOUNT_MONTHS, {"month": "2026-09", "closing_balance_cents": "-15000"})
    return ledger


def test_a_wrong_month_is_put_right_and_what_stood_there_is_kept(held: Ledger) -> None:
    """One typing error does not keep a bank from reporting, and no auditor misses the old figure."""
    done = restate(held, ACCOUNT_MONTHS, {"month": "2026-09", "closing_balance_cents": "-10000"})
    assert (done.rows_new, done.rows_restated, done.rows_known) == (0, 1, 0)
    (change,) = done.restated
    assert (change.field, change.before, change.now) == ("closing_balance_cents", -15000, -10000)
    assert held.content()["account_months"][0].closing_balance_cents == -10000
    (former,) = held.content()["former_account_months"]
    assert tuple(former)[2:] == (4000, 1000, -15000, AT, "typed wrongly")


def test_later_months_follow_a_restated_one(held: Ledger) -> None:
    """A restated month is known like an imported one."""
    held.take(POSTINGS, {"booked_on": "2026-10-10", "amount_cents": "250"})
    with writing(held.engine) as connection:
        close_month(connection, PROVIDER, "2026-10")
    restate(held, ACCOUNT_MONTHS, {"month": "2026-09", "closing_balance_cents": "-10000"})
    assert held.content()["account_months"][1].closing_balance_cents == -9750


def test_without_a_word_a_contradiction_is_refused_and_says_how_to_restate(held: Ledger) -> None:
    """Nobody overwrites the bank's own figures by chance."""
    before = held.content()
    for kind, row in (
        (ACCOUNT_MONTHS, {"month": "2026-09", "closing_balance_cents": "-10000"}),
        (ACCOUNTS, {"holder_name": "NOVO IME"}),
    ):
        with pytest.raises(LedgerRefused) as refused:
            held.take(kind, row)
        assert "ledger import FILE --restate --reason" in refused.value.findings[0].remedy
    assert held.content() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("holder_name", "NOVO IME d.o.o."),
        ("holder_tax_number", "50123459"),
        ("opened_on", "2019-12-31"),
        ("closed_on", "2026-10-31"),
        ("closed_on", ""),
    ],
)
def test_what_an_account_says_may_be_restated(ledger: Ledger, field: str, value: str) -> None:
    """A company that changes its name, or a day that was typed wrongly, keeps nobody's import out."""
    ledger.take(ACCOUNTS, {"closed_on": "2026-09-30"})
    done = restate(ledger, ACCOUNTS, {"closed_on": "2026-09-30", field: value})
    assert (done.rows_restated, [item.field for item in done.restated]) == (1, [field])
    with ledger.engine.connect() as connection:
        former = connection.execute(select(former_accounts)).one()
    assert (former.holder_name, str(former.closed_on)) == ("KRATEK NAZIV DOLŽNIKA", "2026-09-30")
    again = restate(ledger, ACCOUNTS, {"closed_on": "2026-09-30", field: value})
    assert (again.rows_restated, again.rows_known) == (0, 1)


def test_an_account_that_closes_as_it_is_restated_keeps_that_it_was_open(ledger: Ledger) -> None:
    """A row that brings a new name and the closing day is one restated row, with both before it."""
    ledger.take(ACCOUNTS, {}, {"account": "010000000100187"})
    rows = {"holder_name": "NOVO IME", "closed_on": "2026-10-31"}, {"account": "010000000100187"}
    done = restate(ledger, ACCOUNTS, *rows)
    assert (done.rows_new, done.rows_restated, done.rows_known) == (0, 1, 1)
    assert [item.field for item in done.restated] == ["holder_name", "closed_on"]
    (former,) = ledger.content()["former_accounts"]
    assert former.closed_on is None


def test_an_account_that_only_closes_is_not_restated(ledger: Ledger) -> None:
    """Closing is what happens to an account, also in a file that restates others."""
    ledger.take(ACCOUNTS, {})
    done = restate(ledger, ACCOUNTS, {"closed_on": "2026-10-31"})
    assert (done.rows_new, done.rows_restated, done.rows_known) == (1, 0, 0)


def test_a_dry_run_says_what_would_be_restated_and_changes_nothing(held: Ledger) -> None:
    """A clerk looks before anything moves."""
    before = held.content()
    row = {"month": "2026-09", "closing_balance_cents": "-10000"}
    assert restate(held, ACCOUNT_MONTHS, row, dry_run=True).rows_restated == 1
    assert held.content() == before


def test_each_restatement_keeps_what_it_replaced(held: Ledger) -> None:
    """There and back again is two changes, and both stay readable."""
    for closing in ("-10000", "-15000", "-10000"):
        restate(held, ACCOUNT_MONTHS, {"month": "2026-09", "closing_balance_cents": closing})
    with held.engine.connect() as connection:
        query = select(former_account_months.c.closing_balance_cents).order_by(former_account_months.c.id)
        assert connection.execute(query).scalars().all() == [-15000, -10000, -15000]


def test_two_rows_that_contradict_each_other_restate_nothing(held: Ledger) -> None:
    """Which of them is right, only the bank knows."""
    before = held.content()
    rows = ({"month": "2026-09", "closing_balance_cents": closing} for closing in ("-10000", "-9000"))
    with pytest.raises(LedgerRefused) as refused:
        restate(held, ACCOUNT_MONTHS, *rows)
    assert "in an earlier row" in refused.value.findings[0].message
    assert held.content() == before


@pytest.mark.parametrize(
    ("kind", "row"), [(POSTINGS, {"amount_cents": "1"}), (EVENTS, {"amount_cents": "1"})]
)
def test_facts_are_never_restated(held: Ledger, kind: Kind, row: Row) -> None:
    """A posting is balanced, an event is cancelled."""
    held.take(kind, {})
    before = held.content()
    with pytest.raises(LedgerRefused):
        restate(held, kind, row)
    assert held.content() == before


def test_an_account_shows_what_stood_there_before(held: Ledger) -> None:
    """An auditor reads the old figure, the old name, when they were replaced and why."""
    restate(held, ACCOUNT_MONTHS, {"month": "2026-09", "closing_balance_cents": "-10000"})
    restate(held, ACCOUNTS, {"holder_name": "NOVO IME"})
    with held.engine.connect() as connection:
        found = account_history(connection, PROVIDER, ROW[ACCOUNTS]["account"])
        assert account_history(connection, "5026024000", ROW[ACCOUNTS]["account"]) is None
    assert found is not None
    assert (found.holder.holder_name, found.months[0].figures.closing_balance_cents) == ("NOVO IME", -10000)
    former = {item.month: item for item in found.former}
    assert former["2026-09"].before == Figures(4000, 1000, -15000)
    assert isinstance(former[None].before, Holder)
    assert former[None].before.holder_name == "KRATEK NAZIV DOLŽNIKA"
    assert {item.reason for item in found.former} == {"typed wrongly"}
