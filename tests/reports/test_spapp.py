"""Which accounts a SPAPP report holds, and how their figures are rounded and added up."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import Connection, Engine, insert

from ajpes_reporting import shipped
from ajpes_reporting.database.engine import rehearsing, writing
from ajpes_reporting.database.tables import account_months, accounts
from ajpes_reporting.domain.findings import Severity
from ajpes_reporting.domain.money import Amounts
from ajpes_reporting.domain.periods import Month
from ajpes_reporting.ledger.months import close_month
from ajpes_reporting.reports.spapp.select import select_accounts
from ajpes_reporting.reports.spapp.settings import SpappSettings
from ajpes_reporting.reports.spapp.write import write
from tests.reports.conftest import BANK, OTHER_BANK, SPAPP_REQUEST, Books, canonical
from tests.xmllint import complaints

SCHEMA = "spapp-20100601.xsd"
ACCOUNT = "010000000100187"

Figures = tuple[int, int, int]
"""Closing balance, credit and debit turnover, in cents."""


def add_account(
    connection: Connection,
    number: str = ACCOUNT,
    months: dict[str, Figures] | None = None,
    *,
    opened: date = date(2020, 1, 1),
    closed: date | None = None,
    provider: str = BANK,
) -> None:
    """An account with its months, straight into the tables: the ledger's own checks are not wanted."""
    key = connection.execute(
        insert(accounts)
        .values(
            provider=provider, account=number, holder_tax_number="50123459", holder_name="Holder",
            opened_on=opened, closed_on=closed,
        )
        .returning(accounts.c.id)
    ).scalar_one()  # fmt: skip
    for month, (balance, credit, debit) in (months or {}).items():
        connection.execute(
            insert(account_months).values(
                account=key, month=month, origin="imported", closing_balance_cents=balance,
                credit_turnover_cents=credit, debit_turnover_cents=debit,
            )
        )  # fmt: skip


def number(index: int) -> str:
    return f"0100{index:011d}"


def half_away_from_zero(cents: int) -> int:
    """As section 3.2 is read, by the decimal arithmetic of the standard library."""
    return int((Decimal(cents) / 100).quantize(Decimal(1), ROUND_HALF_UP))


def test_the_sample_ledger_gives_the_sample_report(books: Books) -> None:
    """A new user sees in the first report exactly what the instruction asks for."""
    books.take_files(
        *(shipped.sample(f"ledger/{name}.csv") for name in ("accounts", "account-months", "postings"))
    )
    with writing(books.engine) as connection:
        close_month(connection, BANK, "2026-10")
    request = replace(SPAPP_REQUEST, prepared_at=SPAPP_REQUEST.prepared_at.replace(day=5, hour=9))
    expected = shipped.sample("reports/SPAPP_202610_5860571.xml").read_bytes()
    report = books.spapp(request)
    assert canonical(report.content) == canonical(expected)
    assert report.selection.findings == ()


CENTS = st.integers(-(10**16), 10**16)
TURNOVER = st.integers(0, 10**14)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CENTS, TURNOVER, TURNOVER), min_size=1, max_size=20))
@example([(balance, 0, 0) for balance in (0, 49, 50, 51, 149, 150, -1, -49, -50, -51, -149, -150, -151)])
@example([(0, turnover, turnover) for turnover in (0, 1, 49, 50, 99, 100, 149, 150, 10**14 + 50)])
def test_figures_are_rounded_half_away_from_zero_and_totals_add_up(
    engine: Engine, figures: list[Figures]
) -> None:
    """The authority adds up the rows of the file; it must find the totals of the file."""
    with rehearsing(engine) as connection:
        for index, months in enumerate(figures):
            add_account(connection, number(index), {"2026-10": months})
        selection = select_accounts(connection, SPAPP_REQUEST)
        root = etree.fromstring(b"".join(write(SPAPP_REQUEST, selection)))
    rows = [(pi.get("rn"), *(int(pi.get(name, "")) for name in ("sta", "dob", "bre"))) for pi in root[1:]]
    rounded = [tuple(half_away_from_zero(cents) for cents in row) for row in figures]
    assert rows == [(number(index), *row) for index, row in enumerate(rounded)]
    assert selection.record_count == len(figures)
    assert dict(selection.totals) == {
        "skupajZnesekStanj": str(sum(row[0] for row in rounded)),
        "skupajZnesekDobro": str(sum(row[1] for row in rounded)),
        "skupajZnesekBreme": str(sum(row[2] for row in rounded)),
    }


