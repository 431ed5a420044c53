"""Backups and what comes back from them: everything, checked, and nothing sent a second time."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, make_url, select, update

from ajpes_reporting.backup.database_copy import dump, load
from ajpes_reporting.backup.files import sha256_of
from ajpes_reporting.backup.make import back_up
from ajpes_reporting.backup.manifest import MANIFEST, ArchiveFile, Manifest, read_manifest, write_manifest
from ajpes_reporting.backup.restore import restore
from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import open_engine, snapshot, writing
from ajpes_reporting.database.tables import events, submissions
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError, Busy, ConfigurationError, UsageError
from ajpes_reporting.domain.periods import Day, Month
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, chain
from ajpes_reporting.journal.orphans import reason_after_restore, restored_span
from ajpes_reporting.journal.submissions import recent
from ajpes_reporting.pipeline.purge import purge
from ajpes_reporting.pipeline.run import Ending
from tests.backup.conftest import URL, Vault, ajpes
from tests.pipeline.conftest import NOV_17, NOV_18, Bank, event, make_bank
from tests.servers.postgres import Cluster


def report(bank: Bank, obligation: str = "O-1") -> None:
    bank.record(event(obligation, 1))
    result = bank.run()
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED


def hold(bank: Bank) -> None:
    """A report that a restored journal holds back."""
    bank.record(event("O-1", 1))
    assert bank.run().ending is Ending.HELD


def tables(bank: Bank) -> dict[str, list[Any]]:
    """Every row there is, but those of the audit record."""
    from ajpes_reporting.database.tables import metadata

    with bank.context.engine.connect() as connection:
        return {
            name: sorted(map(repr, connection.execute(select(table)).all()))
            for name, table in metadata.tables.items()
            if name != "audit_records"
        }


def archived(bank: Bank) -> dict[str, str]:
    root = bank.context.archive.root
    return {path.relative_to(root).as_posix(): sha256_of(path) for path in root.glob("2*/*/*")}


def closed(bank: Bank) -> Bank:
    bank.context.engine.dispose()
    return bank


# --- The way there and back ---------------------------------------------------------------------


def test_what_is_restored_is_what_was_backed_up(vault: Vault) -> None:
    """The machine burned down: ledger, journal, archive, settings are back, and the seal is the same."""
    bank = vault.bank
    report(bank)
    before, files = tables(bank), archived(bank)
    backup = vault.back_up()
    again = vault.restore()
    after = tables(again)
    assert [row for row in after.pop("chores") if "restored" not in row] == before.pop("chores")
    assert after == before
    assert archived(again) == files
    assert len(backup.manifest.archive) == len(files) >= 2
    assert (again.folder / "ajpes.toml").read_bytes() == (bank.folder / "ajpes.toml").read_bytes()
    assert again.problems() == ()
    with again.context.engine.connect() as connection:
        *_, sealed, restored = chain.entries(connection)
    assert (sealed.hash, sealed.seq) == (backup.manifest.seal, backup.manifest.entries)
    assert (restored.kind, restored.provider) == ("restored", bank.context.provider)
    assert json.loads(restored.body)["seal"] == backup.manifest.seal
    closed(again)


def test_a_restored_database_still_keeps_its_facts(vault: Vault) -> None:
    """The triggers come back with the tables."""
    report(vault.bank)
    vault.back_up()
    again = vault.restore()
    with pytest.raises(Exception, match="append-only"), again.context.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE events SET amount_cents = 1")
    again.record(event("O-2", 1))
    assert again.pending() == 1
    closed(again)


def test_only_the_owner_can_look_into_a_backup(vault: Vault) -> None:
    """It holds names and account numbers: 0700 for folders, 0600 for files, whatever the umask."""
    report(vault.bank)
    old = os.umask(0)
    try:
        vault.back_up()
        again = closed(vault.restore())
    finally:
        os.umask(old)
    for root in (vault.folder, again.folder):
        for path in (root, *root.rglob("*")):
            if not path.name.endswith((".lock", "-wal", "-shm")):
                assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_second_backup_copies_only_what_is_new(vault: Vault) -> None:
    """Two years of files are not copied every night; what was replaced is gone."""
    report(vault.bank)
    first = vault.back_up()
    inodes = {path.name: path.stat().st_ino for path in vault.folder.glob("archive/*/*/*")}
    assert first.copied == len(inodes)
    vault.bank.time.pass_by(days=1)
    vault.bank.record(event("O-2", 1, recorded="2026-11-18T09:00:00"))
    vault.bank.run(period=NOV_18)
    second = vault.back_up()
    assert second.copied == len(second.manifest.archive) - len(inodes) > 0
    assert {name: (vault.folder / "archive/2026/11" / name).stat().st_ino for name in inodes} == inodes
    names = {path.name for path in vault.folder.iterdir()}
    assert names == {MANIFEST, "archive", second.manifest.database.name, second.manifest.settings.name}


def test_files_in_the_making_are_not_backed_up(vault: Vault) -> None:
    """archive/work holds what a run is just writing; nobody needs it back."""
    report(vault.bank)
    work = vault.bank.context.scratch / "tmp-run"
    work.mkdir(parents=True)
    (work / "NODURS.xml").write_text("half")
    vault.back_up()
    assert not (vault.folder / "archive" / "work").exists()


def test_what_was_purged_leaves_the_backup_too(vault: Vault) -> None:
    """A name whose time is over does not live on in the backup."""
    report(vault.bank)
    vault.back_up()
    vault.bank.time.pass_by(days=740)
    purge(vault.bank.context, 24)
    backup = vault.back_up()
    assert backup.manifest.archive == ()
    assert list(vault.folder.glob("archive/*/*/*")) == []
    again = vault.restore()
    assert again.problems() == ()
    closed(again)


# --- The trap: what was sent after the backup ---------------------------------------------------


def test_what_may_have_been_sent_in_between_waits_for_a_person(vault: Vault) -> None:
    """The report went out after the backup; the restored journal knows nothing of it."""
    bank = vault.bank
    vault.back_up()
    taken_at = bank.time()
    bank.time.pass_by(hours=1)
    report(bank)
    bank.time.now = datetime(2026, 11, 19, 9, 0, tzinfo=LJUBLJANA)
    again = vault.restore()
    with again.context.engine.connect() as connection:
        provider = again.context.provider
        assert recent(connection, provider, 5) == []
        assert restored_span(connection, provider) == (taken_at, bank.time())
        assert restored_span(connection, "1572814000") is None
        # 16 November was over at the backup, but may have been open; October is reported in November.
        for period in (Day(datetime(2026, 11, 16).date()), NOV_17, NOV_18, Day(datetime(2026, 11, 19).date()),
                       Month(2026, 10), Month(2026, 11)):  # fmt: skip
            reason = reason_after_restore(connection, provider, period)
            assert reason is not None
            assert "2026-11-17 17:00" in reason
            assert "2026-11-19 09:00" in reason
        assert reason_after_restore(connection, provider, Day(datetime(2026, 11, 20).date())) is None
        assert reason_after_restore(connection, provider, Month(2026, 12)) is None
    closed(again)


def test_what_a_person_released_since_waits_no_longer(vault: Vault) -> None:
    """AJPES said by telephone that they have nothing: the report goes, and is not held once more."""
    bank = vault.bank
    vault.back_up()
    bank.time.pass_by(days=1)
    again = vault.restore()
    hold(again)
    with writing(again.context.engine) as connection:
        assert reason_after_restore(connection, again.context.provider, NOV_17) is not None
        # By a clock that is behind that of the restoring machine.
        connection.execute(update(submissions).values(released_at=bank.time() - timedelta(hours=1)))
        assert reason_after_restore(connection, again.context.provider, NOV_17) is None
        assert reason_after_restore(connection, again.context.provider, NOV_18) is not None
    closed(again)


def test_a_journal_that_was_never_restored_holds_nothing(bank: Bank) -> None:
    """Only a restoration makes a report wait."""
    report(bank)
    with bank.context.engine.connect() as connection:
        assert restored_span(connection, bank.context.provider) is None
        assert reason_after_restore(connection, bank.context.provider, NOV_17) is None


def test_an_answer_that_came_after_the_backup_is_fetched_again(vault: Vault) -> None:
    """Delivered before the backup, answered after it: the restored journal gets its answer, once."""
    bank = vault.bank
    bank.authority.faults.add("sftp", "no_answer", times=1)
    bank.record(event("O-1", 1))
    delivered = bank.run(via="sftp").submission
    assert delivered is not None
    assert delivered.state is State.DELIVERED
    vault.back_up()
    bank.time.pass_by(minutes=30)
    (bank.authority.folder / "nodurs" / "iz_ajpes" / "answer.xml").write_text(
        '<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000"'
        ' datumPriprave="2026-11-17T17:20:00+01:00" datumPodatkov="2026-11-17"/></BlokOdgovor>'
    )
    assert [taken.status for taken in bank.collect()] == ["applied"]
    again = vault.restore()
    assert again.pending() == 1
    (taken,) = again.collect()
    assert taken.submission is not None
    assert (taken.submission.id, taken.submission.state) == (delivered.id, State.ACCEPTED)
    assert again.pending() == 0
    assert again.collect() == []
    assert again.problems() == ()
    closed(again)


def test_an_answer_to_what_the_restored_journal_never_sent_is_kept(vault: Vault) -> None:
    """Sent and answered after the backup: the answer is no trouble, and a person sees it."""
    bank = vault.bank
    vault.back_up()
    bank.record(event("O-1", 1))
    bank.run(via="sftp")
    again = vault.restore()
    (taken,) = again.collect()
    assert (taken.status, taken.submission) == ("unmatched", None)
    with again.context.engine.connect() as connection:
        assert len(answers.set_aside_answers(connection, again.context.provider, 5)) == 1
    closed(again)


def test_a_second_restoration_holds_again(vault: Vault) -> None:
    """A backup of a restored workspace, restored: what was released before that is held anew."""
    bank = vault.bank
    vault.back_up()
    again = vault.restore()
    hold(again)
    bank.time.pass_by(days=1)
    with writing(again.context.engine) as connection:
        connection.execute(update(submissions).values(released_at=bank.time()))
    back_up(open_workspace(again.folder), again.context, vault.folder)
    bank.time.pass_by(days=1)
    third = vault.restore("third")
    with third.context.engine.connect() as connection:
        assert reason_after_restore(connection, third.context.provider, NOV_17) is not None
        span = restored_span(connection, third.context.provider)
    assert span == (bank.time() - timedelta(days=1), bank.time())
    closed(again)
    closed(third)


# --- While others work, and when it is cut off --------------------------------------------------

_AT_WORK = """
    import sys, itertools
    from datetime import UTC, datetime, timedelta
    from pathlib import Path
    from ajpes_reporting.config import open_workspace
    from ajpes_reporting.domain.periods import Day
    from ajpes_reporting.pipeline.facts import import_files
    from ajpes_reporting.pipeline.run import run
    from ajpes_reporting.reports.registry import by_code
    from ajpes_reporting.wiring import open_context
    from tests.pipeline.conftest import HEADER, event

    folder, start = Path(sys.argv[1]), datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
    for number in itertools.count():
        now = start + timedelta(days=number)
        context = open_context(open_workspace(folder), lambda: now)
        rows = folder / "at-work.csv"
        name = f"O-{number}"
        rows.write_text(HEADER + chr(10) + event(name, 1, recorded=f"{now:%Y-%m-%dT08:00:00}") + chr(10))
        import_files(context, [rows])
        result = run(context, by_code("NODURS"), Day(now.date()))
        context.engine.dispose()
        print(number, result.ending, flush=True)
