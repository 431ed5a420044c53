"""A run that sleeps through another one's taking its place does nothing more when it wakes up.

On PostgreSQL a process without any sign of life loses its lock. Here it sleeps at one step after the other;
meanwhile its lock's session is ended, as `database.running` does it, and another run does the work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import open_engine, writing
from ajpes_reporting.database.lease import lease
from ajpes_reporting.deliver.soap.carrier import SoapCarrier
from ajpes_reporting.domain.errors import Replaced, UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, due, submissions
from ajpes_reporting.journal.submissions import Submission
from ajpes_reporting.pipeline import answers as answers_module
from ajpes_reporting.pipeline import operator_actions as operator_module
from ajpes_reporting.pipeline import reconcile as reconcile_module
from ajpes_reporting.pipeline import recorder as recorder_module
from ajpes_reporting.pipeline import release_gate as release_gate_module
from ajpes_reporting.pipeline import run as run_module
from ajpes_reporting.pipeline.operator_actions import resolve
from ajpes_reporting.pipeline.run import Ending
from ajpes_reporting.schedule.provider_schedule import ProviderSchedule
from ajpes_reporting.schedule.retries import Retries
from ajpes_reporting.schedule.tick import do, tick
from tests.conftest import MIGRATED
from tests.pipeline.conftest import Bank, event
from tests.pipeline.test_fence import cut_off, put_report
from tests.pipeline.test_schedule import STARTS
from tests.pipeline.test_trouble import put_answer
from tests.servers.postgres import Cluster


@pytest.fixture
def database_url(postgres: Cluster) -> Iterator[str]:
    """On SQLite a living process keeps its lock."""
    with postgres.database(template=MIGRATED) as url:
        yield url


class Asleep:
    """Lets something happen right before, or after, the first call of a function."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bank: Bank) -> None:
        self._monkeypatch = monkeypatch
        self._bank = bank

    def at(self, owner: Any, name: str, meanwhile: Callable[[], object], *, after: bool = False) -> None:
        original = getattr(owner, name)

        def slept(*args: Any, **named: Any) -> Any:
            self._monkeypatch.setattr(owner, name, original)
            result = original(*args, **named) if after else None
            self._take_over()
            Context().run(meanwhile)  # in another process it would not know of the sleeper's lock
            return result if after else original(*args, **named)

        self._monkeypatch.setattr(owner, name, slept)

    def _take_over(self) -> None:
        with self._bank.context.engine.connect() as connection:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            assert connection.execute(text(ended)).scalars().all() == [True]


