"""The first look says "fine" only where the rules have nothing to say, and says it of what is usual."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ajpes_reporting.domain.columns import EventRow
from ajpes_reporting.domain.fields import IDENTIFIER, Violation
from ajpes_reporting.domain.findings import Severity
from ajpes_reporting.domain.rules import SLICES, WHOLE_EVENT, RuleSettings
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger import rows
from ajpes_reporting.ledger.first_look import FirstLook
from ajpes_reporting.ledger.kinds import EVENTS
from ajpes_reporting.ledger.staging import staged_events
from tests.ledger.conftest import EVENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.ledger.staging import Staged

LINE, EDITION = 314, 7

# On PostgreSQL a moment is written as ISO 8601 has it, on SQLite as SQLAlchemy writes it there.
INSTANTS = {
    "postgresql": datetime.isoformat,
    "sqlite": lambda moment: moment.replace(tzinfo=None).isoformat(" ", "microseconds"),
}
SETTINGS = (RuleSettings(), RuleSettings(change_types=frozenset({"00", "77", "x|.*", "", "0"})))

DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1)).map(lambda day: day.isoformat())
# Hours before and after the clocks change, and where an offset moves a moment into another year.
ODD_DAYS = [
    "2026-03-29", "2026-10-25", "1900-01-01", "2999-12-31", "1941-04-18", "2026-02-30", "0206-11-17",
    "2026-1-017", "2026-11-1\u0667", "",
]  # fmt: skip
TIMES = st.times().map(lambda time: time.isoformat("seconds"))
ODD_TIMES = [
    "08:60:00", "08:05:60", "24:00:00", "08:05", "08:05:0", "8:05:00", "08:05:00.5", "08:05:00,5",
    "08:05:000", "08-05-00", "0\u0668:05:00", "08:0\uff15:00", "08:05:00 ",
]  # fmt: skip
OFFSETS = st.sampled_from(["", "", "Z", "+01:00", "+02:00", "-13:00", "+05:30", "-00:00"])
ODD_OFFSETS = ["z", "+01", "+0100", "+14:00", "+01:60", "+1:00", "Z ", "+0\uff11:00", ".25Z"]
IDS = st.sampled_from(["1", "E-2", "č/3", "2 3", "x" * 36])
ODD_IDS = [
    "", " ", "1 ", " 1", "x" * 37, "1\x1f2", "1\n", "\u00a01", "1\u3000", "1\u2028", "1\ufffe", "1\x7f",
    "1\x85", "\u200b", "\ud800", "x" * 5000,
]  # fmt: skip
AMOUNTS = st.sampled_from(["0", "28843416", "007", "99999999999", "100000000000", "0" * 14 + "7"])
ODD_AMOUNTS = [
    "", "1000000000000000", "0000000000000007", "-1", "+1", "1.5", "1,5", "1_000", " 1", "1 ", "1\n",
    "\u0667", "1\uff17", "\u00b2", "\u2460",
]  # fmt: skip
TYPES = st.sampled_from(["00", "01", "02", "02", "77"])
ODD_TYPES = ["", "0", "1", "x|.*", "98", "0\u0661", "01 "]
ODD_MODELS = ["01", "98", "0", "", "1 ", "\uff19\uff19"]
ODD_REFERENCES = ["", " ", "x" * 23, "3\x1f", "č"]
ODD_PRIORITIES = ["4", "100", "-1", "\uff11", " 1"]
PARTS = (
    "day", "event_id", "cancels", "change_type", "change_date", "amount", "T", "time", "offset", "model",
    "reference", "priority", "any",
)  # fmt: skip
ODD = st.sampled_from(
    ["", " ", "0", "00", "1", "-1", "x", "č", "\x1f", "\n", "\uff17", "1 ", " 1", "\u0661\u0662", "x" * 150]
)


@st.composite
def events(draw: st.DrawFn) -> tuple[str, ...]:
    """Rows of which most are right, and some are odd in a field or two."""
    odd = draw(st.sets(st.sampled_from(PARTS), max_size=2))

    def mostly(part: str, usual: st.SearchStrategy[str], unusual: Sequence[str]) -> str:
        return draw(st.sampled_from(unusual) if part in odd else usual)

    day = mostly("day", DAYS, ODD_DAYS)
    change_type = draw(TYPES)
    row = {
        **EVENT,
        "creditor_account": "010000100002136",  # passes ISO 7064 MOD 97-10; the sample's does not
        "event_id": mostly("event_id", IDS, ODD_IDS),
        "cancels_event_id": mostly("cancels", IDS if change_type == "00" else st.just(""), ["6", *ODD_IDS]),
        "change_type": mostly("change_type", st.just(change_type), ODD_TYPES),
        "change_date": mostly("change_date", st.just(day), [day[:7], day[:9], f"{day}T", "2026-11-16"]),
        "amount_cents": mostly("amount", AMOUNTS, ODD_AMOUNTS),
        "recorded_at": day
        + mostly("T", st.just("T"), " tT")
        + mostly("time", TIMES, ODD_TIMES)
        + mostly("offset", OFFSETS, ODD_OFFSETS),
        "reference_model": mostly("model", st.sampled_from(["00", "99"]), ODD_MODELS),
        "reference": mostly("reference", st.just("302-2026"), ODD_REFERENCES),
        "priority": mostly("priority", st.sampled_from(["", "1", "3", "03"]), ODD_PRIORITIES),
    }
    for field in draw(st.sets(st.sampled_from(EVENTS.columns[5:]), max_size=1 if "any" in odd else 0)):
        row[field] = draw(ODD | st.text(max_size=40))
    return tuple(row[column] for column in EVENTS.columns)


class ReadInFull(rows._Events):
    """Reads events without a first look at them."""

    def event(self, row: Sequence[str]) -> tuple[Sequence[Finding], list[Staged]]:
        """What is wrong with the event, and what of it is staged."""
        event, found = self._read_event(LINE, EventRow(*row))
        return found, [event] if event else []


BOTH_WAYS = {
    (dialect, rules): (FirstLook(rules, EDITION, instant), ReadInFull(rules, EDITION, instant))
    for dialect, instant in INSTANTS.items()
    for rules in SETTINGS
}


@pytest.mark.parametrize("rules", SETTINGS)
@pytest.mark.parametrize("dialect", INSTANTS)
@settings(max_examples=250, deadline=None)
@given(row=events())
def test_what_is_fine_at_first_sight_is_fine_by_the_rules(
    dialect: str, rules: RuleSettings, row: tuple[str, ...]
) -> None:
    """One set of rules decides what enters the ledger; the first look only saves asking them."""
    first_look, in_full = BOTH_WAYS[dialect, rules]
    if (event := first_look.event(LINE, row)) is not None:
        assert in_full.event(row) == ((), [event])


@pytest.mark.parametrize(
    ("field", "texts"),
    [
        ("event_id", ODD_IDS),
        ("cancels_event_id", ["6", *ODD_IDS]),
        ("change_type", ["00", *ODD_TYPES]),
        ("change_date", ["2026-11", "2026-11-1", "2026-11-17T", "", "2026-11-16"]),
        ("amount_cents", ODD_AMOUNTS),
        ("recorded_at", [f"2026-11-17T{time}" for time in ODD_TIMES]),
        ("recorded_at", [f"2026-11-17T08:05:00{offset}" for offset in ODD_OFFSETS]),
        ("recorded_at", ["2026-11-17 08:05:00", "2026-11-17t08:05:00"]),
        ("reference_model", ODD_MODELS),
        ("reference", ODD_REFERENCES),
        ("priority", ODD_PRIORITIES),
        ("creditor_account", ["HR1", "x y"]),
        ("creditor_name", ["UPNIK"]),
    ],
)
def test_an_event_that_is_odd_in_one_thing_is_staged_only_as_the_rules_have_it(
    field: str, texts: Sequence[str]
) -> None:
    """Nothing odd slips through because the rest of the row is as ever."""
    for first_look, in_full in BOTH_WAYS.values():
        for cancels in ({}, {"change_type": "00", "cancels_event_id": "6"}):
            for row in (_row(**{"reference": "302-2026", **cancels, field: text}) for text in texts):
                if (event := first_look.event(LINE, row)) is not None:
                    assert in_full.event(row) == ((), [event])


OBJECTIONS: dict[str, tuple[dict[str, str], Callable[[Any], bool]]] = {
    "Identity": ({"event_id": "2"}, lambda seen: seen.event_id == "2"),
    "Change": ({"change_type": "03"}, lambda seen: seen.change_type == "03"),
    "Days": (
        {"change_date": "2026-11-15", "recorded_at": "2026-11-15T08:05:00"},
        lambda seen: seen.recorded_on.isoweekday() == 7,
    ),
    "Amount": ({"amount_cents": "17"}, lambda seen: seen.amount_cents == 17),
    "Reference": ({"priority": "2"}, lambda seen: seen.priority == 2),
    "Creditor": (
        {"creditor_account": "HR1", "creditor_name": "UPNIK"},
        lambda seen: seen.creditor_name == "UPNIK",
    ),
}


@pytest.mark.parametrize("is_of_whole_event", [False, True])
@pytest.mark.parametrize("part", SLICES, ids=lambda part: part.name)
def test_an_added_rule_is_never_passed_over(
    part: Any, is_of_whole_event: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look lets nothing pass that a rule was not asked about: those of today, and those to come."""
    texts, objects = OBJECTIONS[part.name]
    objection = Violation(Severity.WARNING, part.columns[0].name, "added", _("an added rule objects"))
    registered_with = WHOLE_EVENT if is_of_whole_event else part
    rules = [*registered_with.rules, lambda seen, _settings: objection if objects(seen) else None]
    monkeypatch.setattr(registered_with, "rules", rules)
    first_look = FirstLook(SETTINGS[0], EDITION, INSTANTS["sqlite"])
    in_full = ReadInFull(SETTINGS[0], EDITION, INSTANTS["sqlite"])
    assert first_look.event(LINE, _row(**texts)) is None
    assert [finding.message for finding in in_full.event(_row(**texts))[0]] == ["an added rule objects"]
    assert (first_look.event(LINE, _row()) is None) == is_of_whole_event


