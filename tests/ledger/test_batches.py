"""A source is read in batches, and what becomes of it does not depend on where one batch ends."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import func, select

from ajpes_reporting.database.tables import pending_events
from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger import intake
from ajpes_reporting.ledger.files import import_files
from ajpes_reporting.ledger.history import history
from ajpes_reporting.ledger.kinds import ACCOUNTS, EVENTS
from tests.ledger.conftest import LATER, PROVIDER, Ledger

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tests.ledger.conftest import Row

PROVIDERS = count(1)
OBLIGATIONS = ("A", "B")
EVENT_ROWS = some.fixed_dictionaries(
    {
        "obligation_id": some.sampled_from(OBLIGATIONS),
        "debtor_name": some.sampled_from(["ANA NOVAK"] * 2 + ["ANA HORVAT"]),
        "event_id": some.sampled_from("1234"),
        "change_type": some.just("01"),
        "amount_cents": some.sampled_from(["100"] * 5 + ["200"]),
        "recorded_at": some.sampled_from(["2026-11-17T08:05:00", "2026-11-17T09:00:00"]),
    }
)
CANCELLATIONS = some.fixed_dictionaries(
    {
        "obligation_id": some.sampled_from(OBLIGATIONS),
        "debtor_name": some.just("ANA NOVAK"),
        "event_id": some.sampled_from("567"),
        "cancels_event_id": some.sampled_from("1234"),
        "change_type": some.just("00"),
        "amount_cents": some.just("100"),
        "recorded_at": some.sampled_from(["2026-11-17T09:00:00", "2026-11-17T10:00:00"]),
    }
)


@pytest.fixture
def in_batches_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_ROWS_AT_A_TIME", 2)


@given(rows=some.lists(EVENT_ROWS | CANCELLATIONS, max_size=9), at_a_time=some.integers(1, 4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batches_leave_what_one_batch_leaves(engine: Engine, rows: list[Row], at_a_time: int) -> None:
    """A bank's migration file of a million rows is judged as its file of one day is."""
    assert _outcome(engine, rows, at_a_time) == _outcome(engine, rows, len(rows) + 1)


def _outcome(engine: Engine, rows: list[Row], at_a_time: int) -> object:
    """The histories that the ledger holds afterwards; None if it refused the rows."""
    provider = f"{next(PROVIDERS):010d}"  # its own, so that no example meets the facts of another
    with tempfile.TemporaryDirectory() as folder, patch.object(intake, "_ROWS_AT_A_TIME", at_a_time):
        ledger = Ledger(engine, Path(folder))
        try:
            ledger.take_files(ledger.file(EVENTS, *rows), provider=provider)
        except LedgerRefused:
            return None
    with engine.connect() as connection:
        return [history(connection, provider, obligation_id) for obligation_id in OBLIGATIONS]


@pytest.mark.usefixtures("in_batches_of_two")
def test_a_cancellation_may_stand_far_before_what_it_cancels(ledger: Ledger) -> None:
    """A file with the newest row first goes in: the times of recording count."""
    cancellation = {
        "event_id": "8", "cancels_event_id": "7", "change_type": "00", "recorded_at": "2026-11-17T09:00:00",
    }  # fmt: skip
    others = ({"obligation_id": "O-1", "event_id": str(number)} for number in range(5))
    assert ledger.take(EVENTS, cancellation, *others, {}).rows_new == 7
    with ledger.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(pending_events)) == 7


@pytest.mark.usefixtures("in_batches_of_two")
def test_what_is_wrong_in_each_batch_is_named_in_order(ledger: Ledger) -> None:
    """A clerk corrects a file once, and not once for each of its errors."""
    ledger.take(EVENTS, {"event_id": "1"})
    before = ledger.content()
    rows = (
        {"event_id": "1", "amount_cents": "5"},  # contradicts the ledger
        {"event_id": "2"},
        {"event_id": "3", "amount_cents": "1.5"},
        {"event_id": "4", "debtor_tax_number": "12345679"},
        {"event_id": "2", "priority": "1"},  # contradicts the row of another batch
    )
    with pytest.raises(LedgerRefused) as refused:
        ledger.take(EVENTS, *rows)
    assert [finding.line for finding in refused.value.findings] == [2, 4, 5, 6]
    assert ledger.content() == before


@pytest.mark.usefixtures("in_batches_of_two")
def test_an_account_is_compared_with_every_row_of_its_source(ledger: Ledger) -> None:
    """An account that is open in one row and closed in another is a mistake, however far apart they stand."""
    others = ({"account": f"0100001000{number:05d}"} for number in range(3))
    with pytest.raises(LedgerRefused) as refused:
        ledger.take(ACCOUNTS, {}, *others, {"closed_on": "2026-10-31"})
    assert [finding.line for finding in refused.value.findings] == [6]
    assert ledger.content()["accounts"] == []


def test_an_import_that_is_stopped_leaves_nothing(ledger: Ledger) -> None:
    """Somebody who stops an import with Ctrl-C waits for one batch, and nothing of it stays."""

    def stopped(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), patch.object(intake, "_ROWS_AT_A_TIME", 2):
        path = ledger.file(EVENTS, *({"event_id": str(number)} for number in range(9)))
        import_files(ledger.engine, PROVIDER, [path], RuleSettings(), stopped, now=LATER)
    assert ledger.content()["events"] == []
