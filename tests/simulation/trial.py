"""One trial: a world, something that goes wrong, the days after it, and the auditor's findings."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import signal
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from . import faults, snapshots, worker, workload
from .auditor import UNEXPLAINED, Finding, audit, audit_what_was_set_back
from .authority import Authority
from .faults import COPIED_BACK, FOLDER_BACK, KILL, LONG_PAUSE, READ_ONLY, STANDS_STILL, Strike
from .worker import Order, wait, wait_for
from .world import POSTGRESQL, SQLITE, VARIANTS, Ledger, World, open_world, read_steps

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

ONE_WORKER, TWO_WORKERS, BAD_LINE, RESTART = "one worker", "two workers", "bad line", "authority restarts"
POISON, STRANGE_SERVER, LIMITS = "poison answer", "strange server", "a DBA's limits"
STRANGE_REPLY = "strange reply"
_FIRST, _SECOND = "2026-11-17", "2026-11-18"
_MOST_TICKS = 8
_WAITS_FOR_ANOTHER_SECONDS = 1.5
_SECOND_CRASH, _SECOND_DAY, _ONE_MORE_TICK, _TAKES_OVER = 0.25, 0.2, 0.3, 0.5
_IS_KILLED_TOO = 0.4
_SHORT_PAUSE_SECONDS, _AN_HOUR_SECONDS = 0.3, 3600.0
_FORGOTTEN_TICKS = 3
_MAY_BE_IDLE_SECONDS, _SLOW_ANSWER_SECONDS, _IS_ASKED_AFTER_SECONDS = 1.2, 4.0, 2.0
_STARTS_AT_LATEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried. Everything that is left to chance follows from `seed` and `round`.

    `mood` is what the authority does badly, once; if it is empty, chance decides. In the scenes of answers,
    replies and servers it says which: "a NUL, before", "JSON", "copies".
    """

    database: str
    via: str
    scene: str
    strike: Strike | None
    round: int
    seed: int
    naive: str = ""
    mood: str = ""

    def command(self) -> str:
        """What plays this trial again."""
        return f"python -m tests.simulation --again '{json.dumps(asdict(self))}'"

    def rng(self) -> random.Random:
        has_mood = self.scene in (POISON, STRANGE_SERVER, STRANGE_REPLY)
        scene = f"{self.scene} {self.mood}" if has_mood else self.scene
        text = f"{self.database} {self.via} {scene} {self.strike} {self.round} {self.seed}"
        return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended. `struck` tells whether what was planned did happen."""

    trial: Trial
    findings: tuple[Finding, ...]
    struck: bool
    asked: int
    ticks: int
    seconds: float
    mood: str = ""
    log: str = ""


@dataclass(slots=True)
class Station:
    """What the trials of one process share: the authority's process, and ledgers to copy from."""

    folder: Path
    server: str | None
    authority: Authority = field(default_factory=Authority)
    ledgers: dict[tuple[str, int], Ledger] = field(default_factory=dict)
    played: int = 0

    def ledger(self, kind: str, variant: int) -> Ledger:
        if (kind, variant) not in self.ledgers:
            server = self.server if kind == POSTGRESQL else None
            self.ledgers[kind, variant] = Ledger(self.folder, kind, variant, server)
        return self.ledgers[kind, variant]

    def warm_up(self) -> None:
        """Before the first fork."""
        kind = POSTGRESQL if self.server else SQLITE
        for via in ("soap", "sftp"):
            with open_world(self.new_folder(), self.ledger(kind, 0), self.authority, via) as world:
                worker.rehearse(Order(world.bank, world.now))
        gc.freeze()  # what never changes need not be copied into each worker

    def new_folder(self) -> Path:
        self.played += 1
        return self.folder / f"trial-{self.played}"


def steps_of(station: Station, database: str, via: str) -> dict[str, Any]:
    """The steps and calls of a worker to whom nothing happens."""
    with open_world(station.new_folder(), station.ledger(database, 0), station.authority, via) as world:
        ended = wait(world.start(writes_steps=True))
        assert ended == "0", world.log()
        return read_steps(world.folder)


