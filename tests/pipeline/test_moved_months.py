"""A month that AJPES accepted moves afterwards: nothing is lost, a person is told, and decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy import event as hooks

from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.cli.main import run as command_line
from ajpes_reporting.config import AlarmsSection
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.periods import Month
from ajpes_reporting.domain.states import State
from ajpes_reporting.ledger.reported import Difference, Figures, differences
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.pipeline.foresee import rehearse
from ajpes_reporting.pipeline.run import Ending, Result
from ajpes_reporting.reports.registry import by_code
from tests.pipeline.conftest import Bank

AUGUST, SEPTEMBER, OCTOBER = Month(2026, 8), Month(2026, 9), Month(2026, 10)
ONE, TWO = "010000000100187", "010000000100284"
ACCOUNTS = "account,holder_tax_number,holder_name,opened_on"
POSTINGS = "posting_id,account,booked_on,amount_cents"
MONTHS = "account,month,credit_turnover_cents,debit_turnover_cents,closing_balance_cents"


@pytest.fixture
def open_bank(bank: Bank) -> Bank:
    """Two accounts; the other one has a posting in each month, so that no month is without figures."""
    bank.record(
        *(f"{number},50123459,Kovinarstvo d.o.o.,2020-01-01" for number in (ONE, TWO)), header=ACCOUNTS
    )
    bank.record(*(f"T-{m},{TWO},2026-{m:02}-03,100" for m in (8, 9, 10)), header=POSTINGS)
    return bank


@pytest.fixture
def late(open_bank: Bank) -> Bank:
    """+100.00 in August, accepted; then -30.00 in August and +10.00 in September."""
    open_bank.record(f"P-1,{ONE},2026-08-05,10000", header=POSTINGS)
    report(open_bank, AUGUST)
    open_bank.record(f"P-2,{ONE},2026-08-20,-3000", f"P-3,{ONE},2026-09-05,1000", header=POSTINGS)
    return open_bank


@pytest.fixture(autouse=True)
def closed_afterwards() -> Iterator[None]:
    """The command line leaves the connections of its engine to the end of its process."""
    engines: set[Engine] = set()

    def note(connection: Connection) -> None:
        engines.add(connection.engine)

    hooks.listen(Engine, "engine_connect", note)
    yield
    hooks.remove(Engine, "engine_connect", note)
    for engine in engines:
        engine.dispose()


def report(bank: Bank, month: Month) -> Result:
    """Runs a month, and takes the answer in."""
    result = bank.run("SPAPP", month)
    bank.collect()
    bank.time.pass_by(minutes=5)  # or the next answer would be the same to the byte
    return result


def balances(bank: Bank, result: Result) -> dict[str, str]:
    return {row.get("rn", ""): row.get("sta", "") for row in bank.sent(result).iterfind("{*}Pi")}


def moved(bank: Bank) -> list[Difference]:
    with bank.context.engine.connect() as connection:
        return differences(connection, bank.context.provider)


def alarm_keys(bank: Bank) -> list[str]:
    with bank.context.engine.connect() as connection:
        found = conditions(connection, bank.context.provider, AlarmsSection(), bank.time())
        return [alarm.key for alarm in found if alarm.kind == "moved"]


def test_a_quiet_month_is_reported_with_the_balance_it_carries(open_bank: Bank) -> None:
    """August 1000.00 as a row, nothing in September, +50.00 in October: 1000, 1000, 1050."""
    open_bank.record(f"{ONE},2026-08,0,0,100000", header=MONTHS)
    open_bank.record(f"P-1,{ONE},2026-10-10,5000", header=POSTINGS)
    told = [balances(open_bank, report(open_bank, month))[ONE] for month in (AUGUST, SEPTEMBER, OCTOBER)]
    assert told == ["1000", "1000", "1050"]


def test_a_late_posting_is_in_every_later_balance_and_what_was_accepted_is_told(late: Bank) -> None:
    """+100 was accepted for August; -30 came late: September says 80, and somebody learns of August's 70."""
    assert moved(late) == [
        Difference(ONE, "2026-08", 1, Figures(10000, 0, 10000), Figures(10000, 3000, 7000))
    ]
    assert alarm_keys(late) == ["moved SPAPP 2026-08"]
    september = report(late, SEPTEMBER)
    assert september.ending is Ending.ATTEMPTED, "the next month goes in time"
    assert balances(late, september)[ONE] == "80"
    (warning,) = (item for item in september.log.shown if item.rule == "spapp.accepted-otherwise")
    assert warning.record == f"account {ONE} in 2026-08"
    assert "balance 100.00" in warning.message
    assert "opening balance of this report differs" in warning.message
    assert "resubmit 1" in warning.remedy


def test_a_month_whose_figures_moved_is_sent_again_on_the_record(late: Bank) -> None:
    """The clerk decides that AJPES is to have the right August; then nothing is left to tell."""
    again = late.resubmit(1)
    late.collect()
    assert again.ending is Ending.ATTEMPTED
    assert balances(late, again)[ONE] == "70"
    assert moved(late) == []
    assert alarm_keys(late) == []
    assert late.problems() == ()
    with pytest.raises(UsageError, match="nothing to send again"):
        late.resubmit(2)


