"""Who may send: one run at a time, only as long as it is alive, and never what may be there already."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from ajpes_reporting.database.engine import open_engine, writing
from ajpes_reporting.database.lease import Lease, lease
from ajpes_reporting.domain.errors import Busy, UsageError
from ajpes_reporting.domain.outcomes import Unknown
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import chain, submissions
from ajpes_reporting.pipeline.operator_actions import release, resolve
from ajpes_reporting.pipeline.run import Ending
from tests.conftest import MIGRATED
from tests.pipeline.conftest import NOV_17, NOV_18, Bank, Time, event
from tests.servers.postgres import Cluster

_HOLDER = """
import sys, time
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.lease import lease
with lease(open_engine(sys.argv[1]), "5860571000"):
    print("held", flush=True)
    time.sleep(600)
"""


class Lost(Lease):
    """A lock that somebody else has taken."""

    def is_still_ours(self) -> bool:
        return False


@pytest.fixture
def postgres_url(postgres: Cluster) -> Iterator[str]:
    with postgres.database(template=MIGRATED) as url:
        yield url


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = open_engine(postgres_url)
    yield engine
    engine.dispose()


@contextmanager
def held_elsewhere(database_url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock and shows no sign of life."""
    program = [sys.executable, "-c", _HOLDER, database_url]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


@contextmanager
def lost_lock() -> Iterator[Lease]:
    yield Lost()


def state_of(bank: Bank, key: int) -> State:
    with bank.context.engine.connect() as connection:
        return submissions.get(connection, key).state


