"""The log of what is sent, on a disk that does not take everything."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.journal.sent_log import HandedOver, SentLog

MOMENT = datetime(2026, 11, 17, 16, 0, tzinfo=UTC)
LINE = HandedOver(1, 1, "NODURS", "2026-11-17", "NODURS_20261117_5860571.xml", "0" * 64, "soap", MOMENT)


@contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """A disk on which no file becomes longer, and which takes of a longer one what fits."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("bytes_left", [0, 1, 100])
def test_a_line_that_a_full_disk_takes_in_part_is_not_written(tmp_path: Path, bytes_left: int) -> None:
    """Half a line tells nobody that a report left; so it does not leave, and later lines are whole."""
    log = SentLog(tmp_path)
    log.begin()
    with room_for(log.size() + bytes_left), pytest.raises(AjpesReportingError, match="Nothing was sent"):
        log.append(LINE)
    assert list(log.since(0)) == []
    log.append(LINE)
    assert list(log.since(0)) == [LINE]
