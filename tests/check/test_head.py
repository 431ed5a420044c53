"""The head of a report against its file name, the workspace and the calendar; the order of recording."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import zstandard

from ajpes_reporting.cli.main import run
from tests.check.conftest import ANSWER_SAMPLE, NODURS_SAMPLE, SPAPP_SAMPLE, Check, Settings, changed

LJUBLJANA = ZoneInfo("Europe/Ljubljana")
NODURS_NAME = "NODURS_20261104_5860571.xml"  # sections 2.1 and 3.1
SPAPP_NAME = "SPAPP_202610_5860571.xml"


@pytest.mark.parametrize(
    ("sample", "name", "rules"),
    [
        (NODURS_SAMPLE, NODURS_NAME, set()),
        (NODURS_SAMPLE, "nodurs_20261104_5860571 (1).xml", set()),
        (NODURS_SAMPLE, "to-be-looked-at.xml", set()),
        (NODURS_SAMPLE, "NODURS_20261105_5860571.xml", {"file-name.period"}),
        (NODURS_SAMPLE, "NODURS_20261104_1572814.xml", {"file-name.registration-number"}),
        (NODURS_SAMPLE, "SPAPP_20261104_5860571.xml", {"file-name.report"}),
        (SPAPP_SAMPLE, SPAPP_NAME, set()),
        (SPAPP_SAMPLE, "SPAPP_202611_5860571.xml", {"file-name.period"}),
        (SPAPP_SAMPLE, "NODURS_20261031_5860571.xml", {"file-name.report", "file-name.period"}),
    ],
)
def test_a_name_that_contradicts_its_content_is_an_error(
    check: Check, sample: bytes, name: str, rules: set[str]
) -> None:
    """AJPES takes a file by its name: that of another day would be read as that day's report."""
    checked = check(sample, Settings(file_name=name))
    assert (checked.rules, checked.ok) == (rules, not rules)
    right = NODURS_NAME if sample is NODURS_SAMPLE else SPAPP_NAME
    assert all(right in error.remedy for error in checked.errors)


@pytest.mark.parametrize("sample", [NODURS_SAMPLE, SPAPP_SAMPLE, ANSWER_SAMPLE])
@pytest.mark.parametrize(
    ("provider", "is_ours"), [("5860571000", True), ("5860571", True), ("1572814000", False)]
)
def test_a_file_of_another_provider_is_an_error(
    check: Check, sample: bytes, provider: str, is_ours: bool
) -> None:
    """In a bureau that reports for many banks, one bank's file is not taken for another's."""
    checked = check(sample, Settings(provider=provider))
    assert ("registration-number.other" in {error.rule for error in checked.errors}) is not is_ours


@pytest.mark.parametrize(
    ("now", "is_over"),
    [
        (datetime(2026, 10, 31, 23, 59, 59, tzinfo=LJUBLJANA), False),
        (datetime(2026, 11, 1, tzinfo=LJUBLJANA), True),
    ],
)
def test_a_month_that_is_not_over_is_an_error(check: Check, now: datetime, is_over: bool) -> None:
    """Turnover that is still to come would be missing, and the balances would not be final."""
    checked = check(SPAPP_SAMPLE, Settings(now=now))
    assert checked.rules == (set() if is_over else {"period.not-over"})


def test_a_month_that_no_calendar_has_is_an_error(check: Check) -> None:
    """A schema lets the year nought pass."""
    checked = check(changed(SPAPP_SAMPLE, '"202610"', '"000010"'))
    assert [error.rule for error in checked.errors] == ["period.format"]


def test_events_out_of_order_of_recording_are_an_error(check: Check) -> None:
    """AJPES applies events as they stand: one that undoes another must not come before it."""
    content = changed(NODURS_SAMPLE, 'dtVpis="2026-11-04T14:20:00"', 'dtVpis="2026-11-02T14:20:00"')
    (error,) = check(content).errors
    assert (error.rule, error.record) == ("recorded-at.order", "O-330 / event 2")


def test_events_are_in_order_by_the_instant_whatever_the_offset(check: Check) -> None:
    """14:20 in Ljubljana comes after 14:00 in London, that is 15:00 here, only on the clock's face."""
    first = changed(NODURS_SAMPLE, 'dtVpis="2026-11-04T14:20:00"', 'dtVpis="2026-11-04T13:20:00Z"')
    assert check(first).findings == ()


@pytest.mark.parametrize(
    ("recorded", "rules"),
    [("2026-11-04T23:59:59", set()), ("2026-11-05T00:00:00", {"recorded-at.after-report"})],
)
def test_an_event_recorded_after_the_day_of_the_report_is_a_warning(
    check: Check, recorded: str, rules: set[str]
) -> None:
    """A correction may hold such an event; in a first report it is a day that was mixed up."""
    content = changed(NODURS_SAMPLE, 'dtVpis="2026-11-04T14:20:00"', f'dtVpis="{recorded}"')
    checked = check(content)
    assert checked.ok
    assert checked.rules - {"change-date.not-recording-date"} == rules


# --- Packed files of the archive ------------------------------------------------------------------


def packed(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(content)


def test_a_packed_file_of_the_archive_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An auditor checks the bytes that were sent, without another program; the name counts as ever."""
    (path := tmp_path / f"{NODURS_NAME}.0a1b2c3d.zst").write_bytes(packed(NODURS_SAMPLE))
    assert run(["-w", str(tmp_path), "--lang", "en", "check", str(path)]) == 0
    assert "2 records: no errors" in capsys.readouterr().out
    (wrong := tmp_path / "NODURS_20261105_5860571.xml.0a1b2c3d.zst").write_bytes(packed(NODURS_SAMPLE))
    assert run(["-w", str(tmp_path), "--lang", "en", "check", str(wrong)]) == 3
    assert "20261105" in capsys.readouterr().out


@pytest.mark.parametrize("cut", [8, 100, -1])
def test_half_a_packed_file_is_told_as_that(
    tmp_path: Path, cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A download that broke off is no traceback, and no file without errors."""
    (path := tmp_path / "half.zst").write_bytes(packed(NODURS_SAMPLE)[:cut])
    assert run(["-w", str(tmp_path), "--lang", "en", "check", str(path)]) == 3
    assert "half.zst cannot be unpacked" in capsys.readouterr().err


def test_a_packed_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A few kilobytes from a stranger fill no disk: a bomb is refused after 64 MiB, in words."""
    blank = bytes(1 << 20)
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    bomb = b"".join([*(packer.compress(blank) for _ in range(200)), packer.flush()])
    assert len(bomb) < 100_000
    (path := tmp_path / "bomb.zst").write_bytes(bomb)
    assert run(["-w", str(tmp_path), "--lang", "en", "check", str(path)]) == 3
    assert "unpacks to more than any report would" in capsys.readouterr().err