def cut_off(bank: Bank, via: str, waits_as: str = "") -> int:
    """A submission whose run died after the hand-over; nothing has arrived yet."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "refuse", times=1)
    bank.authority.faults.add("sftp", "refuse", times=1)
    submission = bank.run().submission
    assert submission is not None
    with writing(bank.context.engine) as connection:
        attempt = submissions.begin_attempt(connection, submission, via, at=bank.time())
        submissions.hand_over(connection, submission, attempt, waits_as, at=bank.time())
    return submission.id


def put_report(bank: Bank, key: int, folder: str, name: str | None = None) -> Path:
    """The very bytes of a submission, in a folder of the authority."""
    with bank.context.engine.connect() as connection:
        submission = submissions.get(connection, key)
    path = bank.authority.folder / "nodurs" / folder / (name or submission.file_name)
    bank.context.archive.extract(submission.archive_path, path)
    return path


@pytest.mark.parametrize("via", ["soap", "sftp"])
def test_a_run_that_lost_its_lock_hands_nothing_over(bank: Bank, via: str) -> None:
    """A machine that was asleep wakes up when another one has done its work: it stays silent."""
    bank.record(event("O-1", 1))
    context = replace(bank.context, exclusive=lost_lock)
    result = Bank(bank.folder, context, bank.time, bank.authority).run(via=via)
    assert result.submission is not None
    assert result.submission.state is State.UNREACHABLE
    bank.authority.process_now()
    assert bank.authority.store.submissions() == []
    assert list((bank.authority.folder / "nodurs" / "v_ajpes").iterdir()) == []
    result = bank.run(via=via)
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED


def test_a_submission_that_was_settled_meanwhile_is_not_handed_over(bank: Bank) -> None:
    """While one run sleeps before it sends, another settles its submission: the first one sees that."""
    bank.record(event("O-1", 1))

    class Sleepy(Lease):
        def is_still_ours(self) -> bool:
            with writing(bank.context.engine) as connection:
                (under_way,) = submissions.in_states(
                    connection, bank.context.provider, frozenset({State.SENDING})
                )
                submissions.move(connection, under_way, State.UNREACHABLE, "test", at=bank.time())
            return True

    @contextmanager
    def sleepy() -> Iterator[Lease]:
        yield Sleepy()

    context = replace(bank.context, exclusive=sleepy)
    Bank(bank.folder, context, bank.time, bank.authority).run(via="soap")
    assert bank.authority.store.submissions() == []
    assert bank.problems() == ()


def test_a_dead_process_gives_its_lock_back_at_once(bank: Bank, database_url: str) -> None:
    """A killed run must not keep the next one from being in time."""
    with held_elsewhere(database_url) as holder:
        with pytest.raises(Busy):
            bank.run()
        holder.kill()
        holder.wait()
        bank.record(event("O-1", 1))
        assert bank.run().ending is Ending.ATTEMPTED


def test_a_paused_process_loses_its_lock_after_a_while(engine: Engine, postgres_url: str) -> None:
    """On PostgreSQL a machine that hangs does not keep the others from reporting in time."""
    with held_elsewhere(postgres_url) as holder:
        holder.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        with pytest.raises(Busy), lease(engine, "5860571000", longest_seconds=60):
            pass
        with lease(engine, "5860571000", longest_seconds=1) as hold:
            assert hold.is_still_ours()


def test_a_lock_whose_session_was_ended_is_not_ours_any_more(engine: Engine) -> None:
    """Whoever was replaced must find out before it sends, whatever ended its session."""
    with lease(engine, "5860571000") as hold:
        assert hold.is_still_ours()
        with engine.connect() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
            )
        assert not hold.is_still_ours()


def test_a_lock_that_was_silent_too_long_is_not_ours_any_more(engine: Engine) -> None:
    """Somebody may be taking it at this very moment: its own clock must not be trusted to be quicker."""
    with lease(engine, "5860571000", longest_seconds=0.2) as hold:
        assert hold.is_still_ours()
        time.sleep(0.3)
        assert not hold.is_still_ours()


def test_a_lock_file_that_was_put_away_is_not_ours_any_more(bank: Bank) -> None:
    """Whoever removes the lock file lets a second run in: the first one must notice."""
    if bank.context.engine.dialect.name == "postgresql":
        return
    with bank.context.exclusive() as hold:
        assert hold.is_still_ours()
        (path,) = Path(str(bank.context.engine.url.database)).parent.glob("*.lock")
        path.unlink()
        assert not hold.is_still_ours()


@pytest.mark.parametrize("folder", ["v_ajpes", "accepted"])
def test_what_lies_in_the_folders_has_arrived(bank: Bank, folder: str) -> None:
    """The run died right after the rename: the file is found, and is not sent a second time."""
    bank.authority.faults.add("sftp", "no_answer")
    key = cut_off(bank, "sftp", "x.part")
    put_report(bank, key, folder)
    assert bank.run(via="sftp").ending is Ending.AWAITS_ANSWER
    assert state_of(bank, key) is State.DELIVERED
    bank.authority.process_now()
    assert len(bank.authority.store.submissions()) == (1 if folder == "v_ajpes" else 0)
    assert bank.problems() == ()


def test_a_file_that_still_waits_for_its_name_is_taken_back_and_sent(bank: Bank) -> None:
    """The run died right before the rename: its file is taken away, so that nobody can finish it."""
    key = cut_off(bank, "sftp", "NODURS_20261117_5860571.xml.abcd.part")
    waiting = put_report(bank, key, "v_ajpes", "NODURS_20261117_5860571.xml.abcd.part")
    result = bank.run(via="sftp")
    assert not waiting.exists()
    assert result.submission is not None
    assert (result.submission.id, result.submission.state) == (key, State.ACCEPTED)
    assert len(bank.authority.store.submissions()) == 1
    assert "taken back" in str(attempt_story(bank, key))


def test_where_the_folders_tell_nothing_a_person_decides(bank: Bank) -> None:
    """It may have been taken and lost: only the authority knows."""
    key = cut_off(bank, "sftp", "gone.part")
    assert bank.run(via="sftp").ending is Ending.MUST_BE_SETTLED
    assert bank.authority.store.submissions() == []
    resolve(bank.context, key, "never-arrived", "AJPES on the phone")
    result = bank.run(via="sftp")
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED


def test_a_person_is_told_what_the_folders_tell(bank: Bank) -> None:
    """A word that it never arrived is not believed while the file lies there."""
    bank.authority.faults.add("sftp", "no_answer")
    key = cut_off(bank, "sftp")
    put_report(bank, key, "accepted")
    with pytest.raises(UsageError, match="is delivered"):
        resolve(bank.context, key, "never-arrived", "a colleague")
    assert state_of(bank, key) is State.DELIVERED


def test_twins_in_the_folders_are_not_taken_for_each_other(bank: Bank) -> None:
    """The same bytes went before, and were refused: that they lie there says nothing of the second time."""
    bank.authority.faults.add("soap", "fault", code="Client", times=1)
    bank.record(event("O-1", 1))
    first = bank.run(via="soap").submission
    assert first is not None
    assert first.state is State.REFUSED
    bank.authority.faults.add("soap", "drop_request", times=1)
    second = bank.resubmit(first.id, same=True, via="soap").submission
    assert second is not None
    put_report(bank, second.id, "accepted")
    assert bank.run().ending is Ending.MUST_BE_SETTLED


def test_the_same_bytes_go_again_only_where_the_settings_say_so(bank: Bank) -> None:
    """Some know that AJPES takes identical bytes as one report; for them nothing waits for a person."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "drop_request", times=2)
    first = bank.run().submission
    assert first is not None
    assert first.state is State.UNKNOWN
    assert bank.run().ending is Ending.MUST_BE_SETTLED
    bold = Bank(bank.folder, replace(bank.context, resend_after_unknown=True), bank.time, bank.authority)
    assert bold.run().submission.state is State.UNKNOWN  # type: ignore[union-attr]  # it is there
    again = bold.run().submission
    assert again is not None
    assert (again.id, again.sha256, again.state) == (first.id, first.sha256, State.ACCEPTED)
    assert {one.via for one in bank.authority.store.submissions()} == {"soap"}
    assert bank.problems() == ()


