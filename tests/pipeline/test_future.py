"""Nothing is recorded that is still to come; what came in so before that was refused has a way out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.config import AlarmsSection
from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.domain.states import State
from ajpes_reporting.pipeline.operator_actions import resolve
from ajpes_reporting.pipeline.run import Ending
from tests.pipeline.conftest import NOV_18, Bank, event
from tests.pipeline.test_thousand_answers import impatient

AHEAD = "2062-11-17T08:00:00"


@contextmanager
def before_it_was_refused(bank: Bank) -> Iterator[None]:
    """What comes in meanwhile is judged as the older program did it: by no clock."""
    now = bank.time.now
    bank.time.pass_by(days=366 * 40)
    yield
    bank.time.now = now


@pytest.mark.parametrize(("seconds", "is_taken"), [(0, True), (300, True), (301, False), (86_400, False)])
def test_an_event_is_recorded_at_most_five_minutes_ahead(bank: Bank, seconds: int, is_taken: bool) -> None:
    """The clock of the core system may be a little ahead; a typing error is years ahead."""
    at = f"{bank.time.now + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"
    if is_taken:
        assert bank.record(event("O-1", 1, recorded=at))[0].rows_new == 1
        return
    with pytest.raises(LedgerRefused) as refused:
        bank.record(event("O-2", 1), event("O-1", 1, recorded=at))
    (finding,) = refused.value.findings
    assert (finding.record, finding.field, finding.line) == ("O-1 / event 1", "recorded_at", 3)
    assert at in finding.message
    assert bank.pending() == 0


@pytest.mark.parametrize(
    "at", ["2026-11-17T17:04:00+01:00", "2026-11-17T16:04:59Z", "2026-11-18T05:00:00+13:00"]
)
def test_the_instant_counts_and_not_the_clock_on_the_wall(bank: Bank, at: str) -> None:
    """What was recorded this minute far in the east is not in the future, whatever its date says."""
    bank.record(event("O-1", 1, recorded=at))
    assert bank.pending() == 1


def test_a_change_date_ahead_is_a_warning(bank: Bank) -> None:
    """It may be meant; the report carries it."""
    row = event("O-1", 1).replace("2026-11-17,10000", "2026-12-24,10000")
    (summary,) = bank.record(row)
    assert "change-date.future" in [finding.rule for finding in summary.warnings]


def test_the_same_rows_again_change_nothing_though_one_lies_ahead(bank: Bank) -> None:
    """A file or a view that was taken in whole before is not refused for what the ledger holds already."""
    with before_it_was_refused(bank):
        bank.record(event("O-1", 1, recorded=AHEAD))
    (summary,) = bank.record(event("O-1", 1, recorded=AHEAD), event("O-1", 2))
    assert (summary.rows_new, summary.rows_known) == (1, 1)


def test_what_lies_ahead_is_told_by_every_command(bank: Bank, told: Callable[..., str]) -> None:
    """It is in no report for 36 years, and nobody can overlook that."""
    with before_it_was_refused(bank):
        bank.record(event("O-1", 1, recorded=AHEAD))
    for command in (("build", "nodurs"), ("run", "nodurs"), ("status",)):
        words = told(*command)
        assert "1 event of 1 obligation" in words, command
        assert "2062-11-17 08:00" in words
    words = told("run", "nodurs")
    assert "nothing to report. What has changed is left out of it" in words
    assert "ledger cancel O-1 1 --replace recorded_at=" in words
    document = json.loads(told("--json", "run", "nodurs"))
    assert document["left_out"]["held_back"]["first"][0]["obligation"] == "O-1"
    with bank.context.engine.connect() as connection:
        alarms = list(conditions(connection, bank.context.provider, AlarmsSection(), bank.context.clock()))
    assert [alarm.key for alarm in alarms if alarm.kind == "ahead"] == ["ahead NODURS"]


def test_a_later_event_does_not_go_without_it_unnoticed(bank: Bank) -> None:
    """AJPES takes the later one, and the report says what it lacks."""
    with before_it_was_refused(bank):
        bank.record(event("O-1", 1, recorded=AHEAD))
    bank.record(event("O-1", 2))
    result = bank.run()
    assert bank.events_sent(result) == {"O-1": ["2"]}
    assert result.left_out.held_back is not None
    assert result.left_out.held_back.are_ahead


def test_it_is_mended_and_accepted(bank: Bank, told: Callable[..., str]) -> None:
    """From the slip to the accepted report, each step as the clerk takes it."""
    with before_it_was_refused(bank):
        bank.record(event("O-1", 1, recorded=AHEAD))
    assert bank.run().ending is Ending.NOTHING_TO_REPORT
    words = told("ledger", "cancel", "O-1", "1", "--replace", "recorded_at=2026-11-17T08:00:00")
    assert "neither it nor its cancellation goes to AJPES" in words
    result = bank.run()
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED
    assert bank.events_sent(result) == {"O-1": ["1-R"]}
    assert result.log.warning_count == 0
    assert not result.left_out
    assert bank.pending() == 0
    assert bank.problems() == ()
    assert told("ledger", "show", "O-1").count("never, withdrawn") == 2


def test_what_was_withdrawn_stays_out_when_its_time_has_come(bank: Bank) -> None:
    """AJPES is not told in 2062 what never was."""
    with before_it_was_refused(bank):
        bank.record(event("O-1", 1, recorded="2026-11-17T19:00:00"))
    bank.cancel("O-1", "1", {"recorded_at": "2026-11-17T08:00:00", "amount_cents": "5"})
    bank.run()
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 3, recorded="2026-11-18T08:00:00"))
    result = bank.run(period=NOV_18)
    assert bank.events_sent(result) == {"O-1": ["1-R", "3"]}
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED
    assert bank.problems() == ()


def test_a_bank_may_cancel_it_in_its_own_rows(bank: Bank) -> None:
    """A core system that has its own way of cancelling need not wait for our command."""
    with before_it_was_refused(bank):
        bank.record(event("O-1", 1, recorded=AHEAD))
    bank.record(event("O-1", "S", change_type="00", cancels="1"), event("O-1", 2))
    assert bank.events_sent(bank.run()) == {"O-1": ["2"]}
    assert bank.pending() == 0
    assert bank.problems() == ()


def test_a_cancellation_alone_leaves_nothing_to_report(bank: Bank) -> None:
    """What never was, and is taken back, is nobody's business."""
    with before_it_was_refused(bank):
        bank.record(event("O-1", 1, recorded=AHEAD))
    bank.cancel("O-1", "1")
    result = bank.run()
    assert (result.ending, bool(result.left_out)) == (Ending.NOTHING_TO_REPORT, False)