def test_whatever_is_printed_can_stand_in_an_identifier() -> None:
    """The first look asks whether an id can be printed; the rules, whether a report can carry it."""
    printed = (character for character in map(chr, range(sys.maxunicode + 1)) if character.isprintable())
    fits = re.compile(IDENTIFIER.pattern).fullmatch
    assert [f"U+{ord(character):04X}" for character in printed if not fits(f"x{character}x")] == []


def test_a_blank_that_can_be_printed_is_seen_at_either_end() -> None:
    """No id is taken that differs from another only by a blank that nobody sees."""
    first_look, _ = BOTH_WAYS["sqlite", SETTINGS[0]]
    for blank in filter(str.isspace, map(chr, range(sys.maxunicode + 1))):
        for event_id in (blank, f"{blank}1", f"1{blank}"):
            assert first_look.event(LINE, _row(event_id=event_id)) is None


def test_a_file_of_many_creditors_and_references_is_still_read_rightly() -> None:
    """What is kept in mind is bounded, and forgetting it changes nothing but the time."""
    first_look, in_full = BOTH_WAYS["sqlite", SETTINGS[0]]
    for number in range(12_000):
        row = _row(
            reference=f"{number}-2026", creditor_account=f"HR{number}", creditor_name=f"UPNIK {number}"
        )
        assert first_look.event(LINE, row) is not None
    assert in_full.event(row) == ((), [first_look.event(LINE, row)])


def _row(**changes: str) -> tuple[str, ...]:
    """An event with nothing wrong but what is given: the sample's creditor fails its check digits."""
    return tuple({**EVENT, "creditor_account": "", "creditor_name": "", **changes}.values())


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0)),
    st.sampled_from(["", "Z", "+01:00", "+02:00"]),
    st.from_regex("[0-9A-Za-z][0-9A-Za-z._/-]{0,35}", fullmatch=True),
    st.integers(0, 10**11 - 1),
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
        first_look, in_full = BOTH_WAYS["sqlite", SETTINGS[0]]
        row = _row(**changes)
        assert ((), [first_look.event(LINE, row)]) == in_full.event(row)


def test_the_hour_that_comes_twice_is_meant_as_the_long_way_means_it() -> None:
    """Of the hour that comes twice in autumn the first is meant, in whichever way it is read."""
    first_look, _ = BOTH_WAYS["postgresql", SETTINGS[0]]
    event = first_look.event(LINE, _row(change_date="2026-10-25", recorded_at="2026-10-25T02:30:00"))
    assert event is not None
    staged = dict(zip(staged_events.columns.keys(), event, strict=True))
    assert staged["recorded_at"] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC).isoformat()