def play(station: Station, trial: Trial) -> Outcome:
    """Plays one trial from beginning to end.

    Where the authority's bad day kept the worker from the step at which it was to be struck, the trial
    is played once more on a good day.
    """
    is_spoiled = trial.strike is None or trial.strike.kind != READ_ONLY
    outcome = _play(station, trial, trial.scene in (ONE_WORKER, TWO_WORKERS) and is_spoiled)
    if outcome.struck or outcome.findings:
        return outcome
    again = _play(station, trial, spoiled=False)
    return replace(again, seconds=outcome.seconds + again.seconds)


def _play(station: Station, trial: Trial, spoiled: bool) -> Outcome:
    rng, began = trial.rng(), time.monotonic()
    ledger = station.ledger(trial.database, rng.randrange(VARIANTS))
    line = faults.bad_line(rng) if trial.scene == BAD_LINE else None
    other_way_too = rng.random() < 0.5
    with open_world(
        station.new_folder(), ledger, station.authority, trial.via, line=line, other_way_too=other_way_too,
        sends_again=trial.scene == LIMITS, uploads_directly=trial.mood == "has no right to rename",
    ) as world:  # fmt: skip
        world.naive = trial.naive
        play = _Play(world, trial, rng)
        play.all(spoiled)
        recorded = [*ledger.rows, *play.recorded]
        findings = [*play.findings, *audit(world, play.days, recorded)]
        seconds = time.monotonic() - began
        log = world.log() if findings else ""
        return Outcome(
            trial,
            tuple(findings),
            play.struck,
            play.asked,
            play.ticks,
            seconds,
            f"{play.mood} {line or ''}",
            log,
        )


