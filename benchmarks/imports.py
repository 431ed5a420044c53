"""The way in: one file of events into an empty ledger."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import csvfiles
from benchmarks.measurement import Measurement, Stage, Trial, program, psql, sqlite3
from benchmarks.processes import Cost
from benchmarks.workspaces import Kind, Workspace

FLAT = (
    f"CREATE TABLE flat ({', '.join(f'{name} text' for name in csvfiles.EVENT_COLUMNS)},"
    " UNIQUE (obligation_id, event_id));"
)
CANCELLED_ONCE = (
    "CREATE UNIQUE INDEX flat_cancels ON flat (obligation_id, cancels_event_id) WHERE cancels_event_id <> '';"
)


def _trials(stage: Stage, kind: Kind, size: int) -> Iterator[Trial]:
    file = stage.folder / f"events_{size}.csv"
    if not file.exists():
        csvfiles.write_events(file, size)
    empty = stage.workspaces.get(kind, None)
    yield Trial(
        "into an empty ledger",
        partial(_ours, stage, empty, file),
        partial(_flat, stage, empty, file),
        size,
    )
    file.unlink()


def _ours(stage: Stage, empty: Workspace, file: Path) -> Cost:
    with stage.workspaces.copy(empty) as workspace:
        return stage.costed(empty.kind, partial(program, workspace, "ledger", "import", file))()


def _flat(stage: Stage, empty: Workspace, file: Path) -> Cost:
    """Beside the tables that are there and stay empty; SQLite with the same care for the disk."""
    with stage.workspaces.copy(empty) as workspace:
        if empty.kind == "sqlite":
            careful = ("PRAGMA synchronous = FULL;", FLAT, CANCELLED_ONCE)
            return sqlite3(workspace.database, *careful, f".import --csv --skip 1 {file} flat")
        copy = f"\\copy flat FROM '{file}' WITH (FORMAT csv, HEADER true, NULL 'none')"
        return stage.costed(empty.kind, partial(psql, workspace, FLAT, CANCELLED_ONCE, copy))()


IMPORT = Measurement(
    name="import",
    what="`ledger import` of one CSV file into an empty ledger",
    yardstick="`.import` of sqlite3, `\\copy` of psql, into a flat table with the same unique keys",
    trials=_trials,
    limit=2.5,
)
