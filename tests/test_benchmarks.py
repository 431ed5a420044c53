"""Figures mean something only if what is measured is what the program would meet."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, func, select

from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.tables import debtors, events, obligations, pending_events, rule_editions
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger.files import import_files
from ajpes_reporting.pipeline.audit import verify_record
from benchmarks import csvfiles, filling, ledgers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 20_000


@pytest.fixture
def imported(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Engine]:
    """A ledger that took the made-up events in as a file, without any shortcut."""
    csvfiles.write_events(tmp_path / "events.csv", SIZE)
    engine = open_engine(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'imported.db')}")
    (summary,) = import_files(engine, ledgers.PROVIDER, [tmp_path / "events.csv"], RuleSettings())
    assert (summary.rows_new, summary.warning_count) == (SIZE, 2)
    yield engine
    engine.dispose()


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
    days = [row.recorded_as[:10] for row in scattered]
    assert days == sorted(days)
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


def _rows(engine: Engine, table: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key)))


def _triggers(engine: Engine) -> list[Any]:
    tables = {"sqlite": "sqlite_master WHERE type = 'trigger'", "postgresql": "pg_trigger"}
    names = {"sqlite": "name, sql", "postgresql": "tgname, tgenabled"}
    kind = engine.dialect.name
    with engine.connect() as connection:
        return sorted(map(tuple, connection.exec_driver_sql(f"SELECT {names[kind]} FROM {tables[kind]}")))
