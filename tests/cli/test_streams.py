"""Whoever reads what is printed, or nobody: the work is done, and the exit code is that of the work."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.shipped import sample

PROGRAM = f"{shlex.quote(sys.executable)} -m ajpes_reporting"

# Closed, one by one and together; a reader that goes at once; a disk that is full; not open for writing.
STREAMS = (
    ">&-", "2>&-", "<&- >&- 2>&-", "2>&1 | true", ">/dev/full", ">/dev/full 2>&1", "1</dev/null 2>&1",
)  # fmt: skip


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A workspace of which nothing has been imported yet; its day's report is due at any hour of the test."""
    folder = tmp_path / "bank"
    assert run(["init", str(folder)]) == 0
    settings = folder / "ajpes.toml"
    text = settings.read_text("utf-8").replace("[schedule]", "[schedule]\nnodurs_start = 00:00:00")
    settings.write_text(text, "utf-8")
    return folder


def shell(command: str, **environment: str) -> tuple[int, str, str]:
    """Exit code of the program, not of the reader behind the pipe; stdout; stderr."""
    call = ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(
        call, capture_output=True, env={**os.environ, **environment}, timeout=120, check=False
    )
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def call(folder: Path, command: str) -> str:
    return f"{PROGRAM} -w {shlex.quote(str(folder))} {command}"


def is_clean(err: str) -> bool:
    """Neither Python nor the shell complains of a stream."""
    return not re.search(r"Traceback|Exception ignored|BrokenPipe|Errno|logging error", err, re.IGNORECASE)


@pytest.mark.parametrize("stream", STREAMS)
def test_an_import_stores_every_file_and_leaves_with_0(
    bank: Path, stream: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nightly job of a bank does not store half of the files and call that a failure."""
    files = [str(sample(f"ledger/{name}")) for name in ("accounts.csv", "events.csv")]
    code, _out, err = shell(f"{call(bank, f'ledger import {shlex.join(files)}')} {stream}")
    assert code == 0, err
    assert is_clean(err)
    capsys.readouterr()
    assert run(["-w", str(bank), "ledger", "import", *files]) == 0
    assert capsys.readouterr().out.count(", 0 new, ") == 2


@pytest.mark.parametrize("stream", ["<&- >&- 2>&-", "2>&1 | true", ">/dev/full"])
@pytest.mark.parametrize(
    ("command", "expected"),
    [("status", 0), ("--json tick", 2), ("show 7", 2), ("nonsense", 2), ("--help", 0), ("metrics", 0)],
)
def test_the_exit_code_is_that_of_the_work(bank: Path, command: str, expected: int, stream: str) -> None:
    """A scheduler decides by it, wherever it sends what is printed."""
    code, _out, err = shell(f"{call(bank, command)} {stream}")
    assert code == expected, err
    assert is_clean(err)


def test_a_tick_without_output_does_its_work(bank: Path) -> None:
    """Cron with closed streams: the day is looked at, and stands in the table of due reports."""
    assert shell(f"{call(bank, 'tick')} <&- >&- 2>&-")[0] == 2  # it has no way to AJPES
    assert "tried 1 time," in shell(call(bank, "status"))[1]


def test_a_closed_output_is_not_the_database(bank: Path) -> None:
    """The first file that is opened gets the number of the stream that was closed."""
    for command in (
        "ledger import " + shlex.quote(str(sample("ledger/events.csv"))),
        "status",
        "ledger show O-301",
    ):
        assert shell(f"{call(bank, command)} <&- >&- 2>&-")[0] == 0
    assert (bank / "ajpes.db").read_bytes()[:15] == b"SQLite format 3"
    assert shell(call(bank, "audit verify"))[0] == 0


def test_a_full_disk_behind_the_output_is_told(bank: Path) -> None:
    """Who keeps what is printed in a file learns that the file is not whole, and that the work is."""
    code, _out, err = shell(f"{call(bank, 'status')} >/dev/full")
    assert code == 0
    assert "No space left on device" in err
    assert "The work is done" in err
    assert shell(f"{call(bank, 'status')} | true")[2] == ""


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "cp1250:strict"},
     {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "POSIX"}],
)  # fmt: skip
def test_an_output_without_our_letters_loses_no_exit_code(
    bank: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """A refused file ends with its code, also in a terminal of the nineties."""
    name = "Kovinarstvo Žagar 漢字 👍"
    text = sample("ledger/events.csv").read_text("utf-8").replace("Kovinarstvo Žagar & sin d.o.o.", name)
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(text, encoding="utf-8")
    bad.write_text(text.replace("O-301,3,", "O-301č,9,"), encoding="utf-8")
    code, _out, err = shell(call(bank, f"ledger import {bad}"), **environment)
    assert code == 3, err
    assert is_clean(err)
    assert "O-301" in err
    assert shell(call(bank, f"ledger import {good}"), **environment)[0] == 0
    code, out, err = shell(call(bank, "ledger show O-301"), **environment)
    assert (code, err) == (0, "")
    assert "O-301" in out
    code, out, _err = shell(call(bank, "--json ledger show O-301"), **environment)
    assert code == 0
    assert json.loads(out)["obligation"]["debtor_name"] == name


def test_a_pipe_that_does_not_wait_gets_everything() -> None:
    """Some who start us share a pipe that is full at times; nothing is lost in it."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    program = [sys.executable, "-c", _PRINTS_MUCH]
    with subprocess.Popen(program, stdout=write) as started:
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            assert pipe.read().count(b"\n") == 50_000
    assert started.returncode == 0


_PRINTS_MUCH = """
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.streams import Streams
streams = Streams()
for number in range(50_000):
    echo(f"line {number}")
"""
