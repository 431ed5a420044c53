"""A wrong event is cancelled and recorded anew, and nothing else happens to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ajpes_reporting.domain.errors import LedgerRefused, UsageError
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger.correct import Correction, cancel
from ajpes_reporting.ledger.history import history
from ajpes_reporting.ledger.kinds import EVENTS
from tests.ledger.conftest import PROVIDER, Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping

# Shortly before midnight of the 18th in UTC it is the 19th in Ljubljana.
NOW = datetime(2026, 11, 18, 23, 30, tzinfo=UTC)


@pytest.fixture
def held(ledger: Ledger) -> Ledger:
    """A ledger that holds O-314 with its events 6 and 7."""
    ledger.take(EVENTS, {"event_id": "6", "amount_cents": "100"}, {})
    return ledger


def correct(
    ledger: Ledger,
    event_id: str = "7",
    replace: Mapping[str, str] | None = None,
    obligation_id: str = "O-314",
    now: datetime = NOW,
) -> Correction:
    return cancel(
        ledger.engine, PROVIDER, obligation_id, event_id, now=now, replace=replace, rules=RuleSettings()
    )


def order(ledger: Ledger) -> list[str]:
    with ledger.engine.connect() as connection:
        found = history(connection, PROVIDER, "O-314")
    assert found is not None
    return [event.event_id for event in found[1]]


def test_a_cancellation_undoes_exactly_what_it_cancels(held: Ledger) -> None:
    """AJPES refuses a cancellation that does not fit its event."""
    correction = correct(held)
    cancellation = correction.cancellation
    assert (cancellation.event_id, cancellation.cancels_event_id) == ("7-S", "7")
    assert (cancellation.change_type, cancellation.amount_cents) == ("00", 28843416)
    assert cancellation.change_date == date(2026, 11, 19)
    assert cancellation.recorded_at == NOW
    assert cancellation.recorded_as == "2026-11-19T00:30:00+01:00"
    assert (cancellation.reference_model, cancellation.priority) == ("99", 3)
    assert (cancellation.creditor_account, cancellation.creditor_name) == (
        "110228000164691",
        "KRATEK NAZIV UPNIKA",
    )
    assert correction.replacement is None
    assert order(held) == ["6", "7", "7-S"]


def test_a_replacement_keeps_what_is_not_replaced(held: Ledger) -> None:
    """The clerk names what was wrong, nothing more."""
    replacement = correct(held, replace={"amount_cents": "500", "creditor_name": "DRUG"}).replacement
    assert replacement is not None
    assert (replacement.event_id, replacement.cancels_event_id, replacement.change_type) == (
        "7-R",
        None,
        "01",
    )
    assert (replacement.amount_cents, replacement.creditor_name) == (500, "DRUG")
    assert (replacement.change_date, replacement.priority) == (date(2026, 11, 17), 3)
    assert replacement.recorded_at == NOW
    assert order(held) == ["6", "7", "7-S", "7-R"]


def test_a_field_may_be_emptied(held: Ledger) -> None:
    """A creditor that was entered by mistake can be taken away."""
    replacement = correct(held, replace={"creditor_account": "", "creditor_name": ""}).replacement
    assert replacement is not None
    assert (replacement.creditor_account, replacement.creditor_name) == (None, None)


def test_new_events_wait_to_be_reported(held: Ledger) -> None:
    """The correction goes out with the next report."""
    correct(held, replace={"amount_cents": "500"})
    content = held.content()
    assert {row.event for row in content["pending_events"]} == {row.id for row in content["events"]}


def test_a_replacement_can_be_corrected_in_turn(held: Ledger) -> None:
    """The second try may be wrong too."""
    correct(held, replace={"amount_cents": "500"})
    again = correct(held, "7-R", {"amount_cents": "600"}, now=NOW + timedelta(hours=1))
    assert again.replacement is not None
    assert order(held) == ["6", "7", "7-S", "7-R", "7-R-S", "7-R-R"]


def test_ids_that_are_taken_or_too_long_are_avoided(ledger: Ledger) -> None:
    """An id has at most 36 characters (section 2.2, row 12) and is used once."""
    long = "x" * 36
    ledger.take(EVENTS, {}, {"event_id": "7-S"}, {"event_id": "7-S2"}, {"event_id": long})
    assert correct(ledger).cancellation.event_id == "7-S3"
    assert correct(ledger, long).cancellation.event_id == "x" * 34 + "-S"


def test_an_unknown_obligation_names_its_neighbours(held: Ledger) -> None:
    """A typing error is found at once."""
    held.take(EVENTS, {"obligation_id": "O-999"})
    with pytest.raises(UsageError) as refused:
        correct(held, obligation_id="O-341")
    assert "no obligation O-341" in refused.value.message
    assert "O-314" in refused.value.remedy


def test_an_obligation_of_another_provider_is_unknown(held: Ledger) -> None:
    """One bank cannot correct another's."""
    with pytest.raises(UsageError) as refused:
        cancel(held.engine, "5026024000", "O-314", "7", now=NOW, rules=RuleSettings())
    assert "O-314" not in refused.value.remedy