"""


def test_a_backup_taken_while_another_process_writes_and_runs_is_whole(vault: Vault) -> None:
    """`schedule` need not stop: each backup is one moment of database and archive."""
    program = [sys.executable, "-c", textwrap.dedent(_AT_WORK), str(vault.bank.folder)]
    seals = []
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as worker:
        try:
            assert worker.stdout is not None
            begun = 0
            for number in range(4):
                # Something has been sent since the last backup: the worker may be ahead of its words.
                while int((told := worker.stdout.readline()).split()[0]) < begun:
                    assert "attempted" in told
                seals.append(vault.back_up().manifest.seal)
                with vault.bank.context.engine.connect() as connection:
                    begun = connection.scalar(select(func.count()).select_from(submissions)) or 0
                if number % 2:
                    again = vault.restore(f"restored-{number}")
                    assert again.problems() == ()
                    assert len(archived(again)) >= 2 * (number + 1)
                    closed(again)
        finally:
            worker.kill()
    assert len(set(seals)) == len(seals)


def test_a_copy_holds_what_its_transaction_sees_and_nothing_younger(vault: Vault) -> None:
    """What is written between the list of files and the copy is in neither, not in one of them."""
    bank = vault.bank
    bank.record(event("O-1", 1))
    copy = vault.folder.parent / "copy"
    with snapshot(bank.context.engine) as connection:
        connection.execute(select(events)).all()
        bank.record(event("O-2", 1))
        dump(connection, copy)
    target = open_engine(vault.empty_database().replace("ajpes.db", str(copy.with_suffix(".db"))))
    load(target, copy)
    with target.connect() as connection:
        assert len(connection.execute(select(events)).all()) == 1
    assert bank.pending() == 2
    target.dispose()


_BACKING_UP = """
    import sys
    from pathlib import Path
    from ajpes_reporting.config import open_workspace
    from ajpes_reporting.backup.make import back_up
    from ajpes_reporting.wiring import open_context

    workspace = open_workspace(Path(sys.argv[1]))
    context = open_context(workspace)
    print("ready", flush=True)
    back_up(workspace, context, Path(sys.argv[2]))
    print("done", flush=True)
