"""A database that ends sessions, takes no writes or goes away while the authority has our report."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, text

from ajpes_reporting.config import open_workspace
from ajpes_reporting.database import lease as leases
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.lease import lease
from ajpes_reporting.domain.errors import Busy, OutcomeUnknown
from ajpes_reporting.domain.outcomes import Unreachable
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.pipeline.answers import answer_name
from ajpes_reporting.pipeline.operator_actions import resolve
from ajpes_reporting.pipeline.run import Ending, Result
from ajpes_reporting.wiring import open_context
from tests.conftest import MIGRATED
from tests.pipeline.conftest import NOV_17, Bank, event
from tests.pipeline.test_fence import cut_off, state_of
from tests.pipeline.test_swept import ANSWER
from tests.servers.postgres import Cluster

PROVIDER = "5860571000"
Reopened = Callable[..., Bank]


@pytest.fixture
def database_url(postgres: Cluster) -> Iterator[str]:
    with postgres.database(template=MIGRATED) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def slow(bank: Bank) -> Bank:
    """A bank with something to report; the authority takes its time for the answer."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "slow", seconds=3, times=1)
    return bank


def limit(postgres: Cluster, url: str, setting: str, value: str) -> None:
    """What a DBA sets for a whole database; sessions that are there keep what they had."""
    postgres.execute(f"ALTER DATABASE {make_url(url).database} SET {setting} = '{value}'")


def end_sessions(postgres: Cluster, url: str) -> None:
    name = make_url(url).database
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


@contextmanager
def while_it_waits(bank: Bank, what: Callable[[], object]) -> Iterator[None]:
    """Does something in a thread that knows nothing of our lock, when the authority has our report."""
    found: list[BaseException] = []

    def wait_and_do() -> None:
        give_up = time.monotonic() + 60
        while not bank.authority.faults.played and time.monotonic() < give_up:
            time.sleep(0.05)
        try:
            Context().run(what)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=wait_and_do)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert found == []


def accepted_once(bank: Bank, result: Result) -> None:
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED
    assert len(bank.authority.store.submissions()) == 1
    assert bank.problems() == ()


@pytest.fixture
def reopened() -> Iterator[Reopened]:
    """Opens a bank as another process finds it."""
    desks = []

    def open_again(bank: Bank, **changes: Any) -> Bank:
        desks.append(replace(open_context(open_workspace(bank.folder), bank.time), **changes))
        return Bank(bank.folder, desks[-1], bank.time, bank.authority)

    yield open_again
    for context in desks:
        context.engine.dispose()


# --- A DBA's limits ---


@pytest.mark.parametrize("setting", ["idle_session_timeout", "idle_in_transaction_session_timeout"])
def test_a_limit_for_idle_sessions_takes_the_lock_from_no_living_run(
    slow: Bank, postgres: Cluster, database_url: str, reopened: Reopened, setting: str
) -> None:
    """The authority takes longer than the limit: a second run finds it busy, and nothing goes out twice."""
    limit(postgres, database_url, setting, "500ms")
    end_sessions(postgres, database_url)
    found: list[object] = []
    other = reopened(slow, resend_after_unknown=True)

    def second_run() -> None:
        try:
            found.append(other.run())
        except Busy as error:
            found.append(error)

    with while_it_waits(slow, second_run):
        result = slow.run()
    assert [type(one) for one in found] == [Busy] or isinstance(found[0], Result)
    accepted_once(slow, result)
    other.context.engine.dispose()


@pytest.mark.parametrize("name", ["idle_session_timeout", "statement_timeout", "lock_timeout"])
def test_the_lock_s_session_knows_no_limit(
    postgres: Cluster, database_url: str, engine: Engine, name: str
) -> None:
    """It has nothing to do for hours, by its nature."""
    limit(postgres, database_url, name, "700ms")
    with lease(engine, PROVIDER) as hold:
        assert isinstance(hold, leases._Session)
        assert hold._connection.execute(text(f"SHOW {name}")).scalar() == "0"
        time.sleep(1.2)
        assert hold.is_still_ours()


