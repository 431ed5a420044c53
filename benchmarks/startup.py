"""What a person waits for before anything happens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

from benchmarks.measurement import Measurement, Stage, Trial, program
from benchmarks.processes import run
from benchmarks.workspaces import Kind


def _trials(stage: Stage, _kind: Kind, _size: int) -> Iterator[Trial]:
    workspace = stage.workspaces.get("sqlite", None)
    for word in ("--help", "status"):
        yield Trial(
            f"`{word}`",
            partial(program, workspace, word),
            partial(run, [sys.executable, "-c", "import sqlalchemy"]),
            1,
        )


STARTUP = Measurement(
    name="start-up",
    what="`ajpes-reporting --help` and `status`",
    yardstick='`python -c "import sqlalchemy"`',
    trials=_trials,
    limit=3.0,
    databases=(),
    has_sizes=False,
)
