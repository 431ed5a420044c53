"""A campaign: every step, every scene, so many rounds, on both databases and by both ways."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ajpes_reporting.sandbox.faults import AFTER, BEFORE, INSTEAD

from .auditor import UNEXPLAINED, Finding
from .faults import (
    COPIED_BACK,
    DATABASE,
    FILE,
    FOLDER_BACK,
    KILL,
    LONG_PAUSE,
    LOST_COMMIT,
    PARTITION,
    PAUSE,
    READ_ONLY,
    STRANGE_REPLIES,
    STRANGE_SERVERS,
    Strike,
)
from .poison import POISONS
from .trial import (
    BAD_LINE,
    LIMITS,
    ONE_WORKER,
    POISON,
    RESTART,
    STRANGE_REPLY,
    STRANGE_SERVER,
    TWO_WORKERS,
    Outcome,
    Station,
    Trial,
    play,
    steps_of,
)
from .world import POSTGRESQL

if TYPE_CHECKING:
    from multiprocessing.pool import Pool

SCENES = (
    KILL, PAUSE, PARTITION, LOST_COMMIT, TWO_WORKERS, RESTART, BAD_LINE, DATABASE, FILE,
    POISON, STRANGE_REPLY, STRANGE_SERVER, COPIED_BACK, FOLDER_BACK, READ_ONLY, LIMITS,
)  # fmt: skip
# What nobody but the authority can tell apart is in it, so it is played only when it is asked for.
MORE_SCENES = (LONG_PAUSE,)
# The n-th call is one of a hundred and the steps are the better part of them: fewer rounds will do.
_ROUNDS_PER_CALL = 20
_station: list[Station] = []


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign tries; `scenes` are names of `SCENES`."""

    databases: tuple[str, ...]
    ways: tuple[str, ...]
    scenes: tuple[str, ...]
    rounds: int
    seed: int
    naive: str = ""


@dataclass(slots=True)
class Tally:
    """What came of the trials of one row of the table."""

    trials: int = 0
    struck: int = 0
    asked: int = 0
    seconds: float = 0
    findings: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        self.trials += 1
        self.struck += outcome.struck
        self.asked += outcome.asked
        self.seconds += outcome.seconds
        self.findings.update({finding.kind for finding in outcome.findings})


@contextmanager
def open_pool(jobs: int, server: str | None) -> Iterator[Pool]:
    """Processes that play trials, each at a station of its own. `server` is a PostgreSQL server's URL."""
    folder = tempfile.mkdtemp(prefix="ajpes-simulation-", dir=_disk_in_memory())
    try:
        with multiprocessing.get_context("spawn").Pool(jobs, _open_station, (folder, server)) as pool:
            yield pool
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def trials_of(plan: Plan, pool: Pool) -> list[Trial]:
    """Every trial of a campaign; the steps are those of a worker to whom nothing happens."""
    cells = [(database, via) for database in plan.databases for via in plan.ways]
    trials: list[Trial] = []
    for cell, seen in zip(cells, pool.map(_steps_of, cells, chunksize=1), strict=True):
        trials += (
            Trial(*cell, scene, strike, number, plan.seed, plan.naive, mood)
            for scene, strike, mood, rounds in _scenes(plan, cell, seen)
            for number in range(rounds)
        )
    return trials


def play_all(pool: Pool, trials: Iterable[Trial]) -> Iterator[Outcome]:
    """Plays the trials; the outcomes come as they are ready."""
    return pool.imap_unordered(play_one, trials, chunksize=1)


def play_one(trial: Trial) -> Outcome:
    """Plays one trial at the station of this process. A mistake of the simulation is a finding, too."""
    try:
        return play(_station[0], trial)
    except Exception:
        finding = Finding(UNEXPLAINED, f"the simulation itself failed: {traceback.format_exc()}")
        return Outcome(trial, (finding,), struck=False, asked=0, ticks=0, seconds=0)


def _scenes(plan: Plan, cell: tuple[str, str], seen: Steps) -> Iterator[tuple[str, Strike | None, str, int]]:
    """The trials of one database and one way: scene, strike, mood, and how many rounds."""
    database, via = cell
    fewer = -(-plan.rounds // _ROUNDS_PER_CALL)
    for scene in plan.scenes:
        if scene in (TWO_WORKERS, RESTART, BAD_LINE):
            yield scene, None, "", plan.rounds
        elif scene == POISON:
            places = (BEFORE, AFTER, INSTEAD) if via == "sftp" else (INSTEAD,)
            yield from ((scene, None, f"{name}, {place}", fewer) for name in POISONS for place in places)
        elif scene == STRANGE_SERVER:
            # There is none by SOAP alone.
            yield from ((scene, None, name, plan.rounds) for name in STRANGE_SERVERS if via == "sftp")
        elif scene == STRANGE_REPLY:
            yield from ((scene, None, name, plan.rounds) for name in STRANGE_REPLIES if via == "soap")
        elif scene == LIMITS:
            if (database, via) == (POSTGRESQL, "soap"):
                yield scene, None, "", plan.rounds
        elif scene in (DATABASE, FILE):
            for number in range(1, seen.calls[scene] + 1):
                for for_ever in (False, True):
                    yield ONE_WORKER, Strike(scene, "", number, for_ever), "", fewer
        else:
            for step, number in seen.steps:
                if _is_at(scene, step, via):
                    yield ONE_WORKER, Strike(scene, step, number), "", plan.rounds


def _is_at(scene: str, step: str, via: str) -> bool:
    if scene == FOLDER_BACK:
        return via == "sftp"  # by SOAP nothing would be left to tell that it has gone
    return scene != LOST_COMMIT or step.startswith("after commit")


@dataclass(frozen=True, slots=True)
class Steps:
    """What a worker to whom nothing happened has gone through."""

    steps: Sequence[tuple[str, int]]
    calls: dict[str, int]


def _steps_of(cell: tuple[str, str]) -> Steps:
    seen = steps_of(_station[0], *cell)
    return Steps([(step, number) for step, number in seen["steps"]], seen["calls"])


def _open_station(folder: str, server: str | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the first process's affair
    own = Path(folder) / str(os.getpid())
    own.mkdir()
    station = Station(own, server)
    station.warm_up()
    _station.append(station)


def _disk_in_memory() -> str | None:
    """Trials are about order, not about what a disk forgets in a power cut; memory is quicker."""
    path = Path("/dev/shm")
    return str(path) if path.is_dir() and os.access(path, os.W_OK) else None