@pytest.mark.parametrize("fault", [None, "no_answer"])
def test_what_ajpes_knows_is_not_withdrawn(bank: Bank, fault: str | None) -> None:
    """A clock that was ahead when the report went: the cancellation waits until it comes after its event."""
    with before_it_was_refused(bank):
        bank.time.now = bank.time.now.replace(year=2026, month=11, day=17, hour=20)
        bank.record(event("O-1", 1, recorded="2026-11-17T19:30:00"))
        if fault:
            bank.authority.faults.add("sftp", fault, times=1)
        sent = impatient(bank).run(via="sftp" if fault else None).submission
    assert sent is not None
    with pytest.raises(LedgerRefused) as refused:
        bank.cancel("O-1", "1")
    assert "recorded before event 1" in refused.value.findings[0].message
    if fault:
        resolve(bank.context, sent.id, "never-arrived", "they looked")
        assert bank.cancel("O-1", "1").withdrawn


def test_a_cancellation_before_what_is_past_is_still_refused(bank: Bank) -> None:
    """Only what lies ahead can be withdrawn."""
    bank.record(event("O-1", 1, recorded="2026-11-17T12:00:00"))
    with pytest.raises(LedgerRefused, match="1 error"):
        bank.record(event("O-1", 2, change_type="00", cancels="1", recorded="2026-11-17T11:00:00"))
