"""What a report leaves out, and what it never may: whatever AJPES knows of a changed obligation goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date

import pytest

from ajpes_reporting.domain.periods import Day
from ajpes_reporting.domain.states import State
from ajpes_reporting.pipeline.operator_actions import resolve
from ajpes_reporting.pipeline.run import Ending
from tests.pipeline.conftest import NOV_17, NOV_18, Bank, event
from tests.pipeline.test_thousand_answers import impatient

NOV_16 = Day(date(2026, 11, 16))
OF_16, OF_17, OF_18 = (f"2026-11-{day}T08:00:00" for day in (16, 17, 18))


def accepted(bank: Bank, period: Day) -> dict[str, list[str]]:
    """Runs a day, which must be accepted; the events that went."""
    result = bank.run(period=period)
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED
    return bank.events_sent(result)


@pytest.fixture
def overtaken(bank: Bank) -> Bank:
    """The 18th was accepted, with an event of the 17th and one of the 18th; the 17th was not run."""
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 1, recorded=OF_17), event("O-1", 2, recorded=OF_18))
    assert accepted(bank, NOV_18) == {"O-1": ["1", "2"]}
    return bank


def test_an_older_day_holds_what_was_accepted_with_a_newer_one(overtaken: Bank) -> None:
    """AJPES refuses an obligation of which an event that it knows is missing, or forgets that event."""
    overtaken.record(event("O-1", 3, recorded=OF_17), event("O-2", 1, recorded=OF_18))
    result = overtaken.run(period=NOV_17)
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED
    assert overtaken.events_sent(result) == {"O-1": ["1", "3", "2"]}
    assert dict(result.submission.totals) == {"steviloZapisov": "3", "sestevekZneskov": "30000"}
    assert overtaken.pending() == 1  # that of O-2 waits for its own day
    assert overtaken.problems() == ()


def test_an_event_recorded_before_all_others_leaves_none_of_them_out(overtaken: Bank) -> None:
    """However far back the late event lies, the whole history that AJPES knows goes with it."""
    overtaken.record(event("O-1", 0, recorded=OF_16))
    assert accepted(overtaken, NOV_16) == {"O-1": ["0", "1", "2"]}


def test_what_a_newer_day_was_refused_with_waits_for_its_own_day(bank: Bank) -> None:
    """AJPES took nothing of the refused report, so the older day owes it nothing of that."""
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 1, recorded=OF_17), event("O-1", 2, recorded=OF_18))
    bank.authority.faults.add("soap", "fault", times=1, code="Client")
    refused = bank.run(period=NOV_18)
    assert refused.submission is not None
    assert refused.submission.state is State.REFUSED
    bank.record(event("O-1", 3, recorded=OF_17))
    result = bank.run(period=NOV_17)
    assert bank.events_sent(result) == {"O-1": ["1", "3"]}
    assert result.left_out.held_back is not None
    assert [item.obligation for item in result.left_out.held_back.first] == ["O-1"]


@pytest.mark.parametrize("fault", ["drop_answer", "no_answer"])
def test_what_ajpes_may_hold_counts_as_known(bank: Bank, fault: str) -> None:
    """A newer day that is unknown or unanswered may have been taken; then its events must not be missing."""
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 1, recorded=OF_17), event("O-1", 2, recorded=OF_18))
    via = "soap" if fault == "drop_answer" else "sftp"
    bank.authority.faults.add(via, fault, times=1)
    newer = impatient(bank).run(period=NOV_18, via=via).submission
    assert newer is not None
    assert newer.state in (State.UNKNOWN, State.DELIVERED)
    bank.record(event("O-1", 3, recorded=OF_17))
    older = impatient(bank).run(period=NOV_17)
    assert bank.events_sent(older) == {"O-1": ["1", "3", "2"]}
    assert older.submission is not None
    assert older.submission.state is State.ACCEPTED
    assert bank.problems() == ()


def test_what_awaits_its_answer_does_not_go_again_with_an_older_day(bank: Bank) -> None:
    """What AJPES may hold of a newer day goes along with news of an older one, never by itself."""
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 1, recorded=OF_18))
    bank.authority.faults.add("sftp", "no_answer", times=1)
    newer = impatient(bank).run(period=NOV_18, via="sftp").submission
    assert newer is not None
    assert newer.state is State.DELIVERED
    assert impatient(bank).run(period=NOV_17).ending is Ending.NOTHING_TO_REPORT
    bank.record(event("O-2", 1, recorded=OF_17))
    assert accepted(bank, NOV_17) == {"O-2": ["1"]}
    assert bank.pending() == 1  # that of O-1 still awaits its answer
    assert bank.problems() == ()


def test_what_a_person_says_never_arrived_is_not_known(bank: Bank) -> None:
    """An event of a newer day that AJPES does not have waits for that day."""
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 1, recorded=OF_17), event("O-1", 2, recorded=OF_18))
    bank.authority.faults.add("sftp", "no_answer", times=1)
    newer = impatient(bank).run(period=NOV_18, via="sftp").submission
    assert newer is not None
    resolve(bank.context, newer.id, "never-arrived", "they looked")
    assert bank.events_sent(impatient(bank).run(period=NOV_17)) == {"O-1": ["1"]}


def test_a_report_as_it_stands_counts_for_older_days_too(bank: Bank) -> None:
    """A refused day that was sent again a day later may hold newer events than its date says."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "fault", times=1, code="Client")
    refused = bank.run().submission
    assert refused is not None
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 2, recorded=OF_18))
    assert bank.events_sent(bank.resubmit(refused.id)) == {"O-1": ["1", "2"]}
    bank.record(event("O-1", 0, recorded=OF_16))
    assert accepted(bank, NOV_16) == {"O-1": ["0", "1", "2"]}