def test_a_session_that_waits_in_the_pool_is_kept_too(
    postgres: Cluster, database_url: str, engine: Engine
) -> None:
    """It is needed as soon as the authority has answered."""
    limit(postgres, database_url, "idle_session_timeout", "300ms")
    with engine.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    time.sleep(0.8)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar() == pid


def test_a_run_that_is_awake_shows_it_and_is_not_replaced(engine: Engine, database_url: str) -> None:
    """However long the authority takes: what counts is whether the process lives."""
    other = open_engine(database_url)
    with lease(engine, PROVIDER, longest_seconds=1.0, beat_seconds=0.1) as hold:
        time.sleep(1.5)
        with pytest.raises(Busy), lease(other, PROVIDER, longest_seconds=1.0):
            pass
        assert hold.is_still_ours()
    with lease(other, PROVIDER):
        pass
    other.dispose()


def test_a_lock_that_is_lost_is_noticed_without_being_asked(
    engine: Engine, postgres: Cluster, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """At the next sign of life, not at the end of the run."""
    with lease(engine, PROVIDER, beat_seconds=0.1):
        end_sessions(postgres, database_url)
        give_up = time.monotonic() + 20
        while "was lost" not in caplog.text:
            assert time.monotonic() < give_up
            time.sleep(0.05)


def test_a_lost_lock_is_taken_again_if_nobody_has_held_it(
    engine: Engine, postgres: Cluster, database_url: str
) -> None:
    """The database has restarted under a run: it goes on as if nothing had been."""
    with lease(engine, PROVIDER) as hold:
        end_sessions(postgres, database_url)
        assert not hold.is_still_ours()
        assert hold.take_again()
        assert hold.is_still_ours()
        with pytest.raises(Busy), lease(engine, PROVIDER):
            pass
    with lease(engine, PROVIDER):
        pass


@pytest.mark.parametrize("still", [False, True], ids=["has held it", "holds it"])
def test_a_lost_lock_that_another_run_had_is_not_taken_again(
    engine: Engine, postgres: Cluster, database_url: str, still: bool
) -> None:
    """What that one has done this one does not know."""
    other = open_engine(database_url)
    with lease(engine, PROVIDER) as hold:
        end_sessions(postgres, database_url)
        with lease(other, PROVIDER):
            assert not still or not hold.take_again()
        assert not hold.take_again()
        assert not hold.is_still_ours()
    other.dispose()


# --- A failover ---


def read_only_for_a_while(postgres: Cluster, url: str, seconds: float) -> None:
    """A failover as its clients see it: sessions are ended, and new ones may only read."""
    limit(postgres, url, "default_transaction_read_only", "on")
    end_sessions(postgres, url)
    time.sleep(seconds)
    limit(postgres, url, "default_transaction_read_only", "off")
    end_sessions(postgres, url)


def test_a_database_that_is_read_only_for_a_while_costs_no_answer(
    slow: Bank, postgres: Cluster, database_url: str
) -> None:
    """The acceptance is in our hands when the failover begins, and is recorded when it is over."""
    with while_it_waits(slow, lambda: read_only_for_a_while(postgres, database_url, 5)):
        result = slow.run()
    accepted_once(slow, result)


def test_a_database_that_is_away_for_a_while_costs_no_answer(slow: Bank, postgres: Cluster) -> None:
    """It is stopped while the authority thinks, and comes back some time after the answer."""
    with while_it_waits(slow, lambda: postgres.restart(seconds_down=4)):
        result = slow.run()
    accepted_once(slow, result)


def test_after_an_outage_the_report_still_goes_by_the_other_way(
    bank: Bank, postgres: Cluster, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock's session has died with the database; nobody else came, so the run goes on."""
    bank.record(event("O-1", 1))
    monkeypatch.setattr(
        "ajpes_reporting.deliver.soap.carrier.SoapCarrier.deliver",
        lambda *_args: (end_sessions(postgres, database_url), Unreachable("it is down"))[1],
    )
    result = bank.run()
    accepted_once(bank, result)
    assert [one.via for one in bank.authority.store.submissions()] == ["sftp"]


def test_an_answer_that_could_not_be_recorded_is_applied_by_the_next_run(
    slow: Bank, postgres: Cluster, database_url: str, reopened: Reopened
) -> None:
    """The database stays away for longer than anybody waits: the answer lies in the archive."""
    impatient = reopened(slow, patience_seconds=0)
    with (
        while_it_waits(slow, lambda: read_only_for_a_while(postgres, database_url, 6)),
        pytest.raises(OutcomeUnknown, match="could not be recorded"),
    ):
        impatient.run()
    result = slow.run()
    assert result.ending is Ending.ALREADY_REPORTED
    accepted_once(slow, result)
    with slow.context.engine.connect() as connection:
        assert len(answers.of_submission(connection, 1)) == 1


# --- What lies in the archive ---


@pytest.fixture
def cut(bank: Bank, tmp_path: Path) -> tuple[Bank, Path]:
    """A run that was killed with the answer in its hands, and the answer."""
    cut_off(bank, "soap")
    path = tmp_path / "answer.xml"
    path.write_text(ANSWER)
    return bank, path


def newest(bank: Bank) -> tuple[submissions.Submission, int]:
    with bank.context.engine.connect() as connection:
        found = submissions.latest(connection, PROVIDER, "NODURS", NOV_17.key)
        assert found is not None
        return found, submissions.attempts_of(connection, found.id)[-1].id


@pytest.mark.parametrize("by", ["run", "collect", "resolve"])
def test_an_answer_in_the_archive_settles_what_its_run_could_not(cut: tuple[Bank, Path], by: str) -> None:
    """Whoever comes next finds it, and a person's word to the contrary is not taken."""
    bank, path = cut
    submission, attempt = newest(bank)
    bank.context.archive.store(path, answer_name(submission, attempt), bank.time())
    if by == "resolve":
        with pytest.raises(Exception, match="is accepted"):
            resolve(bank.context, submission.id, "never-arrived", "a colleague")
    else:
        bank.run() if by == "run" else bank.collect()
    assert state_of(bank, submission.id) is State.ACCEPTED
    bank.collect()
    with bank.context.engine.connect() as connection:
        assert len(answers.of_submission(connection, submission.id)) == 1
    assert bank.problems() == ()


@pytest.mark.parametrize("wrong", ["submission", "hash"])
def test_an_answer_to_another_report_is_not_taken_for_it(cut: tuple[Bank, Path], wrong: str) -> None:
    """In a database that was copied back the same numbers come again for other bytes."""
    bank, path = cut
    submission, attempt = newest(bank)
    other = {"submission": replace(submission, id=7), "hash": replace(submission, sha256="0" * 64)}
    bank.context.archive.store(path, answer_name(other[wrong], attempt), bank.time())
    assert bank.run().ending is Ending.MUST_BE_SETTLED
    assert state_of(bank, submission.id) is State.UNKNOWN


def test_a_damaged_file_in_the_archive_settles_nothing_and_stops_nothing(cut: tuple[Bank, Path]) -> None:
    """The disk gave out together with the database."""
    bank, path = cut
    submission, attempt = newest(bank)
    stored = bank.context.archive.store(path, answer_name(submission, attempt), bank.time())
    kept = bank.context.archive.root / stored.path
    kept.write_bytes(kept.read_bytes()[:-9])
    assert bank.run().ending is Ending.MUST_BE_SETTLED


def test_an_archive_that_takes_nothing_for_a_while_is_waited_for(slow: Bank) -> None:
    """Its disk is full, or its share is gone; the answer stays in our hands until there is room."""
    year = slow.context.archive.root / "2026"
    aside = year.with_name("aside")

    def no_room() -> None:
        year.rename(aside)
        year.touch()
        time.sleep(4)
        year.unlink()
        aside.rename(year)

    with while_it_waits(slow, no_room):
        result = slow.run()
    accepted_once(slow, result)