def test_a_resend_that_never_left_leaves_the_doubt_of_the_first_call(bank: Bank) -> None:
    """Identical bytes are harmless, others are not: what is built anew must not go out beside them."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "drop_answer", times=1)
    bold = Bank(bank.folder, replace(bank.context, resend_after_unknown=True), bank.time, bank.authority)
    bold.run(via="soap")
    bank.authority.faults.add("soap", "refuse", times=1)
    after = bold.run().submission
    assert after is not None
    assert after.state is State.UNKNOWN
    bank.record(event("O-2", 1), name="more.csv")
    bold.run()
    assert len({one.sha256 for one in bank.authority.store.submissions()}) == 1
    assert bank.problems() == ()


def test_an_unfinished_resend_says_nothing_of_the_first_call(bank: Bank) -> None:
    """The run that resent died before the rename: its file is taken back, and the doubt remains."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "drop_answer", times=1)
    bold = Bank(bank.folder, replace(bank.context, resend_after_unknown=True), bank.time, bank.authority)
    submission = bold.run(via="soap").submission
    assert submission is not None
    name = f"{submission.file_name}.abcd1234.part"
    with writing(bank.context.engine) as connection:
        attempt = submissions.begin_attempt(connection, submission, "sftp", at=bank.time())
        submissions.hand_over(connection, submission, attempt, name, at=bank.time())
    waiting = put_report(bank, submission.id, "v_ajpes", name)
    assert bank.run().ending is Ending.MUST_BE_SETTLED
    assert not waiting.exists()
    assert state_of(bank, submission.id) is State.UNKNOWN