def test_totals_are_sums_of_rounded_rows_not_rounded_sums(books: Books) -> None:
    """Three times 0.50 is 3 euros in the rows, so it is 3 in the total, not 2."""
    with writing(books.engine) as connection:
        for index in range(3):
            add_account(connection, number(index), {"2026-10": (-50, 50, 100)})
    report = books.spapp()
    assert report.attributes("Pi", "sta") == ["-1", "-1", "-1"]
    assert report.attributes("Pi", "dob") == ["1", "1", "1"]
    assert (report.head["skupajZnesekStanj"], report.head["skupajZnesekDobro"]) == ("-3", "3")


@pytest.mark.parametrize(
    ("amounts", "row", "totals"),
    [
        ("euros", ("-1", "1235", "0"), ("-1", "1235", "0")),
        ("cents", ("-50", "123456", "0"), ("-50", "123456", "0")),
        ("decimal", ("-0.50", "1234.56", "0.00"), ("-0.50", "1234.56", "0.00")),
    ],
)
def test_each_setting_writes_rows_and_totals_alike(
    books: Books, tmp_path: Path, amounts: Amounts, row: tuple[str, ...], totals: tuple[str, ...]
) -> None:
    """Whatever the authority wants in production, the file is in one format throughout."""
    with writing(books.engine) as connection:
        add_account(connection, months={"2026-10": (-50, 123456, 0)})
    report = books.spapp(replace(SPAPP_REQUEST, settings=SpappSettings(amounts=amounts)))
    assert tuple(report.all("Pi")[0].get(name) for name in ("sta", "dob", "bre")) == row
    names = ("skupajZnesekStanj", "skupajZnesekDobro", "skupajZnesekBreme")
    assert tuple(report.head[name] for name in names) == totals
    path = tmp_path / "report.xml"
    path.write_bytes(report.content)
    assert complaints(path, SCHEMA) == ""


@pytest.mark.parametrize(
    ("opened", "closed", "is_in"),
    [
        (date(2020, 1, 1), None, True),
        (date(2026, 10, 31), None, True),
        (date(2026, 11, 1), None, False),
        (date(2020, 1, 1), date(2026, 10, 1), True),
        (date(2020, 1, 1), date(2026, 10, 31), True),
        (date(2020, 1, 1), date(2026, 12, 1), True),
        (date(2020, 1, 1), date(2026, 9, 30), False),
        (date(2026, 10, 5), date(2026, 10, 6), True),
    ],
)
def test_an_account_is_reported_for_the_months_it_was_open_in(
    books: Books, opened: date, closed: date | None, is_in: bool
) -> None:
    """An account closed in the month is still reported, one that was not there is not."""
    with writing(books.engine) as connection:
        add_account(connection, months={"2026-10": (0, 0, 0)}, opened=opened, closed=closed)
    assert books.spapp().attributes("Pi", "rn") == ([ACCOUNT] if is_in else [])


def test_an_account_without_turnover_is_reported_with_zeros(books: Books) -> None:
    """Every open account has its row, also one that nobody used."""
    with writing(books.engine) as connection:
        add_account(connection, months={"2026-10": (700, 0, 0)})
    (row,) = books.spapp().all("Pi")
    assert dict(row.attrib) == {"sta": "7", "dob": "0", "rn": ACCOUNT, "bre": "0"}


