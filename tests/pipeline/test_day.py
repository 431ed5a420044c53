"""The days of a clerk: what goes out, what does not, and what counts as reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ajpes_reporting.domain.errors import LedgerRefused, UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import chain, due, submissions
from ajpes_reporting.pipeline.foresee import rehearse
from ajpes_reporting.pipeline.run import Ending
from ajpes_reporting.reports.registry import by_code
from ajpes_reporting.shipped import sample
from tests.pipeline.conftest import NAMESPACE, NOV_17, NOV_18, OCTOBER, Bank, event


def state_of(bank: Bank, key: int) -> State:
    with bank.context.engine.connect() as connection:
        return submissions.get(connection, key).state


def test_a_ledger_becomes_an_accepted_daily_report(bank: Bank) -> None:
    """The clerk's first day: what he recorded is with the authority, and he is told so."""
    bank.record(event("O-1", 1), event("O-1", 2, amount_cents=2_500, change_type="03"), event("O-2", 1))
    result = bank.run()
    assert result.ending is Ending.ATTEMPTED
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED
    assert [(one.via, one.verdict) for one in bank.authority.store.submissions()] == [("soap", "accepted")]
    assert [(row["obligation_id"], row["event_id"]) for row in bank.authority.store.events()] == [
        ("O-1", "1"), ("O-1", "2"), ("O-2", "1"),
    ]  # fmt: skip
    assert bank.pending() == 0
    assert bank.problems() == ()


def test_the_head_counts_and_adds_up_every_event(bank: Bank) -> None:
    """Section 2.2, rows 2 and 3: 100.00 + 25.00 - nothing is taken off for a cancellation - + 25.00."""
    bank.record(
        event("O-1", 1, amount_cents=10_000),
        event("O-1", 2, amount_cents=2_500, change_type="03", recorded="2026-11-17T08:01:00"),
        event("O-1", 3, amount_cents=2_500, change_type="00", cancels="2", recorded="2026-11-17T08:02:00"),
    )
    ident = bank.sent(bank.run()).find("n:Ident", NAMESPACE)
    assert ident is not None
    assert (ident.get("steviloZapisov"), ident.get("sestevekZneskov")) == ("3", "15000")
    assert (ident.get("datumPodatkov"), ident.get("maticnaPonudnika")) == ("2026-11-17", "5860571000")


def test_on_day_two_only_changed_obligations_go_with_their_whole_history(bank: Bank) -> None:
    """Section 2.2: an obligation with a new event is sent with all of its events, others not at all."""
    bank.record(event("O-1", 1), event("O-2", 1))
    bank.run()
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 2, recorded="2026-11-18T09:00:00"))
    result = bank.run(period=NOV_18)
    assert bank.events_sent(result) == {"O-2": ["1", "2"]}
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED


def test_an_event_entered_late_goes_though_its_time_is_before_the_last_report(bank: Bank) -> None:
    """What is reported is decided by acceptance, never by dates: a late entry is not forgotten."""
    bank.record(event("O-1", 1, recorded="2026-11-17T08:00:00"))
    bank.run()
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 2, recorded="2026-11-16T07:00:00"))
    assert bank.events_sent(bank.run(period=NOV_18)) == {"O-1": ["2", "1"]}


def test_an_event_recorded_after_the_day_waits_for_the_next_report(bank: Bank) -> None:
    """A report for a day in the past takes nothing that was recorded after its end."""
    bank.time.pass_by(days=1)
    bank.record(
        event("O-1", 1, recorded="2026-11-17T23:59:59"), event("O-1", 2, recorded="2026-11-18T00:00:01")
    )
    assert bank.events_sent(bank.run(period=NOV_17)) == {"O-1": ["1"]}
    assert bank.pending() == 1
    assert bank.events_sent(bank.run(period=NOV_18)) == {"O-1": ["1", "2"]}


def test_a_day_without_changes_is_recorded_and_nothing_is_sent(bank: Bank) -> None:
    """An auditor can tell a quiet day from a forgotten one."""
    result = bank.run()
    assert result.ending is Ending.NOTHING_TO_REPORT
    assert bank.authority.store.submissions() == []
    with bank.context.engine.connect() as connection:
        known = due.find(connection, bank.context.provider, "NODURS", "2026-11-17")
    assert known is not None
    assert known.settled_as == "nothing_to_report"


