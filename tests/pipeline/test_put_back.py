"""A database that was put back from a snapshot: what left since is found, and nothing is sent twice."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.config import AlarmsSection, open_workspace
from ajpes_reporting.domain.errors import AjpesReportingError, OutcomeUnknown
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import submissions
from ajpes_reporting.pipeline.collect import take_by_hand
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.pipeline.operator_actions import release, resolve
from ajpes_reporting.pipeline.run import Ending, Result
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.shipped import sample
from ajpes_reporting.wiring import open_context
from tests.pipeline.conftest import (
    ANSWER_WAIT_SECONDS,
    NOV_18,
    OCTOBER,
    Bank,
    Time,
    event,
    make_bank,
)  # fmt: skip

WAYS = ("soap", "sftp")


class Snapshots:
    """Copies of a database, and the database put back to one of them, as a virtual machine is."""

    def __init__(self, url: str, postgres: Callable[[str], None]) -> None:
        self._url = make_url(url)
        self._sql = postgres

    def take(self) -> None:
        if self._url.get_backend_name() == "sqlite":
            path = Path(str(self._url.database))
            with create_engine(self._url).connect() as connection:
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            path.with_suffix(".snapshot").write_bytes(path.read_bytes())
        else:
            self._sql(f'CREATE DATABASE "{self._url.database}_snapshot" TEMPLATE "{self._url.database}"')

    def put_back(self) -> None:
        if self._url.get_backend_name() == "sqlite":
            path = Path(str(self._url.database))
            for end in ("-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
            path.write_bytes(path.with_suffix(".snapshot").read_bytes())
        else:
            self._sql(f'DROP DATABASE "{self._url.database}" WITH (FORCE)')
            self._sql(f'CREATE DATABASE "{self._url.database}" TEMPLATE "{self._url.database}_snapshot"')

    def forget(self) -> None:
        if self._url.get_backend_name() != "sqlite":
            self._sql(f'DROP DATABASE IF EXISTS "{self._url.database}_snapshot"')


class Machine:
    """A bank whose database can be put back."""

    def __init__(self, bank: Bank, snapshots: Snapshots) -> None:
        self.bank = bank
        self._snapshots = snapshots

    def snapshot(self) -> None:
        self.bank.context.engine.dispose()
        self._snapshots.take()

    def put_back(self) -> Bank:
        """The same workspace, a day of nobody's memory later."""
        self.bank.context.engine.dispose()
        self._snapshots.put_back()
        context = replace(
            open_context(open_workspace(self.bank.folder), self.bank.time),
            answer_wait_seconds=ANSWER_WAIT_SECONDS,
        )
        self.bank.context = context
        return self.bank


@pytest.fixture
def machine(
    tmp_path: Path, database_url: str, clock: Time, authority: Sandbox, request: pytest.FixtureRequest
) -> Iterator[Machine]:
    folder = tmp_path / "bank"
    folder.mkdir()
    bank = make_bank(folder, database_url, clock, authority)
    sql = (
        (lambda _sql: None)
        if database_url.startswith("sqlite")
        else request.getfixturevalue("postgres").execute
    )
    snapshots = Snapshots(database_url, sql)
    with ExitStack() as stack:
        stack.callback(snapshots.forget)
        yield Machine(bank, snapshots)
        bank.context.engine.dispose()


def alarm_kinds(bank: Bank) -> set[str]:
    with bank.context.engine.connect() as connection:
        log = bank.context.archive.sent_log
        found = conditions(connection, bank.context.provider, AlarmsSection(), bank.time(), log)
        return {alarm.kind for alarm in found}


def held(result: Result) -> int:
    assert result.ending is Ending.HELD
    assert result.submission is not None
    return result.submission.id


