"""What others wrote, wherever it is printed: nothing in it commands a terminal or makes a line of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.shipped import sample

# What the ledger lets through; what XML does, too; what only a name of a file or an argument can hold.
NAME = "\u202eEVIL\u2066\u061c\u200f\u200b\ufeff\u2028\u2029\U000e0041"
EVIL = f"\x9b31m\x9d0;x\x9c{NAME}"
WORSE = EVIL + "\x1b[2J\x07\rx\ny\tz\x7f"


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Sandbox]:
    """It reads nothing by itself: the test writes the answers."""
    with Sandbox(tmp_path / "bank" / "authority", poll_seconds=None) as sandbox:
        yield sandbox


@pytest.fixture
def bank(tmp_path: Path, authority: Sandbox) -> Path:
    folder = tmp_path / "bank"
    authority.write_settings(folder / "ajpes.toml")
    settings = (folder / "ajpes.toml").read_text("utf-8")
    settings = settings.replace("[sftp]\n", "[sftp]\nanswer_wait_seconds = 0.0\n")
    (folder / "ajpes.toml").write_text(settings, "utf-8")
    assert run(["init", str(folder)]) == 0
    return folder


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code, and all that is printed, in which nothing acts and nothing hides."""
    capsys.readouterr()
    code = run(list(arguments))
    both = capsys.readouterr()
    text = both.out + both.err
    assert [letter for letter in text if letter != "\n" and not letter.isprintable()] == []
    return code, text


