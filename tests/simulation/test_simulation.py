"""A short campaign for every change; the long one is `python -m tests.simulation` (docs/reliability.md)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.pool import Pool

import pytest

from tests.servers.postgres import Cluster, find_programs

from .auditor import DOUBLED, LOST, UNEXPLAINED
from .campaign import Plan, open_pool, play_all, trials_of
from .faults import (
    COPIED_BACK,
    DATABASE,
    FILE,
    FOLDER_BACK,
    KILL,
    LOST_COMMIT,
    PARTITION,
    PAUSE,
    READ_ONLY,
    STRANGE_REPLIES,
    STRANGE_SERVERS,
    Strike,
)  # fmt: skip
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
    Trial,
)  # fmt: skip
from .world import POSTGRESQL, SQLITE

SEED = 20261117
PER_SCENE = 2
WAYS = ("soap", "sftp")
CRASHES = (KILL, PAUSE, PARTITION, LOST_COMMIT, TWO_WORKERS, RESTART, BAD_LINE, DATABASE, FILE)


@pytest.fixture(scope="module", params=[SQLITE, POSTGRESQL])
def database(request: pytest.FixtureRequest) -> str:
    if request.param == POSTGRESQL and find_programs() is None:
        pytest.skip("install postgresql")
    return str(request.param)


@pytest.fixture(scope="module")
def pool(database: str) -> Iterator[Pool]:
    """Two processes that play trials."""
    with ExitStack() as stack:
        server = None
        if database == POSTGRESQL:
            server = stack.enter_context(Cluster(find_programs())).url("postgres")  # type: ignore[arg-type]
        yield stack.enter_context(open_pool(2, server))


def told(outcomes: Sequence[Outcome]) -> list[str]:
    """What was found, and how the trial is played again."""
    return [f"{finding}; {outcome.trial.command()}" for outcome in outcomes for finding in outcome.findings]


def test_nothing_is_lost_or_doubled_wherever_a_worker_is_struck(database: str, pool: Pool) -> None:
    """Killed, paused, cut off, started twice, with failing calls: each due report arrives exactly once."""
    trials = trials_of(Plan((database,), WAYS, CRASHES, 1, SEED), pool)
    chosen = random.Random(SEED)
    some = [trial for scene in CRASHES for trial in _some(trials, scene, chosen)]
    assert {trial.scene for trial in some} == {ONE_WORKER, TWO_WORKERS, RESTART, BAD_LINE}
    assert told(list(play_all(pool, some))) == []


# Trials in which a report once came twice: step, round, seed.
FOUND = [
    ("after commit: state prepared", 0, 21),
    ("after commit: state sending", 46, 31),
    ("before connecting", 2, 31),
    ("before delivery by soap", 3, 31),
]


@pytest.mark.parametrize(("step", "number", "seed"), FOUND)
def test_a_run_that_wakes_up_late_does_not_cover_up_what_another_one_sent(
    database: str, pool: Pool, step: str, number: int, seed: int
) -> None:
    """On PostgreSQL the paused worker's place is taken, and the other one's call ends in doubt."""
    trial = Trial(database, "soap", ONE_WORKER, Strike(PAUSE, step, 1), number, seed)
    assert told(list(play_all(pool, [trial]))) == []


POISONED = {
    "sftp": [
        "a type that names nothing, before", "an absurd year, after", "a huge count, after",
        "an undeclared prefix in a namespace, instead", "2000 attributes, before", "another provider, before",
    ],
    "soap": ["an absurd year, instead", "50000 attributes, instead", "deep nesting, instead"],
}  # fmt: skip


def test_nothing_in_an_answer_keeps_a_report_from_being_settled(database: str, pool: Pool) -> None:
    """The bank that could not report any more, since one file in iz_ajpes could not be read."""
    trials = [
        Trial(database, via, POISON, None, 0, SEED, mood=mood)
        for via, moods in POISONED.items()
        for mood in moods
    ]
    assert told(list(play_all(pool, trials))) == []


def test_each_report_arrives_once_whatever_the_server_makes_of_it(database: str, pool: Pool) -> None:
    """The bank whose exchange server takes files away at once, knows less than others, or lies."""
    names = _half(STRANGE_SERVERS, database)
    trials = [Trial(database, "sftp", STRANGE_SERVER, None, 0, SEED, mood=name) for name in names]
    assert told(list(play_all(pool, trials))) == []


def test_each_report_arrives_once_however_the_authority_replies(database: str, pool: Pool) -> None:
    """The bank whose authority replies by SOAP in its own ways, while workers are killed now and then."""
    names = _half(STRANGE_REPLIES, database)
    trials = [Trial(database, "soap", STRANGE_REPLY, None, 0, SEED, mood=name) for name in names]
    assert told(list(play_all(pool, trials))) == []


SET_BACK = [
    ("soap", COPIED_BACK, "before commit: state prepared"),
    ("soap", COPIED_BACK, "after commit: state sending"),
    ("soap", COPIED_BACK, "after commit: table due_reports"),
    ("sftp", COPIED_BACK, "before commit: state prepared"),
    ("sftp", COPIED_BACK, "before commit: handed over"),
    ("sftp", COPIED_BACK, "after commit: table due_reports"),
    ("sftp", FOLDER_BACK, "before commit: state prepared"),
    ("sftp", FOLDER_BACK, "after commit: state sending"),
]


def test_a_bank_that_is_set_back_reports_nothing_twice_in_silence(database: str, pool: Pool) -> None:
    """The virtual machine or database that comes back from a snapshot, and knows nothing of what went out."""
    trials = [Trial(database, via, ONE_WORKER, Strike(kind, step), 0, SEED) for via, kind, step in SET_BACK]
    assert told(list(play_all(pool, trials))) == []


@pytest.mark.parametrize("step", ["after commit: handed over", "before the SOAP reply is read"])
def test_no_answer_in_hand_is_lost_to_a_database_that_refuses_writes(
    database: str, pool: Pool, step: str
) -> None:
    """The clerk who has to ask AJPES for what had arrived during a failover."""
    trial = Trial(database, "soap", ONE_WORKER, Strike(READ_ONLY, step), 0, SEED)
    assert told(list(play_all(pool, [trial]))) == []


@pytest.mark.parametrize("database", [POSTGRESQL], indirect=True, scope="module")
def test_a_limit_on_idle_sessions_lets_no_second_run_in(database: str, pool: Pool) -> None:
    """The bank whose DBA ends idle sessions: the lock of a run must not end with one. SQLite knows none."""
    assert told(list(play_all(pool, [Trial(database, "soap", LIMITS, None, 0, SEED)]))) == []


def test_every_step_of_a_run_is_known(database: str, pool: Pool) -> None:
    """A step that is no longer seen is no longer tried, and nobody would notice."""
    steps = {trial.strike.step for trial in trials_of(Plan((database,), WAYS, (KILL,), 1, SEED), pool)}
    assert steps >= {
        "after commit: state prepared", "after commit: state sending", "after commit: handed over",
        "before block of the SOAP request", "before the SOAP reply is read", "before rename on the server",
        "after rename on the server", "after commit: answer stored", "before commit: state accepted",
    }  # fmt: skip


SINS = [
    ("retry on any error", "soap", ONE_WORKER, None, "drop_answer", DOUBLED),
    (
        "start again after a crash", "soap", ONE_WORKER, Strike(KILL, "after block of the SOAP request", 4),
        "", DOUBLED,
    ),
    ("delete before storing", "sftp", ONE_WORKER, Strike(KILL, "before archive: answer"), "", LOST),
    ("write under the final name", "sftp", ONE_WORKER, None, "cut", UNEXPLAINED),
    ("leave what cannot be read", "sftp", POISON, None, "nothing at all, before", UNEXPLAINED),
    ("send again what is gone", "sftp", STRANGE_SERVER, None, "sweeps what is closed", DOUBLED),
    ("believe a rename", "sftp", STRANGE_SERVER, None, "lies about a rename", UNEXPLAINED),
    ("take no lock", "soap", LIMITS, None, "", DOUBLED),
    (
        "trust the database alone", "soap", ONE_WORKER, Strike(COPIED_BACK, "before commit: state prepared"),
        "", DOUBLED,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sin", "via", "scene", "strike", "mood", "kind"), SINS)
def test_a_naive_program_is_caught(
    database: str, pool: Pool, sin: str, via: str, scene: str, strike: Strike | None, mood: str, kind: str
) -> None:
    """An auditor who lets a sinner pass proves nothing about anybody."""
    rounds = 2 if scene == ONE_WORKER else 1
    trials = [Trial(database, via, scene, strike, number, SEED, sin, mood) for number in range(rounds)]
    assert kind in {finding.kind for outcome in play_all(pool, trials) for finding in outcome.findings}


def _half(names: Iterable[str], database: str) -> list[str]:
    """Every other one on each database: what is strange in them is past the database."""
    return list(names)[database == POSTGRESQL :: 2]


def _some(trials: Sequence[Trial], scene: str, chosen: random.Random) -> Sequence[Trial]:
    kinds = (KILL, PAUSE, PARTITION, LOST_COMMIT)
    fitting = [trial for trial in trials if scene in (trial.scene, trial.strike and trial.strike.kind)]
    return chosen.sample(fitting, min(len(fitting), PER_SCENE * (3 if scene in kinds else 1)))