@pytest.mark.parametrize("via", WAYS)
def test_what_left_since_the_snapshot_is_not_sent_again(machine: Machine, via: str) -> None:
    """The machine's database forgets an accepted day: its report is held, and the alarm says what left."""
    machine.bank.record(event("O-1", 1))
    machine.snapshot()
    sent = machine.bank.run(via=via).submission
    assert sent is not None
    assert sent.state is State.ACCEPTED
    bank = machine.put_back()
    assert "orphan" in alarm_kinds(bank)  # before any run
    assert any(sent.file_name in problem and via.upper() in problem for problem in bank.problems())
    first = bank.run(via=via)
    key = held(first)
    reason = str(first.submission.held_because)  # type: ignore[union-attr]
    assert sent.file_name in reason
    assert via.upper() in reason
    assert "2026-11-17 17:00" in reason
    assert held(bank.run(via=via)) == key
    assert {"orphan", "held"} <= alarm_kinds(bank)
    assert len(bank.authority.store.submissions()) == 1
    with pytest.raises(OutcomeUnknown):
        bank.resubmit(key, same=True)
    assert len(bank.authority.store.submissions()) == 1


def test_what_a_person_has_released_goes_and_is_not_asked_again(machine: Machine) -> None:
    """AJPES has nothing after all: the report goes, and the same old hand-over stops nothing any more."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    machine.snapshot()
    bank.authority.faults.add("soap", "drop_request", times=1)
    assert bank.run().submission.state is State.UNKNOWN  # type: ignore[union-attr]
    bank = machine.put_back()
    release(bank.context, held(bank.run()), "AJPES has nothing, Ms Novak")
    assert "orphan" not in alarm_kinds(bank)
    sent = bank.run()
    assert sent.ending is Ending.ATTEMPTED
    assert sent.submission.state is State.ACCEPTED  # type: ignore[union-attr]
    assert bank.problems() == ()
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T08:00:00"), name="more.csv")
    assert bank.run(period=NOV_18).submission.state is State.ACCEPTED  # type: ignore[union-attr]
    assert bank.problems() == ()


def test_what_ajpes_has_is_settled_by_a_persons_word(machine: Machine) -> None:
    """The month that was sent counts as delivered once somebody has asked, and nothing is sent."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    machine.snapshot()
    bank.run()
    bank = machine.put_back()
    assert resolve(bank.context, held(bank.run()), "delivered", "AJPES").state is State.DELIVERED
    assert "orphan" not in alarm_kinds(bank)
    assert bank.run().ending is Ending.AWAITS_ANSWER
    assert len(bank.authority.store.submissions()) == 1
    assert bank.problems() == ()


def test_another_day_is_not_held_for_it(machine: Machine) -> None:
    """What has left is known to the day: the next day's report goes in time, and brings the day home."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    machine.snapshot()
    bank.run()
    bank = machine.put_back()
    held(bank.run())
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T08:00:00"), name="more.csv")
    assert bank.run(period=NOV_18).submission.state is State.ACCEPTED  # type: ignore[union-attr]
    assert bank.pending() == 0
    assert "orphan" not in alarm_kinds(bank)
    assert bank.problems() == ()


@pytest.mark.parametrize("moment", ["prepared", "sending"])
def test_a_report_that_the_snapshot_has_half_done_is_unknown(
    machine: Machine, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal says that nothing was handed over, the archive that it was: it is not sent again."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    name = "begin_attempt" if moment == "prepared" else "hand_over"
    real = getattr(submissions, name)

    def power_cut(*arguments: object, **options: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(submissions, name, power_cut)
    with pytest.raises(KeyboardInterrupt):
        bank.run()
    monkeypatch.setattr(submissions, name, real)
    machine.snapshot()
    bank = machine.put_back()  # what the run held of the lock is gone
    bank.authority.faults.add("soap", "drop_answer", times=1)
    first = bank.run().submission
    assert first is not None
    assert first.state is State.UNKNOWN
    taken = len(bank.authority.store.submissions())
    bank = machine.put_back()
    result = bank.run()
    assert result.ending is Ending.MUST_BE_SETTLED
    assert result.submission is not None
    assert (result.submission.id, result.submission.state) == (first.id, State.UNKNOWN)
    assert len(bank.authority.store.submissions()) == taken == 1
    assert bank.problems() == ()
    assert resolve(bank.context, first.id, "delivered", "AJPES").state is State.DELIVERED


def test_an_answer_in_the_archive_is_found_whatever_the_number_of_its_call(machine: Machine) -> None:
    """Other calls had failed in between, of which the database knows nothing: the answer is applied."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "refuse", times=2)
    assert bank.run(via="soap").submission.state is State.UNREACHABLE  # type: ignore[union-attr]
    machine.snapshot()
    assert bank.run(via="soap").submission.state is State.UNREACHABLE  # type: ignore[union-attr]
    assert bank.run(via="soap").submission.state is State.ACCEPTED  # type: ignore[union-attr]
    bank = machine.put_back()
    assert bank.run(via="soap").ending is Ending.ALREADY_REPORTED
    assert len(bank.authority.store.submissions()) == 1
    assert bank.pending() == 0
    assert bank.problems() == ()


