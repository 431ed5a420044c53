"""Retention: what must be kept is kept and readable, what may go goes, and the record says so."""

from __future__ import annotations

import calendar
import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import open_engine, writing
from ajpes_reporting.database.tables import answers, attempts, purged_files, submissions
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import Busy, UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers as journal_answers
from ajpes_reporting.journal import chain, due, purged
from ajpes_reporting.journal.archive import Archive, Stored
from ajpes_reporting.journal.submissions import get
from ajpes_reporting.pipeline.audit import verify_all
from ajpes_reporting.pipeline.collect import take_by_hand
from ajpes_reporting.pipeline.context import Context
from ajpes_reporting.pipeline.purge import end_of_keeping, purge, would_purge
from ajpes_reporting.unattended import open_duty
from tests.backup.conftest import ajpes
from tests.pipeline.conftest import Bank, event, make_bank

KEEP = 24


def files(bank: Bank) -> set[str]:
    """What lies in the archive."""
    root = bank.context.archive.root
    return {path.relative_to(root).as_posix() for path in root.glob("2*/*/*")}


def reported(bank: Bank) -> int:
    """A report that was accepted now; the number of its submission."""
    bank.record(event("O-1", 1))
    result = bank.run()
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED
    return result.submission.id


def years_pass(bank: Bank, days: int = 740) -> None:
    bank.time.pass_by(days=days)


def test_after_its_time_every_file_of_a_report_goes_and_the_record_stays_whole(bank: Bank) -> None:
    """Names of debtors are not kept for ever; that the file was there, and its hash, is."""
    key = reported(bank)
    assert len(files(bank)) >= 2
    years_pass(bank)
    named = {file.path for file in would_purge(bank.context, KEEP).files}
    assert named == files(bank)
    assert {file.path for file in purge(bank.context, KEEP).files} == named
    assert files(bank) == set()
    assert bank.problems() == ()
    with bank.context.engine.connect() as connection:
        told = [entry.body for entry in chain.of_submission(connection, key) if entry.kind == "purged"]
        submission = get(connection, key)
    assert any(submission.archive_path in body and submission.sha256 in body for body in told)
    assert purge(bank.context, KEEP).files == ()


def test_the_day_before_its_time_nothing_goes(bank: Bank) -> None:
    """24 months are kept to the last day: 17 November 2026 is over on 18 November 2028."""
    reported(bank)
    kept = files(bank)
    bank.time.now = datetime(2028, 11, 17, 23, 59, tzinfo=LJUBLJANA)
    assert purge(bank.context, KEEP).files == ()
    assert files(bank) == kept
    bank.time.now = datetime(2028, 11, 18, 0, 1, tzinfo=LJUBLJANA)
    assert len(purge(bank.context, KEEP).files) == len(kept)


@pytest.mark.parametrize("fault", ["no_answer", "refuse"])
def test_a_period_that_is_open_is_kept_for_ever(bank: Bank, fault: str) -> None:
    """What AJPES has not answered, or never got, is evidence until somebody settles it."""
    bank.authority.faults.add("sftp", fault)
    bank.record(event("O-1", 1))
    result = bank.run(via="sftp")
    assert result.submission is not None
    years_pass(bank, 4000)
    assert purge(bank.context, KEEP).files == ()
    assert bank.problems() == ()


@pytest.mark.parametrize("state", [State.SENDING, State.DELIVERED, State.UNKNOWN])
def test_a_settled_period_with_something_unsettled_in_it_is_kept(bank: Bank, state: State) -> None:
    """Whatever the period counts as: a report whose fate is not known is evidence."""
    key = reported(bank)
    with writing(bank.context.engine) as connection:
        connection.execute(update(submissions).where(submissions.c.id == key).values(state=state.value))
    years_pass(bank)
    assert purge(bank.context, KEEP).files == ()


def test_a_file_sent_twice_stays_until_the_younger_report_is_over(bank: Bank) -> None:
    """`resubmit --same` two years later sends the same archived file: it is as young as that."""
    bank.authority.faults.add("soap", "fault", code="Client", times=1)
    bank.record(event("O-1", 1))
    first = bank.run().submission
    assert first is not None
    assert first.state is State.REFUSED
    years_pass(bank, 700)
    second = bank.resubmit(first.id, same=True).submission
    assert second is not None
    assert second.archive_path == first.archive_path
    assert second.state is State.ACCEPTED
    years_pass(bank, 100)
    assert purge(bank.context, KEEP).files == ()
    years_pass(bank, 700)
    purge(bank.context, KEEP)
    assert files(bank) == set()
    assert bank.problems() == ()


