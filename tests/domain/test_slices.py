"""A rule reads the slice of the event that it is registered with, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from ajpes_reporting.domain.events import Event, event_knowing
from ajpes_reporting.domain.rules import SLICES, UNSLICED, WHOLE_EVENT, RuleSettings
from tests.domain.test_rules import EVENT

ROOT = Path(__file__).parents[2]
ADDED_RULES = """
from ajpes_reporting.domain.events import Days, Event
from ajpes_reporting.domain.fields import Violation
from ajpes_reporting.domain.rules import DAYS, WHOLE_EVENT, RuleSettings

@DAYS.rule
def reads_its_slice(days: Days, settings: RuleSettings) -> Violation | None:
    return None if days.change_date == days.recorded_on else None

@WHOLE_EVENT.rule
def reads_the_whole_event(event: Event, settings: RuleSettings) -> Violation | None:
    return None if event.amount_cents else None

@DAYS.rule
def reads_another_slice(days: Days, settings: RuleSettings) -> Violation | None:
    return None if days.amount_cents else None

@DAYS.rule
def takes_the_whole_event(event: Event, settings: RuleSettings) -> Violation | None:
    return None if event.amount_cents else None
"""


def test_a_rule_that_reads_beyond_its_slice_is_refused_by_mypy(tmp_path: Path) -> None:
    """Nobody registers a rule that an import would ask about too little of the event."""
    added = tmp_path / "added_rules.py"
    added.write_text(ADDED_RULES, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(added)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors = [line.split(":", 1)[1] for line in ended.stdout.splitlines() if ": error: " in line]
    attribute = ADDED_RULES.splitlines().index("    return None if days.amount_cents else None") + 1
    registered = ADDED_RULES.splitlines().index(
        "def takes_the_whole_event(event: Event, settings: RuleSettings) -> Violation | None:"
    )
    assert [int(error.split(":")[0]) for error in errors] == [attribute, registered], ended.stdout
    assert '"Days" has no attribute "amount_cents"' in errors[0]
    assert 'expected "Callable[[Days, RuleSettings], Violation | None]"' in errors[1]


@pytest.mark.parametrize("part", SLICES, ids=lambda part: part.name)
def test_the_rules_of_a_slice_need_nothing_but_its_columns(part: object) -> None:
    """A rule that got past mypy stops at once, instead of being asked about nothing."""
    part = next(one for one in SLICES if one is part)
    known = event_knowing({name: getattr(EVENT, name) for column in part.columns for name in column.names})
    assert part.is_fine(known, RuleSettings())
    others = {field.name for field in fields(Event)} - {name for c in part.columns for name in c.names}
    for name in others:
        with pytest.raises(AttributeError):
            getattr(known, name)


def test_every_column_of_an_event_belongs_to_one_slice() -> None:
    """The rules as they are shipped let an import be quick."""
    columns = [column.name for part in SLICES for column in part.columns]
    assert sorted(columns) == sorted(column.name for column in WHOLE_EVENT.columns)
    assert UNSLICED == ()
    assert WHOLE_EVENT.rules == []
