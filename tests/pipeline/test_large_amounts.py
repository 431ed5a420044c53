"""An account number typed as an amount is seen in time; where it was not, it keeps nobody else waiting."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.config import AlarmsSection
from ajpes_reporting.domain.errors import ChecksRefused, UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import submissions
from ajpes_reporting.pipeline.facts import exclude_obligation, include_obligation
from ajpes_reporting.pipeline.operator_actions import release
from ajpes_reporting.pipeline.run import Ending
from tests.pipeline.conftest import NOV_18, Bank, event

SLIP = 610_000_000_100_187  # the number of an account
BILLION = 100_000_000_000  # in cents


@pytest.mark.parametrize(
    ("cents", "is_large"), [(BILLION - 1, False), (BILLION, True), (SLIP, True), (-BILLION, True)]
)
def test_a_large_amount_is_a_warning_and_holds_its_report(bank: Bank, cents: int, is_large: bool) -> None:
    """The slip is asked about when it is typed, and once more before it leaves."""
    (summary,) = bank.record(event("O-1", 1, amount_cents=cents), event("O-2", 1))
    assert any("may be a slip" in item.message for item in summary.warnings) == is_large
    result = bank.run()
    assert result.ending is (Ending.HELD if is_large else Ending.ATTEMPTED)
    if is_large:
        assert result.submission is not None
        assert "O-1 / event 1 with" in (result.submission.held_because or "")


def test_a_released_amount_goes_and_is_not_asked_about_again(bank: Bank) -> None:
    """A billion that is right is looked at once, not each day."""
    bank.record(event("O-1", 1, amount_cents=BILLION))
    held = bank.run().submission
    assert held is not None
    release(bank.context, held.id, "looked at it")
    assert bank.run().submission.state.is_accepted  # type: ignore[union-attr]
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 2, recorded="2026-11-18T08:00:00"))
    assert bank.run(period=NOV_18).ending is Ending.ATTEMPTED


def test_a_second_large_amount_is_asked_about_by_itself(bank: Bank) -> None:
    """What a person let go was the one that they had seen."""
    bank.record(event("O-1", 1, amount_cents=BILLION))
    held = bank.run().submission
    assert held is not None
    release(bank.context, held.id, "looked at it")
    bank.record(event("O-2", 1, amount_cents=BILLION))
    again = bank.run().submission
    assert again is not None
    assert again.is_held
    assert "O-2 / event 1" in (again.held_because or "")
    assert "O-1" not in (again.held_because or "")


@pytest.fixture
def slipped(bank: Bank) -> Bank:
    """The slip was accepted on the 17th; on the 18th it is cancelled and replaced, and others wait."""
    bank.record(event("O-1", 1, amount_cents=SLIP))
    held = bank.run().submission
    assert held is not None
    release(bank.context, held.id, "nobody looked")
    assert bank.run().submission.state.is_accepted  # type: ignore[union-attr]
    bank.time.pass_by(days=1)
    bank.cancel("O-1", "1", {"amount_cents": "1001"})
    bank.record(
        event("O-2", 1, recorded="2026-11-18T08:00:00"), event("O-3", 1, recorded="2026-11-18T08:00:00")
    )
    return bank


def test_a_sum_that_does_not_fit_is_told_by_record(slipped: Bank) -> None:
    """The clerk learns which obligation keeps all the others from going, and what to do about it."""
    result = slipped.run(period=NOV_18)
    assert result.ending is Ending.CHECKS_REFUSED
    head, first, *_rest = [item for item in result.log.shown if item.is_error]
    # 610000000100187 twice, and 1001 and twice 10000 cents
    assert "has 16 digits in cents, at most 15" in head.message
    assert (first.record, first.field) == ("O-1", "amount_cents")
    assert "12,200,000,002,013.75 EUR" in first.message
    assert "event 1" in first.message
    assert "ledger exclude O-1" in first.remedy
    assert all("pattern" not in item.message for item in result.log.shown)


def test_nobody_is_told_to_keep_out_what_does_not_make_the_sum_large(bank: Bank) -> None:
    """A small obligation is left in peace, and so is one that lessens the sum: without it, it would grow."""
    most = 999_999_999_999_999
    amounts = {"O-1": most, "O-2": most, "O-3": -most, "O-4": 25, "O-5": 7}
    bank.record(*(event(name, 1, amount_cents=cents) for name, cents in amounts.items()))
    result = bank.run()
    assert result.ending is Ending.CHECKS_REFUSED
    parts = [item for item in result.log.shown if item.rule == "nodurs.part-of-total"]
    assert [item.record for item in parts] == ["O-1", "O-2"]


def test_the_others_go_when_it_is_kept_out(slipped: Bank, told: Callable[..., str]) -> None:
    """One slip keeps nobody else from being reported in time, and each step says what is missing."""
    slipped.run(period=NOV_18)
    assert "kept out of reports from now on" in told("ledger", "exclude", "O-1", "--reason", "asked AJPES")
    built = told("build", "nodurs", "-o", str(slipped.folder))
    assert "note: O-1: kept out of this report by a person since 2026-11-18 17:00: asked AJPES" in built
    result = slipped.run(period=NOV_18)
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED
    assert set(slipped.events_sent(result)) == {"O-2", "O-3"}
    assert "note O-1" in told("show", str(result.submission.id))
    assert "O-1" in told("status")
    assert "kept out of reports: asked AJPES" in told("ledger", "show", "O-1")
    assert slipped.pending() == 2
    assert slipped.problems() == ()


def test_an_alarm_stands_until_it_is_included(slipped: Bank) -> None:
    """Nobody forgets what was meant for a day or two."""
    exclude_obligation(slipped.context, "O-1", "asked AJPES")
    assert [key for key in _alarms(slipped) if key.startswith("excluded")] == ["excluded O-1"]
    include_obligation(slipped.context, "O-1", "they answered")
    assert not [key for key in _alarms(slipped) if key.startswith("excluded")]


def test_an_included_obligation_goes_with_its_whole_history(bank: Bank) -> None:
    """AJPES misses nothing of what happened meanwhile."""
    bank.record(event("O-1", 1))
    bank.run()
    exclude_obligation(bank.context, "O-1", "r")
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 2, recorded="2026-11-18T08:00:00"))
    quiet = bank.run(period=NOV_18)
    assert quiet.ending is Ending.NOTHING_TO_REPORT
    assert [item.obligation for item in quiet.left_out.excluded] == ["O-1"]
    include_obligation(bank.context, "O-1", "it was right")
    result = bank.run(period=NOV_18)
    assert bank.events_sent(result) == {"O-1": ["1", "2"]}
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED


def test_a_day_of_which_all_is_kept_out_says_so(bank: Bank, told: Callable[..., str]) -> None:
    """ "Nothing to report" is not said of a day on which something was left out."""
    bank.record(event("O-1", 1))
    exclude_obligation(bank.context, "O-1", "r")
    words = told("run", "nodurs")
    assert "nothing to report. What has changed is left out of it; nothing was sent" in words
    assert "O-1: kept out of this report by a person" in words
    document = json.loads(told("--json", "run", "nodurs"))
    assert document["left_out"]["excluded"][0]["obligation"] == "O-1"
    assert "No obligation has changed" not in words


def test_old_bytes_do_not_carry_what_is_kept_out(bank: Bank) -> None:
    """`resubmit --same` is no way round a person's decision."""
    bank.record(event("O-1", 1), event("O-2", 1))
    bank.authority.faults.add("soap", "fault", times=1, code="Client")
    refused = bank.run().submission
    assert refused is not None
    exclude_obligation(bank.context, "O-1", "r")
    with pytest.raises(UsageError, match="O-1, which is kept out by now"):
        bank.resubmit(refused.id, same=True)
    assert set(bank.events_sent(bank.resubmit(refused.id))) == {"O-2"}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("exclude", "O-9", "--reason", "r"), "no obligation O-9"),
        (("exclude", "O-1", "--reason", " "), "--reason is empty"),
        (("include", "O-1"), "O-1 is not kept out of reports"),
        (
            ("exclude", "O-2", "--reason", "again"),
            "O-2 is kept out of reports already, since 17 November 2026: r",
        ),
    ],
)
def test_a_decision_that_says_nothing_new_is_refused(
    bank: Bank, told: Callable[..., str], command: tuple[str, ...], said: str
) -> None:
    """The record holds what was decided, and nothing twice."""
    bank.record(event("O-1", 1), event("O-2", 1))
    exclude_obligation(bank.context, "O-2", "r")
    assert said in told("ledger", *command)