def test_the_last_known_balance_is_carried_over_and_said(books: Books) -> None:
    """An account the ledger has no month of keeps its balance, and the clerk is told so."""
    with writing(books.engine) as connection:
        add_account(
            connection,
            months={"2025-12": (900, 5, 5), "2026-08": (700, 5, 5), "2026-11": (100, 5, 5)},
        )
        add_account(connection, number(2))
        add_account(connection, number(3), {"2026-10": (100, 100, 0)})
    report = books.spapp()
    assert report.attributes("Pi", "sta") == ["0", "1", "7"]
    assert report.attributes("Pi", "dob") == ["0", "1", "0"]
    (finding,) = (one for one in report.selection.findings if one.rule == "spapp.no-figures")
    assert finding.severity is Severity.WARNING
    assert "no figures of October 2026 for 2 of 3 open accounts" in finding.message


def test_a_month_of_which_nothing_is_known_is_an_error(books: Books) -> None:
    """A bank that forgot the import would report a month without any turnover at all."""
    with writing(books.engine) as connection:
        add_account(connection, months={"2026-09": (700, 5, 5)})
    (finding,) = books.spapp().selection.findings
    assert (finding.severity, finding.rule) == (Severity.ERROR, "spapp.no-figures")


def test_a_balance_that_does_not_follow_from_the_month_before_is_an_error(books: Books) -> None:
    """A posting that is missing or doubled is found before the authority finds it."""
    with writing(books.engine) as connection:
        add_account(connection, number(1), {"2026-09": (1000, 0, 0), "2026-10": (1250, 300, 50)})
        add_account(connection, number(2), {"2026-09": (1000, 0, 0), "2026-10": (1251, 300, 50)})
        add_account(connection, number(3), {"2026-08": (1000, 0, 0), "2026-10": (9999, 300, 50)})
    errors = [finding for finding in books.spapp().selection.findings if finding.is_error]
    assert [(error.record, error.field) for error in errors] == [
        (f"account {number(2)}", "closing_balance_cents")
    ]
    assert "12.51" in errors[0].message
    assert "12.50" in errors[0].message


def test_rounding_does_not_make_a_false_alarm(books: Books) -> None:
    """0.50 + 0.50 - 0 is 1.00 in cents; in whole euros 1 + 1 would not be 1."""
    with writing(books.engine) as connection:
        add_account(connection, months={"2026-09": (50, 0, 0), "2026-10": (100, 50, 0)})
    assert books.spapp().selection.findings == ()


def test_january_follows_december(books: Books) -> None:
    """The month before January is in another year."""
    with writing(books.engine) as connection:
        add_account(connection, months={"2026-12": (100, 0, 0), "2027-01": (101, 0, 0)})
    (finding,) = books.spapp(replace(SPAPP_REQUEST, period=Month(2027, 1))).selection.findings
    assert finding.is_error


def test_two_banks_in_one_database_do_not_mix(books: Books) -> None:
    """One installation may serve several banks, with the same account number even."""
    with writing(books.engine) as connection:
        add_account(connection, months={"2026-10": (100, 0, 0)})
        add_account(connection, months={"2026-09": (5, 0, 0), "2026-10": (700, 0, 0)}, provider=OTHER_BANK)
    ours, theirs = books.spapp(), books.spapp(replace(SPAPP_REQUEST, provider=OTHER_BANK))
    assert ours.attributes("Pi", "sta") == ["1"]
    assert ours.selection.findings == ()
    assert theirs.attributes("Pi", "sta") == ["7"]
    assert theirs.head["maticnaPonudnika"] == OTHER_BANK
    assert [finding.is_error for finding in theirs.selection.findings] == [False, True]


def test_a_bank_without_accounts_has_nothing_to_report(books: Books) -> None:
    """An empty ledger is seen before anything is written."""
    assert books.spapp().selection.record_count == 0


def test_many_accounts_are_written_in_order_without_loss(books: Books) -> None:
    """The file is written in blocks; none may be lost or doubled between them."""
    with writing(books.engine) as connection:
        rows = [
            {"provider": BANK, "account": number(index), "holder_tax_number": "50123459",
             "holder_name": "Holder", "opened_on": date(2020, 1, 1)}
            for index in range(8_001)
        ]  # fmt: skip
        connection.execute(insert(accounts), rows)
    assert books.spapp().attributes("Pi", "rn") == [number(index) for index in range(8_001)]
