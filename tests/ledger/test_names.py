"""An obligation follows the name of its debtor that its newest row has; the one before stays readable."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ajpes_reporting.database.engine import rehearsing
from ajpes_reporting.ledger.history import history
from ajpes_reporting.ledger.kinds import EVENTS
from ajpes_reporting.ledger.names import names_before
from ajpes_reporting.reports.nodurs.select import NodursSettings, select_changes
from tests.ledger.conftest import PROVIDER, Ledger
from tests.reports.conftest import NODURS_REQUEST

OLD, NEW, THIRD = "KRATEK NAZIV DOLŽNIKA", "NOV NAZIV D.O.O.", "TRETJI NAZIV D.O.O."


def row(number: int, name: str, hour: int, **more: str) -> dict[str, str]:
    """An event recorded at this hour, whose row has this name."""
    return {
        "event_id": str(number),
        "debtor_name": name,
        "recorded_at": f"2026-11-17T{hour:02}:00:00",
        **more,
    }


def name_of(ledger: Ledger, obligation_id: str = "O-314") -> str:
    with ledger.engine.connect() as connection:
        found = history(connection, PROVIDER, obligation_id)
    assert found is not None
    return found[0].debtor_name


def before(ledger: Ledger) -> list[str]:
    with ledger.engine.connect() as connection:
        return [item.name for item in names_before(connection, PROVIDER, "O-314")]


def test_a_company_that_is_renamed_is_reported_under_its_new_name(ledger: Ledger) -> None:
    """The day's import goes in, and nothing has to be cancelled."""
    ledger.take(EVENTS, row(1, OLD, 8))
    summary = ledger.take(EVENTS, row(2, NEW, 9))
    assert (summary.rows_new, summary.renamed) == (1, 1)
    assert (name_of(ledger), before(ledger)) == (NEW, [OLD])


def test_the_rows_of_before_and_of_now_change_nothing_again(ledger: Ledger) -> None:
    """Whoever imports yesterday's and today's file again finds everything as it was."""
    files = [
        ledger.file(EVENTS, row(1, OLD, 8), name="1.csv"),
        ledger.file(EVENTS, row(2, NEW, 9), name="2.csv"),
    ]
    ledger.take_files(*files)
    content = ledger.content()
    assert [summary.renamed for summary in ledger.take_files(*files)] == [0, 0]
    assert ledger.content() == content


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ([(1, OLD, 8), (2, NEW, 9)], NEW),
        ([(2, NEW, 9), (1, OLD, 8)], NEW),
        ([(1, NEW, 8), (2, OLD, 9), (3, NEW, 7)], OLD),
        ([(1, OLD, 8), (2, OLD, 10), (3, NEW, 9)], OLD),
        ([(1, OLD, 8), (2, NEW, 8)], NEW),  # at the same time: in the order of the file
        ([(1, OLD, 8), (2, NEW, 9), (3, THIRD, 10), (4, NEW, 7)], THIRD),
    ],
)
def test_the_name_of_the_event_recorded_last_counts(
    ledger: Ledger, rows: list[tuple[int, str, int]], name: str
) -> None:
    """In whatever order the rows of a file stand."""
    ledger.take(EVENTS, *(row(*values) for values in rows))
    assert name_of(ledger) == name


def test_an_event_entered_late_does_not_bring_the_old_name_back(ledger: Ledger) -> None:
    """What was forgotten last week has last week's name, and the debtor has this week's."""
    ledger.take(EVENTS, row(1, OLD, 8))
    ledger.take(EVENTS, row(2, NEW, 9))
    assert ledger.take(EVENTS, row(3, OLD, 7)).renamed == 0
    assert name_of(ledger) == NEW


def test_a_known_event_under_another_name_renames(ledger: Ledger) -> None:
    """A view that joins the customers shows every event under the name of today."""
    ledger.take(EVENTS, row(1, OLD, 8), row(2, OLD, 9))
    summary = ledger.take(EVENTS, row(1, NEW, 8), row(2, NEW, 9))
    assert (summary.rows_new, summary.renamed) == (0, 1)
    assert (name_of(ledger), before(ledger)) == (NEW, [OLD])


def test_a_name_alone_reports_nothing(ledger: Ledger) -> None:
    """Only events make an obligation a changed one."""
    ledger.take(EVENTS, row(1, OLD, 8))
    pending = ledger.content()["pending_events"]
    ledger.take(EVENTS, row(1, NEW, 8))
    assert ledger.content()["pending_events"] == pending


def test_another_debtor_is_a_contradiction_under_whatever_name(ledger: Ledger) -> None:
    """A debt does not pass to somebody else together with a name."""
    from ajpes_reporting.domain.errors import LedgerRefused

    ledger.take(EVENTS, row(1, OLD, 8))
    with pytest.raises(LedgerRefused) as refused:
        ledger.take(EVENTS, row(2, NEW, 9, debtor_tax_number="12345679"))
    assert [finding.field for finding in refused.value.findings] == ["debtor_tax_number"]


def test_what_lies_ahead_does_not_hold_on_to_an_old_name(ledger: Ledger) -> None:
    """A slip of the year must not keep a company's old name until then."""
    ledger.take(EVENTS, row(1, OLD, 8, recorded_at="2062-11-17T08:00:00", change_date="2062-11-17"))
    ledger.now = datetime(2026, 12, 1, tzinfo=UTC)
    ledger.take(EVENTS, row(2, NEW, 9))
    assert name_of(ledger) == NEW


def test_obligations_of_one_debtor_may_differ_or_share_the_newest_name(ledger: Ledger) -> None:
    """As recorded each has its own spelling; with the setting the debtor comes once, under the newest."""
    other = {"obligation_id": "O-315"}
    ledger.take(EVENTS, row(1, OLD, 8), row(1, NEW, 9, **other), row(2, OLD, 7, **other, event_id="0"))
    with rehearsing(ledger.engine) as connection:
        as_recorded = [(line[0], line[2]) for line in select_changes(connection, NODURS_REQUEST).rows]
        newest = replace(NODURS_REQUEST, settings=NodursSettings(debtor_name="newest"))
        shared = [(line[0], line[2]) for line in select_changes(connection, newest).rows]
    assert len({key for key, _name in as_recorded}) == 2
    assert {name for _key, name in as_recorded} == {OLD, NEW}
    assert len({key for key, _name in shared}) == 1
    assert [name for _key, name in shared] == [NEW, NEW]