def test_nothing_a_stranger_wrote_acts_on_a_terminal(
    bank: Path, authority: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names in the ledger, AJPES's texts, names of files over SFTP: every command that shows them."""
    at = ("-w", str(bank))
    events = tmp_path / f"events {WORSE}.csv"
    text = sample("ledger/events.csv").read_text("utf-8")
    text = text.replace("Kovinarstvo Žagar & sin d.o.o.", f"Kovinarstvo {NAME}")
    events.write_text(text.replace("Odvetnica", f"Odvetnica {NAME}"), encoding="utf-8")
    code, shown = told(capsys, *at, "ledger", "import", str(events))
    assert code == 0, shown
    assert told(capsys, *at, "run", "nodurs", "--via", "sftp")[0] == 0
    now = datetime.now(UTC).astimezone(LJUBLJANA)
    answer = (
        f'<BlokOdgovor><Ident iErr="1" maticnaPonudnika="5860571000" datumPriprave="{now:%Y-%m-%dT%H:%M:%S}"'
        f' iWrn="0" datumPodatkov="{now:%Y-%m-%d}"/><Napaka blokId="O-301" dogId="2" id="12" vrsta="ERR">'
        f"<Opis>Manjka {EVIL}\nNODURS was accepted.</Opis></Napaka></BlokOdgovor>"
    )
    inbox = authority.folders.outgoing("nodurs")
    (inbox / f"NODURS {WORSE}.xml").write_text(answer, encoding="utf-8")
    (inbox / f"foreign {WORSE}.xml").write_text(answer.replace("5860571000", "1234567000"), encoding="utf-8")
    code, shown = told(capsys, *at, "collect")
    assert code == 6  # the foreign one could not be applied
    assert r"\x9b31m" in shown
    assert r"\u202e" in shown
    for command in (
        ["show", "1"], ["show", "1", "--answers"], ["ledger", "show", "O-301"], ["status"], ["run", "nodurs"],
        ["build", "nodurs", "-o", str(tmp_path / f"out {WORSE}.xml")], ["check", str(events)], ["tick"],
        ["collect", str(events)], ["audit", "export", "-o", str(tmp_path / "record")], ["audit", "verify"],
        ["pending"], ["pending", "--csv", "-"], ["pending", "--csv", str(tmp_path / f"table {WORSE}.csv")],
    ):  # fmt: skip
        told(capsys, *at, *command)
        capsys.readouterr()
        told(capsys, *at, "--json", *command)
    shown = told(capsys, *at, "show", "1")[1]
    assert r"Manjka \x9b31m" in "".join(shown.split("\n"))
    assert "\nNODURS was accepted." not in shown
    assert "EVIL" in told(capsys, *at, "ledger", "show", "O-301")[1]
    capsys.readouterr()
    run([*at, "--json", "ledger", "show", "O-301"])
    assert json.loads(capsys.readouterr().out)["obligation"]["debtor_name"] == f"Kovinarstvo {NAME}"
    for line in (tmp_path / "record").read_text("utf-8").split("\n")[:-1]:
        assert line.isprintable()
        json.loads(line)


def test_what_is_typed_or_set_wrongly_is_shown_escaped(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments, options, settings, the environment, rows of a refused file, a missing file."""
    at = ("-w", str(bank))
    bad = tmp_path / "bad.csv"
    text = sample("ledger/events.csv").read_text("utf-8")
    bad.write_text(text.replace("O-301,3,", f"O-301{WORSE},9{WORSE},").replace("28843416", EVIL), "utf-8")
    assert told(capsys, *at, "ledger", "import", str(bad))[0] == 3
    bad.write_text(text.replace("priority", f"priority{EVIL}"), "utf-8")
    assert told(capsys, *at, "ledger", "import", str(bad))[0] == 3
    for command in (
        [WORSE], ["show", WORSE], ["run", WORSE], ["run", "nodurs", "--date", WORSE], ["run", f"--{WORSE}"],
        ["ledger", "show", WORSE], ["ledger", "cancel", WORSE, WORSE, "--replace", WORSE], ["check", WORSE],
        ["ledger", "import", WORSE], ["run", "nodurs", "--via", WORSE], ["restore", WORSE, WORSE],
        ["resolve", "1", "--as", WORSE, "--reason", WORSE], ["show", "--help", WORSE],
    ):  # fmt: skip
        told(capsys, *at, *command)
        told(capsys, *at, "--json", *command)
    told(capsys, "-w", WORSE, "status")
    monkeypatch.setenv("AJPES_REPORTING_NODURS__AMOUNTS", WORSE)
    assert told(capsys, *at, "status")[0] == 2
    monkeypatch.delenv("AJPES_REPORTING_NODURS__AMOUNTS")
    settings = (bank / "ajpes.toml").read_text("utf-8")
    (bank / "ajpes.toml").write_text(settings + f'\n["{EVIL}"]\nx = "{EVIL}"\n', "utf-8")
    assert told(capsys, *at, "doctor")[0] == 2


@pytest.mark.parametrize(
    "command",
    [["ledger", "show", "O\udc9b"], ["ledger", "import", "a\udcff.csv"], ["collect", "a\udcff.xml"],
     ["check", "a\udcff.xml"], ["resolve", "1", "--as", "delivered", "--reason", "\udcff"],
     ["init", "w\udcff"], ["-w", "w\udcff", "status"],
     ["ledger", "cancel", "O-301", "1", "--replace", "debtor_name=\udcff"]],
    ids=lambda command: ascii(command[-1]),
)  # fmt: skip
def test_what_is_no_utf_8_is_refused_in_words(
    bank: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """A name typed in a terminal of Latin-2, a file from an old disk: no traceback, nothing done."""
    code, shown = told(capsys, "-w", str(bank), *command)
    assert code == 2
    assert "is not UTF-8 text. Nothing was done." in shown


def test_a_fault_of_ours_shows_no_raw_text_either(tmp_path: Path) -> None:
    """A traceback ends with the words of the error, and those may be a stranger's."""
    program = (
        "import sys; from ajpes_reporting.cli import main as m\n"
        f"def fail(*_a): raise ValueError({WORSE!r})\n"
        "m.run = fail; m.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, cwd=tmp_path)
    said = done.stderr.decode("utf-8")
    assert done.returncode == 1
    assert r"  ValueError: \x9b31m" in said
    assert [line for line in said.splitlines() if not line.startswith("  ")] == ["The program failed."]
    assert said.replace("\n", "").isprintable()
