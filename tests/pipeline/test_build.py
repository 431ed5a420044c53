"""`build` says what a run would do, and overwrites nothing that somebody keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import run as command_line
from ajpes_reporting.cli.session import Session
from ajpes_reporting.domain.states import State
from tests.pipeline.conftest import Bank, event
from tests.pipeline.test_thousand_answers import impatient

NAME = "NODURS_20261117_5860571.xml"
Build = Callable[..., tuple[int, str]]


@pytest.fixture
def build(
    bank: Bank,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Build:
    """Builds the 17th in a folder of its own; gives the exit code and what was printed."""
    monkeypatch.setattr(Session, "context", lambda _session: bank.context)
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")

    def call(*options: str) -> tuple[int, str]:
        capsys.readouterr()
        code = command_line(["-w", str(bank.folder), "build", "nodurs", "--date", "2026-11-17", *options])
        printed = capsys.readouterr()
        return code, " ".join((printed.out + printed.err).split())

    return call


def test_a_day_that_is_accepted_gets_no_file(bank: Bank, build: Build) -> None:
    """Nobody sends by hand what AJPES has already; with --anyway the file can be looked at."""
    bank.record(event("O-1", 1))
    bank.run()
    bank.record(event("O-2", 1))
    code, told = build()
    assert code == 0
    assert "accepted already (submission 1); a run would send nothing" in told
    assert not Path(NAME).exists()
    _code, text = build("--json")
    document = json.loads(text)
    assert (document["ending"], document["file"], document["submission"]) == ("already reported", None, 1)
    code, told = build("--anyway")
    assert "a run would send nothing" in told
    assert 'id="O-2"' in Path(NAME).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("channel", "fault", "said"),
    [("sftp", "no_answer", "awaits its answer"), ("soap", "drop_answer", "not known whether the report")],
)
def test_a_day_that_ajpes_may_have_gets_no_file(
    bank: Bank, build: Build, channel: str, fault: str, said: str
) -> None:
    """What may have arrived is not sent by hand either."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add(channel, fault, times=1)
    impatient(bank).run(via=channel)
    left_with, told = build()
    assert (left_with, said in told) == (0, True), told
    assert not Path(NAME).exists()


def test_a_report_that_would_be_held_says_so(bank: Bank, build: Build) -> None:
    """The clerk who looks before the run learns that somebody will have to release it, and why."""
    bank.record(event("O-1", 1, amount_cents=100_000_000_000))
    code, told = build()
    assert code == 0  # the file is made; a run would leave with 3
    assert "A run would hold the report for a person's release" in told
    assert Path(NAME).exists()
    assert bank.run().ending.value == "held for release"
    assert json.loads(build("--json")[1])["run_exit_code"] == 3


def test_a_refused_day_without_a_correction_says_so(bank: Bank, build: Build) -> None:
    """Sending the same again would be refused again."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "fault", times=1, code="Client")
    refused = bank.run().submission
    assert refused is not None
    assert refused.state is State.REFUSED
    code, told = build()
    assert code == 0
    assert "The report was refused before (submission 1), and nothing has changed since" in told


def test_a_day_to_come_has_not_begun(bank: Bank, build: Build) -> None:
    """Said as a run says it, which would refuse the day."""
    bank.record(event("O-1", 1))
    _, said = build("--date", "2026-11-18")
    assert "A run would refuse the report for now: the period has not begun yet." in said


def test_a_file_that_somebody_keeps_is_left_alone(bank: Bank, build: Build) -> None:
    """A slip of the hand after -o costs no file."""
    bank.record(event("O-1", 1))
    precious = Path("precious.csv")
    precious.write_text("kept", encoding="utf-8")
    code, told = build("-o", "precious.csv")
    assert (code, precious.read_text(encoding="utf-8")) == (2, "kept")
    assert "--overwrite" in told
    assert build("-o", "precious.csv", "--overwrite")[0] == 0
    assert precious.read_bytes().startswith(b"<?xml")


def test_a_second_build_of_a_day_replaces_the_first(bank: Bank, build: Build) -> None:
    """The clerk who corrects and looks again need not clear away."""
    bank.record(event("O-1", 1))
    assert build()[0] == build("-o", "mine.xml")[0] == 0
    bank.record(event("O-2", 1))
    assert build()[0] == build("-o", "mine.xml")[0] == 0
    assert Path(NAME).read_bytes().count(b"<Blok ") == Path("mine.xml").read_bytes().count(b"<Blok ") == 2


def test_a_report_for_another_day_is_left_alone(bank: Bank, build: Build) -> None:
    """Yesterday's report, saved under a short name, is not today's to replace."""
    bank.record(event("O-1", 1))
    build("-o", "report.xml")
    other = Path("report.xml").read_text(encoding="utf-8").replace("2026-11-17", "2026-11-16")
    Path("report.xml").write_text(other, encoding="utf-8")
    assert build("-o", "report.xml")[0] == 2
    assert Path("report.xml").read_text(encoding="utf-8") == other


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.symlink_to("elsewhere.xml"), "no plain file"),
        (
            lambda path: (path.parent / "elsewhere.xml").touch() or path.symlink_to("elsewhere.xml"),
            "no plain file",
        ),
    ],
)
def test_a_link_is_not_followed(bank: Bank, build: Build, make: Callable[[Path], None], said: str) -> None:
    """What a link points to is somebody else's."""
    bank.record(event("O-1", 1))
    make(Path("link.xml").absolute())
    for options in ((), ("--overwrite",)):
        code, told = build("-o", "link.xml", *options)
        assert (code, said in told) == (2, True)


def test_a_folder_that_is_missing_is_named(bank: Bank, build: Build) -> None:
    """A typing error in a path is found at once."""
    bank.record(event("O-1", 1))
    code, told = build("-o", "no/such/report.xml")
    assert (code, "There is no folder no/such" in told) == (2, True)
