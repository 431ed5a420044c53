"""What AJPES sent back is seen with one command: the very bytes in a pipe, escaped on a terminal."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.cli.main import run as command_line
from ajpes_reporting.config import AlarmsSection
from ajpes_reporting.domain.states import State
from tests import poison
from tests.pipeline.conftest import NOV_17, NOV_18, Bank, event
from tests.pipeline.test_assigned_answers import by_hand
from tests.pipeline.test_thousand_answers import deliver, impatient

NO_ANSWER = "<html>\n<b>\x1b[2J\u202eNi na voljo, čšž</b></html>"


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """What is shown lies in the archive: one kind of database is enough."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'ajpes.db')}"


def program(bank: Bank, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "ajpes_reporting", "-w", str(bank.folder), *arguments]


def on_a_terminal(command: list[str]) -> str:
    """What it prints there."""
    ours, theirs = os.openpty()
    running = subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**os.environ, "PYTHONUTF8": "1"})
    os.close(theirs)
    printed = b""
    while block := _read(ours):
        printed += block
    os.close(ours)
    assert running.wait(timeout=60) == 0
    return printed.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # EIO: whoever wrote there has gone
        return b""


def unanswered(bank: Bank, path: Path) -> int:
    """A submission that was answered with something else, told as unknown."""
    path.write_text(NO_ANSWER, encoding="utf-8")
    bank.authority.faults.add("soap", "other_answer", path=str(path), times=1)
    bank.record(event("O-1", 1))
    submission = bank.run(via="soap").submission
    assert submission is not None
    assert submission.state is State.UNKNOWN
    return submission.id


def test_the_raw_reply_is_seen_with_one_command(bank: Bank, tmp_path: Path, told: Callable[..., str]) -> None:
    """Whoever has to settle an unknown outcome sees what came back, and may send it on as it came."""
    key = unanswered(bank, tmp_path / "page")
    command = program(bank, "show", str(key), "--reply")
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    (kept,) = bank.context.archive.root.rglob("reply-to-*.zst")
    assert raw == b"".join(
        bank.context.archive.blocks(kept.relative_to(bank.context.archive.root).as_posix())
    )
    shown = on_a_terminal(command)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert shown.startswith(
        f"What came back, attempt 1 of submission {key}: 2026-11-17 17:00 by SOAP, {len(raw):,}"
    )
    document = json.loads(told("show", str(key), "--reply", "--json"))
    assert base64.b64decode(document["base64"]) == raw
    assert (document["size_bytes"], document["attempt"], document["via"]) == (len(raw), 1, "soap")
    assert "Ni na voljo, čšž" in document["text"]
    assert f"show {key} --reply" in told("run", "nodurs", "--date", "2026-11-17")
    with bank.context.engine.connect() as connection:
        found = conditions(connection, bank.context.provider, AlarmsSection(), bank.context.clock())
        (remedy,) = (alarm.remedy for alarm in found if alarm.key.startswith("unknown"))
    assert remedy.startswith(f"`ajpes-reporting show {key} --reply` shows what came back; ask AJPES")
    assert f"show {key} --reply --attempt 1" in told("show", str(key))


def test_an_answer_that_was_set_aside_is_seen_as_it_came(bank: Bank) -> None:
    """Before a person says what it belongs to, he can read it."""
    content = poison.answer(rows=poison.row(text="\u202eč")) + "\n"
    by_hand(bank, content)
    command = program(bank, "answers", "show", "1")
    assert subprocess.run(command, capture_output=True, check=True).stdout == content.encode()
    shown = on_a_terminal(command)
    assert "\\u202eč" in shown
    assert shown.startswith("What came back, answer 1: ")


def test_the_newest_reply_is_shown_or_that_of_a_try(
    bank: Bank, tmp_path: Path, told: Callable[..., str]
) -> None:
    """An answer that came by file after the call is the newest; what the call brought is still there."""
    key = unanswered(bank, tmp_path / "page")
    bank.time.pass_by(minutes=31)
    by_hand(bank, poison.answer(poison.made("2026-11-17T17:30:00")))
    newest = json.loads(told("show", str(key), "--reply", "--json"))
    assert (newest["via"], newest["text"]) == ("hand", poison.answer())
    folder = str(bank.folder)
    assert command_line(["-w", folder, "show", str(key), "--reply", "--attempt", "2"]) == 2
    assert command_line(["-w", folder, "show", str(key), "--attempt", "1"]) == 2
    bank.time.pass_by(days=1)
    waiting = deliver(impatient(bank), NOV_18)
    assert "Nothing has come back for submission" in told("show", str(waiting), "--reply")
    assert NOV_17.key in told("show", str(key))