def test_an_unknown_event_names_its_neighbours(held: Ledger) -> None:
    """A typing error is found at once."""
    with pytest.raises(UsageError) as refused:
        correct(held, "77")
    assert "no event 77" in refused.value.message
    assert "7" in refused.value.remedy


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("debtor_account", "belongs to the obligation"),
        ("debtor_name", "belongs to the obligation"),
        ("issuer", "belongs to the obligation"),
        ("obligation_id", "belongs to the obligation"),
        ("event_id", "an id of its own"),
        ("cancels_event_id", "no cancellation"),
        ("recorded_at", "recorded now"),
        ("amount", "has no field 'amount'"),
    ],
)
def test_what_cannot_be_replaced_is_explained(held: Ledger, field: str, why: str) -> None:
    """Nobody is left guessing which fields there are."""
    before = held.content()
    with pytest.raises(UsageError) as refused:
        correct(held, replace={field: "1"})
    assert why in refused.value.message
    assert "amount_cents" in refused.value.remedy
    assert held.content() == before


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("amount_cents", "5.00", "whole cents"),
        ("reference", "1" * 23, "at most 22"),
        ("change_type", "00", ""),
        ("change_date", "18/11/2026", "day and month cannot be told apart"),
        ("creditor_account", "", ""),
    ],
)
def test_a_wrong_value_changes_nothing(held: Ledger, field: str, value: str, said: str) -> None:
    """Not even the cancellation goes in without its replacement."""
    before = held.content()
    with pytest.raises(LedgerRefused) as refused:
        correct(held, replace={field: value})
    assert held.content() == before
    finding = refused.value.findings[0]
    assert finding.record == "O-314 / event 7-R"
    assert said in finding.message
    assert finding.line is None


def test_a_cancellation_cannot_be_cancelled(held: Ledger) -> None:
    """What it undid is recorded anew instead."""
    correct(held)
    before = held.content()
    with pytest.raises(LedgerRefused, match="it is a cancellation"):
        correct(held, "7-S")
    assert held.content() == before


def test_nothing_is_cancelled_twice(held: Ledger) -> None:
    """Two clerks who see the same mistake undo it once."""
    correct(held)
    before = held.content()
    with pytest.raises(LedgerRefused, match="event 7-S of 19 November 2026 cancels it already"):
        correct(held)
    assert held.content() == before


def test_what_lies_ahead_is_withdrawn_with_its_cancellation(held: Ledger) -> None:
    """An event that was recorded in the future by mistake is mended, and AJPES never hears of it."""
    early = datetime(2026, 11, 17, 7, 4, tzinfo=UTC)
    correction = correct(held, now=early, replace={"recorded_at": "2026-11-16T08:05:00"})
    assert correction.withdrawn
    assert correction.replacement is not None
    assert correction.replacement.recorded_as == "2026-11-16T08:05:00"
    assert correction.replacement.change_date == date(2026, 11, 16)
    content = held.content()
    names = {row.id: row.event_id for row in content["events"]}
    assert {names[row.event] for row in content["withdrawn_events"]} == {"7", "7-S"}
    assert {names[row.event] for row in content["pending_events"]} == {"6", "7-R"}


def test_a_corrected_time_may_not_lie_ahead_either(held: Ledger) -> None:
    """The second slip is stopped as the first one should have been."""
    before = held.content()
    with pytest.raises(LedgerRefused) as refused:
        correct(
            held, now=datetime(2026, 11, 17, 7, 4, tzinfo=UTC), replace={"recorded_at": "2062-11-23T08:05:00"}
        )
    assert [finding.field for finding in refused.value.findings] == ["recorded_at"]
    assert held.content() == before