def test_a_file_that_something_younger_shares_stays(bank: Bank) -> None:
    """Two rows of the journal speak of one file: the younger one decides."""
    key = reported(bank)
    years_pass(bank)
    with writing(bank.context.engine) as connection:
        old = get(connection, key)
        shared = Stored(old.archive_path, old.size_bytes, old.sha256)
        journal_answers.store(connection, old.provider, shared, "hand", None, None, at=bank.time())
    gone = {file.path for file in purge(bank.context, KEEP).files}
    assert gone
    assert old.archive_path not in gone
    assert bank.problems() == ()


def test_an_answer_that_fits_nothing_goes_too_but_not_while_something_waits(
    bank: Bank, tmp_path: Path
) -> None:
    """A stray answer holds names as well; while a report waits it may yet turn out to be its answer."""
    bank.authority.faults.add("sftp", "no_answer", times=1)
    bank.record(event("O-1", 1))
    waiting = bank.run(via="sftp").submission
    assert waiting is not None
    bank.time.pass_by(hours=1)
    stray = tmp_path / "stray.xml"
    stray.write_text("<BlokOdgovor/>")
    take_by_hand(bank.context, [stray])
    years_pass(bank)
    assert purge(bank.context, KEEP).files == ()
    answer = tmp_path / "answer.xml"
    answer.write_text(
        '<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000"'
        ' datumPriprave="2026-11-17T17:00:30+01:00" datumPodatkov="2026-11-17"/></BlokOdgovor>'
    )
    (taken,) = take_by_hand(bank.context, [answer])
    assert taken.submission is not None
    assert [file.owner for file in purge(bank.context, KEEP).files] == ["answer 1"]
    assert bank.problems() == ()


def test_a_purge_that_was_cut_off_is_finished_by_the_next(bank: Bank) -> None:
    """The record is committed, then the machine died: the files are named, and go the next time."""
    reported(bank)
    years_pass(bank)
    before = files(bank)
    with writing(bank.context.engine) as connection:
        over = purged.over(connection, bank.context.provider, bank.time())
        purged.note(connection, bank.context.provider, over, at=bank.time())
    assert len(bank.problems()) == len(before)
    assert all("is still there" in problem for problem in bank.problems())
    assert purge(bank.context, KEEP).leftovers == len(before)
    assert files(bank) == set()
    assert bank.problems() == ()


def test_nothing_is_removed_before_it_is_on_the_record(bank: Bank) -> None:
    """A purge that cannot write its record leaves every file where it is."""
    reported(bank)
    years_pass(bank)
    before = files(bank)

    def broken_clock() -> datetime:
        if purging:
            raise RuntimeError("the machine died")
        purging.append(True)
        return bank.time()

    purging: list[bool] = []
    with pytest.raises(RuntimeError):
        purge(replace(bank.context, clock=broken_clock), KEEP)
    assert files(bank) == before
    assert bank.problems() == ()


def forge(bank: Bank, change: str, path: str, sha256: str) -> None:
    """What somebody might do who can write into the database, but not into the past of the record."""
    provider, at = bank.context.provider, bank.time()
    row = {"provider": provider, "path": path, "sha256": sha256, "purged_at": at}
    body = {"path": path, "sha256": sha256}
    with writing(bank.context.engine) as connection:
        if change in ("row", "other hash"):
            connection.execute(insert(purged_files).values(row))
        if change == "other hash":
            body["sha256"] = row["sha256"] = "0" * 64
        for _ in range({"entry": 1, "twice": 2, "other hash": 1}.get(change, 0)):
            chain.append(connection, at=at, provider=provider, kind=chain.PURGED, body=body)
        if change == "twice":
            connection.execute(insert(purged_files).values(row))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("nothing", "missing or was changed"),
        ("row", "counts as purged, but the record does not say so"),
        ("entry", "was purged by the record, but not by the journal"),
        ("twice", "says twice that the file"),
        ("other hash", "counts as purged, but the record does not say so"),
    ],
)
def test_a_file_that_is_gone_without_its_record_is_named(bank: Bank, change: str, words: str) -> None:
    """A report that somebody made disappear cannot pass for one whose time was over."""
    key = reported(bank)
    with bank.context.engine.connect() as connection:
        submission = get(connection, key)
    bank.context.archive.remove(submission.archive_path)
    forge(bank, change, submission.archive_path, submission.sha256)
    assert any(words in problem and submission.archive_path in problem for problem in bank.problems())