def test_a_report_over_sftp_that_the_snapshot_has_half_done_settles_itself(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer lies in the authority's folder: the period is accepted without anybody's doing."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    real = submissions.begin_attempt

    def power_cut(*arguments: object, **options: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(submissions, "begin_attempt", power_cut)
    with pytest.raises(KeyboardInterrupt):
        bank.run(via="sftp")
    monkeypatch.setattr(submissions, "begin_attempt", real)
    machine.snapshot()
    assert bank.run(via="sftp").submission.state is State.ACCEPTED  # type: ignore[union-attr]
    bank = machine.put_back()
    assert bank.run().ending is Ending.ALREADY_REPORTED
    assert len(bank.authority.store.submissions()) == 1
    assert bank.pending() == 0
    assert bank.problems() == ()


def test_a_file_that_was_archived_and_never_handed_over_holds_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run killed between the archive and the journal leaves a file that nobody has to explain."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    real = submissions.prepare

    def power_cut(*arguments: object, **options: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(submissions, "prepare", power_cut)
    with pytest.raises(KeyboardInterrupt):
        bank.run()
    monkeypatch.setattr(submissions, "prepare", real)
    assert len(list(bank.context.archive.root.glob("2026/11/NODURS*"))) == 1
    assert bank.problems() == ()
    assert bank.run().submission.state is State.ACCEPTED  # type: ignore[union-attr]
    assert bank.problems() == ()
    assert alarm_kinds(bank) == set()


@pytest.mark.parametrize("via", WAYS)
def test_a_log_of_what_is_sent_that_cannot_be_written_stops_the_hand_over(bank: Bank, via: str) -> None:
    """What nobody could prove afterwards does not leave."""
    bank.record(event("O-1", 1))
    bank.collect()
    log = bank.context.archive.root / "sent.log"
    log.rename(log.with_name("kept"))
    log.mkdir()
    with pytest.raises(AjpesReportingError, match=r"sent\.log.*Nothing was sent"):
        bank.run(via=via)
    assert bank.authority.store.submissions() == []
    log.rmdir()
    log.with_name("kept").rename(log)
    assert bank.run(via=via).submission.state is State.ACCEPTED  # type: ignore[union-attr]


def test_a_workspace_of_an_older_version_goes_on(machine: Machine) -> None:
    """An upgrade brings the log; what was sent before it is known to the journal and holds nothing."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    assert bank.run().submission.state is State.ACCEPTED  # type: ignore[union-attr]
    (bank.context.archive.root / "sent.log").unlink()
    with bank.context.engine.begin() as connection:
        connection.execute(text("DELETE FROM chores WHERE name = 'archive'"))
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T08:00:00"), name="more.csv")
    assert bank.run(period=NOV_18).submission.state is State.ACCEPTED  # type: ignore[union-attr]
    assert bank.problems() == ()


def test_a_line_that_was_cut_off_in_the_middle_is_passed_over(bank: Bank) -> None:
    """The power failed while the log was written: nothing had left, and the next line stands alone."""
    bank.record(event("O-1", 1))
    bank.collect()
    with (bank.context.archive.root / "sent.log").open("a") as log:
        log.write('{"submission": 1, "att')
    assert bank.run().submission.state is State.ACCEPTED  # type: ignore[union-attr]
    assert [line.submission for line in bank.context.archive.sent_log.since(0)] == [1]
    assert bank.problems() == ()


@pytest.mark.parametrize("damaged", [b"", b"\0" * 300])
def test_a_log_whose_beginning_is_lost_is_begun_again(bank: Bank, damaged: bytes) -> None:
    """A disk that lost the log's first block must not stop all reporting, nor make the archive a stranger."""
    bank.record(event("O-1", 1))
    bank.run()
    log = bank.context.archive.sent_log
    number = log.archive()
    (bank.context.archive.root / "sent.log").write_bytes(damaged)
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T08:00:00"), name="more.csv")
    assert bank.run(period=NOV_18).submission.state is State.ACCEPTED  # type: ignore[union-attr]
    assert log.archive() == number
    assert [line.submission for line in log.since(0)] == [2]
    assert bank.problems() == ()


def test_what_was_imported_again_a_day_later_brings_the_day_home(machine: Machine) -> None:
    """The day itself has nothing to report any more: its alarm ends with the one that has it."""
    machine.snapshot()
    machine.bank.record(event("O-1", 1))
    machine.bank.run()
    bank = machine.put_back()
    assert bank.run().ending is Ending.NOTHING_TO_REPORT
    assert "orphan" in alarm_kinds(bank)
    bank.time.pass_by(days=1)
    assert bank.run(period=NOV_18).ending is Ending.NOTHING_TO_REPORT
    assert "orphan" in alarm_kinds(bank)
    bank.record(event("O-1", 1))
    assert bank.run(period=NOV_18).submission.state is State.ACCEPTED  # type: ignore[union-attr]
    assert "orphan" not in alarm_kinds(bank)
    assert bank.problems() == ()


def test_an_answer_to_what_was_still_unknown_settles_the_period(machine: Machine) -> None:
    """AJPES accepted the day, whichever of two reports it was: nobody is reminded for good."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "drop_answer", times=1)
    unknown = bank.run(via="soap").submission
    assert unknown is not None
    assert unknown.state is State.UNKNOWN
    machine.snapshot()
    bank.record(event("O-2", 1), name="more.csv")
    resolve(bank.context, unknown.id, "never-arrived", "the wrong colleague said so")
    bank.time.pass_by(minutes=10)
    bank.run(via="soap")
    bank = machine.put_back()
    assert bank.run(via="soap").ending is Ending.MUST_BE_SETTLED
    assert "orphan" in alarm_kinds(bank)
    path = bank.folder / "acceptance.xml"
    path.write_text(REFUSAL.replace('iErr="1"', 'iErr="0"'))
    (taken,) = take_by_hand(bank.context, [path])
    assert taken.submission is not None
    assert taken.submission.state is State.ACCEPTED
    assert "orphan" not in alarm_kinds(bank)
    assert bank.problems() == ()


def test_the_commands_say_it(machine: Machine) -> None:
    """Who looks before the next run is told by `status`, by `doctor` and by `audit verify`."""
    machine.bank.record(event("O-1", 1))
    machine.snapshot()
    machine.bank.run()
    bank = machine.put_back()
    for command, code in ((["status"], 0), (["doctor"], 0), (["audit", "verify"], 1)):
        program = [sys.executable, "-m", "ajpes_reporting", "-w", str(bank.folder)]
        done = subprocess.run([*program, *command], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "NODURS_20261117_5860571.xml" in done.stdout.replace("\n", "")
        assert "Traceback" not in done.stderr


class Folder:
    """The whole workspace, database and archive, as a virtual machine's disk holds it."""

    def __init__(self, machine: Machine, tmp_path: Path) -> None:
        self._machine, self._copy = machine, tmp_path / "disk"

    def take(self) -> None:
        self._machine.snapshot()
        shutil.copytree(self._machine.bank.context.archive.root, self._copy)

    def put_back(self) -> Bank:
        shutil.rmtree(self._machine.bank.context.archive.root)
        shutil.copytree(self._copy, self._machine.bank.context.archive.root)
        return self._machine.put_back()


@pytest.fixture
def disk(machine: Machine, tmp_path: Path) -> Folder:
    machine.bank.collect()  # the archive is there
    return Folder(machine, tmp_path)


@pytest.mark.parametrize("answer", [True, False])
def test_what_lies_with_the_authority_holds_the_month(machine: Machine, disk: Folder, answer: bool) -> None:
    """Disk and database were both put back: the authority alone knows of the month, and is asked."""
    import_months(machine.bank)
    disk.take()
    if not answer:
        machine.bank.authority.faults.add("sftp", "no_answer", times=1)
    machine.bank.run("SPAPP", OCTOBER)
    taken = [one.sha256 for one in machine.bank.authority.store.submissions()]
    assert len(taken) == 1
    bank = disk.put_back()
    bank.time.pass_by(minutes=1)  # else the very same bytes would be made again
    first = bank.run("SPAPP", OCTOBER)
    key = held(first)
    assert "spapp/accepted/SPAPP_202610_5860571.xml" in str(first.submission.held_because)  # type: ignore[union-attr]
    assert held(bank.run("SPAPP", OCTOBER)) == key
    assert "orphan" in alarm_kinds(bank)
    assert any("SPAPP_202610_5860571.xml" in problem for problem in bank.problems())
    assert [one.sha256 for one in bank.authority.store.submissions()] == taken
    release(bank.context, key, "AJPES asked for it again")
    assert bank.run("SPAPP", OCTOBER).ending is Ending.ATTEMPTED
    assert len(bank.authority.store.submissions()) == 2
    assert bank.problems() == ()


def test_a_day_that_went_the_other_way_is_seen_after_a_sleep(machine: Machine, disk: Folder) -> None:
    """It had gone by SFTP, SOAP being out; put back, SOAP is there again, and the folders are asked."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    bank.run()
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T08:00:00"), name="more.csv")
    disk.take()
    bank.authority.faults.add("soap", "refuse", times=1)
    assert bank.run(period=NOV_18).submission.state is State.ACCEPTED  # type: ignore[union-attr]
    bank = disk.put_back()
    bank.time.pass_by(minutes=1)
    held(bank.run(period=NOV_18))
    assert len(bank.authority.store.submissions()) == 2


def test_an_answer_to_what_was_never_sent_holds_the_period(machine: Machine, disk: Folder) -> None:
    """The folder of accepted files was cleared, and the answer is still there: AJPES had a report."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    disk.take()
    bank.run(via="sftp")
    bank = disk.put_back()
    for path in (bank.authority.folders.root / "nodurs" / "accepted").iterdir():
        path.unlink()
    bank.time.pass_by(minutes=1)
    assert [taken.status for taken in bank.collect()] == ["unmatched"]
    result = bank.run()
    held(result)
    assert "answered by AJPES (answer 1)" in str(result.submission.held_because)  # type: ignore[union-attr]
    assert len(bank.authority.store.submissions()) == 1


def test_a_large_report_is_not_sent_without_having_looked(machine: Machine, disk: Folder) -> None:
    """It goes by SFTP first though SOAP is open; put back within minutes, it is seen there."""
    settings = machine.bank.folder / "ajpes.toml"
    settings.write_text(settings.read_text().replace("[nodurs]\n", "[nodurs]\nsftp_above_bytes = 1\n"))
    machine.bank.record(event("O-1", 1))
    disk.take()
    machine.bank.run(via="sftp")
    bank = disk.put_back()
    bank.time.pass_by(minutes=1)
    held(bank.run())
    assert len(bank.authority.store.submissions()) == 1


def test_an_answer_that_nobody_has_fetched_holds_the_period(machine: Machine, disk: Folder) -> None:
    """The server took the report away, and its answer alone is left: the run fetches it before it sends."""
    machine.bank.record(event("O-1", 1))
    disk.take()
    machine.bank.run(via="sftp")
    bank = disk.put_back()
    (bank.authority.folders.root / "nodurs/accepted/NODURS_20261117_5860571.xml").unlink()
    bank.time.pass_by(minutes=1)
    held(bank.run(via="sftp"))
    assert len(bank.authority.store.submissions()) == 1


REFUSAL = (
    '<BlokOdgovor><Ident iErr="1" iWrn="0" maticnaPonudnika="5860571000"'
    ' datumPriprave="2026-11-17T17:00:30+01:00" datumPodatkov="2026-11-17"/></BlokOdgovor>'
)


@pytest.fixture
def refused(bank: Bank) -> int:
    """A report that went by SFTP and was refused; it lies in the folder of what AJPES took."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "no_answer", times=1)
    bank.context = replace(bank.context, answer_wait_seconds=0)
    bank.run(via="sftp")
    path = bank.folder / "refusal.xml"
    path.write_text(REFUSAL)
    (taken,) = take_by_hand(bank.context, [path])
    assert taken.submission is not None
    assert taken.submission.state is State.REFUSED
    assert wait_for(bank.authority.folders.root / "nodurs/accepted/NODURS_20261117_5860571.xml")
    bank.record(event("O-2", 1), name="more.csv")
    return taken.submission.id


def wait_for(path: Path) -> bool:
    give_up = time.monotonic() + 20
    while not path.exists() and time.monotonic() < give_up:
        time.sleep(0.05)
    return path.exists()


@pytest.mark.usefixtures("refused")
def test_what_was_refused_is_known_at_a_server_that_tells_no_sizes(bank: Bank) -> None:
    """Its own file of an hour ago is no stranger's: the correction goes, and nobody is asked."""
    bank.authority.faults.add("sftp", "bare_stat")
    assert bank.run(via="sftp").ending is Ending.ATTEMPTED


@pytest.mark.usefixtures("refused")
def test_another_file_of_the_same_size_is_seen(bank: Bank) -> None:
    """One digit was corrected in the report that the journal does not know: the size says nothing."""
    path = bank.authority.folders.root / "nodurs/accepted/NODURS_20261117_5860571.xml"
    path.write_bytes(path.read_bytes().replace(b"10000", b"20000"))
    held(bank.run(via="sftp"))


def test_the_bytes_of_a_refused_report_do_not_follow_one_that_is_unknown(bank: Bank, refused: int) -> None:
    """AJPES may have taken the correction, which the journal has lost: what it replaced does not go again."""
    path = bank.authority.folders.root / "nodurs/accepted/NODURS_20261117_5860571.xml"
    path.write_bytes(path.read_bytes() + b"\n")
    sent = len(bank.authority.store.submissions())
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="NODURS for 17 November 2026 may have gone out"):
            bank.resubmit(refused, same=True, via="sftp")
    held(bank.run(via="sftp"))
    assert len(bank.authority.store.submissions()) == sent


def test_folders_that_cannot_be_seen_close_their_own_way_only(machine: Machine) -> None:
    """A report by SFTP is not sent without having looked, and is just not delivered; by SOAP it goes."""
    bank = machine.bank
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "refuse", times=1)
    first = bank.run(via="sftp").submission
    assert first is not None
    assert first.state is State.UNREACHABLE
    assert bank.authority.store.submissions() == []
    bank.time.pass_by(hours=1)
    bank.authority.faults.add("sftp", "refuse", times=1)
    assert bank.run(via="soap").submission.state is State.ACCEPTED  # type: ignore[union-attr]


def import_months(bank: Bank) -> None:
    import_files(
        bank.context, [sample(f"ledger/{name}.csv") for name in ("accounts", "account-months", "postings")]
    )
