"""The tick: what is due is run once, in time, and caught up after downtime."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

from sqlalchemy import Connection

from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.domain.errors import AjpesReportingError, ChecksRefused
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.pipeline.run import Ending, Result
from ajpes_reporting.reports.kind import ReportKind
from ajpes_reporting.schedule.provider_schedule import Chore, ProviderSchedule
from ajpes_reporting.schedule.retries import Retries
from ajpes_reporting.schedule.tick import do, tick
from ajpes_reporting.shipped import sample
from tests.pipeline.conftest import Bank, event

STARTS = {"NODURS": time(16), "SPAPP": time(9)}


def duties(bank: Bank) -> list[ProviderSchedule]:
    return [ProviderSchedule(bank.context, STARTS, Retries(), timedelta(minutes=5))]


def play(bank: Bank) -> list[tuple[str, str, Ending]]:
    def told(result: Result | AjpesReportingError) -> tuple[str, str, Ending]:
        assert not isinstance(result, AjpesReportingError), result
        return result.kind.code, result.period.key, result.ending

    return [told(result) for _duty, result in tick(duties(bank), do)]


def import_accounts(bank: Bank) -> None:
    names = ("accounts.csv", "account-months.csv", "postings.csv")
    import_files(bank.context, [sample(f"ledger/{name}") for name in names])


def test_nothing_runs_before_its_time(bank: Bank) -> None:
    """A report for a day begins at the hour that is set."""
    import_accounts(bank)
    bank.time.now = bank.time.now.replace(hour=15, minute=59)
    bank.record(event("O-1", 1))
    assert [item for item in play(bank) if item[0] == "NODURS"] == []
    bank.time.pass_by(minutes=2)
    assert play(bank) == [("NODURS", "2026-11-17", Ending.ATTEMPTED)]
    assert play(bank) == []


def test_what_was_missed_is_caught_up_oldest_first_each_day_once(bank: Bank) -> None:
    """The machine was off for three days: each of them is reported, or noted as quiet, in order."""
    import_accounts(bank)
    bank.record(event("O-1", 1))
    play(bank)
    bank.time.pass_by(days=3)
    bank.record(event("O-2", 1, recorded="2026-11-19T10:00:00"))
    assert play(bank) == [
        ("NODURS", "2026-11-18", Ending.NOTHING_TO_REPORT),
        ("NODURS", "2026-11-19", Ending.ATTEMPTED),
        ("NODURS", "2026-11-20", Ending.NOTHING_TO_REPORT),
    ]
    assert len(bank.authority.store.submissions("nodurs")) == 2


def test_a_quiet_day_stays_open_until_it_is_due(bank: Bank) -> None:
    """Nothing at four, an event at half past four: it is reported today."""
    import_accounts(bank)
    bank.time.now = bank.time.now.replace(hour=16)
    assert ("NODURS", "2026-11-17", Ending.NOTHING_TO_REPORT) in play(bank)
    bank.time.pass_by(minutes=30)
    bank.record(event("O-1", 1, recorded="2026-11-17T16:20:00"))
    assert play(bank) == [("NODURS", "2026-11-17", Ending.ATTEMPTED)]


def test_a_quiet_day_that_was_not_quiet_after_all_stays_open(bank: Bank) -> None:
    """Nothing at four, an event at a quarter to six, and the line is dead until ten past: it goes then."""
    bank.time.now = bank.time.now.replace(hour=16)
    assert play(bank) == [("NODURS", "2026-11-17", Ending.NOTHING_TO_REPORT)]
    bank.time.now = bank.time.now.replace(hour=17, minute=45)
    bank.record(event("O-1", 1, recorded="2026-11-17T17:44:00"))
    bank.authority.faults.add("soap", "refuse")
    bank.authority.faults.add("sftp", "refuse")
    assert [ending for _code, _period, ending in play(bank)] == [Ending.ATTEMPTED]
    bank.time.now = bank.time.now.replace(hour=18, minute=10)
    bank.authority.faults.clear()
    assert play(bank) == [("NODURS", "2026-11-17", Ending.ATTEMPTED)]
    assert bank.pending() == 0
    assert bank.problems() == ()


def test_a_clock_that_was_ahead_silences_a_report_only_for_a_pause(bank: Bank) -> None:
    """One failed try on a machine whose clock is three hours ahead must not cost the deadline."""
    bank.time.now = bank.time.now.replace(hour=19)
    bank.record(event("O-1", 1, recorded="2026-11-17T10:00:00"))
    bank.authority.faults.add("soap", "refuse", times=1)
    bank.authority.faults.add("sftp", "refuse", times=1)
    play(bank)
    bank.time.now = bank.time.now.replace(hour=16)
    assert play(bank) == [("NODURS", "2026-11-17", Ending.ATTEMPTED)]
    assert bank.pending() == 0


def test_the_month_starts_on_the_working_day_before_it_is_due(bank: Bank) -> None:
    """SPAPP for October 2026 is due on Thursday 5 November; it starts on Wednesday at nine."""
    import_accounts(bank)
    bank.time.now = bank.time.now.replace(day=4, hour=8, minute=59)
    assert [item for item in play(bank) if item[0] == "SPAPP"] == []
    bank.time.pass_by(minutes=2)
    assert [item for item in play(bank) if item[0] == "SPAPP"] == [("SPAPP", "2026-10", Ending.ATTEMPTED)]


def test_while_nothing_is_reached_the_pauses_grow(bank: Bank) -> None:
    """Every minute a tick, and AJPES is down for two hours: it is tried a dozen times, not 120 times."""
    import_accounts(bank)
    bank.record(event("O-1", 1, recorded="2026-11-17T10:00:00"))
    bank.authority.faults.add("soap", "refuse")
    bank.authority.faults.add("sftp", "refuse")
    bank.time.now = bank.time.now.replace(hour=16)
    tried = []
    for minute in range(120):
        if any(code == "NODURS" for code, _period, _ending in play(bank)):
            tried.append(minute)
        bank.time.pass_by(minutes=1)
    # 1, 2, 4, 8 minutes apart, then 15; and once more five minutes before six.
    assert tried == [0, 1, 3, 7, 15, 30, 45, 60, 75, 90, 105, 115]
    bank.authority.faults.clear()
    bank.time.pass_by(minutes=15)
    assert ("NODURS", "2026-11-17", Ending.ATTEMPTED) in play(bank)
    assert len(bank.authority.store.submissions("nodurs")) == 1


def test_a_correction_is_tried_at_once(bank: Bank) -> None:
    """Whoever has mended the ledger does not wait for the pause to end."""
    bank.time.now = bank.time.now.replace(day=5, hour=17)
    assert [type(done) for _duty, done in tick(duties(bank), do)][-1] is ChecksRefused
    assert play(bank) == []
    import_accounts(bank)
    assert ("SPAPP", "2026-10", Ending.ATTEMPTED) in play(bank)


def test_a_month_that_was_due_before_we_came_is_not_ours(bank: Bank) -> None:
    """A bank that installs on the 17th has sent last month's SPAPP by other means; it is not sent twice."""
    import_accounts(bank)
    bank.record(event("O-1", 1, recorded="2026-11-17T10:00:00"))
    assert play(bank) == [("NODURS", "2026-11-17", Ending.ATTEMPTED)]
    bank.time.now = bank.time.now.replace(month=12, day=4, hour=17)
    assert [period for code, period, _ending in play(bank) if code == "SPAPP"] == ["2026-11"]