@pytest.fixture
def asleep(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Asleep:
    return Asleep(monkeypatch, bank)


def sent_into_doubt(bank: Bank) -> Callable[[], None]:
    """Another run sends the report, and its call ends without an answer."""

    def run() -> None:
        bank.authority.faults.add("soap", "drop_answer", times=1)
        submission = bank.run().submission
        assert submission is not None
        assert submission.state is State.UNKNOWN

    return run


def latest(bank: Bank) -> Submission:
    with bank.context.engine.connect() as connection:
        found = submissions.latest(connection, bank.context.provider, "NODURS", "2026-11-17")
    assert found is not None
    return found


def arrived(bank: Bank) -> int:
    bank.authority.process_now()
    return len(bank.authority.store.submissions())


STEPS = {
    "before it looks what stands": (run_module, "recover_interrupted"),
    "before it prepares its report": (run_module, "_prepare"),
    "before it begins to send": (run_module, "send"),
    "before it hands over": (SoapCarrier, "deliver"),
}


@pytest.mark.parametrize("step", STEPS)
def test_what_another_run_has_sent_stays_as_that_one_left_it(bank: Bank, asleep: Asleep, step: str) -> None:
    """Neither prepared over, nor covered up by a failure of its own, nor sent by the next way."""
    bank.record(event("O-1", 1))
    asleep.at(*STEPS[step], sent_into_doubt(bank))
    with pytest.raises(Replaced, match="taken its place"):
        bank.run()
    assert (latest(bank).state, latest(bank).id) == (State.UNKNOWN, 1)
    assert bank.run().ending is Ending.MUST_BE_SETTLED
    assert arrived(bank) == 1
    assert bank.problems() == ()


def test_nor_is_the_same_sent_again_on_top_of_it(bank: Bank, asleep: Asleep) -> None:
    """Two clerks want the refused file to go again; the first one's machine hangs."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "fault", code="Client", times=1)
    refused = bank.run().submission
    assert refused is not None

    def second_clerk() -> None:
        bank.authority.faults.add("soap", "drop_answer", times=1)
        bank.resubmit(refused.id, same=True)

    asleep.at(operator_module, "_again", second_clerk)
    with pytest.raises(Replaced):
        bank.resubmit(refused.id, same=True)
    bank.run()
    assert arrived(bank) == 1


def test_a_report_that_is_held_stays_held(
    bank: Bank, asleep: Asleep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sleeper would send the other one's report, and with it the alarm that it is held would be gone."""
    bank.record(event("O-1", 1))

    def another_is_held() -> None:
        bank.record(event("O-2", 1), name="more.csv")
        with monkeypatch.context() as patch:
            patch.setattr(release_gate_module, "reason_to_hold", lambda *_args: "it has too many records")
            assert bank.run().ending is Ending.HELD

    asleep.at(run_module, "_prepare", another_is_held, after=True)
    with pytest.raises(Replaced):
        bank.run()
    assert (latest(bank).state, latest(bank).is_held) == (State.PREPARED, True)
    settings = open_workspace(bank.folder).settings.alarms
    with bank.context.engine.connect() as connection:
        told = list(conditions(connection, bank.context.provider, settings, bank.time()))
    assert [one.key for one in told if one.key.startswith("held")] != []


def test_what_was_seen_in_the_folders_is_not_said_of_a_later_attempt(bank: Bank, asleep: Asleep) -> None:
    """It took an unfinished file away and fell asleep before it said so; then the report was sent."""
    name = "NODURS_20261117_5860571.xml.abcd1234.part"
    key = cut_off(bank, "sftp", name)
    put_report(bank, key, "v_ajpes", name)

    def settled_and_sent() -> None:
        resolve(bank.context, key, "never-arrived", "AJPES, rightly")
        bank.authority.faults.clear()
        sent_into_doubt(bank)()

    asleep.at(reconcile_module, "_record_sighting", settled_and_sent)
    with pytest.raises(Replaced):
        bank.collect()
    assert latest(bank).state is State.UNKNOWN
    bank.run()
    assert arrived(bank) == 1


def test_a_word_is_not_taken_for_an_attempt_that_came_after_it(bank: Bank, asleep: Asleep) -> None:
    """Two clerks settle the same doubt; between the two the report goes out, into another one."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "drop_request", times=1)
    key = number(bank)

    def second_clerk() -> None:
        resolve(bank.context, key, "never-arrived", "AJPES, rightly")
        sent_into_doubt(bank)()

    asleep.at(operator_module, "_told_by_the_folders", second_clerk, after=True)
    with pytest.raises(Replaced):
        resolve(bank.context, key, "never-arrived", "AJPES, rightly")
    bank.run()
    assert (latest(bank).state, arrived(bank)) == (State.UNKNOWN, 1)


def test_an_answer_is_not_applied_again_to_the_next_report(bank: Bank, asleep: Asleep) -> None:
    """It has stored a refusal and sleeps; another applies it, and the same bytes go out once more."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "no_answer", times=2)
    first = bank.run(via="sftp").submission
    assert first is not None
    put_answer(bank, "2026-11-17T17:00:30")
    (path,) = (bank.authority.folder / "nodurs" / "iz_ajpes").iterdir()
    path.write_text(path.read_text().replace('iErr="0"', 'iErr="1"'))

    def applied_and_sent_again() -> None:
        bank.collect()
        bank.time.pass_by(minutes=3)
        bank.resubmit(first.id, same=True, via="sftp")

    asleep.at(answers_module, "apply", applied_and_sent_again)
    with pytest.raises(Replaced):
        bank.collect()
    second = latest(bank)
    assert (second.id != first.id, second.state) == (True, State.DELIVERED)
    with bank.context.engine.connect() as connection:
        assert submissions.get(connection, first.id).state is State.REFUSED
        assert list(answers.of_submission(connection, second.id)) == []


def test_an_acceptance_that_comes_late_counts(bank: Bank, asleep: Asleep) -> None:
    """A person has been told too early that it never arrived; the sleeper has the answer in its hands."""
    bank.record(event("O-1", 1))

    def asked_too_early() -> None:
        assert bank.run().ending is Ending.MUST_BE_SETTLED
        resolve(bank.context, latest(bank).id, "never-arrived", "AJPES, too early")

    asleep.at(recorder_module.Recorder, "ended", asked_too_early)
    with suppress(Replaced):
        bank.run(via="soap")
    assert latest(bank).state is State.ACCEPTED
    assert bank.run().ending is Ending.ALREADY_REPORTED
    assert arrived(bank) == 1
    assert bank.problems() == ()


def test_an_acceptance_that_comes_late_stops_an_attempt_that_has_begun(bank: Bank, asleep: Asleep) -> None:
    """The next run has begun to send and is killed before it hands over; it must not go once more."""
    bank.record(event("O-1", 1))

    def asked_too_early_and_begun() -> None:
        assert bank.run().ending is Ending.MUST_BE_SETTLED
        resolve(bank.context, latest(bank).id, "never-arrived", "AJPES, too early")
        with writing(bank.context.engine) as connection:
            submissions.begin_attempt(connection, latest(bank), "soap", at=bank.time())

    asleep.at(recorder_module.Recorder, "ended", asked_too_early_and_begun)
    with suppress(Replaced):
        bank.run(via="soap")
    assert latest(bank).state is State.ACCEPTED
    bank.run()
    assert arrived(bank) == 1


def test_nor_does_it_go_by_the_other_way_then(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own first way has failed, and meanwhile an earlier call was found to have delivered it."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "refuse", times=1)
    ended = recorder_module.Recorder.ended

    def found_to_have_arrived(self: recorder_module.Recorder, *outcome: Any) -> None:
        ended(self, *outcome)
        with writing(bank.context.engine) as connection:
            self.submission = submissions.move(
                connection, self.submission, State.UNKNOWN, "an earlier call", at=bank.time()
            )

    monkeypatch.setattr(recorder_module.Recorder, "ended", found_to_have_arrived)
    with pytest.raises(UsageError, match="does not go by SFTP as well"):
        bank.run()
    assert (latest(bank).state, arrived(bank)) == (State.UNKNOWN, 0)


def test_an_answer_that_cannot_be_used_shows_all_the_same_that_it_arrived(
    bank: Bank, asleep: Asleep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AJPES has replied, in whatever words: what they have must not be sent again."""
    bank.record(event("O-1", 1))

    def asked_too_early() -> None:
        assert bank.run().ending is Ending.MUST_BE_SETTLED
        resolve(bank.context, latest(bank).id, "never-arrived", "AJPES, too early")

    def unreadable(*_args: object) -> None:
        raise answers_module.AnswerProblem(answers.UNREADABLE, "it is not XML")

    asleep.at(recorder_module.Recorder, "ended", asked_too_early)
    with monkeypatch.context() as patch, suppress(Replaced):
        patch.setattr(answers_module, "_read", unreadable)
        bank.run(via="soap")
    assert latest(bank).state is State.UNKNOWN
    assert bank.run().ending is Ending.MUST_BE_SETTLED
    assert arrived(bank) == 1


def test_what_is_delivered_is_told_as_delivered(bank: Bank, asleep: Asleep) -> None:
    """Replaced while it waits for the answer: "run again" would be the wrong thing to say."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "no_answer", times=1)
    asleep.at(run_module, "wait_for_answer", lambda: None)
    (path := bank.authority.folder / "nodurs" / "iz_ajpes" / "old.xml").write_text("<BlokOdgovor/>")
    result = bank.run(via="sftp")
    assert result.submission is not None
    assert result.submission.state is State.DELIVERED
    assert path.exists()


def test_a_run_that_is_replaced_again_and_again_is_told_of(bank: Bank, asleep: Asleep) -> None:
    """A report that takes longer than a run may last is tried less and less often, and counted."""
    bank.record(event("O-1", 1))
    asleep.at(run_module, "_prepare", lambda: None)
    ((_duty, done),) = tick([ProviderSchedule(bank.context, STARTS, Retries(), timedelta(minutes=5))], do)
    assert isinstance(done, Replaced)
    with bank.context.engine.connect() as connection:
        row = due.find(connection, bank.context.provider, "NODURS", "2026-11-17")
    assert row is not None
    assert row.tries == 1
    assert row.next_try_at is not None
    assert row.next_try_at > bank.time()


def test_whoever_sleeps_in_a_transaction_holds_up_nobody_for_ever(
    bank: Bank,
) -> None:
    """The lock of the run is one thing, the queue of those who write another."""
    url = bank.context.engine.url.render_as_string(hide_password=False)
    sleeper, other = open_engine(url), open_engine(url)
    got_through = threading.Event()

    def takes_its_turn() -> None:
        with lease(other, bank.context.provider, longest_seconds=0.5), writing(other):
            got_through.set()

    with suppress(Exception), lease(sleeper, bank.context.provider, 1.0), writing(sleeper) as connection:
        thread = threading.Thread(target=takes_its_turn)
        thread.start()
        thread.join(20)
        connection.execute(text("SELECT 1"))
        pytest.fail("the sleeper goes on as if nothing had happened")
    assert got_through.is_set()
    sleeper.dispose()
    other.dispose()


def number(bank: Bank) -> int:
    submission = bank.run().submission
    assert submission is not None
    return submission.id