def test_the_archive_of_another_provider_is_not_looked_for_here(
    bank: Bank, tmp_path: Path, database_url: str
) -> None:
    """Two banks of a service bureau share a database, each with an archive of its own."""
    reported(bank)
    folder = tmp_path / "other"
    folder.mkdir()
    other = make_bank(folder, database_url, bank.time, bank.authority)
    context = replace(other.context, provider="1572814000", archive=Archive(tmp_path / "other-archive"))
    assert verify_all(context).problems == ()
    assert verify_all(context).files == 0
    years_pass(bank)
    assert purge(context, KEEP).files == ()
    assert len(files(bank)) >= 2
    other.context.engine.dispose()


def test_a_backup_at_work_keeps_a_purge_waiting(bank: Bank) -> None:
    """No file disappears between the copy of the database and the copy of the archive."""
    reported(bank)
    years_pass(bank)
    archive = bank.context.archive
    with archive.nothing_removed(), archive.nothing_removed(), pytest.raises(Busy, match="by a backup"):
        purge(bank.context, KEEP)
    assert bank.problems() == ()
    assert purge(bank.context, KEEP).files


def test_show_says_calmly_that_a_file_was_removed(bank: Bank, tmp_path: Path) -> None:
    """Nobody takes a file whose time was over for one that was lost."""
    key = reported(bank)
    years_pass(bank)
    purge(bank.context, KEEP)
    assert "removed on 26 November 2028, when its time was over" in ajpes("-w", bank.folder, "show", str(key))
    target = tmp_path / "report.xml"
    told = ajpes("-w", bank.folder, "show", str(key), "--file", target, code=2)
    assert f"The file of submission {key} was removed on 26 November 2028" in told
    assert "backup" not in told
    assert not target.exists()


def test_the_same_bytes_are_not_sent_again_when_they_are_gone(bank: Bank) -> None:
    """Whatever state a submission is in: bytes that were removed cannot be sent, and that is said."""
    bank.authority.faults.add("soap", "fault", code="Client", times=1)
    bank.record(event("O-1", 1))
    refused = bank.run().submission
    assert refused is not None
    with writing(bank.context.engine) as connection:
        over = list(purged.archived_files(connection, bank.context.provider))
        purged.note(connection, bank.context.provider, over, at=bank.time())
    with pytest.raises(UsageError, match="was removed on 2026-11-17"):
        bank.resubmit(refused.id, same=True)


def test_the_schedule_purges_once_a_day(bank: Bank) -> None:
    """Nobody has to think of it."""
    reported(bank)
    years_pass(bank)
    duty = open_duty(open_workspace(bank.folder), bank.time)
    (chore,) = (chore for chore in duty.chores if chore.name == "purge")
    assert chore.every == timedelta(days=1)
    chore.do()
    assert files(bank) == set()
    duty.context.engine.dispose()


def test_the_command_changes_nothing_on_trial_and_nothing_too_early(bank: Bank) -> None:
    """An administrator looks before anything goes; a report of now does not go at all."""
    reported(bank)
    before = files(bank)
    assert '"files": []' in ajpes("-w", bank.folder, "--json", "purge", "--dry-run")
    assert "0 files removed" in ajpes("-w", bank.folder, "purge")
    assert files(bank) == before


# --- The promise of 24 months, over random journals ---------------------------------------------

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2031, 12, 31)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)


def kept_until(moment: datetime, months: int) -> date:
    """The last day on which a thing of that moment is kept, by counting calendar months up."""
    day = moment.astimezone(LJUBLJANA).date()
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@settings(max_examples=500, deadline=None)
@given(MOMENTS, MOMENTS, st.integers(24, 130))
def test_nothing_younger_than_its_months_is_over(now: datetime, moment: datetime, months: int) -> None:
    """The day on which its months end is still kept, whatever the lengths of the months between."""
    if moment < end_of_keeping(now, months):
        assert now.astimezone(LJUBLJANA).date() > kept_until(moment, months)
        assert now - moment >= timedelta(days=730)


@settings(max_examples=200, deadline=None)
@given(MOMENTS, MOMENTS, st.integers(24, 130))
def test_what_is_over_goes_within_days(now: datetime, moment: datetime, months: int) -> None:
    """Retention is a limit in both directions: nothing stays for weeks after its time."""
    if now.astimezone(LJUBLJANA).date() > kept_until(moment, months) + timedelta(days=4):
        assert moment < end_of_keeping(now, months)


PERIODS = st.lists(
    st.fixed_dictionaries(
        {
            "settled": st.one_of(st.none(), MOMENTS),
            "reports": st.lists(
                st.fixed_dictionaries(
                    {
                        "state": st.sampled_from(list(State)),
                        "prepared": MOMENTS,
                        "tries": st.lists(st.tuples(MOMENTS, st.booleans()), max_size=2),
                        "answers": st.lists(
                            st.tuples(MOMENTS, st.sampled_from(["applied", "stored", "duplicate"])),
                            max_size=2,
                        ),
                        "same_file": st.booleans(),
                    }
                ),
                min_size=1,
                max_size=3,
            ),
        }
    ),
    max_size=5,
)