def test_what_came_home_while_a_clerk_waited_is_not_sent_again(bank: Bank) -> None:
    """Yesterday's file was to go again; before its turn came, today's report was accepted with all of it."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "refuse", times=1)
    yesterday = bank.run(via="soap").submission
    assert yesterday is not None
    bank.time.pass_by(days=1)

    @contextmanager
    def waited() -> Iterator[Lease]:
        bank.run(period=NOV_18)
        with bank.context.exclusive() as hold:
            yield hold

    slow = Bank(bank.folder, replace(bank.context, exclusive=waited), bank.time, bank.authority)
    with pytest.raises(UsageError, match="accepted with submission"):
        slow.resubmit(yesterday.id, same=True)
    assert len(bank.authority.store.submissions()) == 1


def test_a_late_outcome_is_put_on_record_and_changes_nothing(bank: Bank) -> None:
    """The sleeper's call comes to its end long after somebody else has settled the submission."""
    key = cut_off(bank, "soap")
    bank.run()
    resolve(bank.context, key, "never-arrived", "AJPES")
    with writing(bank.context.engine) as connection:
        submission = submissions.get(connection, key)
        attempt = submissions.attempts_of(connection, key)[-1].id
        submissions.end_attempt(connection, submission, attempt, Unknown("late"), None, at=bank.time())
    assert state_of(bank, key) is State.UNREACHABLE
    with bank.context.engine.connect() as connection:
        assert chain.LATE_OUTCOME in [entry.kind for entry in chain.of_submission(connection, key)]
    assert bank.problems() == ()


def attempt_story(bank: Bank, key: int) -> list[str]:
    with bank.context.engine.connect() as connection:
        return [entry.body for entry in chain.of_submission(connection, key)]


def accept_days(bank: Bank, days: int, clock: Time) -> None:
    """As many accepted reports of one record each."""
    for number in range(days):
        moment = clock.now
        bank.record(event(f"D-{number}", 1, recorded=f"{moment:%Y-%m-%dT%H:%M:%S}"), name=f"d{number}.csv")
        result = bank.run(period=type(NOV_17)(moment.date()))
        assert result.submission is not None
        assert result.submission.state is State.ACCEPTED
        clock.pass_by(days=1)


def test_an_unusual_volume_waits_for_a_person(bank: Bank, clock: Time) -> None:
    """A whole ledger marked as changed by mistake does not go out unseen."""
    accept_days(bank, 5, clock)
    moment = clock.now
    rows = [event(f"X-{number}", 1, recorded=f"{moment:%Y-%m-%dT%H:%M:%S}") for number in range(1_001)]
    bank.record(*rows, name="many.csv")
    day = type(NOV_17)(moment.date())
    before = len(bank.authority.store.submissions())
    held = bank.run(period=day)
    assert (held.ending, bank.run(period=day).ending) == (Ending.HELD, Ending.HELD)
    assert held.submission is not None
    assert held.submission.held_because is not None
    assert "1,001 records" in held.submission.held_because
    assert len(bank.authority.store.submissions()) == before
    release(bank.context, held.submission.id, "it is the migration")
    with pytest.raises(UsageError, match="not held"):
        release(bank.context, held.submission.id, "twice")
    sent = bank.run(period=day)
    assert sent.submission is not None
    assert (sent.submission.id, sent.submission.state) == (held.submission.id, State.ACCEPTED)
    assert bank.problems() == ()


def test_a_release_is_for_what_the_person_saw(bank: Bank, clock: Time) -> None:
    """Let go were 1,001 records; when 2,000 more have come in, somebody looks again."""
    accept_days(bank, 5, clock)
    moment = f"{clock.now:%Y-%m-%dT%H:%M:%S}"
    bank.record(*[event(f"X-{number}", 1, recorded=moment) for number in range(1_001)], name="many.csv")
    day = type(NOV_17)(clock.now.date())
    held = bank.run(period=day).submission
    assert held is not None
    with pytest.raises(UsageError, match="is held, and was not sent"):
        resolve(bank.context, held.id, "delivered", "a slip")
    release(bank.context, held.id, "it is the migration")
    bank.record(*[event(f"Y-{number}", 1, recorded=moment) for number in range(2_000)], name="more.csv")
    assert bank.run(period=day).ending is Ending.HELD


def test_a_thousand_records_are_never_too_many(bank: Bank, clock: Time) -> None:
    """A small bank's busy day is no accident."""
    accept_days(bank, 5, clock)
    moment = clock.now
    rows = [event(f"X-{number}", 1, recorded=f"{moment:%Y-%m-%dT%H:%M:%S}") for number in range(1_000)]
    bank.record(*rows, name="many.csv")
    assert bank.run(period=type(NOV_17)(moment.date())).ending is Ending.ATTEMPTED
