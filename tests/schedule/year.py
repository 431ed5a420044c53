"""A year in minutes: workers that are killed, paused and cut off, and an authority that counts.

    python -m tests.schedule.year --workers 3 --days 365 --seed 7

Several worker processes share one PostgreSQL. The parent moves a clock from day to day, records
events, plays the bundled authority and, where an outcome is unknown, the person who asks it. In
the end an auditor reads the authority's book: every period that had something to report was
received exactly once, and every event stands in it. The seed decides what happens when; it is
printed, and a failure can be tried again with it, though processes never race twice alike.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.tables import due_reports, events
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import submissions
from ajpes_reporting.journal.submissions import Submission
from ajpes_reporting.pipeline.audit import verify_all
from ajpes_reporting.pipeline.collect import take_by_hand
from ajpes_reporting.pipeline.context import Context
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.pipeline.operator_actions import DELIVERED, NEVER_ARRIVED, resolve
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.wiring import open_context
from ajpes_reporting.workspace import complete_workspace
from tests.pipeline.conftest import HEADER, event
from tests.schedule.worker import read_clock
from tests.servers.postgres import Cluster, find_programs

EVERY_SECONDS = 0.25
SILENT_SECONDS = 2.0
STEP_SECONDS = 0.2
A_STEP_ON_THE_CLOCK = timedelta(seconds=20)
LONGEST_DAY_SECONDS = 180
ACCOUNTS = ("010000000100187", "010000000100284")
QUIET = 0.2


@dataclass
class Counts:
    """What happened to the workers, and what a person had to do."""

    killed: int = 0
    paused: int = 0
    cut_off: int = 0
    stopped: int = 0
    faults: int = 0
    asked: Counter[str] = field(default_factory=Counter)


class Worker:
    """A worker process; its database sessions bear its name."""

    def __init__(self, name: str, folder: Path, clock: Path) -> None:
        self.name = name
        self._command = [sys.executable, "-m", "tests.schedule.worker", str(folder), str(clock),
                         str(EVERY_SECONDS), str(SILENT_SECONDS)]  # fmt: skip
        self._log = (clock.parent / f"{name}.log").open("ab")
        self._wakes_at: float | None = None
        self.start()

    def start(self) -> None:
        environment = {**os.environ, "PGAPPNAME": self.name}
        self._process = subprocess.Popen(
            self._command, stdout=self._log, stderr=self._log, env=environment, cwd=Path.cwd()
        )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._wakes_at = None

    def stop(self) -> None:
        """As systemd stops it."""
        self.wake()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(120)
        if code not in (0, -signal.SIGTERM):  # the latter: it was only about to start
            raise AssertionError(f"{self.name} was stopped, and left with {code}")

    def pause(self, seconds: float) -> None:
        self._process.send_signal(signal.SIGSTOP)
        self._wakes_at = time.monotonic() + seconds

    def wake(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._wakes_at = None

    def look_after(self) -> None:
        """Wakes it when its pause is over; a worker that has ended by itself is a failure."""
        if self._wakes_at is not None and time.monotonic() > self._wakes_at:
            self.wake()
        if self._wakes_at is None and self._process.poll() is not None:
            raise AssertionError(f"{self.name} has ended with {self._process.returncode}")

    @property
    def is_paused(self) -> bool:
        return self._wakes_at is not None

    def close(self) -> None:
        self.kill()
        self._log.close()


class Year:
    """The bank, its workers, and what happens to them, day after day."""

    def __init__(self, folder: Path, cluster: Cluster, authority: Sandbox, url: str, seed: int) -> None:
        self.folder = folder
        self.cluster = cluster
        self.authority = authority
        self.url = url
        self.random = random.Random(seed)
        self.counts = Counts()
        self.clock = folder / "clock"
        self.workers: list[Worker] = []
        self._events = 0
        self._unknown_since: dict[int, float] = {}
        self.context = self._make_bank()

    def begin(self, workers: int) -> None:
        names = [f"worker-{number}" for number in range(1, workers + 1)]
        self.workers = [Worker(name, self.folder / "bank", self.clock) for name in names]

    def end(self) -> None:
        for worker in self.workers:
            worker.close()
        self.context.engine.dispose()

    def live(self, day: date) -> None:
        """One day: facts are recorded, the clock strikes four, and all that is due is settled."""
        self._set_clock(datetime(day.year, day.month, day.day, 15, 30, tzinfo=LJUBLJANA))
        self._record(day)
        plan = self._plan()
        self._set_clock(datetime(day.year, day.month, day.day, 16, 1, tzinfo=LJUBLJANA))
        give_up = time.monotonic() + LONGEST_DAY_SECONDS
        while not self._is_settled(day):
            if time.monotonic() > give_up:
                raise AssertionError(f"{day} is not settled: {self._open()}")
            next(plan, None)
            self._act_as_person()
            for worker in self.workers:
                worker.look_after()
            time.sleep(STEP_SECONDS)
            self._set_clock(self._now() + A_STEP_ON_THE_CLOCK)
        for _rest in plan:
            pass

    def audit(self, days: list[date]) -> list[str]:
        """What is wrong, by the authority's book and by our own record; nothing should be."""
        received = Counter((one.report, one.period) for one in self.authority.store.submissions())
        wrong = [f"{key} was received {count} times" for key, count in received.items() if count != 1]
        with self.context.engine.connect() as connection:
            rows = connection.execute(select(due_reports).order_by(due_reports.c.deadline)).all()
            recorded = connection.execute(select(func.count()).select_from(events)).scalar()
        wrong += [f"{row.report} {row.period} is not settled" for row in rows if row.settled_as is None]
        sent = [row for row in rows if row.submission is not None]
        if len(sent) != sum(received.values()):
            wrong.append(f"{len(sent)} periods count as sent, {sum(received.values())} were received")
        if sum(row.report == "NODURS" for row in rows) != len(days):
            wrong.append("the table of due reports does not hold every day once")
        if len(self.authority.store.events()) != recorded:
            wrong.append(f"{len(self.authority.store.events())} of {recorded} events were received")
        return wrong + list(verify_all(self.context).problems)

    # --- What happens to the workers ---

    def _plan(self) -> Iterator[None]:
        """What goes wrong on a day, step by step; on many days nothing does."""
        kinds = (self._nothing, self._kill, self._kill_all, self._pause, self._cut_off, self._stop)
        kind = self.random.choices(kinds, weights=(12, 4, 1, 2, 2, 1))[0]
        if kind != self._nothing:
            # Reports take longer on such a day, so that the blow falls in the middle.
            self.authority.faults.add("soap", "slow", seconds=self.random.uniform(0.5, 2.5), times=1)
        elif self.random.random() < 0.3:
            self._fault()
        return self._later(kind)

    def _later(self, action: object) -> Iterator[None]:
        for _step in range(self.random.randint(0, 8)):
            yield
        assert callable(action)
        action()

    def _nothing(self) -> None:
        return

    def _fault(self) -> None:
        channel, kind = self.random.choice(
            [("soap", "refuse"), ("soap", "drop_request"), ("soap", "drop_answer"), ("soap", "truncated"),
             ("sftp", "refuse"), ("sftp", "cut")]
        )  # fmt: skip
        self.authority.faults.add(channel, kind, times=1)
        self.counts.faults += 1

    def _kill(self) -> None:
        worker = self.random.choice(self.workers)
        worker.kill()
        worker.start()
        self.counts.killed += 1

    def _kill_all(self) -> None:
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.start()
        self.counts.killed += len(self.workers)

    def _pause(self) -> None:
        self.random.choice(self.workers).pause(self.random.uniform(0.3, 2 * SILENT_SECONDS))
        self.counts.paused += 1

    def _cut_off(self) -> None:
        """A machine that stands still and whose sessions the database has given up."""
        worker = self.random.choice(self.workers)
        worker.pause(self.random.uniform(0.3, 2 * SILENT_SECONDS))
        self.cluster.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{worker.name}'"
        )
        self.counts.cut_off += 1

    def _stop(self) -> None:
        worker = self.random.choice(self.workers)
        worker.stop()
        worker.start()
        self.counts.stopped += 1

    # --- What people do ---

    def _act_as_person(self) -> None:
        """Asks the authority about what is unknown, when every machine is awake again."""
        if any(worker.is_paused for worker in self.workers):
            self._unknown_since.clear()
            return
        with self.context.engine.connect() as connection:
            unknown = submissions.in_states(connection, self.context.provider, frozenset({State.UNKNOWN}))
        for one in unknown:
            since = self._unknown_since.setdefault(one.id, time.monotonic())
            if one.superseded_by is None and time.monotonic() - since > 1:
                self._ask_about(one)

    def _ask_about(self, one: Submission) -> None:
        held = [known for known in self.authority.store.submissions(one.report.lower())
                if known.is_accepted and _same_period(known.period, one.period)]  # fmt: skip
        try:
            resolve(
                self.context, one.id, DELIVERED if held else NEVER_ARRIVED, "the authority's book says so"
            )
            self.counts.asked[DELIVERED if held else NEVER_ARRIVED] += 1
            if held:
                answer = self.folder / f"answer-{one.id}.xml"
                answer.write_bytes(self.authority.store.answer(held[0].id) or b"")
                take_by_hand(self.context, [answer])
        except AjpesReportingError:
            return  # a worker is at it, or the folders are away; the person tries again

    def _record(self, day: date) -> None:
        rows = []
        for _number in range(self.random.randint(1, 3) if self.random.random() > QUIET else 0):
            self._events += 1
            moment = f"{day}T{self.random.randint(8, 14):02}:00:00"
            rows.append(event(f"O-{self._events}", 1, recorded=moment))
        if rows:
            self._import("events.csv", [HEADER, *rows])
        if day.day == 2:
            month = (day.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
            header = "account,month,credit_turnover_cents,debit_turnover_cents,closing_balance_cents"
            self._import(
                "months.csv", [header, *(f"{account},{month},400000,400000,1000000" for account in ACCOUNTS)]
            )

    def _import(self, name: str, lines: list[str]) -> None:
        path = self.folder / name
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        import_files(self.context, [path])

    # --- The bank and its clock ---

    def _make_bank(self) -> Context:
        folder = self.folder / "bank"
        folder.mkdir()
        settings = re.sub(r'url = "sqlite:[^"]*"', f'url = "{self.url}"', self.authority.settings(folder))
        settings = _with_engine(settings)
        (folder / "ajpes.toml").write_text(settings, encoding="utf-8")
        complete_workspace(folder)
        context = open_context(open_workspace(folder), self._now)
        self.context = context
        header = "account,holder_tax_number,holder_name,opened_on,closed_on"
        names = [f"{account},50123459,Kovinarstvo Žagar d.o.o.,2015-03-02," for account in ACCOUNTS]
        self._set_clock(datetime(2026, 1, 1, tzinfo=LJUBLJANA))
        self._import("accounts.csv", [header, *names])
        return context

    def _set_clock(self, moment: datetime) -> None:
        new = self.clock.with_suffix(".new")
        new.write_text(moment.isoformat(), encoding="ascii")
        new.replace(self.clock)

    def _now(self) -> datetime:
        return read_clock(self.clock)

    def _open(self) -> list[str]:
        with self.context.engine.connect() as connection:
            rows = connection.execute(select(due_reports).where(due_reports.c.settled_as.is_(None))).all()
            latest = [submissions.latest(connection, row.provider, row.report, row.period) for row in rows]
        return [
            f"{row.report} {row.period} {one and one.state}" for row, one in zip(rows, latest, strict=True)
        ]

    def _is_settled(self, day: date) -> bool:
        with self.context.engine.connect() as connection:
            known = connection.execute(
                select(due_reports.c.settled_as).where(
                    due_reports.c.report == "NODURS", due_reports.c.period == day.isoformat()
                )
            ).scalar()
        return known is not None and not self._open()


def _same_period(theirs: str | None, ours: str) -> bool:
    """They write 20260131 and 202601, we 2026-01-31 and 2026-01."""
    return theirs is not None and theirs.replace("-", "") == ours.replace("-", "")


def _with_engine(settings: str) -> str:
    line = 'engine = "procrastinate"\n'
    if "[schedule]" in settings:
        return settings.replace("[schedule]\n", f"[schedule]\n{line}")
    return f"{settings}\n[schedule]\n{line}"


@contextmanager
def opened(folder: Path, cluster: Cluster, url: str, seed: int, workers: int) -> Iterator[Year]:
    """A bank with its workers and its authority, for as long as the context lasts."""
    with ExitStack() as stack:
        clock = folder / "clock"
        clock.write_text("2026-01-01T00:00:00+01:00", encoding="ascii")
        sandbox = Sandbox(folder / "authority", clock=lambda: read_clock(clock), poll_seconds=0.05)
        authority = stack.enter_context(sandbox)
        year = Year(folder, cluster, authority, url, seed)
        stack.callback(year.end)
        year.begin(workers)
        yield year


def main() -> None:
    """Lives the days, then prints what happened; leaves with 1 if the auditor found something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    programs = find_programs() or sys.exit("install postgresql")
    started = time.monotonic()
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(options.days)]
    print(f"{options.workers} workers, {options.days} days, seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="ajpes-year-"))
    with (
        Cluster(programs) as cluster,
        cluster.database() as url,
        opened(folder, cluster, url, options.seed, options.workers) as year,
    ):
        for day in days:
            year.live(day)
            if day.day == 1:
                print(f"{day} after {time.monotonic() - started:.0f} s: {year.counts}", flush=True)
        wrong = year.audit(days)
        received = Counter(one.report for one in year.authority.store.submissions())
    print(f"{time.monotonic() - started:.0f} s; received: {dict(received)}; {year.counts}")
    sys.exit("\n".join([f"seed {options.seed}, see {folder}:", *wrong]) if wrong else 0)


if __name__ == "__main__":
    main()