def test_a_decision_may_change_again_and_again(bank: Bank) -> None:
    """The newest one counts, also of several in one second."""
    bank.record(event("O-1", 1))
    for _time in range(3):
        exclude_obligation(bank.context, "O-1", "out")
        assert bank.run().ending is Ending.NOTHING_TO_REPORT
        include_obligation(bank.context, "O-1", "in")
    assert bank.run().ending is Ending.ATTEMPTED


def test_a_report_that_is_left_without_it_says_what_it_left_out(bank: Bank) -> None:
    """The submission's own findings name it, for whoever looks years later."""
    bank.record(event("O-1", 1), event("O-2", 1))
    exclude_obligation(bank.context, "O-1", "r")
    result = bank.run()
    assert result.submission is not None
    with bank.context.engine.connect() as connection:
        found = submissions.findings_of(connection, result.submission.id)
    assert [(row.severity, row.record, row.rule) for row in found] == [("note", "O-1", "obligation.excluded")]


def test_a_column_of_account_numbers_is_told_by_record(bank: Bank) -> None:
    """A whole file with the wrong column adds up to more than a database counts, and is told all the same."""
    bank.record(*(event(f"O-{number}", 1, amount_cents=10**15 - 1) for number in range(9_300)))
    try:
        found = [item for item in bank.run().log.shown if item.is_error]
    except ChecksRefused as refused:
        found = list(refused.findings)
    assert any("ledger exclude O-" in item.remedy for item in found)


def _alarms(bank: Bank) -> list[str]:
    with bank.context.engine.connect() as connection:
        found = conditions(connection, bank.context.provider, AlarmsSection(), bank.context.clock())
        return [alarm.key for alarm in found]
