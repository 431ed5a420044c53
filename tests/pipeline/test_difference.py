"""A clerk compares a report with what AJPES holds, before it is sent."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from lxml import etree
from sqlalchemy import update

from ajpes_reporting.database.tables import submissions
from ajpes_reporting.queries.difference import Standing, compare_obligations
from ajpes_reporting.queries.held import held
from ajpes_reporting.reports.nodurs import NODURS
from tests.pipeline.conftest import OCTOBER, event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pipeline.conftest import Bank

ACCOUNTS = "account,holder_tax_number,holder_name,opened_on,closed_on"
MONTHS = "account,month,credit_turnover_cents,debit_turnover_cents,closing_balance_cents"
ONE, TWO = "010000000100187", "010000000100284"


def test_each_event_is_told_as_new_or_known_to_ajpes(
    bank: Bank, told: Callable[..., str], tmp_path: Path
) -> None:
    """Protects the clerk who wants to see what AJPES will learn from the report, before it goes."""
    bank.record(event("O-1", 1))
    bank.run()
    bank.time.pass_by(days=1)
    late = "2026-11-18T08:00:00"
    bank.record(
        event("O-1", 2, recorded=late, amount_cents=4_000), event("O-2", 1, recorded=late), name="b.csv"
    )
    ask = ("build", "nodurs", "--date", "2026-11-18", "--diff")
    listed = json.loads(told("--json", *ask))
    assert {
        item["obligation"]: (
            item["submission"],
            [(one["event_id"], one["standing"]) for one in item["events"]],
        )
        for item in listed
    } == {"O-1": (1, [("1", "held"), ("2", "new")]), "O-2": (None, [("1", "new")])}
    said = told("--lang", "en", *ask)
    assert "beside what AJPES holds: 2 obligations." in said
    assert "new for AJPES: 2" in said
    assert "AJPES has it: 1" in said
    assert json.loads(told("--json", *ask, "--csv", str(tmp_path / "diff.csv"))) == listed
    with (tmp_path / "diff.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["obligation"], row["event_id"], row["standing"]) for row in csv.DictReader(file)]
    assert sorted(rows) == [("O-1", "1", "held"), ("O-1", "2", "new"), ("O-2", "1", "new")]
    assert list(bank.folder.glob("NODURS*")) == []


def test_what_ajpes_holds_is_read_from_accepted_bytes_not_from_the_ledger(
    bank: Bank, told: Callable[..., str]
) -> None:
    """Protects against a ledger that believes too much: a report that was never accepted teaches nothing."""
    bank.record(event("O-1", 1))
    bank.run()
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 2, recorded="2026-11-18T08:00:00"), name="b.csv")
    with bank.context.engine.begin() as connection:
        connection.execute(update(submissions).values(state="refused"))
    (item,) = json.loads(told("--json", "build", "nodurs", "--date", "2026-11-18", "--diff"))
    assert [one["standing"] for one in item["events"]] == ["new", "new"]


def test_a_month_is_compared_account_by_account_and_a_repeated_one_is_recognised(
    bank: Bank, told: Callable[..., str], tmp_path: Path
) -> None:
    """Protects the clerk who sends a month again: he sees what differs, and that nothing does."""
    holders = (f"{ONE},50123459,Žagar d.o.o.,2020-01-01,", f"{TWO},50123459,Žagar d.o.o.,2020-01-01,")
    bank.record(*holders, header=ACCOUNTS, name="accounts.csv")
    bank.record(f"{ONE},2026-10,100000,50000,50000", f"{TWO},2026-10,0,0,0", header=MONTHS, name="months.csv")
    bank.run("SPAPP", OCTOBER)
    bank.time.pass_by(hours=2)
    bank.collect()
    ask = ("build", "spapp", "--month", "202610")
    assert json.loads(told("--json", *ask, "--diff")) == []
    assert "AJPES holds the same figures for every account." in told("--lang", "en", *ask, "--diff")
    said = told("--lang", "en", *ask, "--anyway", "-o", str(tmp_path))
    assert "The content is that of submission 1, unchanged." in said
    # 50 EUR more in credit, and on the account.
    restated = f"{ONE},2026-10,105000,50000,55000"
    bank.record(restated, header=MONTHS, name="again.csv", restate_because="a late entry")
    (item,) = json.loads(told("--json", *ask, "--diff"))
    assert (item["account"], item["standing"]) == (ONE, "altered")
    assert (item["held"], item["report"]) == ([100_000, 50_000, 50_000], [105_000, 50_000, 55_000])
    assert "unchanged" not in told("--lang", "en", *ask, "--anyway", "-o", str(tmp_path))


def test_an_event_that_ajpes_would_miss_or_find_altered_is_told(bank: Bank, tmp_path: Path) -> None:
    """Protects against a refusal: AJPES takes no obligation whose earlier events are altered or missing."""
    bank.record(event("O-1", 1), event("O-1", 2, amount_cents=2_500, change_type="03"))
    report = etree.tostring(bank.sent(bank.run()))
    first, _, rest = report.partition(b'znesek="10000"')
    altered = first + b'znesek="10001"' + rest
    start = altered.rindex(b"<No ")
    (path := tmp_path / "report.xml").write_bytes(altered[:start] + altered[altered.index(b"</Blok>") :])
    with held(bank.context, (NODURS,)) as found:
        (item,) = compare_obligations(path, found)
    told = [(one.event_id, one.standing, one.altered) for one in item.events]
    assert told == [("1", Standing.ALTERED, ("amount_cents",)), ("2", Standing.MISSING, ())]


def test_a_difference_writes_no_report(bank: Bank, told: Callable[..., str], tmp_path: Path) -> None:
    """Protects against options that contradict each other: nothing is left where a file was meant."""
    assert "--diff writes no report file." in told("build", "nodurs", "--diff", "-o", str(tmp_path))
    assert "--csv and --xlsx go with --diff." in told("build", "nodurs", "--csv", str(tmp_path / "a.csv"))
    assert json.loads(told("--json", "build", "nodurs", "--diff")) == []
