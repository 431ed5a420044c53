"""Databases for the tests: each test its own, on SQLite and on PostgreSQL. In CI nothing is skipped.

Proofs that try many cases take a sample of them, and all of them with `--full`. Chance is seeded;
a failure shows the seed, and `--seed` repeats it.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.upgrade import upgrade
from ajpes_reporting.i18n import speak
from tests.servers.postgres import Cluster, find_programs

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

KINDS = ("sqlite", "postgresql")
MIGRATED = "migrated"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="try every case of the proofs, not a sample")
    parser.addoption("--seed", type=int, help="repeat the proofs that rest on chance with this seed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test is a server that CI did not install: there it is a failure."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether every case of a proof is to be tried, which takes minutes."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Chance that can be repeated: pytest shows the seed with a failure."""
    seed = request.config.getoption("--seed")
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    print(f"repeat this with --seed {seed}")  # noqa: T201
    return random.Random(seed)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server of our own, with a migrated database to copy from."""
    programs = find_programs()
    if programs is None:
        pytest.skip("install postgresql")
    with Cluster(programs) as cluster:
        cluster.execute(f"CREATE DATABASE {MIGRATED}")
        _migrate(cluster.url(MIGRATED))
        yield cluster


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy from."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    _migrate(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        with request.getfixturevalue("postgres").database() as url:
            yield url


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with empty tables."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "ajpes.db")
        yield f"sqlite:///{path}"
    else:
        with request.getfixturevalue("postgres").database(template=MIGRATED) as url:
            yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine for a database with empty tables."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def _migrate(url: str) -> None:
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Every test begins and ends in English, whatever language one of them has asked for."""
    speak("en")
    yield
    speak("en")