def test_a_warning_about_what_goes_along_is_given_again(overtaken: Bank) -> None:
    """The rules are asked about the same events as stand in the report, no more and no fewer."""
    overtaken.record(event("O-1", 3, recorded=OF_17, change_type="77"))
    overtaken.record(event("O-1", 4, recorded=OF_18, change_type="88"))
    result = overtaken.run(period=NOV_17)
    assert [item.message for item in result.log.shown if item.rule == "change-type.unknown"] == [
        "change type 77 is not a known one"
    ]


def test_what_a_cutoff_holds_back_is_told_by_each_command(bank: Bank, told: Callable[..., str]) -> None:
    """An event that waits is not lost from sight: how many, whose, until when, with a report and without."""
    bank.time.pass_by(days=1)
    bank.record(
        event("O-1", 1, recorded=OF_18), event("O-2", 1, recorded="2026-11-18T12:30:00"),
        event("O-2", 2, recorded=OF_18),
    )  # fmt: skip
    result = bank.run(period=NOV_17)
    assert result.ending is Ending.NOTHING_TO_REPORT
    held = result.left_out.held_back
    assert held is not None
    assert (held.events, held.obligations, held.are_ahead) == (3, 2, False)
    built = told("build", "nodurs", "--date", "2026-11-17")
    assert "3 events of 2 obligations" in built
    assert "O-2 (until 2026-11-18 12:30), O-1 (until 2026-11-18 08:00)" in built
    document = json.loads(told("--json", "build", "nodurs", "--date", "2026-11-17"))
    assert document["left_out"]["held_back"]["events"] == 3
    assert document["left_out"]["held_back"]["until"] == "2026-11-18T12:30:00+01:00"
    assert document["findings"][0]["severity"] == "note"
    bank.time.pass_by(days=-1)
    assert "3 events of 2 obligations" in told("run", "nodurs")
    assert "Left out of reports" in told("status")
    assert json.loads(told("--json", "status"))["left_out"]["NODURS"]["held_back"]["obligations"] == 2


def test_a_report_remembers_what_it_left_out(bank: Bank, told: Callable[..., str]) -> None:
    """Whoever looks at a submission later sees what was not in it."""
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 1), event("O-1", 2, recorded=OF_18))
    bank.run(period=NOV_17)
    assert "1 event of 1 obligation waits for" in told("show", "1")
