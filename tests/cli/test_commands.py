"""The command line as people and programs use it: its words, its exit codes, its JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from ajpes_reporting.cli.errors import in_words
from ajpes_reporting.cli.main import COMMANDS, run
from ajpes_reporting.database.engine import reason
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.shipped import sample

LEDGER = ("accounts.csv", "account-months.csv", "postings.csv", "events.csv")
CONTRACT = (
    "init", "demo", "ledger", "build", "check", "run", "collect", "resubmit", "resolve", "status", "show",
    "schedule", "doctor", "sandbox", "audit",
)  # fmt: skip


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "bank" / "authority", poll_seconds=0.05) as sandbox:
        yield sandbox


@pytest.fixture
def bank(tmp_path: Path, authority: Sandbox) -> Path:
    """A workspace with the sample ledger, wired to the bundled authority."""
    folder = tmp_path / "bank"
    authority.write_settings(folder / "ajpes.toml")
    from ajpes_reporting.workspace import complete_workspace

    complete_workspace(folder)
    assert (
        run(["-w", str(folder), "ledger", "import", *(str(sample(f"ledger/{name}")) for name in LEDGER)]) == 0
    )
    return folder


def test_the_commands_are_those_of_the_contract() -> None:
    """Scripts of others call them by name; there may be more."""
    assert [name for name in COMMANDS if name in CONTRACT] == list(CONTRACT)


@pytest.mark.parametrize("name", CONTRACT)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has to read the source to find an option."""
    assert run([name, "--help"]) == 0
    assert "Usage:" in capsys.readouterr().out


def test_the_demo_plays_the_whole_story(tmp_path: Path) -> None:
    """The first thing a new user sees: accepted over SOAP, accepted over SFTP, refused, mended."""
    folder = tmp_path / "demo"
    program = [sys.executable, "-m", "ajpes_reporting", "demo", str(folder)]
    told = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    verdicts = re.findall(r"^(NODURS|SPAPP) for .* was (accepted|refused)", told.stdout, re.M)
    assert verdicts == [
        ("NODURS", "accepted"), ("SPAPP", "accepted"), ("NODURS", "refused"), ("NODURS", "accepted"),
    ]  # fmt: skip
    assert "O-330 / event 2: " in told.stdout
    assert "by SOAP" in told.stdout
    assert "by SFTP" in told.stdout
    for place in ("ajpes.toml", "archive", "authority"):
        assert f"{folder}/{place}" in told.stdout
    assert run(["-w", str(folder), "audit", "verify"]) == 0
    again = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 2
    assert "Nothing was changed" in again.stderr