"""


def fill_archive(bank: Bank, count: int) -> None:
    """Answers that fit nothing: many files that the journal knows."""
    source = bank.folder / "stray.xml"
    with writing(bank.context.engine) as connection:
        for number in range(count):
            source.write_text(f"<stray number='{number}'/>")
            stored = bank.context.archive.store(source, "stray.xml", bank.time())
            answers.store(connection, bank.context.provider, stored, "hand", None, None, at=bank.time())


def test_a_backup_killed_at_any_moment_is_completed_by_the_next(vault: Vault) -> None:
    """The power fails in the night of the backup: the one before is whole, and the next one is too."""
    fill_archive(vault.bank, 30)
    vault.back_up()
    fill_archive(vault.bank, 10)
    began = time.monotonic()
    vault.back_up()
    takes_seconds = time.monotonic() - began
    moments = random.Random(1711)
    cut_off = 0
    for step in range(6):
        fill_archive(vault.bank, 10)
        program = [
            sys.executable,
            "-c",
            textwrap.dedent(_BACKING_UP),
            str(vault.bank.folder),
            str(vault.folder),
        ]
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()
            time.sleep(takes_seconds * (step + moments.random()) / 7)
            worker.send_signal(signal.SIGKILL)
            cut_off += "done" not in worker.stdout.read()
        manifest = read_manifest(vault.folder)
        assert sha256_of(vault.folder / manifest.database.name) == manifest.database.sha256
    assert cut_off >= 1
    closed(vault.restore("from-the-one-before"))
    manifest = vault.back_up().manifest
    assert len(manifest.archive) == 100
    left = {path.name for path in vault.folder.iterdir()}
    assert left == {MANIFEST, "archive", manifest.database.name, manifest.settings.name}
    assert len(list(vault.folder.glob("archive/*/*/*"))) == 100
    again = vault.restore()
    assert again.problems() == ()
    closed(again)


_ON_A_FULL_DISK = """
    import resource, sys
    from pathlib import Path
    from ajpes_reporting.cli.main import main
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    main(["-w", sys.argv[1], "backup", sys.argv[2]])
"""


@pytest.mark.parametrize("room", [0, 5_000, 60_000])
def test_a_full_disk_leaves_the_backup_before_as_it_was(vault: Vault, room: int) -> None:
    """No room for the new one: words, code 1, and the old one can still be restored."""
    report(vault.bank)
    before = vault.back_up().manifest
    noise = vault.bank.folder / "noise.xml"
    noise.write_bytes(random.Random(1).randbytes(200_000))
    with writing(vault.bank.context.engine) as connection:
        stored = vault.bank.context.archive.store(noise, "noise.xml", vault.bank.time())
        answers.store(
            connection, vault.bank.context.provider, stored, "hand", None, None, at=vault.bank.time()
        )
    program = [
        sys.executable,
        "-c",
        textwrap.dedent(_ON_A_FULL_DISK),
        vault.bank.folder,
        vault.folder,
        str(room),
    ]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "one that was there before is as it was" in " ".join(done.stderr.split())
    assert read_manifest(vault.folder) == before
    assert list(vault.folder.rglob("*.part")) == []
    again = vault.restore()
    assert again.problems() == ()
    closed(again)


def test_two_backups_into_one_folder_exclude_each_other(vault: Vault) -> None:
    """A timer and an administrator at the same moment: the second is told."""
    import fcntl

    vault.back_up()
    handle = os.open(vault.folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(Busy, match="Another backup"):
        vault.back_up()
    os.close(handle)


# --- What is damaged ----------------------------------------------------------------------------


def flip(path: Path, seed: int) -> None:
    """Changes one byte somewhere."""
    content = bytearray(path.read_bytes())
    place = random.Random(seed).randrange(len(content))
    content[place] ^= 1 << (seed % 8)
    path.write_bytes(content)


def parts(manifest: Manifest) -> dict[str, str]:
    return {
        "manifest": MANIFEST, "database": manifest.database.name, "settings": manifest.settings.name,
        "archive": f"archive/{manifest.archive[0].path}",
    }  # fmt: skip


def harm(path: Path, how: str) -> None:
    """Damages a file in one way."""
    if how.startswith("flip"):
        flip(path, int(how[-1]))
        return
    content = path.read_bytes()
    path.unlink()
    if how == "cut":
        path.write_bytes(content[:-1])
    elif how == "link":
        path.symlink_to(path.with_name(f"copy-of-{path.name}"))
        path.resolve().write_bytes(content)
    elif how == "folder":
        path.mkdir()


@pytest.mark.parametrize("how", ["flip 1", "flip 2", "flip 3", "cut", "gone", "link", "folder"])
def test_a_damaged_backup_is_refused_before_anything_is_made(vault: Vault, how: str) -> None:
    """One byte is enough: a bank does not go on with what may not be its record."""
    report(vault.bank)
    for name, path in parts(vault.back_up().manifest).items():
        damaged = vault.folder.with_name(f"damaged-{name}")
        shutil.copytree(vault.folder, damaged)
        if (name, how) != ("manifest", "link"):
            harm(damaged / path, how)
            with pytest.raises(UsageError):
                vault.restore(folder=damaged)
            assert not (vault.folder.parent / "restored").exists()
    closed(vault.restore())


def rewritten(vault: Vault, **changes: Any) -> None:
    """A manifest somebody made by hand, with a right seal of its own."""
    write_manifest(vault.folder, read_manifest(vault.folder).model_copy(update=changes))


OUTSIDE = (
    "../outside", "../../outside", "/etc/passwd", "2026/../../outside", "2026/11/..", "2026/11/.", "2026/11/",
    "2026/11/../../../outside", "2026/11/a/b", "work/x/y", "", "2026/11/a\0b", "2026//11/x", "\u0662026/11/x",
)  # fmt: skip


def test_a_manifest_that_leads_out_of_the_backup_is_refused(vault: Vault) -> None:
    """A backup handed in by somebody else reads and writes nothing outside of its folders."""
    vault.back_up()
    (vault.folder.parent / "outside").write_text("x")
    sha256 = sha256_of(vault.folder.parent / "outside")
    for path in OUTSIDE:
        rewritten(vault, archive=(ArchiveFile.model_construct(path=path, sha256=sha256),))
        with pytest.raises(UsageError, match="damaged, or not the manifest"):
            vault.restore()
        shutil.rmtree(vault.folder)
        vault.back_up()
    assert not (vault.folder.parent / "restored").exists()


@pytest.mark.parametrize("field", ["database", "settings"])
def test_no_other_file_passes_for_the_database_or_the_settings(vault: Vault, field: str) -> None:
    """The same for the two files that lie beside the manifest."""
    manifest = vault.back_up().manifest
    item = getattr(manifest, field)
    for name in ("../outside", "/etc/passwd", f"{item.name}\n", "", f"{field}-1"):
        write_manifest(
            vault.folder, manifest.model_copy(update={field: item.model_copy(update={"name": name})})
        )
        with pytest.raises(UsageError, match="damaged, or not the manifest"):
            vault.restore()


def test_a_folder_that_is_a_link_leads_nowhere(vault: Vault) -> None:
    """The file has the right hash, but it lies somewhere else."""
    report(vault.bank)
    vault.back_up()
    outside = vault.folder.parent / "outside"
    shutil.move(vault.folder / "archive" / "2026", outside)
    (vault.folder / "archive" / "2026").symlink_to(outside)
    with pytest.raises(UsageError, match="The backup is damaged"):
        vault.restore()


def test_what_is_no_manifest_is_told_in_words(vault: Vault) -> None:
    """Whatever lies there under that name, nobody sees a traceback."""
    vault.back_up()
    for content in (b"", b"\n", b"{}", b"{}\n", b"[" * 100_000, b"\xff\xfe", b"null\n0\n"):
        (vault.folder / MANIFEST).write_bytes(content)
        with pytest.raises(UsageError, match="damaged, or not the manifest"):
            vault.restore()


def test_another_database_in_the_place_of_the_right_one_is_refused(vault: Vault) -> None:
    """Its hash was put into the manifest too; the seal tells."""
    vault.back_up()
    old = vault.folder / read_manifest(vault.folder).database.name
    kept = vault.folder.parent / "older"
    shutil.copy(old, kept)
    report(vault.bank)
    manifest = vault.back_up().manifest
    shutil.copy(kept, vault.folder / manifest.database.name)
    forged = manifest.database.model_copy(update={"sha256": sha256_of(kept)})
    rewritten(vault, database=forged)
    with pytest.raises(AjpesReportingError, match="does not end with the seal"):
        vault.restore()
    assert not (vault.folder.parent / "restored" / "ajpes.toml").exists()


def test_a_file_that_the_manifest_leaves_out_is_missed(vault: Vault) -> None:
    """The restored database speaks of it: the restoration is refused, and names it."""
    report(vault.bank)
    manifest = vault.back_up().manifest
    rewritten(vault, archive=manifest.archive[1:])
    with pytest.raises(AjpesReportingError, match="missing or was changed"):
        vault.restore()


def test_a_file_damaged_in_the_workspace_keeps_its_good_copy(vault: Vault) -> None:
    """The disk of the workspace rots: the backup still has the file, and goes on being made."""
    report(vault.bank)
    kept = vault.back_up().manifest.archive[0]
    flip(vault.bank.context.archive.root / kept.path, 3)
    assert len(vault.bank.problems()) == 1
    again = vault.back_up()
    assert again.manifest.problems == ()
    assert kept in again.manifest.archive
    restored = vault.restore()
    assert restored.problems() == ()
    closed(restored)


def test_a_file_that_is_lost_already_is_named_and_the_rest_is_saved(vault: Vault) -> None:
    """A workspace with one bad file is backed up all the same, and can be restored as it was."""
    report(vault.bank)
    path = next(vault.bank.context.archive.root.glob("2*/*/*"))
    path.unlink()
    told = ajpes("-w", vault.bank.folder, "backup", vault.folder, code=1)
    assert "is complete" in told
    assert path.name in told
    restored = vault.restore()
    assert len(restored.problems()) == 1
    closed(restored)


def test_a_file_damaged_in_the_backup_is_copied_again(vault: Vault) -> None:
    """The disk of the backup rots: the next backup mends it."""
    report(vault.bank)
    first = vault.back_up().manifest
    flip(vault.folder / "archive" / first.archive[0].path, 5)
    second = vault.back_up()
    assert second.copied == 1
    assert second.manifest.archive == first.archive
    closed(vault.restore())


def test_a_good_backup_is_not_overwritten_with_another_record(vault: Vault) -> None:
    """Somebody began anew, or rewrote the past: the backup that proves it stays."""
    report(vault.bank)
    before = vault.back_up().manifest
    other = vault.bank.folder.parent / "other"
    other.mkdir()
    bank = make_bank(other, f"sqlite:///{other / 'other.db'}", vault.bank.time, vault.bank.authority)
    with pytest.raises(UsageError, match="of another audit record"):
        back_up(open_workspace(other), bank.context, vault.folder)
    assert read_manifest(vault.folder) == before
    closed(bank)


# --- Where it may not go ------------------------------------------------------------------------


def test_nothing_that_exists_is_overwritten_by_a_restoration(vault: Vault) -> None:
    """A tired administrator names the wrong folder, or forgets the database: nothing is lost."""
    report(vault.bank)
    vault.back_up()
    before = tables(vault.bank)
    with pytest.raises(UsageError, match="There is a workspace"):
        restore(vault.folder, vault.bank.folder, vault.bank.time)
    vault.environment.delenv(URL, raising=False)
    with pytest.raises(UsageError, match="There is something in the database"):
        restore(vault.folder, vault.folder.parent / "new", vault.bank.time)
    assert not (vault.folder.parent / "new").exists()
    assert tables(vault.bank) == before


def test_a_backup_does_not_go_where_a_workspace_is(vault: Vault) -> None:
    """Two words in the wrong order do no harm."""
    for folder in (vault.bank.folder, vault.bank.context.archive.root / "backup"):
        with pytest.raises(UsageError, match="Nothing was done"):
            vault.back_up(folder)


def test_a_backup_of_a_newer_version_is_refused(vault: Vault) -> None:
    """What this program does not know it does not restore."""
    vault.back_up()
    rewritten(vault, revision="9999")
    with pytest.raises(UsageError, match="newer version"):
        vault.restore()


def test_a_backup_goes_back_to_its_own_kind_of_database(vault: Vault, tmp_path: Path) -> None:
    """What pg_dump wrote is no SQLite file, and the other way round."""
    kind = read_manifest(vault.back_up().folder).database.kind
    other = "postgresql://nobody@127.0.0.1:1/none" if kind == "sqlite" else f"sqlite:///{tmp_path / 'x.db'}"
    vault.environment.setenv(URL, other)
    with pytest.raises(ConfigurationError, match="The backup is of a database of"):
        restore(vault.folder, tmp_path / "restored", vault.bank.time)


# --- PostgreSQL ---------------------------------------------------------------------------------


on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def watched(name: str, folder: Path) -> None:
    """A program of that name that writes down its command line, then is the real one."""
    real = shutil.which(name)
    folder.mkdir(exist_ok=True)
    script = folder / name
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0" "$@" >> {folder}/seen\nexec {real} "$@"\n')
    script.chmod(0o755)


@on_postgresql
def test_the_password_is_never_on_a_command_line(
    bank: Bank, postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every user of a machine can read the command lines of all others."""
    for name in ("pg_dump", "pg_restore"):
        watched(name, tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with postgres.database() as empty:
        for url, act in ((str(bank.context.engine.url), "backup"), (empty, "restore")):
            secret = make_url(url).set(password="Zelo$krivno").render_as_string(hide_password=False)
            monkeypatch.setenv(URL, secret + "?application_name=ajpes")
            if act == "backup":
                ajpes("-w", bank.folder, "backup", tmp_path / "backup")
            else:
                ajpes("restore", tmp_path / "backup", tmp_path / "restored")
    seen = (tmp_path / "bin" / "seen").read_text()
    assert "pg_dump" in seen
    assert "pg_restore" in seen
    assert "application_name=ajpes" in seen
    assert "krivno" not in seen


@on_postgresql
def test_a_missing_pg_dump_is_told_with_the_package_that_has_it(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator learns what to install, before anything is written."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="pg_dump is not installed") as told:
        back_up(open_workspace(bank.folder), bank.context, tmp_path / "backup")
    assert "postgresql-client" in told.value.remedy
    assert not (tmp_path / "backup" / MANIFEST).exists()


@on_postgresql
def test_a_server_that_is_away_is_told_in_words(vault: Vault) -> None:
    """No traceback, no row, no password."""
    vault.back_up()
    vault.environment.setenv(URL, "postgresql://ajpes:krivno@127.0.0.1:1/none")
    told = ajpes("restore", vault.folder, vault.folder.parent / "restored", code=1)
    assert "krivno" not in told
