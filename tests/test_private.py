"""Every file that holds facts is its owner's alone from its first byte, whatever the umask and the folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.private import close_to_others, make_folder, open_private, open_to_others
from ajpes_reporting.shipped import sample

LEDGER = tuple(
    str(sample(f"ledger/{name}.csv")) for name in ("accounts", "account-months", "postings", "events")
)

# Runs the command line with the umask that it was started with, and looks at every file at each step that
# Python tells of: whatever was wide at one time, or was narrowed after it was filled, is named.
_WATCHED = """
import os, stat, sys
place, *arguments = sys.argv[1:]
belt, seen = os.umask, set()
os.umask = lambda mask: mask

def look():
    for folder, _folders, names in os.walk(place):
        for name in names:
            try:
                found = os.lstat(os.path.join(folder, name))
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode) and found.st_size and found.st_mode & 0o077:
                seen.add(f"{name} was {found.st_mode & 0o777:o}")

busy = False
def watch(event, details):
    global busy
    if not busy and event.partition(".")[0] in ("open", "os", "sqlite3", "shutil", "fcntl", "subprocess"):
        busy = True
        look()
        if event == "os.chmod":
            number = details[0]
            if (os.fstat(number) if isinstance(number, int) else os.stat(number)).st_size:
                seen.add(f"{number} was narrowed afterwards")
        busy = False

sys.addaudithook(watch)
from ajpes_reporting.cli.main import run
code = run(arguments)
look()
print(*sorted(seen), sep="\\n", file=sys.stderr)
sys.exit(99 if seen else code)
"""


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture(params=[0o000, 0o022], ids=["000", "022"])
def wide(request: pytest.FixtureRequest) -> Iterator[int]:
    """What most users have, and the worst."""
    with umask(request.param):
        yield request.param


@pytest.fixture
def place(tmp_path: Path, wide: int) -> Path:
    """Somebody else's folder: everybody may look into it, and into the one that becomes a workspace."""
    folder = tmp_path / "place"
    (folder / "bank").mkdir(parents=True)
    for each in (folder, folder / "bank"):
        each.chmod(0o755)
    return folder


def watched(place: Path, *arguments: str) -> None:
    program = [sys.executable, "-c", _WATCHED, str(place), "-w", str(place / "bank"), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, cwd=place, check=False)
    assert done.returncode == 0, done.stderr


def wide_files(place: Path) -> list[str]:
    found = (path for path in place.rglob("*") if not path.is_symlink())
    return [f"{path.relative_to(place)} {mode(path):o}" for path in found if mode(path) & 0o077]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_no_file_is_open_to_others_at_any_time(place: Path) -> None:
    """A user of the same machine reads no debtor's name, in whatever folder an administrator calls `init`."""
    watched(place, "init", str(place / "bank"))
    watched(place, "ledger", "import", *LEDGER)
    watched(place, "build", "spapp", "--month", "202610", "-o", "spapp.xml")
    watched(place, "build", "nodurs", "-o", str(place / "bank"))
    watched(place, "backup", "deep/er/backup")
    watched(place, "audit", "export", "-o", "record.jsonl")
    watched(place, "restore", "deep/er/backup", "again/bank")
    watched(place, "init", "new/bank")
    (place / "bank").chmod(0o700)
    assert wide_files(place) == []


def test_a_report_on_its_way_is_open_to_nobody(tmp_path: Path) -> None:
    """Archive, working folders, answers, keys: what `demo` makes is whole with the umask of any user."""
    with umask(0o000):
        program = [sys.executable, "-m", "ajpes_reporting", "demo", "demo"]
        done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "demo" / "archive").rglob("*.zst"))
    assert wide_files(tmp_path) == []


def test_the_logs_of_the_database_are_as_narrow(tmp_path: Path, wide: int) -> None:
    """Programs that use our connections, such as a web shop, have no umask of ours."""
    engine = open_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE names (name TEXT)")
        connection.exec_driver_sql("INSERT INTO names VALUES ('Ana Novak')")
    with engine.connect():
        assert {path.name: mode(path) for path in tmp_path.glob("shop.db*")} == dict.fromkeys(
            ("shop.db", "shop.db-wal", "shop.db-shm"), 0o600
        )
    engine.dispose()


def test_a_link_that_leads_nowhere_yet_is_no_way_round(tmp_path: Path, wide: int) -> None:
    """The database may be meant to lie on another disk."""
    target = tmp_path / "disk.db"
    (tmp_path / "ajpes.db").symlink_to(target)
    engine = open_engine(f"sqlite:///{tmp_path / 'ajpes.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE names (name TEXT)")
    engine.dispose()
    assert mode(target) == 0o600