def test_a_run_is_told_as_one_json_document(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads stdout and finds one document there, nothing else."""
    capsys.readouterr()
    assert run(["-w", str(bank), "--json", "run", "nodurs"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ending"] == "attempted"
    assert document["submission"]["state"] == "accepted"
    assert document["submission"]["records"] == 9
    assert run(["status", "--json", "-w", str(bank)]) == 0
    assert [item["state"] for item in json.loads(capsys.readouterr().out)["submissions"]] == ["accepted"]


def test_exit_codes_tell_the_endings_apart(
    bank: Path, authority: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scheduler decides by them: 5 nothing arrived, 6 unknown, 4 refused, 0 done."""
    authority.faults.add("soap", "refuse")
    assert run(["-w", str(bank), "run", "nodurs", "--via", "soap"]) == 5
    assert "Nothing arrived at AJPES" in capsys.readouterr().out
    authority.faults.clear()
    authority.faults.add("soap", "html", times=1)
    assert run(["-w", str(bank), "run", "nodurs"]) == 6
    assert "not sent again before this is settled" in capsys.readouterr().out
    assert run(["-w", str(bank), "resubmit", "1"]) == 6
    assert run(["-w", str(bank), "resolve", "1", "--as", "never-arrived", "--reason", "AJPES said so"]) == 0
    authority.faults.add("soap", "fault", code="Client", times=1)
    assert run(["-w", str(bank), "run", "nodurs"]) == 4
    assert run(["-w", str(bank), "resubmit", "1", "--same"]) == 0
    assert run(["-w", str(bank), "run", "nodurs"]) == 0
    assert run(["-w", str(bank), "run", "spapp", "--month", "202610"]) == 0
    assert run(["-w", str(bank), "audit", "verify"]) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("O-301,3,", "O-301,9,"), ["line 2", "O-301", "issuer"]),
        (("2026-10-12,28843416", "2026-13-12,28843416"), ["line 2", "O-301 / event 1", "2026-13-12"]),
        ((",28843416,", ",288434.16,"), ["line 2", "O-301 / event 1", "288434.16", "cents"]),
        (("Kovinarstvo Žagar & sin d.o.o.", "x" * 141), ["line 2", "O-301", "141", "140"]),
        (("Mlin Sava d.d.", "Mlin\x07Sava"), ["line 10", "O-320"]),
        ((",302-2026,", ",12345678901234567890123,"), ["line 4", "O-302 / event 1", "23", "22"]),
        ((",3,2,00,", ",3,,00,"), ["line 6", "O-302 / event 3"]),
        ((",3,2,00,", ",3,77,00,"), ["line 6", "O-302 / event 3", "77"]),
        ((",3,2,00,", ",3,3,00,"), ["line 6", "O-302 / event 3"]),
        (("obligation_id,issuer", "obligation,issuer"), ["obligation_id"]),
        (("S.P.,010000000100381,1", "S.P.,01000000010038,1"), ["O-311", "15"]),
    ],
)  # fmt: skip
def test_bad_rows_are_named_and_nothing_is_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], words: list[str]
) -> None:
    """The clerk is told line, record, field and remedy; the ledger stays as it was; exit code 3."""
    folder = tmp_path / "bank"
    assert run(["init", str(folder)]) == 0
    text = sample("ledger/events.csv").read_text(encoding="utf-8")
    assert change[0] in text
    bad = tmp_path / "bad.csv"
    bad.write_text(text.replace(*change), encoding="utf-8")
    capsys.readouterr()
    assert run(["-w", str(folder), "ledger", "import", str(bad)]) == 3
    told = capsys.readouterr().err
    assert [word for word in words if word not in told] == [], told
    assert "Do: " in told
    assert run(["-w", str(folder), "ledger", "show", "O-301"]) == 2


def test_an_event_under_another_account_than_its_obligation_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An obligation hangs under one account; a row that says otherwise is a mistake."""
    folder = tmp_path / "bank"
    run(["init", str(folder)])
    lines = sample("ledger/events.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    lines[2] = lines[2].replace("010000000100187", "010000000100284")
    bad = tmp_path / "bad.csv"
    bad.write_text("".join(lines), encoding="utf-8")
    capsys.readouterr()
    assert run(["-w", str(folder), "ledger", "import", str(bad)]) == 3
    told = capsys.readouterr().err
    assert "line 3" in told
    assert "O-301" in told
    assert "010000000100284" in told


def test_a_workspace_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The wrong folder: exit code 2 and a way out, never a traceback."""
    assert run(["-w", str(tmp_path), "status"]) == 2
    told = capsys.readouterr()
    assert "There is no ajpes.toml" in told.err
    assert "init" in told.err
    assert told.out == ""


