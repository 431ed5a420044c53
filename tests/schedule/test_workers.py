"""Workers on several machines: each period goes once, whatever happens to one of them."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from datetime import time as clock_time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.pipeline.run import Ending, Result
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.schedule.provider_schedule import ProviderSchedule
from ajpes_reporting.schedule.queue import SCHEMA, make_queue
from ajpes_reporting.schedule.retries import Retries
from ajpes_reporting.schedule.workers import WorkersEngine
from ajpes_reporting.wiring import open_context
from ajpes_reporting.workspace import complete_workspace
from tests.conftest import MIGRATED
from tests.pipeline.conftest import Bank, Time, authority, clock, event, make_bank
from tests.schedule.year import opened
from tests.servers.postgres import Cluster, find_programs

__all__ = ["authority", "clock"]  # fixtures

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"
PATIENCE_SECONDS = 60
DEAD_WORKER = """
INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id
"""
A_JOB = """
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, worker_id)
VALUES (CAST(:provider AS text), 'report', CAST(:provider AS text), CAST(:args AS jsonb),
        CAST(:status AS procrastinate_job_status), :worker)
"""


class Office:
    """A bank whose reports are done by workers, here as threads of the test."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.duty = ProviderSchedule(
            bank.context, {"NODURS": clock_time(16)}, Retries(), timedelta(seconds=1)
        )
        self.told: list[Result | Exception] = []
        self.beats = 0

    @contextmanager
    def worker(self, silent_seconds: float = 3) -> Iterator[None]:
        """A worker that is at work; it is stopped, and waited for, in the end."""
        stop = threading.Event()
        engine = WorkersEngine([self.duty], 0.25, self._tell, self._beat, silent_seconds)
        thread = threading.Thread(target=engine.run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def endings(self) -> list[Ending | str]:
        return [done.ending if isinstance(done, Result) else str(done) for done in self.told]

    def queued(self) -> list[tuple[str, str]]:
        query = f"SELECT task_name, status::text FROM {SCHEMA}.procrastinate_jobs WHERE task_name = 'report'"
        with self.duty.context.engine.connect() as connection:
            return [(row[0], row[1]) for row in connection.execute(text(query))]

    def enqueue(self, period: str, *, by_dead_worker: bool = False) -> None:
        """A report in the queue, waiting; or at work with a worker that was killed an hour ago."""
        with self.duty.context.engine.begin() as connection:
            connection.execute(text(f"SET LOCAL search_path TO {SCHEMA}"))
            worker = connection.execute(text(DEAD_WORKER)).scalar() if by_dead_worker else None
            provider = self.duty.context.provider
            args = {"provider": provider, "report": "NODURS", "period": period}
            values = {
                "provider": provider,
                "status": "doing" if by_dead_worker else "todo",
                "args": json.dumps(args),
                "worker": worker,
            }
            connection.execute(text(A_JOB), values)

    def _tell(self, _duty: ProviderSchedule, done: Result | Exception) -> None:
        self.told.append(done)

    def _beat(self) -> None:
        """Asks the database, as the note for the monitoring does."""
        with self.duty.context.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        self.beats += 1


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def office(tmp_path: Path, postgres: Cluster, clock: Time, authority: Sandbox) -> Iterator[Office]:
    """A bank on PostgreSQL with a queue for its workers."""
    folder = tmp_path / "bank"
    folder.mkdir()
    with postgres.database(template=MIGRATED) as url:
        office = Office(make_bank(folder, url, clock, authority))
        make_queue(office.duty.context.engine)
        yield office
        office.duty.context.engine.dispose()


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A server that a test may stop without disturbing others."""
    programs = find_programs()
    if programs is None:
        pytest.skip("install postgresql")
    with Cluster(programs) as cluster:
        yield cluster


def test_each_period_is_received_once_whatever_happens_to_the_workers(
    tmp_path: Path, own_cluster: Cluster
) -> None:
    """The authority gets no report twice, and the bank owes none, though workers are killed and paused."""
    # With this seed a worker is killed on one day and cut off on another, and one day is quiet.
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(4)]
    with own_cluster.database() as url, opened(tmp_path, own_cluster, url, seed=22, workers=2) as year:
        for day in days:
            year.live(day)
        assert year.audit(days) == []
        assert (year.counts.killed, year.counts.cut_off) == (1, 1)


def test_a_job_of_a_dead_worker_is_done_by_another(office: Office) -> None:
    """A machine that burnt down does not hold up the reports after it."""
    office.bank.record(event("O-1", 1))
    office.enqueue("2026-11-17", by_dead_worker=True)
    # A tick in the midst of the report may ask for it once more; that one is looked up, and dropped.
    office.bank.authority.faults.add("soap", "slow", seconds=1, times=1)
    with office.worker():
        until(lambda: office.told and not office.queued())
    assert office.endings() == [Ending.ATTEMPTED]
    assert len(office.bank.authority.store.submissions()) == 1


def test_a_period_that_waited_is_looked_up_before_it_is_run(office: Office) -> None:
    """What a person has reported by hand in the meantime is not run again."""
    office.bank.record(event("O-1", 1))
    office.bank.run()
    office.enqueue("2026-11-17")
    with office.worker():
        until(lambda: office.beats > 1 and not office.queued())
    assert office.told == []


def test_a_stop_waits_for_the_report_on_its_way(office: Office) -> None:
    """An update of the machine leaves no report whose outcome nobody knows."""
    office.bank.record(event("O-1", 1))
    office.bank.authority.faults.add("soap", "slow", seconds=2, times=1)
    with office.worker():
        until(lambda: office.bank.authority.store.submissions())
        assert office.told == []
    assert office.endings() == [Ending.ATTEMPTED]
    assert ("report", "doing") not in office.queued()


def test_workers_find_back_to_a_database_that_was_away(
    tmp_path: Path, own_cluster: Cluster, clock: Time, authority: Sandbox
) -> None:
    """A database that is updated at noon does not cost the report of the afternoon."""
    folder = tmp_path / "bank"
    folder.mkdir()
    with own_cluster.database() as url:
        bank = make_bank_with_queue(folder, url, clock, authority)
        office = Office(bank)
        clock.now = clock.now.replace(hour=12)
        with office.worker():
            until(lambda: office.beats)
            own_cluster.restart(seconds_down=2)
            clerk = Bank(folder, open_context(open_workspace(folder), clock), clock, authority)
            clerk.record(event("O-1", 1))
            clerk.context.engine.dispose()
            clock.now = clock.now.replace(hour=17)
            until(lambda: Ending.ATTEMPTED in office.endings())
        bank.context.engine.dispose()


def test_the_rights_that_the_handbook_gives_are_enough(
    tmp_path: Path, own_cluster: Cluster, clock: Time, authority: Sandbox
) -> None:
    """An administrator who follows the page has workers that may work, and may not alter a table."""
    folder = tmp_path / "bank"
    folder.mkdir()
    first, after = handbook_statements()
    own_cluster.execute("CREATE ROLE ajpes_owner LOGIN")
    own_cluster.execute("CREATE ROLE ajpes LOGIN")
    own_cluster.execute("CREATE DATABASE ajpes OWNER ajpes_owner TEMPLATE template0")
    owner = own_cluster.url("ajpes").replace("tester@", "ajpes_owner@")
    run_all(own_cluster.url("ajpes"), first)
    make_bank_with_queue(folder, owner, clock, authority).context.engine.dispose()
    run_all(owner, after)
    settings = folder / "ajpes.toml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("ajpes_owner@", "ajpes@"), encoding="utf-8"
    )
    bank = Bank(folder, open_context(open_workspace(folder), clock), clock, authority)
    office = Office(bank)
    bank.record(event("O-1", 1))
    with office.worker():
        until(lambda: office.told)
    assert office.endings() == [Ending.ATTEMPTED]
    with pytest.raises(ProgrammingError, match="must be owner"), bank.context.engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {SCHEMA}.procrastinate_jobs"))
    bank.context.engine.dispose()


def make_bank_with_queue(folder: Path, url: str, clock: Time, authority: Sandbox) -> Bank:
    """As `init` makes it for the engine of several machines."""
    settings = re.sub(r'url = "sqlite:[^"]*"', f'url = "{url}"', authority.settings(folder))
    engine = '\n[schedule]\nengine = "procrastinate"\n'
    (folder / "ajpes.toml").write_text(settings + engine, encoding="utf-8")
    complete_workspace(folder)
    return Bank(folder, open_context(open_workspace(folder), clock), clock, authority)


def handbook_statements() -> tuple[list[str], list[str]]:
    """The statements of the handbook for the new database, and those after `init`."""
    page = OPERATING.read_text(encoding="utf-8")
    found = re.findall(r"^(?:GRANT|ALTER) .*?;$", page, flags=re.MULTILINE | re.DOTALL)
    before = [one for one in found if one.startswith("ALTER") or "TEMPORARY" in one]
    return before, [one for one in found if one not in before]


def run_all(url: str, statements: list[str]) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
