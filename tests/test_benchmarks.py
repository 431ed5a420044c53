"""Figures mean something only if what is measured is what the program would meet."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, func, select

from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.tables import debtors, events, obligations, pending_events, rule_editions
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger.files import import_files
from ajpes_reporting.pipeline.audit import verify_record
from benchmarks import csvfiles, filling, ledgers, report
from benchmarks.__main__ import MEASUREMENTS, main
from benchmarks.processes import run
from tests.servers.postgres import Cluster, find_programs

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 20_000
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


@pytest.fixture
def imported(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Engine]:
    """A ledger that took the made-up events in as a file, without any shortcut."""
    csvfiles.write_events(tmp_path / "events.csv", SIZE)
    engine = open_engine(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'imported.db')}")
    (summary,) = import_files(
        engine,
        ledgers.PROVIDER,
        [tmp_path / "events.csv"],
        RuleSettings(),
        now=datetime(2100, 1, 1, tzinfo=UTC),
    )
    assert (summary.rows_new, summary.warning_count) == (SIZE, 2)
    yield engine
    engine.dispose()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that a server which may not be root can enter; those of pytest are closed to others."""
    with tempfile.TemporaryDirectory(prefix="ajpes-benchmarks-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_filled_ledger_is_what_an_import_leaves(
    database_url: str, engine: Engine, imported: Engine
) -> None:
    """The shortcut past the import makes nothing easier: every row is the same, to its key."""
    filling.fill(database_url, "new", SIZE)
    for table in (rule_editions, debtors, obligations, events, pending_events):
        assert _rows(engine, table) == _rows(imported, table), table.name


def test_a_scattered_ledger_holds_the_same_day_by_day(
    database_url: str, engine: Engine, imported: Engine
) -> None:
    """Only the places of the events differ."""
    filling.fill(database_url, "scattered", SIZE)
    scattered = _rows(engine, events)
    places = [(row.recorded_as[:10], row.obligation) for row in scattered]
    assert places == sorted(places)
    assert {row[1:] for row in scattered} == {row[1:] for row in _rows(imported, events)}


def test_an_accepted_ledger_waits_for_a_thousand_events(database_url: str, engine: Engine) -> None:
    """The small day is a thousand events in a thousand obligations; the audit agrees with the rest."""
    filling.fill(database_url, "accepted", SIZE)
    with engine.connect() as connection:
        waiting = select(func.count(), func.count(events.c.obligation.distinct())).join_from(
            pending_events, events
        )
        assert tuple(connection.execute(waiting).one()) == (1_000, 1_000)
        assert [problem for problem in verify_record(connection).problems if "event " in problem] == []


def test_the_triggers_are_there_afterwards(database_url: str, engine: Engine) -> None:
    """A ledger without them would be quicker to write to than a real one."""
    before = _triggers(engine)
    filling.fill(database_url, "new", 100)
    assert before and _triggers(engine) == before


def test_all_of_it_can_be_measured(open_folder: Path) -> None:
    """The short version, shorter: everything gives a figure, with time and memory of both sides."""
    for name in ("sqlite3", "xmllint", "psql", "sftp", "curl"):
        if shutil.which(name) is None:
            pytest.skip(f"install {name}")
    assert main(["--short", "--size", "200", "--folder", str(open_folder)]) == 0
    document = json.loads((open_folder / "results.json").read_text())
    results, left_out = document["results"], document["missing"]
    measured = {(one["measurement"], one["database"]) for one in results}
    assert measured == {(one.name, kind) for one in MEASUREMENTS for kind in one.databases or [""]}
    assert [line for line in left_out if "xsdata" not in line] == []
    for one in results:
        assert one["ours"]["wall_seconds"] > 0 and one["yardstick"]["wall_seconds"] > 0, one
        # A yardstick may be over in milliseconds here, before its memory was looked at.
        assert one["ours"]["peak_bytes"] > 1 << 20, one
        assert (one["ours"]["server_seconds"] > 0) == (one["database"] == "postgresql"), one
    assert all(f"| {one['measurement']} | {one['case']} |" in report.table(document) for one in results)


def test_two_measurements_do_not_share_a_server(open_folder: Path) -> None:
    """Whoever comes second is told why, and the first goes on."""
    if (programs := find_programs()) is None:
        pytest.skip("install postgresql")
    with Cluster(programs, open_folder / "postgresql") as cluster:
        with pytest.raises(SystemExit, match=r"(?s)postmaster\.pid.*wait for it, or name another --folder"):
            main(["--short", "--folder", str(open_folder), "--database", "postgresql"])
        cluster.execute("SELECT 1")


def test_what_is_measured_again_takes_the_place_of_its_forerunner_alone(tmp_path: Path) -> None:
    """The whole takes hours, so it is measured in parts; none of them may cost the others."""
    kept = tmp_path / "results.json"
    build = {"measurement": "build", "case": "one import", "database": "sqlite", "size": 100}
    document = report.open_document(kept)
    for result in ({**build, "figure": 1.0}, {**build, "size": 10, "figure": 2.0}):
        report.add(document, result)
    report.write_json(document, kept)
    again = report.open_document(kept)
    report.add(again, {**build, "figure": 3.0})
    assert [(one["size"], one["figure"]) for one in again["results"]] == [(10, 2.0), (100, 3.0)]


def test_figures_of_another_machine_are_not_mixed_in(tmp_path: Path) -> None:
    """Only ratios mean anything elsewhere, and of those not all."""
    kept = tmp_path / "results.json"
    document = report.open_document(kept)
    report.add(document, {"measurement": "build", "case": "", "database": "sqlite", "size": 100})
    document["machine"]["processors"] = 64
    report.write_json(document, kept)
    assert report.open_document(kept)["results"] == []


def test_memory_is_that_of_the_whole_family() -> None:
    """A way that shares its work among processes has no less memory for it."""
    half = "import time; kept = b'x' * (64 << 20); time.sleep(0.5)"
    both = (
        f"import subprocess, sys; kept = b'x' * (64 << 20); subprocess.run([sys.executable, '-c', {half!r}])"
    )
    alone, together = (run([sys.executable, "-c", program]).peak_bytes for program in (half, both))
    assert 64 << 20 < alone < 100 << 20
    assert 128 << 20 < together < 180 << 20


def test_the_page_names_every_yardstick() -> None:
    """Who reads a figure finds beside it what it was compared with."""
    assert report.yardsticks_page(MEASUREMENTS) == PAGE.read_text(encoding="utf-8")


def _rows(engine: Engine, table: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key)))


def _triggers(engine: Engine) -> list[Any]:
    tables = {"sqlite": "sqlite_master WHERE type = 'trigger'", "postgresql": "pg_trigger"}
    names = {"sqlite": "name, sql", "postgresql": "tgname, tgenabled"}
    kind = engine.dialect.name
    with engine.connect() as connection:
        return sorted(map(tuple, connection.exec_driver_sql(f"SELECT {names[kind]} FROM {tables[kind]}")))
