"""What unattended commands leave in the log: one line for each job, with level, fields and no person."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ajpes_reporting.cli.job_log import _findings
from ajpes_reporting.cli.main import run
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.logs import MaskingHandler
from ajpes_reporting.sandbox import Sandbox
from tests.cli.test_commands import authority, bank

__all__ = ["authority", "bank"]


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    """The log writes where the test looks, and nowhere afterwards."""
    hook = sys.excepthook
    yield
    root = logging.getLogger()
    root.handlers[:] = [each for each in root.handlers if not isinstance(each, MaskingHandler)]
    logging.captureWarnings(False)
    sys.excepthook = hook


def lines(bank: Path, capsys: pytest.CaptureFixture[str], code: int) -> list[dict[str, object]]:
    """The lines of one tick for NODURS; nothing else is told."""
    capsys.readouterr()
    assert run(["-w", str(bank), "tick"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    return [json.loads(each) for each in told.err.splitlines()]


def set_up(bank: Path, more: str = "") -> None:
    path = bank / "ajpes.toml"
    text = '\n[log]\nformat = "json"\n[schedule]\nnodurs_start = 00:00:00\nreports = ["nodurs"]\n'
    path.write_text(path.read_text("utf-8") + text + "retry_first_seconds = 1\n" + more, "utf-8")


def test_an_accepted_report_is_one_line(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log collector finds what was reported, when, and under which number."""
    set_up(bank)
    (line,) = lines(bank, capsys, 0)
    assert line["level"] == "info"
    wanted = {"provider": "5860571000", "report": "NODURS", "ending": "attempted", "state": "accepted",
              "submission": 1, "exit_code": 0}  # fmt: skip
    assert {key: line[key] for key in wanted} == wanted
    assert lines(bank, capsys, 0) == []


def test_what_does_not_arrive_is_a_warning_with_the_reason(
    bank: Path, authority: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is tried again by itself; nobody is called out of bed for it."""
    set_up(bank)
    authority.faults.add("soap", "refuse")
    authority.faults.add("sftp", "refuse")
    (line,) = lines(bank, capsys, 5)
    assert (line["level"], line["state"], line["exit_code"]) == ("warning", "unreachable", 5)
    assert line["detail"]


@pytest.mark.parametrize(("fault", "code", "state"), [("fault", 4, "refused"), ("html", 6, "unknown")])
def test_what_needs_a_person_is_an_error(
    bank: Path, authority: Sandbox, capsys: pytest.CaptureFixture[str], fault: str, code: int, state: str
) -> None:
    """Refused or unknown: an alert rule on the level is enough."""
    set_up(bank)
    authority.faults.add("soap", fault, **({"code": "Client"} if fault == "fault" else {}), times=1)
    (line,) = lines(bank, capsys, code)
    assert (line["level"], line["state"], line["exit_code"]) == ("error", state, code)


def test_a_failure_is_an_error_with_what_to_do(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings that do not work are told in the same form."""
    set_up(bank)
    text = (bank / "ajpes.toml").read_text("utf-8")
    keys = ("client_key", "private_key")  # of both ways: one that is left would take over
    broken = [line for line in text.splitlines() if not line.startswith(keys)]
    (bank / "ajpes.toml").write_text("\n".join(broken), "utf-8")
    (line,) = lines(bank, capsys, 2)
    assert (line["level"], line["ending"], line["exit_code"]) == ("error", "failed", 2)
    assert line["remedy"]


def test_findings_are_told_by_record_and_rule() -> None:
    """What a finding says may quote a name; where it is and what it is called may be read by anybody."""
    finding = Finding(
        Severity.ERROR, "O-314 / event 7", "creditor_name", "creditor-name.length", "'Ana Novak' is too long"
    )
    assert _findings([finding]) == ["O-314 / event 7: creditor-name.length"]
    assert len(_findings([finding] * 30)) == 21
    assert _findings([finding] * 30)[-1] == "and 10 findings more"


def test_a_person_at_a_terminal_reads_words(
    bank: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who tries it by hand sees what `run` shows."""
    path = bank / "ajpes.toml"
    text = '\n[schedule]\nnodurs_start = 00:00:00\nreports = ["nodurs"]\n'
    path.write_text(path.read_text("utf-8") + text, "utf-8")
    capsys.readouterr()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(["-w", str(bank), "tick"]) == 0
    told = capsys.readouterr()
    assert " was accepted (9 events" in told.out
    assert told.err == ""