def test_an_error_is_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A program that asked for JSON gets JSON, also for a failure."""
    assert run(["-w", str(tmp_path), "--json", "status"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 2
    assert "ajpes.toml" in document["error"]["message"]


def test_a_build_writes_the_file_it_would_send(bank: Path, tmp_path: Path) -> None:
    """A clerk can look before anything leaves."""
    target = tmp_path / "out"
    target.mkdir()
    assert run(["-w", str(bank), "build", "spapp", "--month", "202610", "-o", str(target)]) == 0
    file = target / "SPAPP_202610_5860571.xml"
    assert run(["-w", str(bank), "check", str(file)]) == 0
    expected = sample("reports/SPAPP_202610_5860571.xml").read_text(encoding="utf-8")
    assert re.findall(r"<Pi [^>]*>", file.read_text(encoding="utf-8")) == re.findall(r"<Pi [^>]*>", expected)


def test_a_file_belongs_to_the_group_of_its_folder(bank: Path, tmp_path: Path) -> None:
    """Colleagues who share a folder can read what one of them has built."""
    target = tmp_path / "shared"
    target.mkdir()
    group = 1 if os.geteuid() == 0 else os.getgid()  # only root gives a folder to any other
    os.chown(target, -1, group)
    target.chmod(0o2775)
    assert run(["-w", str(bank), "build", "spapp", "--month", "202610", "-o", str(target)]) == 0
    (file,) = target.iterdir()
    assert file.stat().st_gid == group


def test_the_instructions_own_sample_is_told_its_faults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The printed sample writes euros with decimals and does not add up; check says both."""
    assert run(["-w", str(tmp_path), "check", str(sample("instruction/nodurs.xml"))]) == 3
    told = capsys.readouterr().out
    assert "UTF-16" in told
    assert "euros with decimals" in told
    # 288434.16 + 1507.99 + 200734.76, added by hand.
    assert "the records add up to 490,676.91 EUR" in told


def test_the_exact_bytes_come_back_out_of_the_archive(bank: Path, tmp_path: Path) -> None:
    """An auditor gets what was sent, byte by byte."""
    import hashlib

    assert run(["-w", str(bank), "run", "nodurs"]) == 0
    target = tmp_path / "sent.xml"
    assert run(["-w", str(bank), "show", "1", "--file", str(target)]) == 0
    program = [sys.executable, "-m", "ajpes_reporting", "-w", str(bank), "--json", "show", "1"]
    document = json.loads(subprocess.run(program, capture_output=True, check=True).stdout)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == document["sha256"]