def test_a_quiet_day_that_gets_an_event_later_is_reported_after_all(bank: Bank) -> None:
    """Nothing to report at noon is not nothing to report at five."""
    bank.run()
    bank.record(event("O-1", 1))
    assert bank.run().ending is Ending.ATTEMPTED


def test_a_period_is_reported_once(bank: Bank) -> None:
    """A second run on the same day sends nothing, and what came since waits for the next day."""
    bank.record(event("O-1", 1))
    bank.run()
    bank.record(event("O-1", 2, recorded="2026-11-17T16:00:00"))
    assert bank.run().ending is Ending.ALREADY_REPORTED
    assert len(bank.authority.store.submissions()) == 1
    assert bank.pending() == 1


def test_a_future_day_is_refused(bank: Bank) -> None:
    """A slip of the keyboard does not report tomorrow."""
    with pytest.raises(UsageError, match="18 November 2026 has not begun"):
        bank.run(period=NOV_18)


def test_the_monthly_report_goes_by_sftp_and_is_accepted(bank: Bank) -> None:
    """Section 4.2: SPAPP goes into spapp/v_ajpes, its answer comes out of spapp/iz_ajpes."""
    names = ("accounts.csv", "account-months.csv", "postings.csv")
    from ajpes_reporting.pipeline.facts import import_files

    import_files(bank.context, [sample(f"ledger/{name}") for name in names])
    result = bank.run("SPAPP", OCTOBER)
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED
    (received,) = bank.authority.store.submissions("spapp")
    assert received.via == "sftp"
    # Worked by hand from samples/ledger; the same figures as in samples/reports.
    assert [
        (row["account"], row["credit_cents"], row["debit_cents"], row["balance_cents"])
        for row in bank.authority.store.monthly_accounts("202610")
    ] == [
        ("010000000100187", 250000, 100100, 1150000),
        ("010000000100284", 0, 0, 0),
        ("010000000100381", 100, 100, -100),
        ("010000000100575", 12400, 2300, 110100),
        ("010000000100672", 0, 7500, 0),
    ]


def test_a_build_changes_nothing(bank: Bank, tmp_path: Path) -> None:
    """A dry run leaves a file and no trace in ledger or journal."""
    bank.record(event("O-1", 1))
    built = rehearse(bank.context, by_code("NODURS"), NOV_17, tmp_path)
    assert built is not None
    assert built.path.name == "NODURS_20261117_5860571.xml"
    with bank.context.engine.connect() as connection:
        assert submissions.recent(connection, bank.context.provider, 10) == []
    assert bank.pending() == 1


def test_a_row_that_was_edited_is_refused_by_name(bank: Bank) -> None:
    """History is not edited: the changed row is named, and nothing of the file is stored."""
    bank.record(event("O-1", 1, amount_cents=10_000))
    with pytest.raises(LedgerRefused) as refused:
        bank.record(event("O-1", 1, amount_cents=99_000), event("O-9", 1))
    (finding,) = refused.value.findings
    assert (finding.record, finding.field, finding.line) == ("O-1 / event 1", "amount_cents", 2)
    assert bank.pending() == 1


def test_the_record_says_when_facts_came_in_and_what_was_corrected(bank: Bank) -> None:
    """An auditor years later sees which file brought an event, and who was corrected by what."""
    bank.record(event("O-1", 1))
    bank.record(event("O-1", 1))
    bank.cancel("O-1", "1", {"amount_cents": "12000"})
    with bank.context.engine.connect() as connection:
        told = [(entry.kind, json.loads(entry.body)) for entry in chain.entries(connection)]
    assert [kind for kind, _body in told] == ["import", "correction"]
    assert (told[0][1]["file"], told[0][1]["new"]) == ("rows.csv", 1)
    assert (told[1][1]["obligation"], told[1][1]["event"], told[1][1]["replaced"]) == (
        "O-1",
        "1",
        ["amount_cents"],
    )