class _Play:
    """The days of one trial."""

    def __init__(self, world: World, trial: Trial, rng: random.Random) -> None:
        self._world, self._trial, self._rng = world, trial, rng
        self.days = [_FIRST]
        self.recorded: list[str] = []
        self.findings: list[Finding] = []
        self.mood = "well"
        self.struck = self.is_stuck = False
        self.asked = self.ticks = 0

    def all(self, spoiled: bool) -> None:
        self._spoil(spoiled)
        if self._trial.scene == LIMITS:
            self._run_into_limits()
        else:
            self._go_wrong()
        self._recover(self._rng.random() < _SECOND_CRASH and not self._has_answer_in_hand())
        if self._rng.random() < _SECOND_DAY:
            self._second_day()
        if self._has_answer_in_hand() and self.asked:
            self.findings.append(Finding(UNEXPLAINED, "a person was asked for what the bank had in hand"))

    def _has_answer_in_hand(self) -> bool:
        """Whether nothing but the database keeps the bank from taking the answer in."""
        strike = self._trial.strike
        return self._trial.scene == LIMITS or (strike is not None and strike.kind == READ_ONLY)

    def _spoil(self, spoiled: bool) -> None:
        trial, authority = self._trial, self._world.faults
        if trial.scene == POISON:
            name, place = trial.mood.rsplit(", ", 1)
            self.mood = faults.poison(authority, trial.via, name, place, self._rng)
        elif trial.scene == STRANGE_SERVER:
            self.mood = faults.estrange(authority, trial.mood, self._rng)
        elif trial.scene == STRANGE_REPLY:
            self.mood = faults.talk_strangely(authority, trial.mood, self._rng)
        elif trial.scene == LIMITS:
            authority.add("soap", "slow", seconds=_SLOW_ANSWER_SECONDS, times=1)
            self.mood = "soap slow"
        elif spoiled:
            self.mood = faults.spoil(authority, trial.via, trial.mood, self._rng)

    def _go_wrong(self) -> None:
        strike = self._trial.strike
        if self._trial.scene == STRANGE_REPLY and self._rng.random() < _IS_KILLED_TOO:
            strike = self._again()
        first = self._world.start(strike)
        second = self._world.start() if self._has_company() else None
        if self._trial.scene == RESTART:
            time.sleep(self._rng.uniform(0, 0.4))
            self._world.authority.die_and_return()
        ended = wait(first)
        if ended == "stopped" and strike is not None:
            self.struck = True
            if strike.kind in (COPIED_BACK, FOLDER_BACK):
                ended = self._set_back(first, whole_folder=strike.kind == FOLDER_BACK)
            else:
                second = self._pause(first, strike)
                ended = wait(first)
                self._world.longest_run_seconds = _AN_HOUR_SECONDS
        if second is not None:
            self._expect(wait(second), "the second worker")
        is_planned = self._trial.strike is not None
        self.struck |= ended == "killed" or not is_planned or strike.kind not in (KILL, *STANDS_STILL)
        self._expect(ended, "the first worker")
        self.ticks += 1

    def _has_company(self) -> bool:
        return self._trial.scene == TWO_WORKERS or (self._trial.scene == POISON and self._rng.random() < 0.5)

    def _pause(self, first: int, strike: Strike) -> int | None:
        self._world.longest_run_seconds = self._patience_with(strike)
        self._world.pass_by(minutes=5)
        if strike.kind == LONG_PAUSE:
            self._recover(crashes_again=False)
        return self._take_turns(first)

    def _set_back(self, first: int, *, whole_folder: bool) -> str:
        """The database is copied, the work goes on for a while, and then the copy is put back."""
        copy = snapshots.take(self._world, whole_folder=whole_folder)
        os.kill(first, signal.SIGCONT)
        ended = wait(first)
        for _ in range(self._rng.randrange(_FORGOTTEN_TICKS)):
            self._world.authority.rest()
            self._world.pass_by(minutes=6)
            self._expect(self._world.work(), "a worker of whom nothing is left")
            self.ticks += 1
        self._world.authority.rest()
        copy.put_back()
        if not whole_folder:
            self.findings += audit_what_was_set_back(self._world)
        return ended

    def _run_into_limits(self) -> None:
        """The authority is slow, sessions may not be idle for so long, and another worker comes meanwhile."""
        with self._world.idle_sessions_end(_MAY_BE_IDLE_SECONDS):
            first = self._world.start()
            give_up = time.monotonic() + _STARTS_AT_LATEST_SECONDS
            while not self._world.store.submissions() and time.monotonic() < give_up:
                time.sleep(0.01)
            time.sleep(_IS_ASKED_AFTER_SECONDS)
            self._expect(self._world.work(), "the second worker")
            self._expect(wait(first), "the first worker")
        self.struck = True
        self.ticks += 1

    def _patience_with(self, strike: Strike) -> float:
        """After how long others may take the place of a paused worker, where the database allows it."""
        is_short = strike.kind == LONG_PAUSE or self._rng.random() < _TAKES_OVER
        return _SHORT_PAUSE_SECONDS if is_short else _AN_HOUR_SECONDS

    def _take_turns(self, paused: int) -> int | None:
        """Another worker takes its turn; where it waits for the paused one, that one has to go on first.

        On PostgreSQL it may take the other's place, if that one has been away for too long.
        """
        time.sleep(1.5 * min(self._world.longest_run_seconds, _SHORT_PAUSE_SECONDS))
        second = self._world.start()
        ended = wait_for(second, _WAITS_FOR_ANOTHER_SECONDS)
        os.kill(paused, signal.SIGCONT)
        self._expect(ended, "the second worker")
        return None if ended else second

    def _expect(self, ended: str, who: str) -> None:
        if ended in ("hangs", "toils"):
            why = "did not come to an end" if ended == "hangs" else "took too much of the processor"
            self.findings.append(Finding(UNEXPLAINED, f"{who} {why}"))
            self.is_stuck = True

    def _recover(self, crashes_again: bool) -> None:
        """Later workers, and a person beside them, until everything due is settled."""
        fewest = 1 if crashes_again or self._rng.random() < _ONE_MORE_TICK else 0
        for tick in range(_MOST_TICKS):
            self._world.pass_by(minutes=12)
            strike = self._again() if crashes_again and tick == 0 else None
            self._expect(self._world.work(strike), "a later worker")
            self.ticks += 1
            self._world.authority.rest()
            if self.is_stuck or (workload.is_settled(self._world, self.days) and tick >= fewest):
                return
            if tick >= 1:
                self.asked += workload.attend(self._world, self._rng)

    def _again(self) -> Strike:
        return Strike(KILL, self._rng.choice(_ANY_STEP), 1)

    def _second_day(self) -> None:
        self.days.append(_SECOND)
        self.recorded = workload.second_day(self._rng)
        start: datetime = self._world.now.replace(day=18, hour=15, minute=50)
        self._world.pass_by(seconds=(start - self._world.now).total_seconds())
        workload.record(self._world, self.recorded)
        self._recover(crashes_again=False)


_ANY_STEP = (
    "before connecting", "before commit: state sending", "after commit: state sending",
    "before commit: state unknown", "after commit: answer stored", "before commit: state accepted",
    "after rename on the server", "before the SOAP reply is read", "after archive: answer",
)  # fmt: skip