class Scene:
    """A journal filled with made-up rows, and for each file the moments for which it is kept."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.must_stay: dict[str, str] = {}

    def file(self) -> Any:
        source = self.context.archive.root.parent / "source.xml"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text("<Nodurs/>")
        return self.context.archive.store(source, "f.xml", datetime(2026, 1, 1, tzinfo=UTC))

    def fill(self, periods: list[dict[str, Any]], now: datetime, months: int) -> None:
        first = date(2024, 1, 1)
        with self.context.engine.begin() as connection:
            for number, period in enumerate(periods):
                self._period(connection, (first + timedelta(days=number)).isoformat(), period, now, months)

    def _period(self, connection: Any, key: str, period: dict[str, Any], now: datetime, months: int) -> None:
        made, moments, settled = [], [], period["settled"]
        is_open = settled is None
        due.expect(connection, self.context.provider, "NODURS", key, datetime(2024, 1, 1, tzinfo=UTC))
        if settled is not None:
            due.close(connection, self.context.provider, "NODURS", key, "accepted", None, at=settled)
            moments.append(settled)
        for report in period["reports"]:
            stored = made[0] if report["same_file"] and made else self.file()
            made.append(stored)
            moments.append(report["prepared"])
            is_open |= report["state"] in (State.SENDING, State.DELIVERED, State.UNKNOWN)
            submission = connection.execute(
                insert(submissions).values(
                    provider=self.context.provider, report="NODURS", period=key, state=report["state"].value,
                    prepared_at=report["prepared"], file_name="f", archive_path=stored.path, size_bytes=1,
                    sha256=stored.sha256, content_sha256="c", record_count=1, totals="{}",
                ).returning(submissions.c.id)
            ).scalar_one()  # fmt: skip
            for started, has_evidence in report["tries"]:
                evidence = self.file() if has_evidence else None
                moments.append(started)
                made += [evidence] if evidence else []
                connection.execute(
                    insert(attempts).values(
                        submission=submission, via="soap", started_at=started,
                        evidence_path=evidence.path if evidence else None,
                        evidence_sha256=evidence.sha256 if evidence else None,
                    )
                )  # fmt: skip
            for received, status in report["answers"]:
                answer = self.file()
                made.append(answer)
                moments.append(received)
                is_open |= status == "stored"
                connection.execute(
                    insert(answers).values(
                        provider=self.context.provider, submission=submission, received_at=received,
                        via="sftp", remote_name="n", remote_size=1, remote_modified_at=1,
                        archive_path=answer.path,
                        size_bytes=1, sha256=answer.sha256, status=status,
                    )
                )  # fmt: skip
        today = now.astimezone(LJUBLJANA).date()
        if is_open or any(today <= kept_until(moment, months) for moment in moments):
            self.must_stay |= {stored.path: stored.sha256 for stored in made}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(periods=PERIODS, now=MOMENTS, months=st.integers(24, 40))
def test_what_must_be_kept_is_kept_and_readable(
    periods: list[dict[str, Any]], now: datetime, months: int, migrated_sqlite: Path, tmp_path_factory: Any
) -> None:
    """The supervisor asks for a report of 24 months ago and its answer: both are there, whole."""
    folder: Path = tmp_path_factory.mktemp("kept")
    with sqlite3.connect(migrated_sqlite) as source, sqlite3.connect(folder / "a.db") as target:
        source.backup(target)
    source.close()
    target.close()
    engine = open_engine(f"sqlite:///{folder / 'a.db'}")
    context: Any = type("BareDesk", (), {})()
    context.engine, context.archive, context.provider = engine, Archive(folder / "archive"), "5860571000"
    context.clock = lambda: now
    scene = Scene(context)
    scene.fill(periods, now, months)
    removed = {file.path for file in purge(context, months).files}
    assert removed & set(scene.must_stay) == set()
    assert [
        path for path, sha256 in scene.must_stay.items() if not context.archive.intact(path, sha256)
    ] == []
    assert all(not context.archive.has(path) for path in removed)
    engine.dispose()


def test_triggers_keep_the_note_of_a_purge(bank: Bank) -> None:
    """Whoever wants a file back in the books cannot take the note away."""
    reported(bank)
    years_pass(bank)
    purge(bank.context, KEEP)
    with pytest.raises(Exception, match="append-only"), writing(bank.context.engine) as connection:
        connection.execute(delete(purged_files))