def test_the_same_bytes_are_not_sent_again(late: Bank) -> None:
    """AJPES has them; only the month as it stands now is news."""
    with pytest.raises(UsageError, match="the same bytes"):
        late.resubmit(1, same=True)


def test_a_move_that_rounding_hides_is_no_difference(late: Bank) -> None:
    """AJPES has whole euros; a month that would give the same file is not sent again for nothing."""
    report(late, SEPTEMBER)
    before = [item.month for item in moved(late)]
    late.record(f"P-4,{ONE},2026-09-20,-20", header=POSTINGS)
    assert [item.month for item in moved(late)] == before


def test_later_accepted_months_differ_with_it(late: Bank) -> None:
    """A balance that moved in August is another one at the end of September, too."""
    report(late, SEPTEMBER)
    late.record(f"P-4,{ONE},2026-08-21,-500", header=POSTINGS)
    assert [(item.month, item.now and item.now.closing_balance_cents) for item in moved(late)] == [
        ("2026-08", 6500),
        ("2026-09", 7500),
    ]
    assert alarm_keys(late) == ["moved SPAPP 2026-08", "moved SPAPP 2026-09"]


def test_a_refusal_of_the_second_report_leaves_what_was_accepted(late: Bank) -> None:
    """AJPES still has the first one; the way to send it again stays open."""
    late.authority.faults.add("sftp", "refuse")
    again = late.resubmit(1)
    assert again.submission is not None
    assert again.submission.state is State.UNREACHABLE
    late.authority.faults.clear()
    assert [item.submission for item in moved(late)] == [1]
    assert balances(late, late.resubmit(1))[ONE] == "70"
    late.collect()
    assert moved(late) == []


def test_build_and_run_say_that_an_accepted_month_has_moved(
    late: Bank, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever looks at the file, or runs the month again, learns what AJPES has."""
    with late.context.working_folder() as folder:
        built = rehearse(late.context, by_code("SPAPP"), AUGUST, folder)
    assert built is not None
    assert [item.rule for item in built.log.shown] == ["spapp.accepted-otherwise"]
    assert report(late, AUGUST).ending is Ending.ALREADY_REPORTED
    capsys.readouterr()
    for command in (
        ["run", "spapp", "--month", "202608"],
        ["build", "spapp", "--month", "202608"],
        ["status"],
    ):
        command_line(["-w", str(late.folder), *command])
        told = " ".join(capsys.readouterr().out.split())
        assert f"account {ONE}: accepted: balance 100.00 EUR, credit 100.00 EUR, debit 0.00 EUR; now:" in told
        assert "ajpes-reporting resubmit 1" in told


def test_a_wrong_balance_is_restated_and_the_month_goes(
    open_bank: Bank, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typed as -150.00 for -100.00: our checks hold the report, and the right row lets it go."""
    open_bank.record(f"{ONE},2026-08,0,0,0", f"{ONE},2026-09,0,10000,-15000", header=MONTHS)
    assert report(open_bank, SEPTEMBER).ending is Ending.CHECKS_REFUSED
    right = tmp_path / "right.csv"
    right.write_text(f"{MONTHS}\n{ONE},2026-09,0,10000,-10000\n", encoding="utf-8")
    words = ["-w", str(open_bank.folder), "ledger", "import", str(right), "--restate"]
    assert command_line(words) == 2
    assert "--reason" in capsys.readouterr().err
    assert command_line([*words, "--reason", "sign", "--dry-run", "--json"]) in (0, None)
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["restated"], told["dry_run"]) == (1, True)
    assert report(open_bank, SEPTEMBER).ending is Ending.CHECKS_REFUSED, "a dry run changes nothing"
    import_files(open_bank.context, [right], restate_because="the amount was typed wrongly")
    assert balances(open_bank, report(open_bank, SEPTEMBER))[ONE] == "-100"
    assert open_bank.problems() == ()


def test_what_was_accepted_is_told_when_a_month_is_restated(open_bank: Bank, tmp_path: Path) -> None:
    """AJPES accepted -150.00; the clerk who puts it right learns what to do about that."""
    open_bank.record(f"{ONE},2026-09,0,10000,-15000", header=MONTHS)
    report(open_bank, SEPTEMBER)
    right = tmp_path / "right.csv"
    right.write_text(f"{MONTHS}\n{ONE},2026-09,0,10000,-10000\n", encoding="utf-8")
    (done,) = import_files(open_bank.context, [right], restate_because="sign")
    (month,) = done.moved
    assert (month.month, month.submission, month.count) == ("2026-09", 1, 1)
    (item,) = month.shown
    assert (item.accepted, item.now) == (Figures(0, 10000, -15000), Figures(0, 10000, -10000))
    import_files(open_bank.context, [open_bank.folder / "rows.csv"], restate_because="it was right after all")
    assert moved(open_bank) == [], "the figures have moved back"