def test_doctor_finds_a_good_workspace_good(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An administrator sees certificate, database and both ways at one glance."""
    capsys.readouterr()
    assert run(["-w", str(bank), "--json", "doctor"]) == 0
    found = {item["subject"]: item["health"] for item in json.loads(capsys.readouterr().out)["checks"]}
    assert found.pop("telling") == "not set up"
    assert found == dict.fromkeys(
        ("settings", "database", "clock", "disk", "certificate", "SOAP", "SFTP"), "ok"
    )


def test_a_wrong_host_key_is_named_and_nothing_is_sent(
    bank: Path, authority: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that is not the authority's gets nothing: exit code 5 and both fingerprints."""
    path = bank / "ajpes.toml"
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJl3dIeudNqd0DPMRD6OIh65tjkxFNOtwGcWB2gCgPhk"
    path.write_text(re.sub(r'host_key = ".*"', f'host_key = "{other}"', path.read_text("utf-8")), "utf-8")
    capsys.readouterr()
    assert run(["-w", str(bank), "run", "spapp", "--month", "202610"]) == 5
    assert capsys.readouterr().out.count("SHA256:") >= 2
    assert authority.store.submissions() == []


def test_the_schedule_runs_what_is_due_once(bank: Path, authority: Sandbox) -> None:
    """A tick from cron: the day's report, early in a month also the month's; a second tick sends nothing."""
    path = bank / "ajpes.toml"
    path.write_text(
        path.read_text("utf-8") + "\n[schedule]\nnodurs_start = 00:00:00\nspapp_start = 00:00:00\n", "utf-8"
    )
    assert run(["-w", str(bank), "tick"]) == 0
    sent = [one.report for one in authority.store.submissions()]
    assert sent.count("nodurs") == 1
    assert run(["-w", str(bank), "tick"]) == 0
    assert [one.report for one in authority.store.submissions()] == sent


def test_an_answer_with_a_namespace_is_checked_by_its_local_names(tmp_path: Path) -> None:
    """`check` reads an answer as the run does, whatever namespace the authority gives it."""
    text = sample("answers/psodgovor-accepted.xml").read_text(encoding="utf-8")
    path = tmp_path / "answer.xml"
    path.write_text(text.replace("<PsOdgovor>", '<PsOdgovor xmlns="urn:anything">'), encoding="utf-8")
    assert run(["check", str(path)]) == 0
    path.write_text(path.read_text("utf-8").replace('iErr="0"', 'iErr="none"'), encoding="utf-8")
    assert run(["check", str(path)]) == 3


def test_a_workspace_can_be_completed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After an update, or for a new database, `init` makes what is missing and leaves the settings."""
    folder = tmp_path / "bank"
    assert run(["init", str(folder)]) == 0
    settings = (folder / "ajpes.toml").read_text(encoding="utf-8")
    (folder / "ajpes.db").unlink()
    assert run(["-w", str(folder), "status"]) == 2
    assert run(["init", str(folder)]) == 0
    assert "left alone" in capsys.readouterr().out
    assert (folder / "ajpes.toml").read_text(encoding="utf-8") == settings
    assert run(["-w", str(folder), "status"]) == 0
    assert run(["init", str(folder), "--name", "Another"]) == 2


def test_a_month_that_has_not_ended_is_not_reported(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report of half a month could never be taken back."""
    assert run(["-w", str(bank), "run", "spapp", "--month", "299901"]) == 2
    assert "has not ended yet" in capsys.readouterr().err


def test_a_database_that_fails_tells_no_names() -> None:
    """What goes to a log at night holds the reason, and not the statement with its customers."""
    values = {"name": "Kovinarstvo Žagar"}
    failure = OperationalError("INSERT INTO debtors …", values, Exception("disk is full"))
    told = in_words(failure)
    assert told is not None
    assert "disk is full" in told.message
    assert "Žagar" not in told.message
    assert "INSERT" not in told.message
    assert "Žagar" not in reason(failure)


def test_a_slip_of_the_hand_is_refused_and_leaves_nothing(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table given as an answer raised an alarm that nobody could clear, and left with 0."""
    assert run(["-w", str(bank), "collect", str(sample("ledger/events.csv"))]) == 2
    assert "ledger import" in capsys.readouterr().err
    assert run(["-w", str(bank), "answers", "list"]) == 0
    assert "No answer was set aside." in capsys.readouterr().out


def test_an_answer_that_was_not_applied_is_not_told_as_done(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that looks at the exit code sees it, and a person puts it away with a reason."""
    (answer := tmp_path / "answer.xml").write_text("<BlokOdgovor/>")
    assert run(["-w", str(bank), "collect", str(answer)]) == 6
    assert "answers list" in capsys.readouterr().out
    assert run(["-w", str(bank), "answers", "list", "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["id"], listed["status"], bool(listed["note"])) == (1, "unreadable", True)
    assert run(["-w", str(bank), "answers", "discard", "1", "--reason", " "]) == 2
    assert run(["-w", str(bank), "answers", "discard", "2", "--reason", "a slip"]) == 2
    assert run(["-w", str(bank), "answers", "discard", "1", "--reason", "a slip"]) == 0
    assert run(["-w", str(bank), "answers", "discard", "1", "--reason", "a slip"]) == 2
    capsys.readouterr()
    assert run(["-w", str(bank), "answers", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    "content", ['<BlokOdgovor xmlns="urn:a"><Ident', '<BlokOdgovor xmlns="a}b{c"><x/></BlokOdgovor>', ""]
)
def test_whatever_is_checked_ends_with_words_and_a_code(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half an answer in a namespace, and braces in one, ended with a traceback."""
    (path := tmp_path / "answer.xml").write_text(content)
    assert run(["-w", str(tmp_path), "check", str(path)]) == 3
    told = capsys.readouterr()
    assert told.out + told.err
