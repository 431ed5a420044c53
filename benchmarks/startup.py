"""What a person waits for before anything happens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import writing
from ajpes_reporting.journal import due
from ajpes_reporting.wiring import open_context
from benchmarks.measurement import Measurement, Stage, Trial, program
from benchmarks.processes import run
from benchmarks.workspaces import Kind, Workspace


def _trials(stage: Stage, _kind: Kind, _size: int) -> Iterator[Trial]:
    workspace = stage.workspaces.get("sqlite", None)
    _note_what_is_due(workspace)
    for word in ("--help", "status"):
        yield Trial(
            f"`{word}`",
            partial(program, workspace, word),
            partial(run, [sys.executable, "-c", "import sqlalchemy"]),
            1,
        )


def _note_what_is_due(workspace: Workspace) -> None:
    """As in a workspace that is in use, where the schedule has done so: deadlines are read, not reckoned."""
    context = open_context(open_workspace(workspace.folder))
    for kind in context.kinds:
        period = kind.current_period(context.clock())
        with writing(context.engine) as connection:
            deadline = kind.deadline(period, context.extra_days_off)
            due.expect(connection, context.provider, kind.code, period.key, deadline)
    context.engine.dispose()


STARTUP = Measurement(
    name="start-up",
    what="`ajpes-reporting --help` and `status`",
    yardstick='`python -c "import sqlalchemy"`',
    trials=_trials,
    limit=3.0,
    databases=(),
    has_sizes=False,
)
