"""A short run of the fuzz command, so that it is never out of order, and a new crash is met early."""

from __future__ import annotations

import pytest

from tests.fuzz.campaign import play
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_read_ends_with_words_and_in_time(name: str, full: bool) -> None:
    """Nobody else's file ends a run with a traceback, leaves an answer lying, or takes the machine over."""
    report = play(name, 5_000 if full else 200, seed=3)
    assert report.inputs >= 200
    assert [trouble.reason for trouble in (*report.crashes, *report.slow)] == []
