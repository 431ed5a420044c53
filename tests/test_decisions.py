"""Decisions are found, dated and told in one form, so that a reader knows which still hold and why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))
HEAD = re.compile(
    r"# (?P<title>.+)\n\n"
    r"- Date: (?P<date>20[0-9]{2}-[01][0-9]-[0-3][0-9])\n"
    r"- Status: (?P<status>accepted|superseded by \[(?P<later>[0-9]{4})\]\([^)]+\))\n\n"
    r"## Context\n"
)
FREE_NUMBERS = {10}


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_date_status_and_reasons(decision: Path) -> None:
    """A newcomer learns from any decision when it was made, whether it holds, why, and at what price."""
    text = decision.read_text(encoding="utf-8")
    assert HEAD.match(text)
    assert re.findall("^## .*", text, re.MULTILINE) == ["## Context", "## Decision", "## Consequences"]


def test_the_index_says_what_the_decisions_say() -> None:
    """Nobody overlooks a decision, or believes one that was superseded."""
    index = re.findall(
        r"^\| \[([0-9]{4})\]\(([^)]+)\) \| ([0-9-]+) \| (.+?) \| (.+) \|$",
        (FOLDER / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    told = []
    for decision in DECISIONS:
        head = HEAD.match(decision.read_text(encoding="utf-8"))
        assert head
        told.append((decision.name[:4], decision.name, head["date"], head["status"], head["title"]))
    assert index == told


def test_no_number_is_missing_or_given_twice() -> None:
    """A reader who finds a gap does not look for a decision that was taken away."""
    numbers = [int(decision.name[:4]) for decision in DECISIONS]
    assert numbers == [
        number for number in range(1, len(numbers) + 1 + len(FREE_NUMBERS)) if number not in FREE_NUMBERS
    ]