def test_a_fault_of_ours_stops_neither_other_reports_nor_the_chores(bank: Bank) -> None:
    """Nobody foresaw it: it is told, tried again later, and alarms are looked for all the same."""
    bank.time.now = bank.time.now.replace(day=5, hour=17)
    import_accounts(bank)
    bank.record(event("O-1", 1, recorded="2026-11-05T10:00:00"))

    def refresh(_connection: Connection, kind: ReportKind, _period: str) -> None:
        if kind.code == "SPAPP":
            raise ZeroDivisionError("a fault of ours")

    looked: list[str] = []
    chore = Chore("alarms", timedelta(0), lambda: looked.append("looked"))
    duty = replace(duties(bank)[0], context=replace(bank.context, refresh_ledger=refresh), chores=(chore,))
    results = [done for _duty, done in tick([duty], do)]
    assert sorted(type(done).__name__ for done in results) == ["Result", "ZeroDivisionError"]
    assert looked == ["looked"]
    assert [one.report for one in bank.authority.store.submissions()] == ["nodurs"]
    assert [done for _duty, done in tick([duty], do)] == []  # put off


def test_a_database_that_is_away_does_not_keep_another_bank(bank: Bank, tmp_path: Path) -> None:
    """A bureau's banks may lie in two databases: one is down, the other bank reports in time."""
    import_accounts(bank)
    bank.record(event("O-1", 1, recorded="2026-11-17T10:00:00"))
    away = open_engine(f"sqlite:///{tmp_path / 'nowhere' / 'ajpes.db'}")
    broken = replace(duties(bank)[0], context=replace(bank.context, engine=away))
    results = [done for _duty, done in tick([broken, *duties(bank)], do)]
    away.dispose()
    assert [type(done).__name__ for done in results] == ["OperationalError", "Result"]
    assert len(bank.authority.store.submissions()) == 1


def test_folders_out_of_reach_do_not_keep_the_daily_report_back(bank: Bank) -> None:
    """SFTP is down while an answer is awaited: NODURS goes by SOAP all the same."""
    import_accounts(bank)
    bank.authority.faults.add("sftp", "no_answer", times=1)
    bank.record(event("O-1", 1))
    assert bank.run(via="sftp").ending is Ending.ATTEMPTED
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T10:00:00"))
    bank.authority.faults.add("sftp", "refuse")
    assert ("NODURS", "2026-11-18", Ending.ATTEMPTED) in play(bank)


def test_a_period_that_fails_does_not_silence_the_others(bank: Bank) -> None:
    """No accounts are there for SPAPP: that is told, and NODURS goes all the same."""
    bank.time.now = bank.time.now.replace(day=5, hour=17)
    bank.record(event("O-1", 1, recorded="2026-11-05T10:00:00"))
    results = [done for _duty, done in tick(duties(bank), do)]
    assert {type(result) for result in results} == {ChecksRefused, Result}
    assert [one.report for one in bank.authority.store.submissions()] == ["nodurs"]
