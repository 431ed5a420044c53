"""The first look says "fine" only where the rules have nothing to say, and says it of what is usual."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ajpes_reporting.domain.events import Event
from ajpes_reporting.domain.rules import RuleSettings, check_event
from ajpes_reporting.ledger import values
from ajpes_reporting.ledger.first_look import FirstLook
from ajpes_reporting.ledger.kinds import EVENTS
from tests.ledger.conftest import EVENT

# On PostgreSQL a moment is written as ISO 8601 has it, on SQLite as SQLAlchemy writes it there.
INSTANTS = {
    "postgresql": datetime.isoformat,
    "sqlite": lambda moment: moment.replace(tzinfo=None).isoformat(" ", "microseconds"),
}
SETTINGS = (RuleSettings(), RuleSettings(change_types=frozenset({"00", "77", "x|.*"})))

DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1)).map(lambda day: day.isoformat())
# Hours before and after the clocks change, and where an offset moves a moment into another year.
ODD_DAYS = st.sampled_from(
    ["2026-03-29", "2026-10-25", "1900-01-01", "2999-12-31", "1941-04-18", "2026-02-30", "0206-11-17", ""]
)
ODD = st.sampled_from(
    ["", " ", "0", "00", "1", "-1", "x", "č", "\x1f", "\n", "\uff17", "1 ", " 1", "x" * 150]
)

AMOUNTS = st.sampled_from(["0", "28843416", "007", "999999999999999", "1000000000000000", "-1", "1.5"])


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, ...]:
    """Rows of which most are right, and some are odd in a field or two."""
    day = draw(st.one_of(DAYS, DAYS, DAYS, ODD_DAYS))
    at = draw(st.sampled_from(["T", "T", "T", "T", " "])) + draw(
        st.times().map(lambda time: time.isoformat("seconds"))
    )
    recorded = day + at + draw(st.sampled_from(["", "", "Z", "+01:00", "-13:00", "+05:30", "+14:00"]))
    change_type = draw(st.sampled_from(["00", "01", "02", "02", "77"]))
    row = {
        **EVENT,
        "creditor_account": "010000100002136",  # passes ISO 7064 MOD 97-10; the sample's does not
        "event_id": draw(st.sampled_from(["1", "E-2", "č/3", "2 3"])),
        "cancels_event_id": draw(st.sampled_from(["", "", "", "", "1"])) if change_type != "00" else "1",
        "change_type": change_type,
        "change_date": day,
        "amount_cents": draw(AMOUNTS),
        "recorded_at": recorded,
        "reference_model": draw(st.sampled_from(["00", "00", "00", "01", "98"])),
        "reference": draw(st.sampled_from(["302-2026", "302-2026", "302-2026", ""])),
        "priority": draw(st.sampled_from(["", "1", "3", "03", "4"])),
    }
    for field in draw(st.sets(st.sampled_from(EVENTS.columns[5:]), max_size=1)):
        row[field] = draw(ODD | st.text(max_size=30))
    return tuple(row[column] for column in EVENTS.columns)


def _staged(row: tuple[str, ...], dialect: str, rules: RuleSettings) -> tuple[Any, ...]:
    """The event as the long way reads, checks and stages it; the rules must have nothing to say."""
    text = dict(zip(EVENTS.columns, row, strict=True))
    at, written = values.moment(text["recorded_at"])
    event = Event(
        text["event_id"], text["cancels_event_id"] or None, text["change_type"],
        values.day(text["change_date"]), values.cents(text["amount_cents"]), at, written,
        text["reference_model"] or None, text["reference"] or None,
        values.optional_number(text["priority"]), text["creditor_account"] or None,
        text["creditor_name"] or None,
    )  # fmt: skip
    assert list(check_event(text["obligation_id"], event, rules)) == []
    return (
        event.event_id, event.cancels_event_id, event.change_type, event.change_date.isoformat(),
        event.amount_cents, INSTANTS[dialect](at), written, event.reference_model, event.reference,
        event.priority, event.creditor_account, event.creditor_name,
    )  # fmt: skip


LOOKS = {
    (dialect, rules): FirstLook(rules, instant) for dialect, instant in INSTANTS.items() for rules in SETTINGS
}


@pytest.mark.parametrize("rules", SETTINGS)
@pytest.mark.parametrize("dialect", INSTANTS)
@settings(max_examples=200, deadline=None)
@given(row=rows())
def test_what_is_fine_at_first_sight_is_fine_by_the_rules(
    dialect: str, rules: RuleSettings, row: tuple[str, ...]
) -> None:
    """One set of rules decides what enters the ledger; the first look only saves asking them."""
    if (event := LOOKS[dialect, rules].event(row)) is not None:
        assert event == _staged(row, dialect, rules)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0)),
    st.sampled_from(["", "Z", "+01:00", "+02:00"]),
    st.from_regex("[0-9A-Za-z][0-9A-Za-z._/-]{0,35}", fullmatch=True),
    st.integers(0, 10**15 - 1),
)
def test_what_is_usual_passes_at_first_sight(at: datetime, offset: str, event_id: str, cents: int) -> None:
    """A million rows of every day are imported in seconds."""
    usual = {
        "event_id": event_id,
        "amount_cents": str(cents),
        "change_date": at.date().isoformat(),
        "recorded_at": at.isoformat() + offset,
    }
    cancels = {"change_type": "00", "cancels_event_id": "6"}
    for changes in (usual, usual | cancels):
        row = tuple({**EVENT, "creditor_account": "", "creditor_name": "", **changes}.values())
        assert LOOKS["sqlite", SETTINGS[0]].event(row) == _staged(row, "sqlite", SETTINGS[0])


def test_the_hour_that_comes_twice_is_meant_as_the_long_way_means_it() -> None:
    """Of the hour that comes twice in autumn the first is meant, in whichever way it is read."""
    row = tuple({**EVENT, "change_date": "2026-10-25", "recorded_at": "2026-10-25T02:30:00"}.values())
    without_creditor = (*row[:14], "", "")  # the sample's fails its check digits
    event = LOOKS["postgresql", SETTINGS[0]].event(without_creditor)
    assert event is not None
    assert event[5] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC).isoformat()