def test_a_file_that_is_there_is_closed_before_it_is_written(tmp_path: Path) -> None:
    """An old export that everybody may read does not make the new one so."""
    old = tmp_path / "old.xml"
    old.write_text("old")
    old.chmod(0o644)
    with open_private(old, "wb") as file:
        assert mode(old) == 0o600
        assert old.read_bytes() == b""
        file.write(b"names")


def test_a_device_keeps_its_rights() -> None:
    """`-o /dev/stdout` and `/dev/null` are no files of ours."""
    before = mode(Path("/dev/null"))
    with open_private(Path("/dev/null"), "wb") as file:
        file.write(b"names")
    assert mode(Path("/dev/null")) == before


def test_a_folder_is_made_with_those_above_it(tmp_path: Path, wide: int) -> None:
    """A year and a month of the archive too; a folder that is there keeps the rights its owner chose."""
    (tmp_path / "there").mkdir(mode=0o755)
    before = mode(tmp_path / "there")
    make_folder(tmp_path / "there" / "2026" / "11")
    make_folder(tmp_path / "there")
    assert (mode(tmp_path / "there" / "2026"), mode(tmp_path / "there" / "2026" / "11")) == (0o700, 0o700)
    assert mode(tmp_path / "there") == before
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        make_folder(tmp_path / "file" / "inside")


def test_a_folder_of_a_group_gets_a_file_of_its_owner(tmp_path: Path) -> None:
    """The file belongs to the group; who lets the group read it is its owner, afterwards."""
    folder = tmp_path / "bank"
    assert run(["init", str(folder)]) == 0
    assert run(["-w", str(folder), "ledger", "import", *LEDGER]) == 0
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2775)
    with umask(0o000):
        assert run(["-w", str(folder), "build", "spapp", "--month", "202610", "-o", str(shared)]) == 0
    (file,) = shared.iterdir()
    assert mode(file) == 0o600


def test_doctor_names_what_an_older_version_left_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An administrator is told which files, and `init` closes them."""
    folder = tmp_path / "bank"
    assert run(["init", str(folder)]) == 0
    for path, rights in ((folder, 0o755), (folder / "ajpes.db", 0o644), (folder / "archive", 0o755)):
        path.chmod(rights)
    old = folder / "archive" / "2026" / "old.zst"
    old.parent.mkdir(mode=0o755)
    old.write_text("names")
    old.chmod(0o640)
    capsys.readouterr()
    run(["-w", str(folder), "doctor"])
    told = "".join(capsys.readouterr().out.split())
    assert str(folder / "ajpes.db") in told
    assert str(old) in told
    assert "files.Do:" in told
    assert run(["init", str(folder)]) == 0
    assert (mode(folder / "ajpes.db"), mode(folder / "archive"), mode(folder)) == (0o600, 0o700, 0o755)
    capsys.readouterr()
    run(["-w", str(folder), "doctor"])
    assert "other users" not in capsys.readouterr().out


def test_what_lies_behind_a_closed_door_is_not_open(tmp_path: Path) -> None:
    """A workspace of an older version, in a folder of its owner's alone, is no reason to alarm anybody."""
    folder = tmp_path / "bank"
    folder.mkdir(mode=0o700)
    (folder / "ajpes.db").write_text("names")
    (folder / "ajpes.db").chmod(0o644)
    assert list(open_to_others(folder / "ajpes.db")) == []
    folder.chmod(0o710)
    assert list(open_to_others(folder / "ajpes.db")) == [folder / "ajpes.db"]
    close_to_others(folder / "ajpes.db")
    assert mode(folder / "ajpes.db") == 0o600
    close_to_others(folder / "gone")


def test_the_doctor_names_a_key_for_sftp_that_is_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever reads it can sign in as the bank; OpenSSH's own client would not use it."""
    folder, key = tmp_path / "bank", tmp_path / "sftp_key"
    assert run(["init", str(folder)]) == 0
    key.write_text("a key")
    with (folder / "ajpes.toml").open("a") as settings:
        settings.write(
            f'[sftp]\nhost = "127.0.0.1"\nport = 9\nusername = "b"\nhost_key = "x"\nprivate_key = "{key}"\n'
        )
    for key_mode, is_named in ((0o644, True), (0o600, False)):
        key.chmod(key_mode)
        tmp_path.chmod(0o755)
        capsys.readouterr()
        run(["-w", str(folder), "doctor"])
        assert ("chmod go= " in capsys.readouterr().out) == is_named


def test_a_tick_says_once_a_day_what_is_open(tmp_path: Path) -> None:
    """Where only cron looks at it, the log says so."""
    folder = tmp_path / "bank"
    assert run(["init", str(folder)]) == 0
    folder.chmod(0o755)
    (folder / "ajpes.db").chmod(0o644)
    program = [sys.executable, "-m", "ajpes_reporting", "-w", str(folder), "tick"]
    said = [subprocess.run(program, capture_output=True, text=True, check=False).stderr for _ in range(2)]
    assert ["other users of this machine may read" in each for each in said] == [True, False]
